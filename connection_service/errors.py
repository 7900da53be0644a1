"""Owns what this service refuses.

Problem (chassis)
├── NotFound        NoPartnership, UnknownInvite, UnknownConnection
├── Gone            InviteSpent
├── Conflict        AlreadyPartnered, AlreadyAnswered, PartnershipEnded
└── Unprocessable   OwnInvite
"""

from uuid import UUID

from chassis.errors import Conflict, Gone, NotFound, Unprocessable


class NoPartnership(NotFound):
    """The caller has no partner at present."""

    def __init__(self) -> None:
        super().__init__("you have no partner; invite one with POST /v1/partnership/invites")


class UnknownInvite(NotFound):
    """There never was such a code."""

    def __init__(self) -> None:
        super().__init__("there is no invite with this code; check it for typing errors", field="code")


class UnknownConnection(NotFound):
    """There is no such daily connection, or it is not the caller's."""

    def __init__(self) -> None:
        super().__init__("you have no daily connection with this id")


class InviteSpent(Gone):
    """The code was accepted before, or its time is over."""

    def __init__(self) -> None:
        super().__init__("this invite was used or has expired; ask for a new one", field="code")


class AlreadyPartnered(Conflict):
    """A person has at most one partner."""

    def __init__(self, who: str) -> None:
        super().__init__(f"{who} already a partner; a partnership must be ended before another one begins")


class AlreadyAnswered(Conflict):
    """One answer each; the first one's id is in the problem."""

    def __init__(self, answer_id: UUID) -> None:
        super().__init__("you have answered this question already", answer_id=str(answer_id))


class PartnershipEnded(Conflict):
    """What is over can be read but not added to."""

    def __init__(self) -> None:
        super().__init__("this partnership has ended; its history can only be read")


class OwnInvite(Unprocessable):
    """Nobody is their own partner."""

    def __init__(self) -> None:
        super().__init__("this is your own invite; give the code to your partner", field="code")
