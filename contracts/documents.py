"""Owns the JSON Schemas (2020-12): which models are public, and the schema of each.

They say what a reader must accept: a field with a default may be missing, and unknown fields may be there.
"""

import re
from typing import Any, Literal

from pydantic import BaseModel, create_model
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from contracts import frames
from contracts.events import EVENT_TYPES, Answer, Contract, DailyConnection, EventType, InboxItem
from contracts.revocations import Revocation

JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"

_MODE: JsonSchemaMode = "validation"

Json = dict[str, Any]


def event_frame(kind: EventType) -> type[frames.EventFrame]:
    """The frame that carries this kind of event: `inbox:created` makes `InboxCreatedFrame`."""
    name = "".join(word.capitalize() for word in re.split("[:_]", kind.name)) + "Frame"
    only_this_name: Any = Literal[kind.name]
    return create_model(
        name,
        __base__=frames.EventFrame,
        __doc__=kind.summary,
        event=(only_this_name, ...),
        data=(kind.data, ...),
    )


def public_models() -> dict[str, type[BaseModel]]:
    """Every public model by its name, which is also the name of its schema."""
    shapes: list[type[Contract]] = [
        Answer,
        DailyConnection,
        InboxItem,
        *(kind.data for kind in EVENT_TYPES.values()),
        frames.HelloData,
        frames.ResyncData,
        frames.HelloFrame,
        *(event_frame(kind) for kind in EVENT_TYPES.values()),
        frames.HeartbeatFrame,
        frames.ResyncFrame,
        frames.AuthOperation,
        Revocation,
    ]
    return {shape.__name__: shape for shape in shapes}


def json_schemas() -> dict[str, Json]:
    """One self-contained JSON Schema a public model, by the model's name."""
    schemas: dict[str, Json] = {}
    for name, model in public_models().items():
        schema = model.model_json_schema(mode=_MODE)
        for part in [schema, *schema.get("$defs", {}).values()]:
            _drop_field_titles(part)
        schemas[name] = {"$schema": JSON_SCHEMA} | schema
    return schemas


def component_schemas() -> dict[str, Json]:
    """The same schemas, each once, as they stand under `#/components/schemas` of one document."""
    models = [(model, _MODE) for model in public_models().values()]
    _, together = models_json_schema(models, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Json] = together["$defs"]
    for schema in schemas.values():
        _drop_field_titles(schema)
    return schemas


def _drop_field_titles(schema: Json) -> None:
    # "Read At" tells nobody more than read_at. Not a blind search for "title": an InboxItem has such a field.
    for field in schema["properties"].values():
        field.pop("title", None)
