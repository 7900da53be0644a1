"""The first schema: partnerships, invites, daily connections, answers, and the capture of answers."""

from chassis.capture import capture_table, create_capture, remove_capture
from chassis.idempotency import create_idempotency_keys, remove_idempotency_keys
from chassis.migrate import execute_script

revision = "0001"
down_revision = None

CREATE = """
CREATE DOMAIN user_id AS text CHECK (VALUE ~ '^[A-Za-z0-9_-]{1,64}$');

CREATE TABLE partnerships (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    time_zone text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz
);

CREATE TABLE members (
    partnership_id uuid NOT NULL REFERENCES partnerships,
    user_id user_id NOT NULL,
    left_at timestamptz,
    PRIMARY KEY (partnership_id, user_id)
);
CREATE UNIQUE INDEX members_one_partner ON members (user_id) WHERE left_at IS NULL;
CREATE INDEX members_user ON members (user_id);

CREATE TABLE invites (
    code text PRIMARY KEY,
    inviter_id user_id NOT NULL,
    time_zone text NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz
);

CREATE TABLE daily_connections (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    partnership_id uuid NOT NULL REFERENCES partnerships,
    date date NOT NULL,
    question_id text NOT NULL,
    question text NOT NULL,
    UNIQUE (partnership_id, date)
);

CREATE TABLE connection_answers (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    connection_id uuid NOT NULL REFERENCES daily_connections,
    author_id user_id NOT NULL,
    text text NOT NULL CHECK (length(text) BETWEEN 1 AND 4000),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (connection_id, author_id)
);
"""

REMOVE = """
DROP TABLE connection_answers, daily_connections, invites, members, partnerships;
DROP DOMAIN user_id;
"""


def upgrade() -> None:
    execute_script(CREATE)
    create_idempotency_keys()
    create_capture()
    capture_table("connection_answers")


def downgrade() -> None:
    execute_script(REMOVE)
    remove_idempotency_keys()
    remove_capture()
