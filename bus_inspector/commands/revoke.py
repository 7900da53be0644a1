"""Owns `revoke`: signing somebody out everywhere."""

import time
from typing import Annotated

import typer

from bus_inspector.errors import Away, BadInput
from bus_inspector.output import Output
from bus_inspector.reach import Reach
from bus_inspector.running import Json, run
from chassis.errors import BusUnavailable
from chassis.revocations import Revocations
from contracts import streams
from contracts.revocations import read_revocation, revocation
from contracts.subjects import InvalidUserId, UserId, user_id

User = Annotated[str, typer.Argument(metavar="USER", help="Whose tokens are to be good no longer.")]


def revoke(user: User, *, as_json: Json = False) -> None:
    """Sign a user out everywhere: close the sockets, and refuse every token that was issued until now."""
    try:
        whom = user_id(user)
    except InvalidUserId as error:
        raise BadInput(str(error)) from None
    run(lambda reach, output: _revoke(reach, output, whom), as_json=as_json)


async def _revoke(reach: Reach, output: Output, user: UserId) -> None:
    before = time.time()
    async with reach.bus() as bus:
        revocations = Revocations(reach.revocations(bus), read=read_revocation, kept=streams.REVOCATIONS.max_age)
        try:
            await revocations.say(*revocation(user, before=before))
        except BusUnavailable as error:
            raise Away(str(error)) from error
    if output.as_json:
        output.document({"revoked": user, "before": before})
    else:
        output.say(f"{user} was signed out everywhere: no token that was issued until now is good any longer")
