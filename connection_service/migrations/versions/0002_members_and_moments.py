"""Members are captured, so that a partnership is told of; and no moment is taken that an event cannot carry."""

from chassis.capture import capture_table, release_table
from chassis.migrate import execute_script

revision = "0002"
down_revision = "0001"

BOUND = """
-- RFC 3339 has the years up to 9999 and no infinity; a day is for the time zone of whoever writes.
UPDATE connection_answers SET created_at = greatest('0001-01-02Z', least(created_at, '9999-12-30Z'))
    WHERE created_at NOT BETWEEN '0001-01-02Z' AND '9999-12-30Z';
ALTER TABLE connection_answers ADD CONSTRAINT created_at_is_in_the_years_1_to_9999
    CHECK (created_at BETWEEN '0001-01-02Z' AND '9999-12-30Z');
UPDATE partnerships SET created_at = greatest('0001-01-02Z', least(created_at, '9999-12-30Z'))
    WHERE created_at NOT BETWEEN '0001-01-02Z' AND '9999-12-30Z';
ALTER TABLE partnerships ADD CONSTRAINT created_at_is_in_the_years_1_to_9999
    CHECK (created_at BETWEEN '0001-01-02Z' AND '9999-12-30Z');
"""

UNBIND = """
ALTER TABLE connection_answers DROP CONSTRAINT created_at_is_in_the_years_1_to_9999;
ALTER TABLE partnerships DROP CONSTRAINT created_at_is_in_the_years_1_to_9999;
"""


def upgrade() -> None:
    execute_script(BOUND)
    capture_table("members")


def downgrade() -> None:
    release_table("members")
    execute_script(UNBIND)
