"""What a person sees of a running system: one trace from a POST to the frames, metrics, and what asks for them."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from devstack.ports import HOST
from devstack.settings import PORTS
from devstack.waiting import until
from tests.system.conftest import ROOT, Parts, People, running_parts
from tests.system.device import PATIENCE
from tests.system.queries import OF_A_TARGET, OF_PROMETHEUS, Exposed, complaints, exposed
from tests.system.traces import Collector, tree

OBSERVE = ROOT / "deploy" / "observe"

CALLER = "0af7651916cd43dd8448eb211c80319c"
"""The trace of somebody who calls us, as in W3C's examples."""

CALLERS_SPAN = "b7ad6b7169203331"


@pytest.fixture(scope="module")
async def collector() -> AsyncIterator[Collector]:
    """Where the services send their spans."""
    collecting = Collector()
    async with collecting.running():
        yield collecting


@pytest.fixture(scope="module")
async def watched(server_dir: Path, collector: Collector) -> AsyncIterator[Parts]:
    """A system that is watched, by the variables that OpenTelemetry has for it."""
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    async with running_parts(server_dir / "watched", **told) as parts:
        yield parts


class Answered(NamedTuple):
    """An answer that alice has given, and bob has seen."""

    alice: str
    bob: str
    text: str
    request_id: str


@pytest.fixture(scope="module")
async def answered(watched: Parts) -> Answered:
    """An answer, posted within a trace of the caller's; both partners have got all frames."""
    system = watched.system
    alice, bob = await People(system).partners()
    today = await system.get(f"{system.connection}/daily-connections/today", alice)
    async with system.device(alice) as hers, system.device(bob) as his:
        response = await system.http.post(
            f"{system.connection}/daily-connections/{today['id']}/answers",
            json={"text": "Between us."},
            headers={
                "Authorization": f"Bearer {system.token(alice)}",
                "traceparent": f"00-{CALLER}-{CALLERS_SPAN}-01",
                "X-Request-Id": "a-request",
            },
        )
        assert response.status_code == 201, response.text
        await hers.event("connection_answer:created")
        for name in ("connection_answer:created", "inbox:created", "inbox:unread"):
            await his.event(name)
    return Answered(alice, bob, "Between us.", response.headers["X-Request-Id"])


def whole_trace(answered: Answered) -> list[str]:
    """The trace of an answer, as it must be."""
    alice, bob = f"to {answered.alice}", f"to {answered.bob}"
    connection, inbox, push = "connection_service:", "inbox_service:", "push_gateway:"
    return [
        f"{connection} POST /v1/daily-connections/{{connection_id}}/answers",
        f"  {connection} transaction",
        f"    {connection} publish EVENTS connection_answer:created {alice}",
        f"      {inbox} process inbox-service connection_answer:created {alice}",
        f"      {push} deliver connection_answer:created {alice}",
        f"    {connection} publish EVENTS connection_answer:created {bob}",
        f"      {inbox} process inbox-service connection_answer:created {bob}",
        f"        {inbox} transaction",
        f"          {inbox} publish EVENTS inbox:created {bob}",
        f"            {push} deliver inbox:created {bob}",
        f"          {inbox} publish EVENTS inbox:unread {bob}",
        f"            {push} deliver inbox:unread {bob}",
        f"      {push} deliver connection_answer:created {bob}",
    ]


async def test_an_answer_is_one_trace_from_the_request_to_every_frame(collector: Collector, answered: Answered) -> None:
    """Every span below the one that caused it, in the trace that the caller began, whichever process it is of."""
    expected = whole_trace(answered)
    await until(lambda: len(collector.of(CALLER)) >= len(expected), within=PATIENCE)
    spans = collector.of(CALLER)
    assert sorted(tree(spans)) == sorted(expected), "\n".join(tree(spans))
    assert tree(spans) == expected, "\n".join(tree(spans))
    by_id = {span.id: span for span in spans}
    [root] = [span for span in spans if span.parent not in by_id]
    assert root.parent == CALLERS_SPAN
    assert root.attributes["http.response.status_code"] == 201
    assert root.attributes["tandem.request_id"] == answered.request_id == "a-request"
    for span in spans:
        assert span.began <= span.ended
        assert span is root or span.began >= by_id[span.parent].began - CLOCK_STEP, (
            f"{span.name} began before its cause"
        )


CLOCK_STEP = 1_000_000
"""Nanoseconds by which the clocks of two processes of one machine may differ."""


async def test_no_span_holds_what_a_person_wrote_or_a_token(
    collector: Collector, answered: Answered, watched: Parts
) -> None:
    """Whoever may look at traces may not therefore read other people's answers."""
    await until(lambda: len(collector.of(CALLER)) >= len(whole_trace(answered)), within=PATIENCE)
    told = repr(collector.spans)
    assert answered.alice in told, "it would be found"
    assert answered.text not in told
    assert "Bearer" not in told
    assert watched.system.token(answered.alice).split(".")[0] not in told


@pytest.fixture(scope="module")
async def expositions(watched: Parts, answered: Answered) -> dict[str, str]:
    """What each service tells Prometheus, by the name of the job."""
    jobs = {"connection": "CONNECTION_PORT", "inbox": "INBOX_PORT", "push": "PUSH_PORT"}
    told: dict[str, str] = {}
    await watched.system.get(f"{watched.system.inbox}/unread-count", answered.bob)
    for job, variable in jobs.items():
        assert variable in PORTS
        response = await watched.system.http.get(
            f"http://{HOST}:{watched.system.settings.ports[variable]}/metrics",
            headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"},
        )
        assert response.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        told[job] = response.text
    return told


@pytest.fixture(scope="module")
def known(expositions: dict[str, str]) -> Exposed:
    """Every series that there is."""
    return exposed(*expositions.values())


async def test_each_service_tells_what_has_happened(expositions: dict[str, str]) -> None:
    """In Prometheus's conventions, and with the trace beside the request."""
    requests = 'tandem_http_requests_total{method="POST",route="/v1/daily-connections/{connection_id}/answers"'
    assert f'{requests},status="201"}} 1.0' in expositions["connection"]
    assert f'# {{trace_id="{CALLER}"}}' in expositions["connection"]
    assert "tandem_relay_active 1.0" in expositions["connection"]
    assert 'tandem_consumer_messages_total{outcome="done"}' in expositions["inbox"]
    assert re.search(r"^tandem_push_frames_total [1-9]", expositions["push"], re.MULTILINE)
    assert re.search(r"^tandem_push_sent_bytes_total [1-9]", expositions["push"], re.MULTILINE)


async def test_no_metric_names_a_user(expositions: dict[str, str], answered: Answered) -> None:
    """There would be a series for each of them."""
    assert not [job for job, text in expositions.items() if answered.alice in text or answered.bob in text]


class Asked(NamedTuple):
    """A query, and where it stands."""

    where: str
    query: str
    labels: frozenset[str]


def alerts() -> list[dict[str, Any]]:
    """Every alert."""
    groups = yaml.safe_load((OBSERVE / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def asked() -> Iterator[Asked]:
    """Every query of the dashboard and of the alerts, with the labels that the text beside it names."""
    for rule in alerts():
        text = rule["annotations"]["summary"]
        yield Asked(rule["alert"], rule["expr"], frozenset(re.findall(r"\$labels\.(\w+)", text)))
    dashboard = json.loads((OBSERVE / "grafana" / "dashboards" / "tandem.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            labels = frozenset(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            yield Asked(panel["title"], target["expr"], labels)


async def test_every_query_parses_and_asks_for_what_is_told(known: Exposed) -> None:
    """Of the dashboard and of the alerts; and the labels beside them are there too."""
    queries = list(asked())
    assert len(queries) > 40
    assert [f"{each.where}: {wrong}" for each in queries for wrong in complaints(each.query, known)] == []
    labels = OF_A_TARGET.union(*known.values())
    assert [f"{each.where}: {each.labels - labels}" for each in queries if not each.labels <= labels] == []


async def test_nothing_is_told_that_nobody_looks_at(known: Exposed) -> None:
    """Each metric of ours is on the dashboard."""
    text = "\n".join(each.query for each in asked())
    ours = {name for name in known if name.startswith("tandem_") and not name.endswith(("_created", "_sum", "_count"))}
    assert {name for name in ours if name not in text} == set()


@pytest.mark.parametrize(
    "query",
    [
        "sum(rate(tandem_push_frames_total[5m])",
        "sum(rate(tandem_push_frames[5m]))",
        "tandem_push_frames_totals",
        'tandem_push_refusals_total{reason="4408"}',
        "sum by (code) (tandem_push_sockets)",
        "sum by (lе) (rate(tandem_push_delivery_latency_seconds_bucket[5m]))",  # noqa: RUF001 - a Cyrillic letter
        "tandem_push_sockets / on (code) tandem_push_feeds",
        "tandem_push_sockets > and",
        "rate(tandem_push_frames_total)",
        "",
    ],
)
async def test_a_query_that_would_never_say_anything_is_complained_about(known: Exposed, query: str) -> None:
    """So that the tests above can fail."""
    assert list(complaints(query, known))


def runbook() -> dict[str, str]:
    """The paragraphs of the runbook, by the anchor of their heading."""
    parts = re.split(r"^### (\w+)\n", (ROOT / "docs" / "OPERATING.md").read_text(), flags=re.MULTILINE)
    return {name.lower(): text for name, text in zip(parts[1::2], parts[2::2], strict=True)}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_every_alert_has_a_paragraph_that_says_what_to_do(rule: dict[str, Any]) -> None:
    """Where its link leads."""
    page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert (ROOT / page).is_file()
    assert anchor == rule["alert"].lower()
    assert "**Do:**" in runbook().get(anchor, ""), f"docs/OPERATING.md says nothing of {rule['alert']}"
    assert rule["labels"]["severity"] in {"page", "ticket"}


def test_every_paragraph_of_the_runbook_has_its_alert() -> None:
    """None is left over from an alert that is gone."""
    assert set(runbook()) == {rule["alert"].lower() for rule in alerts()}


def test_prometheus_asks_every_service_at_its_port() -> None:
    """By the names that they have in a deployment; and it reads the rules."""
    config = yaml.safe_load((OBSERVE / "prometheus.yml").read_text())
    found = {job["job_name"]: job["dns_sd_configs"][0]["port"] for job in config["scrape_configs"]}
    assert found == {name: PORTS[f"{name.upper()}_PORT"] for name in ("connection", "inbox", "push")}
    assert config["rule_files"] == ["alerts.yml"]
    assert set(OF_PROMETHEUS) == {"up"}
