"""The embedded PostgreSQL."""

import os
import pwd
import stat
from pathlib import Path

import asyncpg
import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from devstack.account import account_for
from devstack.errors import DataDirectoryInUse
from devstack.postgres import Postgres
from devstack.processes import Child, running
from devstack.trees import alive
from devstack.waiting import until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root lends PostgreSQL another account")


async def ask(server: Postgres, question: str, database: str = "postgres") -> object:
    """Ask a server for one value."""
    connection = await asyncpg.connect(server.url(database).replace("+asyncpg", ""))
    try:
        answer: object = await connection.fetchval(question)
    finally:
        await connection.close()
    return answer


async def keep_a_word(server: Postgres) -> None:
    """Commit something."""
    await ask(server, "DROP TABLE IF EXISTS kept")
    await ask(server, "CREATE TABLE kept AS SELECT 'word' AS word")


async def test_it_is_version_18_and_loses_nothing_that_was_committed(postgres: Postgres) -> None:
    assert str(await ask(postgres, "SHOW server_version")).startswith("18.")
    for setting in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
        assert await ask(postgres, f"SHOW {setting}") == "on", setting


async def test_it_sorts_and_keeps_time_the_same_way_everywhere(postgres: Postgres) -> None:
    assert await ask(postgres, "SHOW timezone") == "UTC"
    assert await ask(postgres, "SHOW server_encoding") == "UTF8"
    assert await ask(postgres, "SELECT datlocale FROM pg_database WHERE datname = 'postgres'") == "C.UTF-8"


async def test_it_listens_on_a_unix_socket_only(postgres: Postgres) -> None:
    assert await ask(postgres, "SELECT inet_server_addr()") is None
    assert await ask(postgres, "SHOW listen_addresses") == ""
    assert stat.S_IMODE(postgres.socket_dir.stat().st_mode) == 0o700


async def test_databases_are_created_once(postgres: Postgres) -> None:
    await postgres.create_databases("inbox", "connection")
    await postgres.create_databases("inbox", "connection")
    assert await ask(postgres, "SELECT current_database()", "inbox") == "inbox"


async def test_sqlalchemy_and_psql_find_it_whatever_the_environment_says(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in {"PGPORT": "1", "PGHOST": "nowhere", "PGUSER": "nobody", "PGDATABASE": "none"}.items():
        monkeypatch.setenv(variable, value)
    engine = create_async_engine(postgres.url("postgres"))
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT current_user"))).scalar() == "postgres"
    await engine.dispose()
    lines: list[str] = []
    command = [*postgres.psql_command("postgres"), "-Atc", "SELECT current_user"]
    psql = Child("psql", command, sink=lambda _, line: lines.append(line))
    await psql.start()
    assert await psql.wait() == 0
    assert lines == ["postgres"]


async def test_data_survive_a_stop_while_somebody_is_connected(postgres: Postgres) -> None:
    await keep_a_word(postgres)
    connection = await asyncpg.connect(postgres.url("postgres").replace("+asyncpg", ""))
    await postgres.stop()
    assert await postgres.wait() == 0
    await connection.close()
    await postgres.start()
    assert await ask(postgres, "SELECT word FROM kept") == "word"


async def test_data_survive_a_kill_of_all_its_processes(postgres: Postgres) -> None:
    await keep_a_word(postgres)
    processes = psutil.Process(postgres.pid).children()
    await postgres.kill()
    assert not any(alive(process) for process in processes)
    await postgres.start()
    assert await ask(postgres, "SELECT word FROM kept") == "word"


async def test_data_survive_a_kill_of_the_postmaster_while_a_backend_is_busy(postgres: Postgres) -> None:
    await keep_a_word(postgres)
    busy = await asyncpg.connect(postgres.url("postgres").replace("+asyncpg", ""))
    psutil.Process(postgres.pid).kill()
    again = Postgres(postgres.data_dir)  # at once: it waits for the orphans
    async with running(again):
        assert await ask(again, "SELECT word FROM kept") == "word"
    busy.terminate()


async def test_asking_whether_it_is_ready_leaves_no_complaint_in_its_log(postgres_home: Path) -> None:
    lines: list[str] = []
    async with running(Postgres(postgres_home / "postgres", sink=lambda _, line: lines.append(line))) as server:
        await server.kill()
        await server.start()  # recovers first, and refuses connections until it has
    assert any("automatic recovery" in line for line in lines)
    assert not any("FATAL" in line for line in lines)


async def test_a_directory_that_another_server_works_in_is_refused_in_one_line(postgres: Postgres) -> None:
    second = Postgres(postgres.data_dir, orphans_within=0.1)
    with pytest.raises(DataDirectoryInUse) as refused:
        await second.start()
    assert f"is in use by another PostgreSQL (process {postgres.pid}" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert await postgres.ready()


async def test_a_lock_file_that_names_an_unrelated_process_does_not_stop_it(postgres: Postgres) -> None:
    await postgres.kill()
    bystander = Child("bystander", ["/bin/sleep", "1000"], account=account_for(postgres.data_dir))
    async with running(bystander):
        for file in (postgres.data_dir / "postmaster.pid", postgres.socket_dir / ".s.PGSQL.5432.lock"):
            rest = file.read_text().partition("\n")[2]
            file.write_text(f"{bystander.pid}\n{rest}")
        await postgres.start()
        assert await ask(postgres, "SELECT 1") == 1
        assert bystander.running


@pytest.mark.parametrize("content", ["", "nonsense"])
async def test_a_damaged_lock_file_does_not_stop_it(postgres: Postgres, content: str) -> None:
    await postgres.kill()
    (postgres.data_dir / "postmaster.pid").write_text(content)
    await postgres.start()
    assert await ask(postgres, "SELECT 1") == 1


async def test_a_frozen_server_is_not_ready_and_a_thawed_one_is(postgres: Postgres) -> None:
    postgres.freeze()
    assert not await postgres.ready()
    postgres.thaw()
    assert await until(postgres.ready, within=5)


async def test_a_long_path_has_its_socket_where_the_path_leads_to(data_dir: Path) -> None:
    path = data_dir / ("long" * 30) / "postgres"
    async with running(Postgres(path)) as server:
        assert server.socket_dir != server.data_dir
        assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
        assert await Postgres(path).answers()  # as psql finds it, from DATA_DIR alone
    assert not await Postgres(path).answers()
    server.socket_dir.rmdir()


async def test_what_an_interrupted_initdb_left_does_not_stop_the_next_one(data_dir: Path) -> None:
    unfinished = data_dir / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").touch()
    async with running(Postgres(data_dir / "postgres")) as server:
        assert await ask(server, "SELECT 1") == 1
    assert not unfinished.exists()


async def test_a_directory_that_holds_something_else_is_left_alone(data_dir: Path) -> None:
    (data_dir / "thesis.txt").write_text("precious")
    with pytest.raises(DataDirectoryInUse, match="holds something that is not PostgreSQL's"):
        await Postgres(data_dir).start()
    assert (data_dir / "thesis.txt").read_text() == "precious"


@as_root
async def test_root_lends_it_the_account_nobody_and_says_which_directories_it_opened(data_dir: Path) -> None:
    closed = data_dir / "closed"
    closed.mkdir(mode=0o700)
    lines: list[str] = []
    async with running(Postgres(closed / "postgres", sink=lambda _, line: lines.append(line))) as server:
        assert {psutil.Process(server.pid).uids().real} == {pwd.getpwnam("nobody").pw_uid}
        assert psutil.Process(server.pid).gids().real == pwd.getpwnam("nobody").pw_gid
    assert stat.S_IMODE(closed.stat().st_mode) == 0o701
    [opened] = [line for line in lines if "o+x" in line]
    assert opened.endswith(f": {closed}")
    lines.clear()
    async with running(server):
        assert not any("o+x" in line for line in lines)
