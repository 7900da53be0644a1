"""What a deployment runs besides the services: making its secrets and databases, the bus's configuration, the smoke
test."""

import asyncio
import os
import re
import shutil
import stat
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import nkeys
import pytest

import connection_service.app
import inbox_service.app
from chassis import migrate
from devstack.binaries import nats_server, postgres_program
from devstack.postgres import Postgres
from tests.deploy import reading
from tests.deploy.conftest import AUTHORIZATION, make_secrets
from tests.deploy.reading import ROOT

DEPLOY = ROOT / "deploy"
DATABASES = {"connection": connection_service.app.MIGRATIONS, "inbox": inbox_service.app.MIGRATIONS}
SCRIPTS = sorted(path.relative_to(ROOT).as_posix() for path in DEPLOY.rglob("*.sh"))


def test_every_secret_that_compose_names_is_made(made_secrets: Path) -> None:
    """And whoever may look into the folder is its owner alone, while a container's account can read its file."""
    files = {Path(part["file"]).name for part in reading.compose()["secrets"].values()}
    assert files <= {file.name for file in made_secrets.iterdir()}
    assert stat.S_IMODE(made_secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE((made_secrets / name).stat().st_mode) for name in files} == {0o444}


def test_the_bus_is_told_the_public_half_of_each_seed(made_secrets: Path) -> None:
    """In the form that `env_file` has."""
    told = dict(line.split("=") for line in (made_secrets / "public.env").read_text().splitlines())
    assert {"CONNECTION_NKEY", "INBOX_NKEY", "PUSH_NKEY", "INSPECTOR_NKEY", "OPERATOR_NKEY"} <= set(told)
    for variable, public in told.items():
        seed = (made_secrets / f"{variable.removesuffix('_NKEY').lower()}.seed").read_bytes()
        assert nkeys.from_seed(bytearray(seed)).public_key.decode() == public


def test_secrets_that_are_there_are_kept(tmp_path: Path) -> None:
    """A second run adds what an upgrade needs: the old ones are in use."""
    authorization = tmp_path / "authorization.conf"
    authorization.write_text("nkey: $INBOX_NKEY")
    make_secrets(tmp_path / "secrets", authorization)
    before = {file: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    authorization.write_text("nkey: $INBOX_NKEY, nkey: $PUSH_NKEY")
    make_secrets(tmp_path / "secrets", authorization)
    after = {file: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    assert {file.name for file in set(after) - set(before)} == {"push.seed"}
    assert [file.name for file in before if before[file] != after[file]] == ["public.env"]


def test_secrets_cannot_be_committed_by_mistake() -> None:
    """Nor what a deployment sets."""
    assert {"deploy/secrets/", ".env"} <= set((ROOT / ".gitignore").read_text().splitlines())


@pytest.fixture
async def fresh(postgres: Postgres, made_secrets: Path) -> AsyncIterator[Postgres]:
    """The databases as the script makes them on an empty server."""
    environment = {
        "PATH": f"{postgres_program('psql').parent}:{os.environ['PATH']}",
        "PGHOST": str(postgres.socket_dir),
        "POSTGRES_USER": "postgres",
        "SECRETS": str(made_secrets),
    }
    made = await asyncio.create_subprocess_exec(DEPLOY / "postgres" / "databases.sh", env=environment)
    assert await made.wait() == 0
    yield postgres
    admin = await asyncpg.connect(host=str(postgres.socket_dir), user="postgres", database="postgres")
    for name in DATABASES:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.execute(f"DROP ROLE {name}")
    await admin.close()


async def test_each_database_has_an_owner_who_can_migrate_it_and_reach_no_other(fresh: Postgres) -> None:
    """So a service that is taken over gives away its own rows alone."""
    for name, migrations in DATABASES.items():
        await migrate.upgrade(fresh.url(name).replace("//postgres@", f"//{name}@"), migrations)
        owner = await asyncpg.connect(host=str(fresh.socket_dir), user=name, database=name)
        others = await owner.fetch(
            "SELECT datname FROM pg_database WHERE datname = ANY($1) AND has_database_privilege(datname, 'CONNECT')",
            list(DATABASES),
        )
        powers = await owner.fetchrow("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = current_user")
        await owner.close()
        assert [row["datname"] for row in others] == [name]
        assert tuple(powers or ()) == (False, False)


@pytest.mark.parametrize("configuration", ["nats.conf", "cluster.conf"])
def test_nats_takes_the_configuration(configuration: str, tmp_path: Path, made_secrets: Path) -> None:
    """With the files where the container has them, and every message on disk before it is acknowledged."""
    etc = tmp_path / "etc" / "nats"
    shutil.copytree(DEPLOY / "nats", etc)
    shutil.copy(AUTHORIZATION, etc / "authorization.conf")
    shutil.copytree(made_secrets, tmp_path / "run" / "secrets")
    jetstream = etc / "jetstream.conf"
    assert "sync_interval: always" in jetstream.read_text()
    jetstream.write_text(jetstream.read_text().replace('"/data"', f'"{tmp_path / "data"}"'))
    keys = dict(line.split("=") for line in (made_secrets / "public.env").read_text().splitlines())
    told = check(etc / configuration, {**keys, "NATS_NAME": "nats-1"})
    assert told.returncode == 0, told.stderr
    assert check(etc / configuration, {"NATS_NAME": "nats-1"}).returncode != 0, "no keys, no server"


def check(configuration: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What nats-server says to a configuration."""
    command = [str(nats_server()), "-t", "-c", str(configuration)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_a_cluster_is_told_of_every_server(made_secrets: Path) -> None:
    """By the names that they have in compose."""
    servers = {name for name in reading.compose()["services"] if name.startswith("nats-")}
    assert set(re.findall(r"@([\w-]+):6222", (made_secrets / "nats_routes").read_text())) == servers
    urls = (DEPLOY / "cluster.env").read_text()
    assert set(re.findall(r"nats://([\w-]+):4222", urls)) == servers


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_can_be_run(script: str) -> None:
    """It is executable, and bash can read it to the end."""
    assert os.access(ROOT / script, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / script], check=True)


@pytest.mark.parametrize("script", SCRIPTS)
def test_shellcheck_has_nothing_to_say(script: str) -> None:
    """Where there is one to ask."""
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    said = subprocess.run(["shellcheck", ROOT / script], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout


@pytest.mark.parametrize(("arguments", "code"), [(["clutter"], 2), ([], 3)])
def test_the_smoke_test_says_by_its_exit_code_what_is_wrong(arguments: list[str], code: int, tmp_path: Path) -> None:
    """Wrong arguments, or no engine: a `docker` that fails whatever it is asked stands in for none."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ended = subprocess.run(
        [DEPLOY / "smoke.sh", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == code
    assert ended.stderr.startswith("smoke: ")
