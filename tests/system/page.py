"""Owns what a page believes: the state that it has fetched, and what frames have made of it."""

from dataclasses import dataclass
from typing import Any

from tests.system.device import Device, Frame
from tests.system.system import System


@dataclass
class State:
    """What a page shows.

    Attributes:
        items: the inbox, the newest first.
        answers: every answer that the user may read, by id.
        suggestions: the questions that the user could answer now, by id.
        partnership: the one that the user is in now, if there is one.
    """

    items: list[dict[str, Any]]
    unread: int
    answers: dict[str, dict[str, Any]]
    suggestions: set[str]
    partnership: dict[str, Any] | None

    @classmethod
    async def fetched(cls, system: System, user: str) -> "State":
        """What the lists say."""
        inbox = await system.get(f"{system.inbox}/items?limit=200", user)
        history = await system.get(f"{system.connection}/daily-connections?limit=200", user)
        assert [inbox["next_cursor"], history["next_cursor"]] == [None] * 2
        partnership = await system.ask("GET", f"{system.connection}/partnership", user)
        count = await system.get(f"{system.inbox}/unread-count", user)
        assert count["unread_count"] == inbox["unread_count"]
        return cls(
            inbox["items"],
            inbox["unread_count"],
            {answer["id"]: answer for day in history["items"] for answer in day["answers"]},
            await suggestions(system, user),
            partnership.json() if partnership.status_code == 200 else None,
        )

    def apply(self, frame: Frame, user: str) -> None:
        """What the page of `user` does with a frame."""
        data = frame["data"]
        match frame["event"]:
            case "inbox:created":
                self.items = sorted([data, *self.items], key=lambda item: item["id"], reverse=True)
            case "inbox:updated":
                self.items = [data if item["id"] == data["id"] else item for item in self.items]
            case "inbox:deleted":
                self.items = [item for item in self.items if item["id"] != data["id"]]
            case "inbox:unread":
                self.unread = data["unread_count"]
            case "connection_answer:created":
                self.answers[data["answer"]["id"]] = data["answer"]
                if data["answer"]["author_id"] == user:
                    self.suggestions.discard(data["connection"]["id"])
            case "connection_partnership:created":
                self.partnership = data
            case "connection_partnership:ended":
                if self.partnership is not None and self.partnership["id"] == data["id"]:
                    self.partnership = None


async def suggestions(system: System, user: str) -> set[str]:
    """The questions that `user` could answer now, by id."""
    found = await system.get(f"{system.connection}/suggestions?limit=200", user)
    assert found["next_cursor"] is None
    return {day["id"] for day in found["items"]}


@dataclass
class Page:
    """What is open in a window: it fetches its state when it is greeted, and believes frames from then on.

    Only what can be answered it fetches again when a partnership begins or ends, for that is in no frame.
    """

    device: Device
    state: State
    applied: int = 0

    async def apply(self, system: System) -> None:
        """Do what the frames call for."""
        fresh = self.device.frames[self.applied :]
        for frame in fresh:
            if "id" in frame:  # a heartbeat says nothing of anybody's state
                self.state.apply(frame, self.device.user)
        self.applied += len(fresh)
        if any(frame["event"].startswith("connection_partnership:") for frame in fresh):
            self.state.suggestions = await suggestions(system, self.device.user)
