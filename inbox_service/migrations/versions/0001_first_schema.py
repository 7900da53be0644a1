"""The first schema: inbox items, what keeps them consistent, and their capture."""

from chassis.capture import capture_table, create_capture, remove_capture
from chassis.idempotency import create_idempotency_keys, remove_idempotency_keys
from chassis.migrate import execute_script

revision = "0001"
down_revision = None

CREATE = """
CREATE DOMAIN user_id AS text CHECK (VALUE ~ '^[A-Za-z0-9_-]{1,64}$');

CREATE TABLE inbox_items (
    id uuid PRIMARY KEY DEFAULT uuidv7(),
    recipient_id user_id NOT NULL,
    sender_id user_id,
    kind text NOT NULL CHECK (kind ~ '^[a-z][a-z0-9_]{0,63}$'),
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    body text NOT NULL DEFAULT '' CHECK (length(body) <= 4000),
    data jsonb NOT NULL DEFAULT '{}' CHECK (
        jsonb_typeof(data) = 'object'
        AND octet_length(data::text) <= 32768
        AND NOT data @? '$.**{33}'  -- objects and arrays in one another; what is far deeper no reader could parse
    ),
    is_read boolean NOT NULL DEFAULT false,
    read_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    source_event text UNIQUE
);

-- The list, newest first, and its unread part, which is also what is counted.
CREATE INDEX inbox_items_list ON inbox_items (recipient_id, id DESC);
CREATE INDEX inbox_items_unread ON inbox_items (recipient_id, id DESC) WHERE NOT is_read;

-- The times follow from the change itself, so that a line typed into psql keeps them right too.
CREATE FUNCTION keep_item_times() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
        IF NEW.id <> OLD.id OR NEW.recipient_id <> OLD.recipient_id THEN
            RAISE EXCEPTION 'an item keeps its id and recipient; delete it and insert another';
        END IF;
        NEW.updated_at := clock_timestamp();
        IF NEW.is_read AND NOT OLD.is_read THEN
            NEW.read_at := NEW.updated_at;
        ELSIF NEW.is_read THEN
            NEW.read_at := coalesce(NEW.read_at, OLD.read_at);
        END IF;
    ELSIF NEW.is_read THEN
        NEW.read_at := coalesce(NEW.read_at, NEW.created_at);
    END IF;
    IF NOT NEW.is_read THEN
        NEW.read_at := NULL;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER keep_item_times BEFORE INSERT OR UPDATE ON inbox_items
    FOR EACH ROW EXECUTE FUNCTION keep_item_times();

-- Every event that an item was made from. It outlives the item: one that was removed must not come back when the
-- event is delivered again, be it days later from a stream that was restored.
CREATE TABLE source_events (id text PRIMARY KEY);

CREATE FUNCTION once_an_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO source_events VALUES (NEW.source_event) ON CONFLICT DO NOTHING;
    RETURN CASE WHEN FOUND THEN NEW END;
END
$$;
CREATE TRIGGER once_an_event BEFORE INSERT ON inbox_items
    FOR EACH ROW WHEN (NEW.source_event IS NOT NULL) EXECUTE FUNCTION once_an_event();
"""

REMOVE = """
DROP TABLE inbox_items, source_events;
DROP FUNCTION once_an_event();
DROP FUNCTION keep_item_times();
DROP DOMAIN user_id;
"""


def upgrade() -> None:
    execute_script(CREATE)
    create_idempotency_keys()
    create_capture()
    capture_table("inbox_items")


def downgrade() -> None:
    execute_script(REMOVE)
    remove_idempotency_keys()
    remove_capture()
