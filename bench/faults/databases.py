"""Owns the faults of the databases, short of the death of their server."""

from typing import Final

from bench.faults.scene import Row, Scene


async def _commit_late(scene: Scene) -> None:
    """Rows get their ids at once and become visible long after those with higher ids."""
    connection = await scene.stack.connect("inbox")
    try:
        async with connection.transaction():
            rows = await connection.fetch(
                "INSERT INTO inbox_items (recipient_id, kind, title)"
                " SELECT unnest($1::text[]), 'notice', 'committed late' RETURNING id",
                scene.crowd.users,
            )
            await scene.pause(2.0, 5.0)
        scene.writer.acked |= {(str(row["id"]), "insert") for row in rows}
    finally:
        await connection.close()


ROWS: Final = (Row("late-commit", _commit_late),)
