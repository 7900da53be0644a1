"""Owns every SQL statement of this service. Nothing here decides, and nothing here commits."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, exists, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from connection_service.models import Answer, DailyConnection, Invite, Member, Partnership


async def partnership_of(session: AsyncSession, user: str) -> Partnership | None:
    """The partnership that `user` is in now."""
    return await session.scalar(
        select(Partnership)
        .join(Member, Member.partnership_id == Partnership.id)
        .where(Member.user_id == user, Member.left_at.is_(None))
    )


async def hold_partnership(session: AsyncSession, partnership: UUID) -> Partnership:
    """The partnership, kept from ending until this transaction is over."""
    return (
        await session.scalars(select(Partnership).where(Partnership.id == partnership).with_for_update(read=True))
    ).one()


async def members_of(session: AsyncSession, partnership: UUID) -> list[str]:
    """Both members, in the alphabet's order."""
    members = select(Member.user_id).where(Member.partnership_id == partnership).order_by(Member.user_id)
    return list(await session.scalars(members))


async def partnered(session: AsyncSession, users: Collection[str]) -> set[str]:
    """Those of `users` who have a partner now."""
    return set(await session.scalars(select(Member.user_id).where(Member.user_id.in_(users), Member.left_at.is_(None))))


async def create_partnership(
    session: AsyncSession, members: Collection[str], *, time_zone: str, now: dt.datetime
) -> Partnership:
    """Raises:
    IntegrityError: one of the two has found a partner in the meantime.
    """
    partnership = Partnership(time_zone=time_zone, created_at=now)
    session.add(partnership)
    await session.flush()
    session.add_all([Member(partnership_id=partnership.id, user_id=user) for user in members])
    await session.flush()
    return partnership


async def end_partnership(session: AsyncSession, partnership: UUID, *, now: dt.datetime) -> None:
    """Let both go. Waits for answers that are being written."""
    await session.execute(
        update(Partnership).where(Partnership.id == partnership, Partnership.ended_at.is_(None)).values(ended_at=now)
    )
    await session.execute(
        update(Member).where(Member.partnership_id == partnership, Member.left_at.is_(None)).values(left_at=now)
    )


async def create_invite(session: AsyncSession, invite: Invite) -> None:
    session.add(invite)
    await session.flush()


async def hold_invite(session: AsyncSession, code: str) -> Invite | None:
    """The invite, kept from anybody else until this transaction is over."""
    return await session.scalar(select(Invite).where(Invite.code == code).with_for_update())


async def questions_used(session: AsyncSession, partnership: UUID) -> list[str]:
    """The ids of the questions that this partnership has had, the latest first."""
    return list(
        await session.scalars(
            select(DailyConnection.question_id)
            .where(DailyConnection.partnership_id == partnership)
            .order_by(DailyConnection.date.desc())
        )
    )


async def connection_on(session: AsyncSession, partnership: UUID, date: dt.date) -> DailyConnection | None:
    return await session.scalar(
        select(DailyConnection).where(DailyConnection.partnership_id == partnership, DailyConnection.date == date)
    )


async def create_connection(
    session: AsyncSession, partnership: UUID, date: dt.date, *, question_id: str, question: str
) -> None:
    """Make the day's connection, unless another request has just made it."""
    await session.execute(
        insert(DailyConnection)
        .values(partnership_id=partnership, date=date, question_id=question_id, question=question)
        .on_conflict_do_nothing()
    )


def _of_member(user: str) -> Any:
    return exists().where(Member.partnership_id == DailyConnection.partnership_id, Member.user_id == user)


async def connection_of(session: AsyncSession, user: str, connection: UUID) -> DailyConnection | None:
    """The daily connection, if `user` is or was one of its two members."""
    return await session.scalar(select(DailyConnection).where(DailyConnection.id == connection, _of_member(user)))


async def history(
    session: AsyncSession, user: str, *, before: tuple[dt.date, UUID] | None, limit: int
) -> list[DailyConnection]:
    """The daily connections of all partnerships of `user`, the latest first."""
    key = tuple_(DailyConnection.date, DailyConnection.id)
    page = select(DailyConnection).where(_of_member(user))
    if before is not None:
        page = page.where(key < before)
    return list(await session.scalars(page.order_by(key.desc()).limit(limit)))


async def unanswered(
    session: AsyncSession,
    user: str,
    partnership: UUID,
    *,
    before: tuple[dt.date, UUID] | None,
    limit: int,
) -> list[DailyConnection]:
    """The daily connections of `partnership` that `user` has not answered, the latest first."""
    key = tuple_(DailyConnection.date, DailyConnection.id)
    page = select(DailyConnection).where(
        DailyConnection.partnership_id == partnership,
        ~exists().where(and_(Answer.connection_id == DailyConnection.id, Answer.author_id == user)),
    )
    if before is not None:
        page = page.where(key < before)
    return list(await session.scalars(page.order_by(key.desc()).limit(limit)))


async def answers_to(session: AsyncSession, connections: Collection[UUID]) -> Sequence[Answer]:
    """All answers to the given connections, in the order in which they were given."""
    return (
        await session.scalars(select(Answer).where(Answer.connection_id.in_(connections)).order_by(Answer.id))
    ).all()


async def create_answer(session: AsyncSession, connection: UUID, author: str, text: str) -> Answer | None:
    """The new answer; None if there is one of this author already."""
    return await session.scalar(
        insert(Answer)
        .values(connection_id=connection, author_id=author, text=text)
        .on_conflict_do_nothing(index_elements=[Answer.connection_id, Answer.author_id])
        .returning(Answer)
    )


async def answer_of(session: AsyncSession, connection: UUID, author: str) -> Answer:
    return (
        await session.scalars(select(Answer).where(Answer.connection_id == connection, Answer.author_id == author))
    ).one()


async def addressees(
    connection: AsyncConnection, connections: Collection[UUID]
) -> Sequence[Row[UUID, UUID, dt.date, str, str]]:
    """Each of `connections` once for each of its members: `(id, partnership_id, date, question, user_id)`."""
    rows = await connection.execute(
        select(
            DailyConnection.id,
            DailyConnection.partnership_id,
            DailyConnection.date,
            DailyConnection.question,
            Member.user_id,
        )
        .join(Member, Member.partnership_id == DailyConnection.partnership_id)
        .where(DailyConnection.id.in_(connections))
        .order_by(DailyConnection.id, Member.user_id)
    )
    return rows.all()


async def answers_given(
    connection: AsyncConnection, connections: Collection[UUID]
) -> Sequence[Row[UUID, UUID, str, str, dt.datetime]]:
    """All answers to `connections`, in the order in which they were given, with the fields of an answer."""
    rows = await connection.execute(
        select(Answer.id, Answer.connection_id, Answer.author_id, Answer.text, Answer.created_at)
        .where(Answer.connection_id.in_(connections))
        .order_by(Answer.id)
    )
    return rows.all()
