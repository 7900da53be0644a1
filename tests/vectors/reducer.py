"""Owns a second reducer of the inbox, written from contracts/vectors/README.md: what web/inbox.js is compared to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Step = Mapping[str, Any]
Item = dict[str, Any]
Key = tuple[int, str]

OLDEST: Key = (0, "")
"""Below every id: where a list begins that is known to its end."""

NEWEST: Key = (1_000, "")
"""Above every id."""

NEVER = -1
"""A place, or a sequence number, before all others."""


def key(item_id: str | int) -> Key:
    """What sorts ids by time."""
    return len(str(item_id)), str(item_id)


def moment(item: Item) -> tuple[str, str]:
    """What sorts versions: the whole seconds, and the fraction without what it ends in."""
    seconds, _, fraction = str(item["updated_at"]).replace("+00:00", "").rstrip("Z").partition(".")
    return seconds, fraction.rstrip("0")


@dataclass
class Known:
    """What an item is like as of a place; without an item: deleted."""

    item: Item | None
    place: int

    @property
    def unread(self) -> bool:
        return self.item is not None and not self.item["is_read"]


@dataclass
class List:
    """A list that is known without gaps from an id on."""

    bottom: Key
    more: str | None


@dataclass
class Reducer:
    """What a frontend knows."""

    place: int = 0
    missed: int = 0
    user: str | None = None
    requests: dict[str, int] = field(default_factory=dict)
    known: dict[Key, Known] = field(default_factory=dict)
    lists: dict[str, List | None] = field(default_factory=lambda: {"all": None, "unread": None})
    count: int = 0
    counted_place: int = NEVER
    counted_seq: int = NEVER
    suggestions: list[dict[str, Any]] = field(default_factory=list)
    suggestions_place: int = NEVER
    answered: dict[str, int] = field(default_factory=dict)

    def take(self, step: Step) -> None:
        """Go on by one step."""
        match step:
            case {"frame": frame}:
                self.place += 1
                self._frame(frame["event"], frame["seq"], frame.get("data", {}))
            case {"request": name}:
                self.requests[name] = self.place
            case {"answer": name, "page": page, "list": which, "cursor": cursor}:
                self._page(which, cursor, page, self.requests[name])
            case {"answer": name, "suggestions": suggestions}:
                self._suggestions(suggestions, self.requests[name])
            case {"answer": name}:
                self.place += 1
                count = self.count
                self._confirm(step, self.requests[name])
                if self.counted_place > self.requests[name]:
                    self.count = count

    def _confirm(self, step: Step, since: int) -> None:
        match step:
            case {"read": item_id}:
                self.count = max(0, self.count - self._read([key(item_id)], since))
            case {"read_through": item_id}:
                self._read([each for each in self.known if each <= key(item_id)], since)
                self.count = sum(each.unread for each in self.known.values())
            case {"deleted": item_id}:
                self._learn(key(item_id), None, float("inf"))
            case _:
                raise AssertionError(f"{step} is no step")

    def _frame(self, event: str, seq: int, data: Mapping[str, Any]) -> None:
        match event:
            case "hello":
                self.user = data["user_id"]
                if not data["resumed"]:
                    self._miss()
            case "resync":
                self._miss()
            case "inbox:created" | "inbox:updated":
                self._learn(key(data["id"]), dict(data), seq, created=event == "inbox:created")
            case "inbox:deleted":
                self._learn(key(data["id"]), None, seq)
            case "inbox:unread" if seq > self.counted_seq:
                self.count, self.counted_place, self.counted_seq = data["unread_count"], self.place, seq
            case "connection_answer:created" if data["answer"]["author_id"] == self.user:
                question = str(data["connection"]["id"])
                self.answered[question] = self.place
                self.suggestions = [each for each in self.suggestions if str(each["id"]) != question]

    def _miss(self) -> None:
        self.missed, self.counted_seq = self.place, NEVER

    def _learn(self, item: Key, news: Item | None, seq: float, *, created: bool = False) -> None:
        before = self.known.get(item)
        if news is not None and before is not None:
            if before.item is None or moment(before.item) > moment(news):
                return
            if moment(before.item) == moment(news):
                news = before.item
        now = self.known[item] = Known(news, self.place)
        if seq > self.counted_seq:
            if before is not None:
                self.count += now.unread - before.unread
            elif created:
                self.count += now.unread
        self.count = max(0, self.count)

    def _read(self, items: Sequence[Key], since: int) -> int:
        """Mark those as read of which nothing was heard since; returns how many that were."""
        done = [item for item in items if item in self.known and self.known[item].unread]
        done = [item for item in done if self.known[item].place <= since]
        for item in done:
            self.known[item].item = {**(self.known[item].item or {}), "is_read": True}
        return len(done)

    def _page(self, which: str, cursor: str | None, page: Mapping[str, Any], since: int) -> None:
        present = self.lists[which]
        if since < self.missed or (cursor is not None and (present is None or present.more != cursor)):
            return
        told = {key(item["id"]): dict(item) for item in page["items"]}
        bottom = OLDEST if page["next_cursor"] is None else min(told)
        top = NEWEST if cursor is None or present is None else present.bottom
        for item in [each for each in self.known if bottom <= each < top and each not in told]:
            if self.known[item].place <= since:
                self._leave_out(item, which, since)
        for item, news in told.items():
            old = self.known.get(item)
            if old is None or old.place <= since:
                self.known[item] = Known(news, since)
            elif old.item is not None and moment(old.item) < moment(news):
                self.known[item] = Known(news, old.place)
        self.lists[which] = List(bottom, page["next_cursor"])
        if self.counted_place <= since:
            self.count, self.counted_place = page["unread_count"], since

    def _leave_out(self, item: Key, which: str, since: int) -> None:
        """A page should have it and does not."""
        if which == "all":
            self.known[item] = Known(None, since)
        elif self.known[item].unread:
            del self.known[item]

    def _suggestions(self, suggestions: Sequence[dict[str, Any]], since: int) -> None:
        if since >= max(self.missed, self.suggestions_place):
            self.suggestions = [each for each in suggestions if self.answered.get(str(each["id"]), NEVER) <= since]
            self.suggestions_place = since

    def state(self) -> dict[str, Any]:
        """What is known, as the `state` of a vector has it."""
        return {
            "all": self._list("all"),
            "unread": self._list("unread"),
            "unread_count": self.count,
            "suggestions": [str(each["id"]) for each in self.suggestions],
            "entries": self._entries(),
        }

    def _list(self, which: str) -> dict[str, Any] | None:
        present = self.lists[which]
        if present is None:
            return None
        items = [
            {**known.item, "id": item[1]}
            for item, known in sorted(self.known.items(), key=lambda pair: pair[0], reverse=True)
            if known.item is not None and item >= present.bottom and (which == "all" or known.unread)
        ]
        return {"items": items, "more": present.more}

    def _entries(self) -> list[str]:
        items = self._list("all")
        if items is None:
            return []
        waiting, entries = list(self.suggestions), list[str]()
        for item in items["items"]:
            while waiting and waiting[0]["date"] > item["created_at"]:
                entries.append(f"suggestion {waiting.pop(0)['id']}")
            entries.append(f"item {item['id']}")
        return entries if items["more"] else entries + [f"suggestion {each['id']}" for each in waiting]


def reduced(steps: Sequence[Step]) -> dict[str, Any]:
    """What is known after `steps`."""
    reducer = Reducer()
    for step in steps:
        reducer.take(step)
    return reducer.state()
