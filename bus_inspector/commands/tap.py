"""Owns `tap`: the events of the stream as they stand there, each checked against the contract."""

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from typing import Annotated

import typer

from bus_inspector.decoding import Decoded, decode
from bus_inspector.errors import BadInput
from bus_inspector.moments import place, user
from bus_inspector.output import Output, cell, printable
from bus_inspector.reach import Reach
from bus_inspector.reading import Stored, StreamReader
from bus_inspector.running import Json, Reveal, run
from contracts.events import EVENT_TYPES
from contracts.subjects import UserId, user_filter

RECENT = "10m"
"""What is shown when nobody says since when."""


def types(incomplete: str) -> list[str]:
    """Names of events, for the shell's completion."""
    return [name for name in EVENT_TYPES if name.startswith(incomplete)]


def tap(
    *,
    only: Annotated[str | None, typer.Option("--user", help="Only what is addressed to this user.")] = None,
    type: Annotated[  # noqa: A002
        str | None, typer.Option("--type", help="Only events with this name.", autocompletion=types)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help=f"From then on: 10m, 3h, 2d, a time, or a sequence. {RECENT} unless --follow, then now."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    reveal: Reveal = False,
    as_json: Json = False,
) -> None:
    """Show events, and what is wrong with them."""
    begin = place(since or RECENT, now=dt.datetime.now(dt.UTC)) if since is not None or not follow else None
    whose = user(only) if only is not None else None
    if type is not None and type not in EVENT_TYPES:
        raise BadInput(f"no event is called {type!r}: there are {', '.join(EVENT_TYPES)}")
    run(lambda reach, output: _tap(reach, output, begin, whose, type, follow=follow, reveal=reveal), as_json=as_json)


async def _tap(
    reach: Reach,
    output: Output,
    begin: int | dt.datetime | None,
    whose: UserId | None,
    name: str | None,
    *,
    follow: bool,
    reveal: bool,
) -> None:
    async with reach.bus() as bus:
        reader = StreamReader(bus, reach.events(bus))
        async for messages in _messages(reader, begin, whose, follow=follow):
            decoded = [decode(stored, reveal=reveal) for stored in messages]
            wanted = [each for each in decoded if name is None or each.type == name]
            if output.as_json:
                output.records(each.record() for each in wanted)
            else:
                output.lines(line(each) for each in wanted)


async def _messages(
    reader: StreamReader, begin: int | dt.datetime | None, whose: UserId | None, *, follow: bool
) -> AsyncIterator[Sequence[Stored]]:
    subjects = user_filter(whose) if whose is not None else None
    match begin:
        case None:
            after = await reader.last()
        case int():
            after = max(begin - 1, 0)
        case moment:
            after = await reader.before(moment)
    if follow:
        async for messages in reader.follow(after=after, subjects=subjects):
            yield messages
    else:
        async for messages in reader.read(after=after, subjects=subjects):
            yield messages


def line(decoded: Decoded) -> str:
    """One event for a person: where and when it was stored, for whom, what, and what is wrong with it."""
    stored = decoded.stored
    whom = decoded.event.user if decoded.event is not None else stored.subject
    what = f"{decoded.type or '?':<28} {decoded.id:<36}  {cell(decoded.data)}"
    told = f"{stored.seq:>9} {cell(stored.at)}  {whom:<20} {what}"
    problems = "".join(f"\n{'':>9} ! {problem}" for problem in decoded.problems)
    return printable(told + problems)
