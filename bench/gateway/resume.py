"""Measures how long thousands of devices that come back at once take to be whole, and what that does to everybody else.

The devices were away while a thousand events of each of their users were stored, in the worst order for reading one
user alone: between two events of a user stands one of each other. Meanwhile some other users stay connected and get
events; how long those take before and during the rush is measured in the same run. While the devices come back one
more event of each user is stored, which must reach each of the user's devices once, behind all that it had missed.
"""

import asyncio
import multiprocessing
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from bench.gateway.live import Latency, measure
from bench.gateway.load import ITEM, fill, message
from bench.gateway.returning import SPREAD, Plan, come_back
from bench.gateway.stage import MIB, Stage, stage, watched
from chassis.publisher import Publisher
from chassis.streams import Stream
from contracts import streams
from contracts.subjects import UserId, user_id

LIVE_USERS = 20

IDLE = 10.0
"""Seconds for which latencies are measured before the devices come."""


async def resume(*, devices: int, per_user: int, events: int) -> int:
    """Run it and print the figures; 1 if a device did not get what it had missed."""
    users = [user_id(f"away{number:05d}") for number in range(devices // per_user)]
    others = [user_id(f"live{number:02d}") for number in range(LIVE_USERS)]
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(2, mp_context=context) as pool:
        async with stage() as system:
            loop = asyncio.get_running_loop()
            print(f"storing {events} events for each of {len(users)} users ...", flush=True)
            stored = await fill(system.bus, users, events=events)
            enough = manager.Event()
            tokens = [(user, system.token(user)) for user in others]
            admin = system.nats.seed_file("admin")
            live = loop.run_in_executor(pool, measure, system.port, system.nats.url, admin, tokens, enough)
            await asyncio.sleep(IDLE)
            print(f"{devices} devices come back ...", flush=True)
            plan = Plan(system.port, system.epoch, [system.token(user) for user in users], per_user, stored, 1)
            async with watched(system.gateway) as gateway, watched(system.nats) as nats:
                returning = loop.run_in_executor(pool, come_back, plan)
                further = await _publish_to(system, users)
                outcome = await returning
            enough.set()
            latencies = await live
    complaints = [*outcome.complaints]
    for user, sent in enumerate(outcome.after):
        complaints += [f"user {user} got {got} live, not {further[user]}" for got in sent if got != [further[user]]]
    print("\n".join(complaints[:10]))
    lines = {
        "devices": f"{devices}, {per_user} a user, each away for {events} events",
        "stream": f"{stored.users * stored.events} messages",
        "greeted": f"the last one after {outcome.greeted[-1] - outcome.began:.1f} s; they come within {SPREAD:g} s",
        "whole": f"half of them after {statistics.median(outcome.whole) - outcome.began:.1f} s,"
        f" all after {outcome.whole[-1] - outcome.began:.1f} s",
        "not given what they missed": len(complaints),
        "gateway": f"{gateway.cpu:.1f} s of CPU, {gateway.before / MIB:.0f} MiB, {gateway.peak / MIB:.0f} MiB at most",
        "nats-server": f"{nats.cpu:.1f} s of CPU",
    }
    print("\n".join(f"{name:<28} {value}" for name, value in lines.items()))
    _compare(latencies, outcome.began, outcome.whole[-1])
    return int(bool(complaints))


def _compare(latencies: Sequence[Latency], began: float, ended: float) -> None:
    idle = sorted(each.seconds * 1000 for each in latencies if each.at < began)
    busy = sorted(each.seconds * 1000 for each in latencies if began <= each.at < ended)
    ratio = statistics.median(busy) / statistics.median(idle)
    for name, part in ("idle", idle), ("meanwhile", busy):
        high = part[int(len(part) * 0.99)]
        print(
            f"live latency {name:<17} median {statistics.median(part):.1f} ms, 99 % {high:.1f} ms ({len(part)} events)"
        )
    print(f"ratio of the medians         {ratio:.1f}")


async def _publish_to(system: Stage, users: Sequence[UserId]) -> list[int]:
    """One further event for each user, one after another while the devices come back; returns where they stand."""
    publisher = Publisher(Stream(system.bus, streams.EVENTS, replicas=1))
    sequences: list[int] = []
    for user in users:
        outcome = await publisher.publish([message(user, ITEM)])
        if outcome.failure is not None:
            raise RuntimeError(outcome.failure)
        sequences += outcome.sequences
    return sequences
