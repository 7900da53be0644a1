"""What is published to npm: small, complete, typed, and without dependencies."""

import gzip
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
TYPESCRIPT = WEB / "node_modules" / ".bin" / "tsc"

SIZE_MAX = 12 * 1024
"""Bytes, gzipped, of the connection and the state together: what every page that has an inbox loads."""

PAGE = """
import { createApi } from "tandem-inbox/api.js";
import { createInbox, initial, reduce } from "tandem-inbox/inbox.js";
import { createRealtime } from "tandem-inbox/realtime.js";
import "tandem-inbox/tandem-inbox.js";

const getToken = async ({ fresh }: { fresh: boolean }) => `${fresh}`;
const realtime = createRealtime({ url: "wss://example.org/v1/push", getToken });
const api = createApi({ inboxUrl: "", connectionUrl: "", getToken });
const inbox = createInbox({ api, realtime });
const stop: () => void = realtime.on("inbox:created", (item) => console.log(item));
realtime.on("status", ({ status, reason, retryAt }) => console.log(status === "live", reason.length, retryAt));
const unread: number = inbox.state.unread;
const titles = inbox.state.entries.map((each) => (each.type === "item" ? each.item.title : each.suggestion.question));
stop();
console.log(unread, titles, reduce(initial(), { event: "inbox:unread", data: { unread_count: 1 }, seq: 1 }));
"""

IMPORT = re.compile(r'(?:\bfrom |^import )"([^"]+)";$', re.MULTILINE)

MISTAKES = {
    'realtime.status === "lively"': "no overlap",
    "inbox.state.unread = 0": "read-only",
    "inbox.markRead()": "Expected 1 arguments",
    'createRealtime({ url: "" })': "getToken",
}
"""What somebody may get wrong, and a word of what they are told."""


def run(*command: str | Path, cwd: Path) -> str:
    """What a program of Node's prints, whether it ends well or not."""
    environment = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has installed the package and nothing else."""
    folder = tmp_path_factory.mktemp("npm")
    source, project = folder / "tandem" / "web", folder / "project"
    shutil.copytree(WEB, source, ignore=shutil.ignore_patterns("node_modules", "demo", "types"))
    (source / "node_modules").symlink_to(WEB / "node_modules")
    shutil.copy(ROOT / "LICENSE", source.parent)
    printed = run("npm", "pack", "--pack-destination", folder, cwd=source)
    archive = next(folder.glob("*.tgz"), None)
    assert archive is not None, printed
    shutil.unpack_archive(archive, project / "node_modules")
    (project / "node_modules" / "package").rename(project / "node_modules" / "tandem-inbox")
    return project


def complaints(project: Path, program: str) -> str:
    """What TypeScript says about a program in that project, as strict as it can be."""
    (project / "page.ts").write_text(program)
    options = ["--strict", "--noEmit", "--module", "esnext", "--moduleResolution", "bundler", "--target", "es2022"]
    return run(TYPESCRIPT, *options, "--types", "", "page.ts", cwd=project)


def test_the_connection_and_the_state_are_small() -> None:
    """As the files stand, comments and all."""
    assert sum(len(gzip.compress((WEB / name).read_bytes())) for name in ("realtime.js", "inbox.js")) < SIZE_MAX


def test_the_modules_import_nothing_but_each_other() -> None:
    """The two that every page loads import nothing at all."""
    modules = [*WEB.glob("*.js"), *(WEB / "tandem-inbox").glob("*.js")]
    imports = {module.relative_to(WEB).as_posix(): IMPORT.findall(module.read_text()) for module in modules}
    assert imports["realtime.js"] == imports["inbox.js"] == []
    assert imports["tandem-inbox.js"] != []
    assert not [name for names in imports.values() for name in names if not re.match(r"\.{1,2}/", name)]
    assert "dependencies" not in json.loads((WEB / "package.json").read_text())


def test_the_package_has_the_modules_their_types_and_the_licence(project: Path) -> None:
    """And neither the demo page nor what the modules are checked with."""
    package = project / "node_modules" / "tandem-inbox"
    files = {file.relative_to(package).as_posix() for file in package.rglob("*") if file.is_file()}
    modules = {name for name in files if name.endswith(".js")}
    assert {"realtime.js", "inbox.js", "api.js", "tandem-inbox.js"} < modules
    assert {f"types/{name.removesuffix('.js')}.d.ts" for name in modules} <= files
    assert {"package.json", "LICENSE", "README.md"} <= files
    assert not [name for name in files if name.startswith(("demo", "node_modules"))]


def test_a_strict_typescript_page_compiles_against_it(project: Path) -> None:
    """With what stands in its `exports` alone."""
    assert complaints(project, PAGE) == ""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found_before_it_runs(project: Path, mistake: str) -> None:
    """The types say what is meant; they are not `any`."""
    assert MISTAKES[mistake] in complaints(project, f"{PAGE}\n{mistake};\n")
