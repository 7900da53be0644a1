"""Owns the judgement of a recorded run: what was lost, doubled, out of order, misaddressed or wrongly rebuilt. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.faults.run import DeviceRun, Expected, Fetched, Frame, ItemState, Received, Run, UserState, item_state

DELETED = "inbox:deleted"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a run, each complaint a line; and how much there was to judge.

    Attributes:
        stale: devices whose state, rebuilt from frames, is not what the databases hold.
        delivered: expected events that came as frames, counted once a device.
        told: those that did not come, because the device was told to fetch its state and found them there.
    """

    lost: Sequence[str]
    doubled: Sequence[str]
    disordered: Sequence[str]
    foreign: Sequence[str]
    stale: Sequence[str]
    delivered: int
    told: int

    @property
    def complaints(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.disordered, *self.foreign, *self.stale]


def judge(run: Run) -> Verdict:
    """Compare what every device got with what was committed."""
    expected = {event.id: event for event in run.expected}
    owners = {id_: event.user for id_, event in expected.items()} | dict(run.besides)
    lost = [f"{operation} of {thing} was acked and not captured" for thing, operation in run.acked - run.captured]
    doubled: list[str] = []
    disordered: list[str] = []
    foreign: list[str] = []
    stale: list[str] = []
    delivered = told = 0
    for device in run.devices:
        absent, unseen = _absent(device, run.expected)
        lost += [f"{device.name} lost {event.name} {event.id} of {event.thing}" for event in unseen]
        told += len(absent) - len(unseen)
        delivered += sum(event.user == device.user for event in run.expected) - len(absent)
        doubled += _doubled(device)
        disordered += [*_disordered_by_seq(device), *_disordered_by_history(device, expected)]
        foreign += _foreign(device, owners, expected)
        stale += _stale(device, run.final.get(device.user, UserState()))
    return Verdict(lost, doubled, disordered, foreign, stale, delivered=delivered, told=told)


def unseen(device: DeviceRun, expected: Sequence[Expected]) -> list[Expected]:
    """What a device has neither been sent nor found when it was told to fetch its state."""
    return _absent(device, expected)[1]


def events_of(device: DeviceRun) -> Iterator[Received]:
    """The event frames; no other frame has an id."""
    return (record for record in device.records if isinstance(record, Received) and "id" in record.frame)


def _absent(device: DeviceRun, expected: Sequence[Expected]) -> tuple[list[Expected], list[Expected]]:
    """What was not sent to a device, and what of that it has not fetched either."""
    here = {record.frame["id"] for record in events_of(device)}
    absent = [event for event in expected if event.user == device.user and event.id not in here]
    if not absent:
        return [], []
    fetched = [record for record in device.records if isinstance(record, Fetched)]
    deletions = {event.thing: event.at for event in expected if event.name == DELETED}
    return absent, [event for event in absent if not any(_shows(each, event, deletions) for each in fetched)]


def _shows(fetched: Fetched, event: Expected, deletions: Mapping[str, float]) -> bool:
    """Whether a change had happened when a state was fetched, as far as can be seen from it."""
    if event.source == "connection":
        return event.thing in fetched.state.answers
    item = fetched.state.items.get(event.thing)
    if item is None:  # removed, or not there yet; what was there when it was asked for was removed meanwhile
        removed_by = fetched.answered if event.at <= fetched.asked and event.name != DELETED else fetched.asked
        return event.thing in deletions and deletions[event.thing] <= removed_by
    return event.version is not None and item.updated_at >= event.version


def _doubled(device: DeviceRun) -> Iterator[str]:
    for id_, count in Counter(record.frame["id"] for record in events_of(device)).items():
        if count > 1:
            yield f"{device.name} got {id_} {count} times"


def _disordered_by_seq(device: DeviceRun) -> Iterator[str]:
    """Within a source `seq` increases, until the device is told that there is a new beginning."""
    last: dict[str, int] = {}
    for record in device.records:
        if not isinstance(record, Received):
            continue
        frame = record.frame
        if frame["event"] == "resync" or (frame["event"] == "hello" and not frame["data"]["resumed"]):
            last = {}
        elif "id" in frame:
            source = source_of(frame["event"])
            if frame["seq"] <= last.get(source, 0):
                yield f"{device.name} got {frame['id']} at {frame['seq']}, behind {last[source]} of {source}"
            last[source] = max(frame["seq"], last.get(source, 0))


def _disordered_by_history(device: DeviceRun, expected: Mapping[str, Expected]) -> Iterator[str]:
    """What happened to one row is told in the order in which it happened."""
    last: dict[str, int] = {}
    for record in events_of(device):
        event = expected.get(record.frame["id"])
        if event is not None:
            if event.order < last.get(event.thing, 0):
                yield f"{device.name} got {event.name} {event.id} of {event.thing} behind a later change of it"
            last[event.thing] = max(event.order, last.get(event.thing, 0))


def _foreign(device: DeviceRun, owners: Mapping[str, str], expected: Mapping[str, Expected]) -> Iterator[str]:
    for record in device.records:
        if not isinstance(record, Received):
            continue
        frame = record.frame
        if "id" in frame:
            owner, event = owners.get(frame["id"]), expected.get(frame["id"])
            inside = device.user if event is not None and not event.readable else _told_of(frame, device.user)
            if owner != device.user or inside != device.user:
                yield (
                    f"{device.name} of {device.user} got {frame['event']} {frame['id']}, which is {owner}'s"
                    f" and tells of {inside}"
                )
        elif frame["event"] == "hello" and frame["data"]["user_id"] != device.user:
            yield f"{device.name} of {device.user} was greeted as {frame['data']['user_id']}"


def _told_of(frame: Frame, user: str) -> object:
    """Whose item the data is about; `user` if it does not say so, None if it cannot be read."""
    data = frame.get("data")
    return data.get("recipient_id", user) if isinstance(data, dict) else None


def source_of(event: str) -> str:
    """Which service tells an event of this name."""
    return "inbox" if event.startswith("inbox:") else "connection"


def _stale(device: DeviceRun, final: UserState) -> Iterator[str]:
    rebuilt = rebuild(device)
    for item in sorted(rebuilt.items.keys() | final.items.keys()):
        if rebuilt.items.get(item) != final.items.get(item):
            yield f"{device.name} believes {item} to be {rebuilt.items.get(item)}; it is {final.items.get(item)}"
    for answer in sorted(rebuilt.answers ^ final.answers):
        yield f"{device.name} {'invented' if answer in rebuilt.answers else 'does not have'} the answer {answer}"
    if rebuilt.unread != final.unread:
        yield f"{device.name} believes {rebuilt.unread} items to be unread; {final.unread} are"


def rebuild(device: DeviceRun) -> UserState:
    """The state that a client holds in the end: what it fetched last, and what came since it began to ask for that."""
    state, began = UserState(), 0
    for record in device.records:
        if isinstance(record, Fetched):
            state, began = record.state, record.began
    items, answers, unread = dict(state.items), set(state.answers), state.unread
    for record in device.records[began:]:
        if isinstance(record, Received) and "id" in record.frame:
            match record.frame:
                case {"event": "inbox:created" | "inbox:updated", "data": data}:
                    _take(items, data["id"], item_state(data))
                case {"event": "inbox:deleted", "data": data}:
                    items.pop(data["id"], None)
                case {"event": "inbox:unread", "data": data}:
                    unread = data["unread_count"]
                case {"event": "connection_answer:created", "data": {"answer": dict(answer)}}:
                    answers.add(answer["id"])
    return UserState(items, frozenset(answers), unread)


def _take(items: dict[str, ItemState], item: str, state: ItemState) -> None:
    """Believe what is said of an item, unless something later is known of it."""
    if item not in items or items[item].updated_at <= state.updated_at:
        items[item] = state
