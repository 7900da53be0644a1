"""The order of what relays publish, whatever becomes of them, of their wires and of what they were about to do."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

import chassis.bus
import chassis.leadership
import chassis.publisher
from devstack.nats import Nats
from devstack.waiting import until
from tests.chassis.lossy_wire import Fault
from tests.chassis.relay_world import PATIENCE, Place, World

PHASES: Final = (Phase.generate,)
"""An example takes a second, so to look for the shortest one takes minutes; twenty steps can be read."""

T = TypeVar("T")


class RelayMachine(RuleBasedStateMachine):
    """Writers, relays and faults, in any order."""

    place: Place
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self._stack = contextlib.AsyncExitStack()
        self.world = self.do(self._stack.enter_async_context(World.whole(self.place)))

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Have the loop of the servers do it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    @rule(note=st.sampled_from(["plain", "double", "nothing", "unmappable"]), count=st.sampled_from([1, 3, 9]))
    def insert(self, note: str, count: int) -> None:
        """Few go one by one, many as a batch."""
        self.do(self.world.insert(note, count))

    @rule(changes=st.lists(st.sampled_from(["update", "update", "delete"]), min_size=1, max_size=3))
    def change(self, changes: list[str]) -> None:
        """What is there already, so that there is a history."""
        self.do(self.world.change(changes))

    @precondition(lambda self: self.world.late is None)
    @rule()
    def begin(self) -> None:
        """A transaction takes low ids."""
        self.do(self.world.begin_late())

    @precondition(lambda self: self.world.late is not None)
    @rule(kept=st.booleans())
    def end(self, kept: bool) -> None:
        """It commits late, or never."""
        self.do(self.world.end_late(kept=kept))

    @rule()
    def carry(self) -> None:
        """Nothing is broken that was not."""
        self.do(self.world.carry())
        self.do(self.world.judge())

    @rule(
        updates=st.integers(0, 3),
        fault=st.sampled_from(["publish dropped", "cut before publish", "cut before ack"]),
        number=st.integers(1, 4),
    )
    def carry_over_broken_wire(self, updates: int, fault: Fault, number: int) -> None:
        """The relay learns only that something has failed, perhaps in the middle of a thing's history."""
        self.insert("plain", 1)
        self.change(["update"] * updates)
        self.do(self.world.carry_over_broken_wire(fault, number))
        self.do(self.world.judge())

    @precondition(lambda self: not self.place.age)
    @rule(number=st.integers(1, 4))
    def freeze(self, number: int) -> None:
        """What it was about to publish comes when somebody else has published it: a copy, which the stream knows."""
        self.do(self.world.carry_over_broken_wire("held up", number))
        self.do(self.world.take_over(frozen=True))

    @rule()
    def thaw(self) -> None:
        """The relay that was active before wakes."""
        self.world.relays[1].wire.mend()

    @precondition(lambda self: self.world.late is None)
    @rule()
    def die_before_marking(self) -> None:
        """The next one knows nothing of it."""
        self.do(self.world.die_before_marking())
        self.do(self.world.judge())

    @rule()
    def take_over(self) -> None:
        """The active relay is stopped."""
        self.do(self.world.take_over())

    def teardown(self) -> None:
        """When nothing is broken any more everything is there, once."""
        if self.world.late is not None:
            self.end(kept=True)
        self.thaw()
        try:
            assert self.do(until(self._is_done, within=PATIENCE))
            self.do(self.world.judge(all_of_it=True))
        finally:
            self.do(self._stack.aclose())

    async def _is_done(self) -> bool:
        return await self.world.carry() == "done"


@pytest.mark.parametrize(
    ("window", "age"),
    [(dt.timedelta(minutes=2), dt.timedelta(0)), (dt.timedelta(milliseconds=100), dt.timedelta(hours=1))],
    ids=["copies are recognised", "copies are looked up"],
)
async def test_what_is_committed_is_stored_once_and_each_history_in_order(
    url: str, nats: Nats, window: dt.timedelta, age: dt.timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the stream remembers ids for so short a time that a failure outlasts it."""
    monkeypatch.setattr(chassis.publisher, "PUBLISH_TIMEOUT", 0.15)
    monkeypatch.setattr(chassis.bus, "REQUEST_TIMEOUT", 0.5)
    monkeypatch.setattr(chassis.bus, "RECONNECT_WAIT", 0.02)
    monkeypatch.setattr(chassis.leadership, "SILENCE", 0.05)

    class Machine(RelayMachine):
        place = Place(url, nats, window, age)
        loop = asyncio.get_running_loop()

    await asyncio.to_thread(
        run_state_machine_as_test,
        Machine,
        settings=settings(
            max_examples=8, stateful_step_count=20, deadline=None, phases=PHASES, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
