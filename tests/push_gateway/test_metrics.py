"""What a gateway tells of deliveries in numbers."""

import datetime as dt

import pytest

from chassis.exposition import exposition
from contracts.frames import CloseCode
from push_gateway import delivery_spans, metrics
from push_gateway.messages import StoredEvent, header
from tests.push_gateway.conftest import Connect
from tests.push_gateway.stage import Events, Gateway

LATENCY = "tandem_push_delivery_latency_seconds"
TRACE = "0af7651916cd43dd8448eb211c80319c"


async def test_frames_and_bytes_are_counted_for_each_socket(
    gateway: Gateway, connect: Connect, events: Events, alice: str, bob: str
) -> None:
    """And users who have one; what is for nobody here is not counted."""
    feeds = await gateway.count("tandem_push_feeds ")
    devices = [await connect(alice) for _ in range(3)]
    assert await gateway.count("tandem_push_feeds ") == feeds + 1
    frames, sent = (
        await gateway.count("tandem_push_frames_total "),
        await gateway.count("tandem_push_sent_bytes_total "),
    )
    await events.store(bob)
    await events.store(alice, 2, size=200)
    for device in devices:
        await device.take(2)
    payload = sum(len(text.encode()) for text in devices[0].texts[1:])
    header = 4  # bytes of a frame's own, for 126 to 65,535 of payload (RFC 6455, section 5.2)
    assert await gateway.count("tandem_push_frames_total ") == frames + 2 * 3
    assert await gateway.count("tandem_push_sent_bytes_total ") == sent + 3 * (payload + 2 * header)


async def test_the_latency_of_one_event_in_31_is_measured_once_whatever_its_sockets(
    gateway: Gateway, connect: Connect, events: Events, alice: str
) -> None:
    """From the time that the event names: it is what a person has waited."""
    devices = [await connect(alice), await connect(alice)]
    count, total = await gateway.count(f"{LATENCY}_count "), await gateway.count(f"{LATENCY}_sum ")
    await events.store(alice, 2 * metrics.SAMPLE)
    for device in devices:
        await device.take(2 * metrics.SAMPLE)
    assert await gateway.count(f"{LATENCY}_count ") == count + 2
    assert 0 < await gateway.count(f"{LATENCY}_sum ") - total < 60


async def test_what_a_read_finds_is_counted(gateway: Gateway, connect: Connect, events: Events, alice: str) -> None:
    """The event that shows the gap came live, and is not."""
    device = await connect(alice)
    repaired = await gateway.count("tandem_push_repaired_events_total ")
    await events.store(alice)
    async with events.losing_live_copies():
        await events.store(alice, 3)
    await events.store(alice)
    await device.take(5)
    assert await gateway.count("tandem_push_repaired_events_total ") == repaired + 3


async def test_every_close_code_is_there_before_it_is_used(gateway: Gateway) -> None:
    """An increase from nothing would be none to Prometheus, and an alert on the first one late."""
    _, text = await gateway.get("/metrics")
    for code in CloseCode:
        assert f'tandem_push_refusals_total{{code="{int(code)}"}}' in text
    assert 'tandem_push_resumes_total{complete="false"}' in text


def sampled(**headers: str) -> StoredEvent:
    """An event whose latency is measured."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return StoredEvent(b"inbox", metrics.SAMPLE, None, b"{}", f"NATS/1.0\r\n{lines}\r\n".encode())


def measured() -> float:
    """How often the latency was."""
    _, _, text = exposition("")[0].decode().partition(f"\n{LATENCY}_count ")
    return float(text.split("\n")[0])


def test_a_traced_event_is_named_beside_its_latency() -> None:
    """For whoever asks in OpenMetrics."""
    made = (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=7)).isoformat()
    metrics.tally.delivered(sampled(ce_time=made, traceparent=f"00-{TRACE}-b7ad6b7169203331-01"), 1)
    text = exposition("application/openmetrics-text;version=1.0.0")[0].decode()
    [line] = [line for line in text.splitlines() if f'{LATENCY}_bucket{{le="10.0"}}' in line]
    assert f'# {{trace_id="{TRACE}"}} 7.' in line


@pytest.mark.parametrize("moment", ["", "yesterday", "2026-03-01T12:00:00", "2026-13-01T12:00:00Z"])
def test_an_event_without_a_readable_time_has_no_latency(moment: str) -> None:
    """It is delivered all the same: what somebody else has published must not stop a gateway."""
    before = measured()
    metrics.tally.delivered(sampled(ce_time=moment), 1)
    assert measured() == before


def test_an_event_from_the_future_has_no_negative_latency() -> None:
    """Clocks differ; a sum that falls would be a reset to Prometheus."""
    before = exposition("")[0].decode().partition(f"\n{LATENCY}_sum ")[2].split("\n")[0]
    metrics.tally.delivered(sampled(ce_time="2999-03-01T12:00:00Z"), 1)
    assert exposition("")[0].decode().partition(f"\n{LATENCY}_sum ")[2].split("\n")[0] == before


@pytest.mark.parametrize("name", ["traceparent", "ce_subject"])
def test_a_header_that_is_no_text_stops_no_delivery(name: str) -> None:
    """Whoever may publish may write any bytes there; the gateway must not end of it."""
    traced = sampled(traceparent=f"00-{TRACE}-b7ad6b7169203331-01", ce_subject="alice")
    value = (header(traced.headers, name.replace("_", "-").encode()) or b"")[:5]
    assert value
    delivery_spans.record(traced._replace(headers=traced.headers.replace(value, b"\xff\xfe")), began=0, sockets=1)
