"""The peers that need more than this repository work, each against the load generator; who is not here is named."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.peers import programs
from bench.push.contender import Contender
from bench.push.contenders.centrifugo import MODULE, Centrifugo
from bench.push.contenders.channels import Channels, ChannelsDaphne
from bench.push.contenders.nchan import Nchan
from bench.push.contenders.socketio import SocketIo
from bench.push.plan import Plan, Visit
from bench.push.rows import Row
from bench.push.visit import Turn

SOCKETS = 20
PLAN = Plan(["somebody"], rounds=1, sockets=[SOCKETS], devices=[2], seconds=0.1)

PEERS = [Centrifugo, Nchan, SocketIo, Channels, ChannelsDaphne]


@pytest.mark.skipif(shutil.which("cc") is None, reason="the load generator needs a C compiler")
@pytest.mark.parametrize("peer", PEERS)
async def test_a_peer_delivers_everything(peer: Callable[[], Contender]) -> None:
    """It takes all sockets, and sends each of them what it should."""
    contender = peer()
    if isinstance(contender, Centrifugo) and not programs.go_program(MODULE).exists():
        pytest.skip("Centrifugo is not built yet: `make bench` does it, which takes some minutes")
    reason = await asyncio.to_thread(contender.available)
    if reason is not None:
        pytest.skip(reason)
    rows: list[Row] = []
    async with asyncio.timeout(120):
        await Turn(contender, Visit(contender.name, 1, 2), PLAN, rows.append).run([SOCKETS])
    measured = {row.what: row for row in rows}
    assert "failed" not in measured, measured["failed"].failure
    assert measured["open"].count == SOCKETS
    assert measured["flat"].count > 0
    assert not any(count for row in rows for count in row.wrong.values())


def test_a_program_that_cannot_be_had_is_absent_with_the_reason() -> None:
    """The table shows it; the addresses of package registries do not belong there."""
    with pytest.raises(programs.Absent, match="failed: not at of course") as absent:
        programs.output(["sh", "-c", "echo not at $PLACE of course >&2; exit 3"], {"PLACE": "https://example.org/x"})
    assert "://" not in str(absent.value)


def test_without_their_environment_the_python_peers_are_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And the reason says what makes it."""
    monkeypatch.setattr(programs, "PYTHON", tmp_path / "python")
    for peer in (SocketIo, Channels, ChannelsDaphne):
        assert "make bench" in (peer().available() or "")
