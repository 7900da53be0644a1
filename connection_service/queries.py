"""Owns every SQL statement of this service. Nothing here decides, and nothing here commits.

The statements that an answer waits for are constants: SQLAlchemy takes longer to put one together than PostgreSQL to
execute it.
"""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, column, exists, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from connection_service.models import Answer, DailyConnection, Invite, Member, Partnership


async def partnership_of(db: AsyncConnection, user: str) -> Row[Any] | None:
    """The partnership that `user` is in now."""
    current = (
        select(Partnership)
        .join(Member, Member.partnership_id == Partnership.id)
        .where(Member.user_id == user, Member.left_at.is_(None))
    )
    return (await db.execute(current)).one_or_none()


async def hold_partnership(db: AsyncConnection, partnership: UUID) -> None:
    """Keep the partnership from ending, and from anybody else who holds it, until this transaction is over."""
    await db.execute(select(Partnership.id).where(Partnership.id == partnership).with_for_update())


async def members_of(db: AsyncConnection, partnership: UUID) -> list[str]:
    """Both members, in the alphabet's order."""
    members = select(Member.user_id).where(Member.partnership_id == partnership).order_by(Member.user_id)
    return list(await db.scalars(members))


async def partnered(db: AsyncConnection, users: Collection[str]) -> set[str]:
    """Those of `users` who have a partner now."""
    return set(await db.scalars(select(Member.user_id).where(Member.user_id.in_(users), Member.left_at.is_(None))))


async def create_partnership(
    db: AsyncConnection, members: Collection[str], *, time_zone: str, now: dt.datetime
) -> Row[Any]:
    """Raises:
    IntegrityError: one of the two has found a partner in the meantime.
    """
    made = insert(Partnership).values(time_zone=time_zone, created_at=now).returning(Partnership)
    partnership = (await db.execute(made)).one()
    # In one order: two people who accept each other's code at once would otherwise wait for one another for ever.
    both = [{"partnership_id": partnership.id, "user_id": user} for user in sorted(members)]
    await db.execute(insert(Member).values(both))
    return partnership


async def end_partnership(db: AsyncConnection, partnership: UUID, *, now: dt.datetime) -> None:
    """Let both go. Waits for answers that are being written."""
    await db.execute(
        update(Partnership).where(Partnership.id == partnership, Partnership.ended_at.is_(None)).values(ended_at=now)
    )
    await db.execute(
        update(Member).where(Member.partnership_id == partnership, Member.left_at.is_(None)).values(left_at=now)
    )


async def create_invite(
    db: AsyncConnection, code: str, inviter: str, *, time_zone: str, expires_at: dt.datetime
) -> Row[Any]:
    made = insert(Invite).values(code=code, inviter_id=inviter, time_zone=time_zone, expires_at=expires_at)
    return (await db.execute(made.returning(Invite))).one()


async def hold_invite(db: AsyncConnection, code: str) -> Row[Any] | None:
    """The invite, kept from anybody else until this transaction is over."""
    return (await db.execute(select(Invite).where(Invite.code == code).with_for_update())).one_or_none()


async def spend_invite(db: AsyncConnection, code: str, *, now: dt.datetime) -> None:
    await db.execute(update(Invite).where(Invite.code == code).values(accepted_at=now))


async def questions_used(db: AsyncConnection, partnership: UUID) -> list[str]:
    """The ids of the questions that this partnership has had, the latest first."""
    return list(
        await db.scalars(
            select(DailyConnection.question_id)
            .where(DailyConnection.partnership_id == partnership)
            .order_by(DailyConnection.date.desc())
        )
    )


async def connection_on(db: AsyncConnection, partnership: UUID, date: dt.date) -> Row[Any] | None:
    asked = select(DailyConnection).where(DailyConnection.partnership_id == partnership, DailyConnection.date == date)
    return (await db.execute(asked)).one_or_none()


async def create_connection(
    db: AsyncConnection, partnership: UUID, date: dt.date, *, question_id: str, question: str
) -> Row[Any]:
    """Make the day's connection. Whoever calls this holds the partnership."""
    made = insert(DailyConnection).values(
        partnership_id=partnership, date=date, question_id=question_id, question=question
    )
    return (await db.execute(made.returning(DailyConnection))).one()


def _of_member(user: Any) -> Any:
    return exists().where(Member.partnership_id == DailyConnection.partnership_id, Member.user_id == user)


async def history(
    db: AsyncConnection, user: str, *, before: tuple[dt.date, UUID] | None, limit: int
) -> Sequence[Row[Any]]:
    """The daily connections of all partnerships of `user`, the latest first."""
    key = tuple_(DailyConnection.date, DailyConnection.id)
    page = select(DailyConnection).where(_of_member(user))
    if before is not None:
        page = page.where(key < before)
    return (await db.execute(page.order_by(key.desc()).limit(limit))).all()


async def unanswered(
    db: AsyncConnection,
    user: str,
    partnership: UUID,
    *,
    before: tuple[dt.date, UUID] | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """The daily connections of `partnership` that `user` has not answered, the latest first."""
    key = tuple_(DailyConnection.date, DailyConnection.id)
    page = select(DailyConnection).where(
        DailyConnection.partnership_id == partnership,
        ~exists().where(and_(Answer.connection_id == DailyConnection.id, Answer.author_id == user)),
    )
    if before is not None:
        page = page.where(key < before)
    return (await db.execute(page.order_by(key.desc()).limit(limit))).all()


async def answers_to(db: AsyncConnection, connections: Collection[UUID]) -> Sequence[Row[Any]]:
    """All answers to the given connections, in the order in which they were given."""
    given = select(Answer).where(Answer.connection_id.in_(connections)).order_by(Answer.id)
    return (await db.execute(given)).all()


_CREATE_ANSWER = text("""
WITH held AS (
    SELECT daily.id AS connection_id, partnership.ended_at
    FROM daily_connections AS daily JOIN partnerships AS partnership ON partnership.id = daily.partnership_id
    WHERE daily.id = :connection
    AND EXISTS (SELECT FROM members WHERE partnership_id = partnership.id AND user_id = :author)
    FOR SHARE OF partnership
), created AS (
    INSERT INTO connection_answers (connection_id, author_id, text)
    SELECT connection_id, :author, :text FROM held WHERE ended_at IS NULL
    ON CONFLICT (connection_id, author_id) DO NOTHING
    RETURNING id, connection_id, author_id, text, created_at
)
SELECT held.ended_at, created.* FROM held LEFT JOIN created ON true
""").columns(*map(column, ("ended_at", "id", "connection_id", "author_id", "text", "created_at")))


async def create_answer(db: AsyncConnection, connection: UUID, author: str, words: str) -> Row[Any] | None:
    """`(ended_at, id, connection_id, author_id, text, created_at)`: when the partnership ended, and the new answer.

    Without the answer, which is all NULL, if the partnership has ended or there is one of this author already; None if
    there is no such connection or `author` never was in it. The partnership is kept from ending meanwhile, but not from
    others who answer.
    """
    values = {"connection": connection, "author": author, "text": words}
    return (await db.execute(_CREATE_ANSWER, values)).one_or_none()


async def answer_of(db: AsyncConnection, connection: UUID, author: str) -> Row[Any]:
    return (
        await db.execute(select(Answer).where(Answer.connection_id == connection, Answer.author_id == author))
    ).one()


CONTEXT_OF_CHANGE = """
CASE change.table_name
    WHEN 'connection_answers' THEN (
        SELECT jsonb_build_object('connection', to_jsonb(daily) || jsonb_build_object('answers', answers), 'members',
            (SELECT jsonb_agg(user_id ORDER BY user_id) FROM members WHERE partnership_id = daily.partnership_id))
        FROM daily_connections AS daily CROSS JOIN LATERAL (
            SELECT coalesce(jsonb_agg(to_jsonb(answer) ORDER BY answer.id), '[]') AS answers
            FROM connection_answers AS answer WHERE answer.connection_id = daily.id
        ) AS given
        WHERE daily.id = (change.row ->> 'connection_id')::uuid
    )
    WHEN 'members' THEN (
        SELECT to_jsonb(partnership) || jsonb_build_object('members',
            (SELECT jsonb_agg(user_id ORDER BY user_id) FROM members WHERE partnership_id = partnership.id))
        FROM partnerships AS partnership
        WHERE partnership.id = (change.row ->> 'partnership_id')::uuid
        AND EXISTS (SELECT FROM members WHERE partnership_id = partnership.id)
    )
END
"""
"""What an event needs besides the row that has changed. Of an answer: its daily connection with all answers to it, in
the order in which they were given, and the members. Of a member: the partnership with both; NULL if it has no members
any more.
"""
