"""Owns `show`: one message of the stream, whole."""

import datetime as dt
from typing import Annotated

import typer

from bus_inspector.decoding import Decoded, decode
from bus_inspector.errors import Missing
from bus_inspector.moments import SEQUENCE_DIGITS, moment, user
from bus_inspector.output import Output
from bus_inspector.reach import Reach
from bus_inspector.reading import StreamReader
from bus_inspector.running import Json, Reveal, run
from bus_inspector.searching import event_id, find
from contracts.subjects import UserId

BOUND = "1d"
"""How far back a message is looked for by its id unless somebody says: the stream has no index of ids, so each message
on the way is read."""

Within = Annotated[str, typer.Option(help="How far back to look for an id: 10m, 3h, 7d, or a time.")]
OnlyUser = Annotated[str | None, typer.Option("--user", help="Whom it was addressed to, if you know: that is faster.")]


def show(
    which: Annotated[str, typer.Argument(metavar="SEQ|EVENT_ID", help="Where it stands, or its id.")],
    *,
    within: Within = BOUND,
    whose: OnlyUser = None,
    reveal: Reveal = False,
    as_json: Json = False,
) -> None:
    """Show one event with all its headers."""
    since = moment(within, now=dt.datetime.now(dt.UTC))
    addressee = user(whose) if whose is not None else None
    wanted = event_id(which)
    run(lambda reach, output: _show(reach, output, wanted, since, addressee, reveal=reveal), as_json=as_json)


async def _show(
    reach: Reach, output: Output, which: str, since: dt.datetime, whose: UserId | None, *, reveal: bool
) -> None:
    async with reach.bus() as bus:
        reader = StreamReader(bus, reach.events(bus))
        if which.isascii() and which.isdigit() and len(which) <= SEQUENCE_DIGITS:
            stored = await reader.at(int(which))
            missing = f"there is nothing at {which}"
        else:
            stored = await find(reader, which, since=since, whose=whose)
            missing = f"no event {which} was stored since {since.isoformat(timespec='seconds')}; --within looks further"
    if stored is None:
        raise Missing(missing)
    _tell(output, decode(stored, reveal=reveal))


def _tell(output: Output, decoded: Decoded) -> None:
    record = decoded.record() | {"headers": dict(decoded.stored.headers)}
    if output.as_json:
        output.document(record)
        return
    headers = record.pop("headers")
    problems = record.pop("problems")
    output.table([{"field": name, "value": value} for name, value in record.items()])
    output.say("")
    output.table([{"header": str(name), "value": value} for name, value in headers.items()])
    output.say("")
    for problem in problems:
        output.say(f"! {problem}", style="bold red")
    if not problems:
        output.say("It is as the contract has it.")
