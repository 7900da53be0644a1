"""Owns what is asked of a system: jobs of each kind, each with the frames that must follow, and doing them."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from bench.job.crowd import Crowd, Key, marked
from bench.job.system import Person, System
from bench.job.wire import Call, Http

WORDS: Final = "The sea, and that it was quiet for once."
ANSWERED: Final = "connection_answer:created"
CREATED: Final = "inbox:created"
UPDATED: Final = "inbox:updated"

PARTNERS_ANSWER: Final = "partner's answer"
"""The time until the partner's frame of an answer."""

HUNDRED: Final = 100
"""Items that are marked as read at once."""

PAGE: Final = 60
"""Items of somebody whose first page is listed: more than a page."""


@dataclass(frozen=True)
class Job:
    """One request and the frames that must follow; what is measured is when each of `watched` comes."""

    call: Call
    keys: Sequence[Key] = ()
    watched: Mapping[str, Key] = field(default_factory=dict)


@dataclass(frozen=True)
class Done:
    """The times of one job in seconds since it was due: `response` to the request, what was watched, and `all`: when
    the response and every frame had come."""

    times: Mapping[str, float]


@dataclass(frozen=True)
class Amount:
    """How much a system is filled with for one round."""

    pairs: int = 50
    days: int = 60
    readers: int = 20
    marks: int = 300
    hundreds: int = 12
    listers: int = 20

    @property
    def answers(self) -> int:
        """Each of two partners answers each question."""
        return 2 * self.pairs * self.days


@dataclass
class Jobs:
    """The jobs of one round, by kind, and everybody who has a socket."""

    people: list[Person]
    answers: list[Job]
    marks: list[Job]
    hundreds: list[Job]
    pages: list[Job]


async def fill(system: System, label: str, amount: Amount) -> Jobs:
    """Fill the system with new people and what they have, and say what can be asked of it then."""
    numbers = iter(range(100_000_000))
    pairs = await _people(system, f"{label}-p", 2 * amount.pairs)
    partners = list(zip(pairs[::2], pairs[1::2], strict=True))
    questions = await system.questions(partners, amount.days)
    answers = [
        _answer(system, author, partner, question, next(numbers))
        for day in range(amount.days)
        for (first, second), asked in zip(partners, questions, strict=True)
        for author, partner, question in ((first, second, asked[day]), (second, first, asked[day]))
    ]
    readers = await _people(system, f"{label}-r", amount.readers)
    marks: list[list[Job]] = []
    for reader in readers:
        read = [next(numbers) for _ in range(amount.marks // amount.readers)]
        items = await system.items(reader, [marked(number) for number in read])
        marks.append([_mark(system, reader, item, number) for item, number in zip(items, read, strict=True)])
    hundreds = []
    crammed = await _people(system, f"{label}-h", amount.hundreds)
    for person in crammed:
        unread = [next(numbers) for _ in range(HUNDRED)]
        items = await system.items(person, [marked(number) for number in unread])
        keys = [(person.name, UPDATED, number) for number in unread]
        hundreds.append(Job(system.mark_all_read(person, items[-1]), keys))
    listers = await _people(system, f"{label}-l", amount.listers)
    for person in listers:
        await system.items(person, [WORDS] * PAGE)
    pages = [Job(system.page(person)) for person in listers]
    await system.settled()
    in_turn = [job for turn in zip(*marks, strict=True) for job in turn]
    return Jobs([*pairs, *readers, *crammed], answers, in_turn, hundreds, pages)


async def _people(system: System, label: str, number: int) -> list[Person]:
    return list(await system.people([f"{label}{index}" for index in range(number)]))


def _answer(system: System, author: Person, partner: Person, question: str, number: int) -> Job:
    own, theirs = (author.name, ANSWERED, number), (partner.name, ANSWERED, number)
    item = (partner.name, CREATED, number)
    call = system.answer(author, question, f"{marked(number)} {WORDS}")
    return Job(call, (own, theirs, item), {PARTNERS_ANSWER: theirs, "partner's item": item})


def _mark(system: System, reader: Person, item: str, number: int) -> Job:
    key = (reader.name, UPDATED, number)
    return Job(system.mark_read(reader, item), (key,), {"frame": key})


async def rest(seconds: int) -> list[Done]:
    """Ask for nothing; a second is a job."""
    await asyncio.sleep(seconds)
    return [Done({})] * seconds


class Workers:
    """Clients with kept connections, who do jobs against one crowd."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._idle: dict[int, list[Http]] = {}

    async def flat_out(self, jobs: Sequence[Job], *, clients: int, seconds: float = float("inf")) -> list[Done]:
        """Do one job after another, so many at once, until all are done or the time is over."""
        waiting = iter(jobs)
        end = time.monotonic() + seconds
        done: list[Done] = []

        async def client() -> None:
            while time.monotonic() < end and (job := next(waiting, None)) is not None:
                done.append(await self._do(job, time.monotonic()))

        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(client())
        return done

    async def at_rate(self, jobs: Sequence[Job], rate: float) -> list[Done]:
        """Begin a job each 1/rate seconds, whether or not those before are done."""
        begin = time.monotonic()
        async with asyncio.TaskGroup() as group:
            tasks = []
            for number, job in enumerate(jobs):
                due = begin + number / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                tasks.append(group.create_task(self._do(job, due)))
        return [task.result() for task in tasks]

    def close(self) -> None:
        """Close all connections."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()

    async def _do(self, job: Job, due: float) -> Done:
        expected = self._crowd.expect(job.keys) if job.keys else None
        idle = self._idle.setdefault(job.call.port, [])
        while idle and idle[-1].closed:
            idle.pop()
        connection = idle.pop() if idle else await Http.open(job.call.port)
        await connection.send(job.call.request)
        times = {"response": time.monotonic() - due}
        idle.append(connection)
        if expected is not None:
            arrived = await expected.all()
            times |= {name: arrived[key] - due for name, key in job.watched.items()}
            times["all"] = max(times["response"], max(arrived.values()) - due)
        return Done(times)
