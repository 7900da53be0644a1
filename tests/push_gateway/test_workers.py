"""Several gateways on one port: together they are one, and the death of one costs its own sockets."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import psutil
import pytest

from devstack.processes import Child, running
from devstack.trees import alive
from devstack.waiting import until
from tests.push_gateway.clients import PATIENCE, Client
from tests.push_gateway.conftest import Connect
from tests.push_gateway.stage import Events, Gateway, MonitoredNats, gateway_process

WORKERS = 2


@pytest.fixture
async def started(nats: MonitoredNats, own_events: Events) -> AsyncIterator[tuple[Child, Gateway]]:
    """Two workers on one port, and their parent."""
    child, gateway = gateway_process(nats, PUSH_WORKERS=str(WORKERS), PUSH_DRAIN="0.1")
    async with running(child):
        assert await until(lambda: len(workers_of(child)) == WORKERS, within=PATIENCE)
        yield child, gateway


def workers_of(parent: Child) -> list[psutil.Process]:
    """The processes that serve."""
    return [each for each in psutil.Process(parent.pid).children() if each.status() != psutil.STATUS_ZOMBIE]


def sockets_of(worker: psutil.Process, gateway: Gateway) -> set[int]:
    """The ports of the clients that it has."""
    return {each.raddr.port for each in worker.net_connections("tcp") if each.laddr.port == gateway.port and each.raddr}


async def come_back(connect: Connect, gateway: Gateway, user: str, query: str = "") -> Client:
    """A socket that was let in: a worker that has only just started says 1013, come back."""
    async with asyncio.timeout(PATIENCE):
        while True:
            client = await connect(user, to=gateway, query=query)
            if client.open_still:
                return client
            assert (await client.closed()).code == 1013


async def spread(connect: Connect, parent: Child, gateway: Gateway, user: str) -> list[Client]:
    """Sockets of `user` at every one of the workers: the kernel decides which gets the next one."""
    clients: list[Client] = []
    while len(clients) < 2 * WORKERS or not all(sockets_of(worker, gateway) for worker in workers_of(parent)):
        assert len(clients) < 30, "the kernel gives all connections to one worker"
        clients.append(await come_back(connect, gateway, user))
    return clients


async def test_an_event_reaches_the_sockets_of_its_user_at_every_worker_and_nobody_else(
    connect: Connect, started: tuple[Child, Gateway], own_events: Events
) -> None:
    """To a client they are one gateway, and so they are to whoever reads the metrics."""
    parent, gateway = started
    of_alice = await spread(connect, parent, gateway, "alice")
    of_bob = await come_back(connect, gateway, "bob")
    [stored] = await own_events.store("alice")
    [of_bobs] = await own_events.store("bob")
    for client in of_alice:
        assert await client.take(1) == [stored.frame]
    assert await of_bob.take(1) == [of_bobs.frame]
    assert await gateway.count("tandem_push_sockets ") == len(of_alice) + 1

    async def all_counted() -> bool:  # each worker hands over once a second
        return await gateway.count("tandem_push_frames_total ") == len(of_alice) + 1

    assert await until(all_counted, within=PATIENCE)


async def test_a_worker_that_dies_costs_its_own_sockets_and_is_replaced(
    connect: Connect, started: tuple[Child, Gateway], own_events: Events
) -> None:
    """Whoever it had comes back and resumes; a connection that comes while nobody serves it is not refused."""
    parent, gateway = started
    clients = await spread(connect, parent, gateway, "alice")
    victim = workers_of(parent)[0]
    lost = sockets_of(victim, gateway)
    victim.send_signal(signal.SIGKILL)
    cut = [client for client in clients if client.socket.local_address[1] in lost]
    [before] = await own_events.store("alice")
    for client in cut:
        await client.closed()
    hello = await cut[0].hello()
    query = f"epoch={hello['data']['epoch']}&since={hello['seq']}"
    back = [await come_back(connect, gateway, "alice", query) for _ in range(4 * WORKERS)]
    assert await until(lambda: len(workers_of(parent)) == WORKERS, within=PATIENCE)
    [after] = await own_events.store("alice")
    for client in [*back, *(client for client in clients if client not in cut)]:
        assert await client.take(2) == [before.frame, after.frame]
    assert await until_counted(gateway, len(back) + len(clients) - len(cut))


async def until_counted(gateway: Gateway, sockets: int) -> bool:
    """Whether the metrics come to say that there are so many sockets: those of the dead do not count."""
    async with asyncio.timeout(PATIENCE):
        while await gateway.count("tandem_push_sockets ") != sockets:
            pass
    return True


async def test_sigterm_drains_every_worker(connect: Connect, started: tuple[Child, Gateway]) -> None:
    """Everybody is told to come back, and nobody is left running."""
    parent, gateway = started
    clients = await spread(connect, parent, gateway, "alice")
    workers = workers_of(parent)
    os.kill(parent.pid, signal.SIGTERM)
    assert {(await client.closed()).code for client in clients} == {1001}
    async with asyncio.timeout(PATIENCE):
        assert await parent.wait() == 0
    assert not [worker for worker in workers if worker.is_running()]


async def test_no_worker_outlives_its_parent(connect: Connect, nats: MonitoredNats, own_events: Events) -> None:
    """Also when it was killed and could tell nobody; they see it themselves, and drain."""
    child, gateway = gateway_process(nats, PUSH_WORKERS=str(WORKERS), PUSH_DRAIN="0.1")
    parent = await asyncio.create_subprocess_exec(*child.command, env={**os.environ, **child.env})  # nobody cleans up
    try:
        assert await until(gateway.is_ready, within=PATIENCE)
        workers = psutil.Process(parent.pid).children()
        clients = [await connect("alice", to=gateway) for _ in range(2 * WORKERS)]
    finally:
        parent.kill()
    assert {(await client.closed()).code for client in clients} <= {1001, 1013}  # 1013: had not found NATS yet
    assert await until(lambda: not any(alive(worker) for worker in workers), within=PATIENCE)
    await parent.wait()


async def test_a_port_in_use_is_one_clear_line(nats: MonitoredNats, started: tuple[Child, Gateway]) -> None:
    """Workers share a port with each other, and with nobody else's."""
    _, gateway = started
    lines: list[str] = []
    second, _ = gateway_process(nats, PUSH_WORKERS=str(WORKERS), PUSH_PORT=str(gateway.port))
    second = Child("push", second.command, env=second.env, sink=lambda _, line: lines.append(line))
    await second.spawn()
    async with asyncio.timeout(PATIENCE):
        assert await second.wait() == 1
    assert [line for line in lines if "PUSH_PORT: cannot listen" in line]
