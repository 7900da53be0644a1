"""Owns a server in small: rows that change, frames and snapshots of them, and in which order a client is sent these."""

import datetime as dt
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

Item = dict[str, Any]
Step = dict[str, Any]

ME, PARTNER = "bob", "alice"
START = dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)
PAGE = 3
"""Items a page: few, so that short courses have several pages."""


@dataclass
class Question:
    """Something that was asked for: served from the rows at some moment, answered at a later one."""

    name: str
    serve: Callable[[], Step]
    answer: Step | None = None


@dataclass
class World:
    """The services, the way to the client, and what the client was told: `steps`.

    Everything that a change makes known goes through the same stages: it is made, relayed (there the unread items are
    counted), and delivered, in the order of its source. Deliveries of one epoch can be repeated.
    """

    numbers: bool
    rows: dict[int, Item] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    cursors: dict[str, str | None] = field(default_factory=dict)
    fresh: set[str] = field(default_factory=set)
    """Lists that were answered since frames were missed: the client may rely on them."""
    _clock: int = 0
    _ids: int = 8
    _seq: int = 1
    _asked: int = 0
    _reserved: deque[int] = field(default_factory=deque)
    _changes: deque[tuple[str, Any]] = field(default_factory=deque)
    _sent: dict[str, deque[Step]] = field(default_factory=lambda: {"inbox": deque(), "connection": deque()})
    _delivered: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.miss(relayed=False, new_epoch=False)

    # What happens to the rows.

    def create(self, *, late: bool = False) -> None:
        """A new item; `late`: with an id that was made earlier."""
        number = self._reserved.popleft() if late and self._reserved else self._next_id()
        moment = self._now()
        item = {"id": self._id(number), "is_read": False, "created_at": moment, "updated_at": moment}
        self.rows[number] = item
        self._changes.append(("inbox:created", item))

    def reserve(self) -> None:
        """Begin a transaction that takes an id, and is committed later."""
        self._reserved.append(self._next_id())

    def change(self, at: int, *, is_read: bool) -> None:
        if number := self._pick(at):
            item = self.rows[number] = {**self.rows[number], "is_read": is_read, "updated_at": self._now()}
            self._changes.append(("inbox:updated", item))

    def delete(self, at: int) -> None:
        if number := self._pick(at):
            self._changes.append(("inbox:deleted", {"id": self.rows.pop(number)["id"]}))

    def ask_partners(self) -> None:
        """A new question for both."""
        name = f"q{self._next_id()}"
        self.open = {name: (START - dt.timedelta(days=len(name) + self._ids % 5)).date().isoformat(), **self.open}
        self.open = dict(sorted(self.open.items(), key=lambda pair: pair[1], reverse=True))

    def answer_partner(self, at: int, *, mine: bool) -> None:
        if self.open:
            name = sorted(self.open)[at % len(self.open)]
            data = {"answer": {"id": f"a{self._ids}", "author_id": ME if mine else PARTNER}, "connection": {"id": name}}
            self._send("connection", "connection_answer:created", data)
            if mine:
                del self.open[name]

    def relay(self, at_most: int) -> None:
        """Publish a batch of changes, and how many items are unread now."""
        batch = [self._changes.popleft() for _ in range(min(at_most, len(self._changes)))]
        for event, data in batch:
            self._send("inbox", event, data)
        if batch:
            self._send("inbox", "inbox:unread", {"unread_count": self.unread})

    # What the client hears.

    def deliver(self, source: str, at_most: int) -> None:
        for _ in range(min(at_most, len(self._sent[source]))):
            self._delivered.append(self._sent[source].popleft())
            self.steps.append(self._delivered[-1])

    def publish(self) -> None:
        """All that has happened is heard of."""
        self.relay(len(self._changes))
        for source, waiting in self._sent.items():
            self.deliver(source, len(waiting))

    def repeat(self, back: int, length: int) -> None:
        """A part of what was delivered comes again; nothing from before frames were missed, which no cursor reaches."""
        self.steps += self._delivered[-back:][:length]

    def miss(self, *, relayed: bool, new_epoch: bool) -> None:
        """All that was published and not delivered is lost, and the client is told so."""
        self.relay(len(self._changes) if relayed else 0)
        for waiting in self._sent.values():
            waiting.clear()
        self._delivered.clear()
        self._seq = 1 if new_epoch else self._seq + 1
        data = {"user_id": ME, "resumed": False}
        self.steps.append({"frame": {"event": "hello", "seq": self._seq, "data": data}})
        self.fresh.clear()

    # What the client asks for.

    def fetch(self, which: str, *, older: bool = False, serve: bool = False) -> None:
        cursor = self.cursors.get(which) if older else None
        if not older or cursor is not None:
            self._question(lambda: self._page(which, cursor), serve=serve)

    def fetch_suggestions(self, *, serve: bool = False) -> None:
        def suggestions() -> Step:
            return {"suggestions": [{"id": name, "date": date, "question": ""} for name, date in self.open.items()]}

        self._question(suggestions, serve=serve)

    def mark_read(self, at: int) -> None:
        if number := self._pick(at):
            self._question(lambda: self._marked(number))

    def mark_all_read(self, at: int) -> None:
        if number := self._pick(at):
            self._question(lambda: self._all_marked(number))

    def remove(self, at: int) -> None:
        if number := self._pick(at):
            self._question(lambda: self._removed(number))

    def serve(self, at: int) -> None:
        """The service does what one of the questions asks for."""
        waiting = [question for question in self.questions if question.answer is None]
        if waiting:
            question = waiting[at % len(waiting)]
            question.answer = {"answer": question.name, **question.serve()}

    def answer(self, at: int) -> None:
        """One of the answers arrives."""
        served = [question for question in self.questions if question.answer is not None]
        if served:
            question = served[at % len(served)]
            self.questions.remove(question)
            assert question.answer is not None, "it was just filtered by that"
            self.steps.append(question.answer)
            if "page" in question.answer:
                self._turn(question.answer)

    def settle(self) -> None:
        """Everything arrives, and what cannot be relied on is fetched anew: the client must know the truth."""
        self.publish()  # before what was asked for and served earlier
        self._answer_all()
        for which in ("all", "unread"):
            if which not in self.fresh:
                self.fetch(which)
        self.fetch_suggestions()
        self._answer_all()
        self.publish()

    # The truth.

    @property
    def unread(self) -> int:
        return sum(not item["is_read"] for item in self.rows.values())

    def listed(self, which: str) -> list[Item]:
        """All of a list, newest first, with ids as text."""
        items = [self.rows[number] for number in sorted(self.rows, reverse=True)]
        return [{**item, "id": str(item["id"])} for item in items if which == "all" or not item["is_read"]]

    def _answer_all(self) -> None:
        while self.questions:
            self.serve(0)
            self.answer(0)

    def _page(self, which: str, cursor: str | None) -> Step:
        numbers = [number for number in sorted(self.rows, reverse=True) if cursor is None or number < int(cursor)]
        rows = [self.rows[number] for number in numbers if which == "all" or not self.rows[number]["is_read"]]
        more = str(rows[PAGE - 1]["id"]) if len(rows) > PAGE else None
        page = {"items": rows[:PAGE], "next_cursor": more, "unread_count": self.unread}
        return {"list": which, "cursor": cursor, "page": page}

    def _turn(self, answer: Step) -> None:
        """What the client asks for next, and whether its list can be relied on."""
        asked_at = self.steps.index({"request": answer["answer"]})
        missed_at = max(i for i, step in enumerate(self.steps) if step.get("frame", {}).get("event") == "hello")
        if asked_at > missed_at and answer["cursor"] in (None, self.cursors.get(answer["list"])):
            self.cursors[answer["list"]] = answer["page"]["next_cursor"]
            if answer["cursor"] is None:
                self.fresh.add(answer["list"])

    def _marked(self, number: int) -> Step:
        if number not in self.rows:
            return {"deleted": self._id(number)}
        if not self.rows[number]["is_read"]:
            self.change(sorted(self.rows).index(number), is_read=True)
        return {"read": str(number)}

    def _all_marked(self, through: int) -> Step:
        for index, number in enumerate(sorted(self.rows)):
            if number <= through and not self.rows[number]["is_read"]:
                self.change(index, is_read=True)
        return {"read_through": str(through)}

    def _removed(self, number: int) -> Step:
        if number in self.rows:
            self.delete(sorted(self.rows).index(number))
        return {"deleted": self._id(number)}

    def _question(self, answer: Callable[[], Step], *, serve: bool = False) -> None:
        """Ask; with `serve` that is done at once, and only the answer is on its way."""
        self._asked += 1
        self.questions.append(Question(f"r{self._asked}", answer))
        self.steps.append({"request": f"r{self._asked}"})
        if serve:
            self.serve(-1)

    def _send(self, source: str, event: str, data: Any) -> None:
        self._seq += 1
        self._sent[source].append({"frame": {"event": event, "seq": self._seq, "data": data}})

    def _pick(self, at: int) -> int | None:
        return sorted(self.rows)[at % len(self.rows)] if self.rows else None

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids

    def _id(self, number: int) -> int | str:
        return number if self.numbers and number % 3 == 0 else str(number)

    def _now(self) -> str:
        self._clock += 1
        return (START + dt.timedelta(milliseconds=250 * self._clock)).isoformat().replace("+00:00", "Z")


@st.composite
def courses(draw: st.DrawFn) -> World:
    """What may happen, up to a moment at which the client must know the truth."""
    world = World(numbers=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 6))):
        world.create()
    small = st.integers(0, 5)
    lists = st.sampled_from(["all", "unread"])
    happenings: list[Callable[[], None]] = [
        world.reserve,
        world.create,
        lambda: world.create(late=True),
        lambda: world.change(draw(small), is_read=draw(st.booleans())),
        lambda: world.delete(draw(small)),
        world.publish,
        world.publish,
        lambda: world.relay(draw(small)),
        lambda: world.deliver("inbox", draw(small)),
        world.ask_partners,
        lambda: world.answer_partner(draw(small), mine=draw(st.booleans())),
        lambda: world.deliver("connection", 1),
        lambda: world.repeat(1 + draw(small), 1 + draw(small)),
        lambda: world.fetch(draw(lists), older=draw(st.booleans())),
        lambda: world.fetch(draw(lists), older=draw(st.booleans()), serve=True),
        lambda: world.fetch_suggestions(serve=draw(st.booleans())),
        lambda: world.mark_read(draw(small)),
        lambda: world.mark_all_read(draw(small)),
        lambda: world.remove(draw(small)),
        lambda: world.serve(draw(small)),
        lambda: world.answer(draw(small)),
        lambda: world.answer(draw(small)),
        lambda: world.miss(relayed=draw(st.booleans()), new_epoch=draw(st.booleans())),
    ]
    world.fetch("all", serve=True)
    world.answer(0)
    for happening in draw(st.lists(st.sampled_from(range(len(happenings))), min_size=30, max_size=60)):
        happenings[happening]()
    world.settle()
    return world
