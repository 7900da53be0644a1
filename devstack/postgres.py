"""Owns the embedded PostgreSQL 18: its data directory, and the server as a child of ours."""

import shutil
import signal
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg
import psutil

from devstack.account import account_for, hand_over, let_read, make_private, open_way
from devstack.binaries import postgres_program, postgres_trees
from devstack.data_dir import fingerprint
from devstack.errors import ChildEnded, DataDirectoryInUse
from devstack.output import Sink
from devstack.processes import Child, running
from devstack.trees import alive
from devstack.waiting import until

SUPERUSER: Final = "postgres"

PORT: Final = 5432
"""Part of the socket's file name and nothing else. Always said, lest PGPORT in somebody's environment changes it."""

PID_FILE: Final = "postmaster.pid"  # its first line is the postmaster's pid, its eighth `ready` when it is
SOCKET: Final = f".s.PGSQL.{PORT}"

SOCKET_PATH_LIMIT: Final = 103  # bytes without the closing zero; macOS's, Linux has 107

SETTINGS: Final = {
    "listen_addresses": "",  # the socket's directory is its owner's only: that is all the protection `trust` needs
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%q%d: ",  # the database, where there is one; the runner adds the rest
    "log_checkpoints": "off",
}
"""What differs from PostgreSQL's defaults. `fsync` and `synchronous_commit` do not: what was committed must survive."""

ORPHANS_WITHIN: Final = 5.0
"""Seconds that the processes of a killed postmaster get to end by themselves; usually they need some milliseconds."""


class Postgres(Child):
    """A PostgreSQL server on `data_dir`, reachable only through a unix socket."""

    def __init__(self, data_dir: Path, *, orphans_within: float = ORPHANS_WITHIN, sink: Sink | None = None) -> None:
        """Describe the server; `start` makes the data directory if need be and starts it."""
        self._orphans_within = orphans_within
        self.data_dir = data_dir.resolve()
        self.socket_dir = _socket_dir(self.data_dir)
        self.title = f"tandem-{fingerprint(self.data_dir)}"  # in the command line of every process of this cluster
        options = SETTINGS | {"cluster_name": self.title, "unix_socket_directories": str(self.socket_dir)}
        command: list[str | Path] = [postgres_program("postgres"), "-D", self.data_dir, "-p", str(PORT)]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        super().__init__("postgres", command, stop_signal=signal.SIGINT, sink=sink)  # SIGINT is a fast shutdown

    async def spawn(self) -> None:
        await self.initialise()
        await self._take_over()
        await super().spawn()

    async def ready(self) -> bool:
        return self._says_ready() and await self.answers()

    async def answers(self) -> bool:
        """Whether a server, also one that another process started, answers on the socket."""
        try:
            connection = await self._connect(SUPERUSER)
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            return False
        await connection.close()
        return True

    async def initialise(self) -> None:
        """Make the data directory unless there is one, all or nothing, and fit to be used by the server's account."""
        self.account = account_for(self.data_dir)
        self.data_dir.parent.mkdir(parents=True, exist_ok=True)
        if self.account is not None:
            self._let_in()
        if not (self.data_dir / "PG_VERSION").exists():
            await self._initdb()
        self.data_dir.chmod(0o700)  # what PostgreSQL insists on, and a copied directory often lacks
        if self.socket_dir != self.data_dir:
            make_private(self.socket_dir, self.account)
        if self.account is not None:
            hand_over(self.data_dir, self.account)

    async def create_databases(self, *names: str) -> None:
        """Create the databases that are missing."""
        connection = await self._connect(SUPERUSER)
        try:
            there = {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
            for name in names:
                if name not in there:
                    await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()

    def url(self, database: str) -> str:
        """Where SQLAlchemy finds a database."""
        host = quote(str(self.socket_dir), safe="/")
        return f"postgresql+asyncpg://{SUPERUSER}@/{database}?host={host}&port={PORT}"

    def psql_command(self, database: str) -> list[str]:
        """How psql is run on a database."""
        place = ["-h", str(self.socket_dir), "-p", str(PORT), "-U", SUPERUSER, "-d", database]
        return [str(postgres_program("psql")), *place]

    async def _connect(self, database: str) -> asyncpg.Connection:
        host = str(self.socket_dir)
        return await asyncpg.connect(host=host, port=PORT, user=SUPERUSER, database=database, timeout=1)

    def _says_ready(self) -> bool:
        """What our server wrote into its lock file; a connection before that is a FATAL line in the log."""
        try:
            lines = (self.data_dir / PID_FILE).read_text().splitlines()
        except FileNotFoundError:
            return False
        return [line.strip() for line in (*lines[:1], *lines[7:])] == [str(self.pid), "ready"]

    def _let_in(self) -> None:
        """Let the server's account reach its data, and the binaries with the libraries that lie beside them."""
        trees = postgres_trees()
        opened = open_way([self.data_dir, self.socket_dir, *trees])
        for tree in trees:
            let_read(tree)
        if opened:
            names = ", ".join(str(directory) for directory in opened)
            self.sink(self.name, f"lets its account pass through (o+x) what was closed to others: {names}")

    async def _initdb(self) -> None:
        """Make the directory under another name first: an interrupted initdb leaves one that no second one takes."""
        if self.data_dir.exists() and any(self.data_dir.iterdir()):
            raise DataDirectoryInUse(f"{self.data_dir} holds something that is not PostgreSQL's: move it away")
        unfinished = self.data_dir.with_name(f"{self.data_dir.name}.new")
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir()
        if self.account is not None:
            hand_over(unfinished, self.account)
        command: list[str | Path] = [postgres_program("initdb"), "-D", unfinished, "-U", SUPERUSER]
        # PostgreSQL's own C.UTF-8: the same everywhere, and there where the system has no such locale.
        command += ["--auth=trust", "--encoding=UTF8", "--no-locale"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        lines: list[str] = []
        initdb = Child("initdb", command, account=self.account, sink=lambda _, line: lines.append(line), grace=1)
        async with running(initdb):
            returncode = await initdb.wait()
        if returncode != 0:
            for line in lines:
                self.sink(self.name, line)
            raise ChildEnded("initdb", returncode)
        unfinished.rename(self.data_dir)

    async def _take_over(self) -> None:
        """Wait for the end of those who worked here before us, and remove what a killed one could not."""
        if not await until(lambda: not self._occupants(), within=self._orphans_within):
            pids = ", ".join(str(pid) for pid in self._occupants())
            raise DataDirectoryInUse(
                f"{self.data_dir} is in use by another PostgreSQL (process {pids}): stop that one first"
            )
        # PostgreSQL takes any process with the number in these files for its predecessor: after a reboot there often
        # is one, and in a container without an init its killed predecessor stays a zombie. A file that names a living
        # postgres is left to PostgreSQL's own judgement.
        for file in (self.data_dir / PID_FILE, self.socket_dir / f"{SOCKET}.lock"):
            if file.exists():
                owner = file.read_text().partition("\n")[0]
                if not (owner.isdigit() and _is_postgres(int(owner))):
                    file.unlink()

    def _occupants(self) -> list[int]:
        """The processes of any server on this directory, known by their command lines, which everybody may read."""
        return [
            process.pid
            for process in psutil.process_iter(["name", "cmdline"])
            if process.info["name"] == "postgres"
            and any(self.title in part or part == str(self.data_dir) for part in process.info["cmdline"] or ())
        ]


def _socket_dir(data_dir: Path) -> Path:
    """The data directory, or where its path is too long for a socket, a place that can be found from it again."""
    if len(bytes(data_dir / SOCKET)) <= SOCKET_PATH_LIMIT:
        return data_dir
    return Path("/tmp", f"tandem-{fingerprint(data_dir)}")  # noqa: S108 - TMPDIR may differ between run and psql


def _is_postgres(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.name() == "postgres" and alive(process)
    except psutil.NoSuchProcess:
        return False
