"""Whether the AsyncAPI document is whole, and says what the code says."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest

from contracts import frames, subjects
from contracts.asyncapi import asyncapi
from contracts.asyncapi_messages import message_key
from contracts.cloudevents import Event
from contracts.documents import public_models
from contracts.events import EVENT_TYPES

DOCUMENT = asyncapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
MESSAGES = DOCUMENT["components"]["messages"]

every_event = pytest.mark.parametrize("name", EVENT_TYPES)


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Every JSON object inside `value`, and itself."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from parts(part)


def resolve(document: Any, ref: str) -> Any:
    """The part of `document` that `ref` points to. Raises KeyError if it points nowhere."""
    assert ref.startswith("#/"), f"{ref} leaves the document"
    for key in ref.removeprefix("#/").split("/"):
        document = document[key]
    return document


def test_every_reference_in_the_asyncapi_document_resolves() -> None:
    references = [part["$ref"] for part in parts(DOCUMENT) if "$ref" in part]
    assert references
    for reference in references:
        assert resolve(DOCUMENT, reference) is not None


def test_every_schema_and_message_of_the_document_is_used_or_public() -> None:
    used = {part["$ref"].rsplit("/", 1)[1] for part in parts(DOCUMENT) if "$ref" in part}
    assert set(SCHEMAS) - used <= set(public_models())
    in_channels = {
        message["$ref"].rsplit("/", 1)[1]
        for channel in DOCUMENT["channels"].values()
        for message in channel["messages"].values()
    }
    assert in_channels == set(MESSAGES)


def test_the_keys_of_components_are_of_the_allowed_form() -> None:
    for component in DOCUMENT["components"].values():
        assert all(re.fullmatch(r"[\w.\-]+", key, re.ASCII) for key in component)


@every_event
@pytest.mark.parametrize("channel", ["events", "push", "socket"])
def test_every_event_is_a_message_on_the_bus_and_on_the_socket(name: str, channel: str) -> None:
    message = resolve(DOCUMENT, DOCUMENT["channels"][channel]["messages"][message_key(name)]["$ref"])
    assert message["name"] == name


def test_the_payload_of_every_message_is_a_component() -> None:
    for key, message in MESSAGES.items():
        assert message["payload"]["$ref"].startswith("#/components/schemas/"), key


@every_event
def test_the_headers_of_an_event_are_the_documented_ones(name: str) -> None:
    now = dt.datetime.now(dt.UTC)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = Event("e-1", name, subjects.user_id("alice"), now, b"{}", trace, republished=True).headers()
    common = SCHEMAS["EventHeaders"]
    assert set(headers) == set(common["properties"])
    assert set(headers) - set(common["required"]) == {"traceparent", "ce-republished"}
    of_this_kind = MESSAGES[message_key(name)]["headers"]["allOf"][-1]["properties"]
    for properties in (common["properties"], of_this_kind):
        for header, schema in properties.items():
            assert headers[header] in schema.get("enum", [headers[header]])
            assert headers[header] == schema.get("const", headers[header])
            assert re.search(schema.get("pattern", ""), headers[header])


@every_event
def test_a_live_copy_has_the_sequence_numbers_in_its_headers(name: str) -> None:
    parts_of_headers = MESSAGES[f"push.{message_key(name)}"]["headers"]["allOf"]
    assert {"$ref": "#/components/schemas/RepublishHeaders"} in parts_of_headers
    assert SCHEMAS["RepublishHeaders"]["required"] == ["Nats-Sequence", "Nats-Last-Sequence"]


def test_the_parameters_of_every_address_are_described() -> None:
    for name, channel in DOCUMENT["channels"].items():
        assert set(re.findall(r"{(\w+)}", channel["address"])) == set(channel.get("parameters", {})), name
    assert DOCUMENT["channels"]["events"]["parameters"]["source"]["enum"] == list(subjects.SOURCES)


def test_an_operation_has_only_messages_of_its_channel() -> None:
    for name, operation in DOCUMENT["operations"].items():
        assert operation["messages"], name
        for message in operation["messages"]:
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/"), name


def test_a_service_publishes_its_own_events_and_no_others() -> None:
    for source in subjects.SOURCES:
        published = DOCUMENT["operations"][f"{source}_service.publish"]["messages"]
        own = {message_key(kind.name) for kind in EVENT_TYPES.values() if kind.source == source}
        assert {message["$ref"].rsplit("/", 1)[1] for message in published} == own


def test_every_frame_to_the_client_and_the_one_operation_from_it_are_documented() -> None:
    sent = DOCUMENT["operations"]["push_gateway.deliver"]["messages"]
    assert {resolve(DOCUMENT, resolve(DOCUMENT, message["$ref"])["$ref"])["name"] for message in sent} == {
        "hello",
        "heartbeat",
        "resync",
        *EVENT_TYPES,
    }
    assert DOCUMENT["operations"]["client.follow"]["messages"] == sent
    assert len(DOCUMENT["operations"]["client.renew"]["messages"]) == 1


def test_the_socket_is_documented_with_its_query_subprotocol_and_close_codes() -> None:
    socket = DOCUMENT["channels"]["socket"]
    assert socket["address"] == frames.PATH
    assert set(socket["bindings"]["ws"]["query"]["properties"]) == {"epoch", "since", *subjects.SOURCES}
    assert socket["x-subprotocol"] == frames.SUBPROTOCOL
    assert {int(code) for code in socket["x-close-codes"]} == set(frames.CloseCode)
    assert {code["advice"] for code in socket["x-close-codes"].values()} == set(frames.CLOSE_ADVICE.values())
