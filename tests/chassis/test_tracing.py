"""How a trace is carried on: from a request into rows, from rows into messages, and into what is made of those."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import INVALID_SPAN, SpanKind, StatusCode
from sqlalchemy import text

from chassis import capture, changes, tracing
from chassis.batches import by_trace
from chassis.database import Database
from chassis.settings import TraceSettings
from chassis.streams import Stream
from tests.chassis.conftest import Marks, Sql, StartRelay, Stored

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

Recorded = Callable[[], Sequence[ReadableSpan]]
"""`recorded()`: the spans that have ended, in that order."""

INSERT = text("INSERT INTO things (note) VALUES ('a')")


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """Has spans recorded during the test."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.record(provider)
    yield exporter.get_finished_spans
    tracing.record(None)


def named(span: ReadableSpan) -> str:
    """What stands in a `traceparent` that names a span."""
    assert span.context is not None
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"


def parent_of(span: ReadableSpan) -> str:
    """The same of its parent."""
    assert span.parent is not None
    return f"00-{span.parent.trace_id:032x}-{span.parent.span_id:016x}-01"


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://jaeger:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://jaeger:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://jaeger:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://jaeger:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
    ],
)
def test_there_are_traces_if_the_environment_says_where_to(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], wanted: bool
) -> None:
    """In OpenTelemetry's own words."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert TraceSettings().wanted is wanted


def test_without_a_destination_nothing_is_recorded() -> None:
    """Whatever a caller sends."""
    tracing.configure(TraceSettings(), service="things")
    assert not tracing.recording()
    assert tracing.begin_request("GET", traceparent=CALLER) is INVALID_SPAN
    assert tracing.begin("publish", SpanKind.PRODUCER, parent=CALLER) is INVALID_SPAN
    assert tracing.exemplar() is None


async def test_a_change_names_the_transaction_that_made_it(database: Database, sql: Sql, recorded: Recorded) -> None:
    """And the next transaction on the same connection, which belongs to no trace, leaves none."""
    request = tracing.begin_request("POST", traceparent=CALLER)
    with tracing.current(request):
        async with database.transaction() as connection:
            await connection.execute(INSERT)
    async with database.transaction() as connection:
        await connection.execute(INSERT)
    [transaction, ended] = recorded()
    assert (transaction.name, parent_of(transaction)) == ("transaction", named(ended))
    assert parent_of(ended) == CALLER
    rows = await sql("SELECT traceparent FROM changes ORDER BY id")
    assert [row["traceparent"] for row in rows] == [named(transaction), None]


async def test_a_change_of_before_there_were_traces_is_read_as_belonging_to_none(database: Database, sql: Sql) -> None:
    """The migration rewrites no row, and what waits is published as ever."""
    await sql("ALTER TABLE changes DROP COLUMN traceparent")
    await sql("INSERT INTO things (note) VALUES ('before')")
    await sql(capture.TRACE)
    await sql("SELECT set_config('tandem.traceparent', $1, false)", CALLER)
    await sql("INSERT INTO things (note) VALUES ('after')")
    async with database.engine.connect() as connection:
        waiting = await changes.unpublished(connection, changes.NO_CONTEXT, limit=10)
    assert [(change.row["note"], change.traceparent) for change in waiting] == [("before", None), ("after", CALLER)]


@pytest.mark.parametrize("sent", [None, "", "00-0-0-01", "nonsense", CALLER.replace("b7", "B7"), CALLER + "\r\nx: y"])
def test_a_request_without_a_readable_trace_begins_its_own(recorded: Recorded, sent: str | None) -> None:
    """What cannot be parsed is ignored (W3C Trace Context, section 4.3)."""
    tracing.begin_request("GET", traceparent=sent).end()
    [span] = recorded()
    assert span.parent is None


async def test_a_trace_that_is_not_recorded_costs_no_statement_and_is_not_handed_on(
    database: Database, sql: Sql
) -> None:
    """The sampler has decided so, or the caller."""
    tracing.record(TracerProvider(sampler=ParentBased(ALWAYS_OFF)))
    try:
        with tracing.current(tracing.begin_request("POST", traceparent=None)):
            assert tracing.exemplar() is None
            async with database.transaction() as connection:
                await connection.execute(INSERT)
    finally:
        tracing.record(None)
    assert [row["traceparent"] for row in await sql("SELECT traceparent FROM changes")] == [None]


async def test_each_message_of_a_change_names_its_own_span_below_the_change(
    start_relay: StartRelay, things: Stream, stored: Stored, marks: Marks, sql: Sql, recorded: Recorded
) -> None:
    """Whoever has made the change, in psql too; one that belongs to no trace has no header."""
    await sql("SELECT set_config('tandem.traceparent', $1, false)", CALLER)
    await sql("INSERT INTO things (note) VALUES ('double')")
    await sql("SELECT set_config('tandem.traceparent', '', false)")
    await sql("INSERT INTO things (note) VALUES ('other')")
    start_relay()
    await marks()
    messages = await stored(things)
    first, second = recorded()
    assert [parent_of(first), parent_of(second)] == [CALLER, CALLER]
    headers = [message.headers or {} for message in messages]
    assert [each.get("traceparent") for each in headers] == [named(first), named(second), None]
    assert (first.attributes or {})["messaging.nats.stream_sequence"] == 1


async def test_a_relay_that_records_nothing_hands_on_what_stands_in_the_row(
    start_relay: StartRelay, things: Stream, stored: Stored, marks: Marks, sql: Sql
) -> None:
    """Other processes may record the rest of the trace."""
    await sql("SELECT set_config('tandem.traceparent', $1, false)", CALLER)
    await sql("INSERT INTO things (note) VALUES ('a')")
    start_relay()
    await marks()
    messages = await stored(things)
    assert (messages[0].headers or {})["traceparent"] == CALLER


def message(body: bytes, *, traced: bool = False) -> Msg:
    """A message as a consumer gets it."""
    return Msg(Client(), subject="things.alice.insert", data=body, headers={"traceparent": CALLER} if traced else None)


def parts(batch: Sequence[Msg]) -> list[tuple[bytes, bytes]]:
    """The bodies of each part and of what comes after it."""
    return [
        (b"".join(each.data for each in part), b"".join(each.data for each in waiting))
        for part, waiting in by_trace(batch)
    ]


def test_a_traced_message_has_a_transaction_of_its_own(recorded: Recorded) -> None:
    """In order, and the others go together; for as long as a part is handled, what comes after it is held."""
    batch = [message(b"a"), message(b"b"), message(b"C", traced=True), message(b"D", traced=True), message(b"e")]
    assert parts(batch) == [(b"ab", b"CDe"), (b"C", b"De"), (b"D", b"e"), (b"e", b"")]
    assert parts([]) == []


def test_without_traces_a_batch_is_one_transaction() -> None:
    """Also if somebody else has traced its messages."""
    assert parts([message(b"a"), message(b"B", traced=True), message(b"c")]) == [(b"aBc", b"")]


def test_a_span_that_fails_says_so_and_not_what_was_written(recorded: Recorded) -> None:
    """An error may quote an answer."""
    with pytest.raises(ValueError, match="private"), tracing.current(tracing.begin_request("GET", traceparent=None)):
        raise ValueError("a private text")
    [span] = recorded()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError")
    assert "private" not in span.to_json()


def test_a_log_line_names_the_trace(recorded: Recorded) -> None:
    """If there is one."""
    line = {"event": "something"}
    with tracing.current(tracing.begin_request("GET", traceparent=CALLER)):
        assert tracing.add_trace_id(None, "", line) == {**line, "trace_id": CALLER.split("-")[1]}
    assert tracing.add_trace_id(None, "", line) == line
