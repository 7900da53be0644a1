"""Changes name the trace that they belong to."""

from chassis.capture import forget_traces, trace_changes

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    trace_changes()


def downgrade() -> None:
    forget_traces()
