"""Owns change capture in the database: the `changes` table and the trigger that fills it, as migration helpers.

The trigger writes in the writer's own transaction, so a change is captured exactly if it is committed, and however
it was made: by a request, a bulk statement or a line typed into psql.
"""

from chassis.migrate import execute_script

CREATE = """
CREATE TABLE changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL DEFAULT gen_random_uuid(),
    table_name text NOT NULL,
    op text NOT NULL,
    row jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seq bigint,
    again boolean NOT NULL DEFAULT false
);

-- The relay reads only what is not published yet, and that is next to nothing.
CREATE INDEX changes_unpublished ON changes (id) WHERE seq IS NULL;

-- `seq`: where it stands in the stream; NULL until it is there, 0 if it means nothing to the world.
-- `again`: it was published before, or may have been, and the stream has lost it.

-- Old rows are deleted by age.
CREATE INDEX changes_published_at ON changes (at) WHERE seq IS NOT NULL;

CREATE TABLE dead_changes (
    id bigint PRIMARY KEY,
    event_id uuid NOT NULL,
    table_name text NOT NULL,
    op text NOT NULL,
    row jsonb NOT NULL,
    at timestamptz NOT NULL,
    error text NOT NULL,
    died_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION capture_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO changes (table_name, op, row) VALUES (TG_TABLE_NAME, 'delete', to_jsonb(OLD));
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO changes (table_name, op, row) VALUES (TG_TABLE_NAME, 'insert', to_jsonb(NEW));
    ELSIF NEW IS DISTINCT FROM OLD THEN
        INSERT INTO changes (table_name, op, row) VALUES (TG_TABLE_NAME, 'update', to_jsonb(NEW));
    END IF;
    RETURN NULL;
END
$$;

-- TRUNCATE fires no row trigger: it would empty a table without a word to anybody.
CREATE FUNCTION refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE of % would not be captured; use DELETE', TG_TABLE_NAME;
END
$$;
"""

TRACE = """
-- The trace that a change belongs to, if one is recorded: the traceparent that the writer set for its transaction.
ALTER TABLE changes ADD COLUMN traceparent text DEFAULT nullif(current_setting('tandem.traceparent', true), '');
"""

REMOVE = """
DROP FUNCTION refuse_truncate();
DROP FUNCTION capture_change();
DROP TABLE dead_changes;
DROP TABLE changes;
"""


def create_capture() -> None:
    """Make the tables and the trigger function; once a database, before any `capture_table`."""
    execute_script(CREATE)


def remove_capture() -> None:
    """Undo `create_capture`."""
    execute_script(REMOVE)


def trace_changes() -> None:
    """Keep with each change the trace that it belongs to. The changes that are there belong to none.

    As a default, so that the trigger stays as it is; one that is no constant and yet rewrites no row.
    """
    execute_script(TRACE)


def forget_traces() -> None:
    """Undo `trace_changes`."""
    execute_script("ALTER TABLE changes DROP COLUMN traceparent")


def capture_table(table: str) -> None:
    """Capture every inserted, changed and deleted row of `table`, and refuse to truncate it."""
    execute_script(
        f"CREATE TRIGGER capture_change AFTER INSERT OR UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION capture_change()"
    )
    execute_script(
        f"CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncate()"
    )


def release_table(table: str) -> None:
    """Undo `capture_table`."""
    execute_script(f"DROP TRIGGER capture_change ON {table}")
    execute_script(f"DROP TRIGGER refuse_truncate ON {table}")
