"""Both services against their OpenAPI documents, and one user against the affairs of two others, by Schemathesis.

The document is the oracle: whatever is sent, the answer must be one that it names, in the shape that it gives.
"""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

import pytest
import schemathesis
from hypothesis import strategies as st

from chassis.paging import CURSOR, cursor_of
from connection_service.api import TIME_ZONE
from tests.system.conftest import People
from tests.system.device import Device
from tests.system.fuzz import fuzz
from tests.system.system import SCOPE, System

pytestmark = pytest.mark.long

SECRET = "nobody else's business"

UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}

SERVICES = ("connection", "inbox")

ENDING = "/v1/sessions/revoke"
"""What makes the token worthless with which all the rest is tried."""

Documents = Mapping[str, dict[str, Any]]


@pytest.fixture(scope="module")
def urls(system: System) -> dict[str, str]:
    """Where the services are."""
    return {"inbox": system.inbox.removesuffix("/v1/inbox"), "connection": system.connection.removesuffix("/v1")}


@pytest.fixture(scope="module")
async def documents(system: System, urls: dict[str, str]) -> Documents:
    """The OpenAPI documents as the services serve them."""
    return {name: (await system.http.get(f"{urls[name]}/openapi.json")).json() for name in SERVICES}


class Reader:
    """Asks for all that there is to know about somebody."""

    def __init__(self, system: System, urls: Mapping[str, str], documents: Documents) -> None:
        self._system = system
        self._paths = [
            f"{urls[name]}{path}"
            for name, document in documents.items()
            for path, methods in document["paths"].items()
            if path.startswith("/v1/") and "{" not in path and "get" in methods
        ]

    async def all_of(self, user: str) -> dict[str, Any]:
        """What `user` is told by every GET that needs no parameter, by the last part of its path."""
        return {path.rpartition("/")[2]: (await self._system.ask("GET", path, user)).json() for path in self._paths}


@dataclass(frozen=True)
class Couple:
    """Two partners whose affairs are nobody else's.

    Attributes:
        requests: the URL, body and `Idempotency-Key` of what they have sent.
        known: all that there is to know about each of them.
    """

    devices: tuple[Device, Device]
    requests: list[tuple[str, Any, str]]
    known: dict[str, dict[str, Any]]

    @property
    def secrets(self) -> set[str]:
        """What others must not be told: their names, every id of theirs, their text."""
        return {SECRET, *self.known, *UUIDS.findall(json.dumps(self.known))}

    def given_away_by(self, text: str) -> set[str]:
        return {secret for secret in self.secrets if secret in text}


@pytest.fixture
def reader(system: System, urls: dict[str, str], documents: Documents) -> Reader:
    """Asks both services."""
    return Reader(system, urls, documents)


@pytest.fixture
async def couple(system: System, people: People, reader: Reader) -> AsyncIterator[Couple]:
    """Bob and Carol: partners who have both answered, with two items and a window open each."""
    bob, carol = people.someone("bob"), people.someone("carol")
    requests: list[tuple[str, Any, str]] = []

    async def post(user: str, path: str, body: Any) -> None:
        url, key = f"{system.connection}{path}", str(uuid.uuid4())
        headers = {"Authorization": f"Bearer {system.token(user)}", "Idempotency-Key": key}
        (await system.http.post(url, json=body, headers=headers)).raise_for_status()
        requests.append((url, body, key))

    async with system.device(bob) as his, system.device(carol) as hers:
        invite = await system.post(f"{system.connection}/partnership/invites", bob)
        await post(carol, "/partnership/accept", {"code": invite["code"]})
        today = await system.get(f"{system.connection}/daily-connections/today", bob)
        for user in (bob, carol):
            await post(user, f"/daily-connections/{today['id']}/answers", {"text": f"{SECRET} of {user}"})
            await system.item(user, SECRET)
        for device in (his, hers):
            await device.event("inbox:unread", unread_count=2)
        await system.heard(his, hers)
        yield Couple((his, hers), requests, {user: await reader.all_of(user) for user in (bob, carol)})


async def values_for(
    service: str, system: System, people: People, user: str, known: Mapping[str, Any]
) -> dict[str, Any]:
    """What `user` can name: things of their own, and the same things of those in `known`."""
    if service == "inbox":
        items = [(await system.item(user))["id"] for _ in range(8)]
        items += [item["id"] for each in known.values() for item in each["items"]["items"]]
        return {
            "path.item_id": items,
            "body.through": items,
            "body.recipient_id": [user],
            CURSOR: [cursor_of(item) for item in items],
        }
    invites = f"{system.connection}/partnership/invites"
    codes = [(await system.post(invites, people.someone("eve")))["code"] for _ in range(12)]
    await system.post(f"{system.connection}/partnership/accept", user, {"code": codes.pop()})
    mine = await system.get(f"{system.connection}/daily-connections/today", user)
    days = [mine, *4 * [each["today"] for each in known.values()]]  # it is theirs that she is after
    return {
        "path.connection_id": [day["id"] for day in days],
        "body.code": codes,
        CURSOR: [cursor_of(day["date"], day["id"]) for day in days],
    }


# Hypothesis has to describe a body of that length to somebody; it is about the time that this takes.
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.parametrize("service", SERVICES)
async def test_whatever_is_sent_is_answered_as_documented_and_concerns_nobody_else(
    service: str, system: System, people: People, urls: dict[str, str], couple: Couple, reader: Reader
) -> None:
    """Mallory names Bob's and Carol's things all the time; she is told nothing of theirs, and nothing of it changes."""
    mallory = people.someone("mallory")
    values = await values_for(service, system, people, mallory, couple.known)
    schemathesis.openapi.format(CURSOR, st.sampled_from(values.pop(CURSOR)))
    schemathesis.openapi.format(TIME_ZONE, st.sampled_from(sorted(available_timezones())))
    run = await asyncio.to_thread(fuzz, urls[service], system.token(mallory, SCOPE), values, without=ENDING)
    print(f"{service}: {dict(run.cases)}, {dict(run.statuses)}; excused: {dict(run.excused)}")
    assert not run.complaints, "\n\n".join(run.complaints)
    told = [(request, couple.given_away_by(answer)) for request, answer in run.answers]
    assert [each for each in told if each[1]] == []
    assert sum(bool(couple.given_away_by(request)) for request, _ in run.answers) >= 10, "she hardly tried"
    assert {user: await reader.all_of(user) for user in couple.known} == couple.known
    assert await system.heard(*couple.devices) == [[], []]


async def test_signing_out_is_answered_as_documented_and_signs_nobody_else_out(
    system: System, people: People, urls: dict[str, str], couple: Couple, reader: Reader
) -> None:
    """Whatever is sent with it; and again with a token that is good no longer."""
    token = system.token(people.someone("mallory"))
    run = await asyncio.to_thread(fuzz, urls["connection"], token, {}, only=ENDING)
    print(f"{ENDING}: {dict(run.cases)}, {dict(run.statuses)}")
    assert not run.complaints, "\n\n".join(run.complaints)
    assert run.statuses[204] == 1
    assert run.statuses[401] > 1
    assert {user: await reader.all_of(user) for user in couple.known} == couple.known
    assert all(device.open_still for device in couple.devices)


async def test_a_key_of_somebody_else_repeats_nothing_for_a_stranger(
    system: System, people: People, couple: Couple
) -> None:
    """Word for word what Bob and Carol have sent, under their keys."""
    headers = {"Authorization": f"Bearer {system.token(people.someone('mallory'))}"}
    for url, body, key in couple.requests:
        answer = await system.http.post(url, json=body, headers={**headers, "Idempotency-Key": key})
        assert answer.status_code in (404, 410)
        assert couple.given_away_by(answer.text) == set()
    assert await system.heard(*couple.devices) == [[], []]


@pytest.mark.parametrize("service", SERVICES)
def test_every_refusal_is_documented_as_a_problem(service: str, documents: Documents) -> None:
    """Of every operation, with the headers that go with it; without a token there is always 401."""
    for path, methods in documents[service]["paths"].items():
        for method, operation in methods.items():
            refused = {status: each for status, each in operation["responses"].items() if status >= "400"}
            if path != "/readyz":
                assert all(each["content"] == PROBLEM for each in refused.values()), f"{method} {path}"
            if path.startswith("/v1/"):
                assert operation["security"]
                assert "WWW-Authenticate" in refused["401"]["headers"]
                assert "Retry-After" in refused["503"]["headers"]
