"""What is measured, and in which order."""

from itertools import groupby

import pytest

from bench.push.plan import Plan, window


def test_rounds_are_interleaved() -> None:
    """Each contender has its turn before anybody has the next one: what the machine does meanwhile it does to all."""
    plan = Plan(["one", "other", "third"], rounds=5, devices=[1, 10])
    visits = list(plan.visits())
    assert len(visits) == 5 * 2 * 3
    for _, turns in groupby(visits, lambda visit: (visit.round, visit.devices)):
        assert [visit.contender for visit in turns] == ["one", "other", "third"]
    assert [visit.round for visit in visits] == sorted(visit.round for visit in visits)


def test_who_differs_from_another_only_in_latency_is_measured_only_there() -> None:
    """With the fewest sockets, one device a user: the rest would be the same twice."""
    plan = Plan(["tandem", "tandem_unsynced"], rounds=1, sockets=[1_000, 5_000], devices=[1, 10])
    assert [(visit.contender, visit.devices, visit.sockets) for visit in plan.visits()] == [
        ("tandem", 1, [1_000, 5_000]),
        ("tandem_unsynced", 1, [1_000]),
        ("tandem", 10, [1_000, 5_000]),
    ]


@pytest.mark.parametrize(("devices", "sockets"), [(1, 1_000), (10, 1_000), (1, 18_000), (10, 18_000)])
def test_no_socket_is_asked_to_take_two_frames_at_once(devices: int, sockets: int) -> None:
    """On average: a server that joins frames for one socket is not given the chance by the load."""
    assert window(devices, sockets) <= sockets
