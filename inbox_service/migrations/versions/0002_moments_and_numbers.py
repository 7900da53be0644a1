"""No moment is taken that an event cannot carry, and no number."""

from chassis.migrate import execute_script

revision = "0002"
down_revision = "0001"

BOUND = """
-- RFC 3339 has the years up to 9999 and no infinity; a day is for the time zone of whoever writes. An item that could
-- not be told of because of such a time is now.
UPDATE inbox_items SET
    created_at = greatest('0001-01-02Z', least(created_at, '9999-12-30Z')),
    updated_at = clock_timestamp(),
    read_at = CASE WHEN is_read THEN greatest('0001-01-02Z', least(read_at, '9999-12-30Z')) END
    WHERE created_at NOT BETWEEN '0001-01-02Z' AND '9999-12-30Z'
    OR updated_at NOT BETWEEN '0001-01-02Z' AND '9999-12-30Z'
    OR read_at NOT BETWEEN '0001-01-02Z' AND '9999-12-30Z';
ALTER TABLE inbox_items ADD CONSTRAINT times_are_in_the_years_1_to_9999 CHECK (
    created_at BETWEEN '0001-01-02Z' AND '9999-12-30Z'
    AND updated_at BETWEEN '0001-01-02Z' AND '9999-12-30Z'
    AND read_at BETWEEN '0001-01-02Z' AND '9999-12-30Z'  -- or NULL
);

-- What exceeds the range of an IEEE 754 double is Infinity to JavaScript, and Python reads no integer of 4301 digits.
ALTER TABLE inbox_items ADD CONSTRAINT numbers_in_data_are_at_most_1e308
    CHECK (NOT data @? '$.** ? (@ > 1e308 || @ < -1e308)');
"""

UNBIND = """
ALTER TABLE inbox_items DROP CONSTRAINT numbers_in_data_are_at_most_1e308;
ALTER TABLE inbox_items DROP CONSTRAINT times_are_in_the_years_1_to_9999;
"""


def upgrade() -> None:
    execute_script(BOUND)


def downgrade() -> None:
    execute_script(UNBIND)
