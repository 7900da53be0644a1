"""Owns which test runs which blocks: of a document, those of one language, all of them, one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Session:
    """What it takes to run the shell's blocks of a document as one session.

    Attributes:
        replaced: words for whatever a reader puts in, or what would take too long.
        prints: patterns of which each must be found in what is printed.
    """

    replaced: Mapping[str, str]
    prints: tuple[str, ...]


@dataclass(frozen=True)
class Script:
    """What it takes to run the scripts of a document as one module in a page.

    Attributes:
        before: what the application has around it.
        after: what is asked of it from outside.
        shows: an expression that becomes true when dave has been sent a new item.
    """

    shows: str
    before: str = ""
    after: str = ""


STUBS = 'const show = (item) => said.push(item.title), fetchLists = () => said.push("lists");'
"""What the samples call, and leave to the application."""

SHELL: Mapping[str, Session] = {
    "README.md": Session(
        {
            "bin/tandem-bus tap --follow ": "interrupted bin/tandem-bus tap --follow --since 1 ",
            "EVENT_OR_ITEM_ID": "$ITEM_ID",
        },
        (
            r'"unread_count": ?1',
            r"(?m)^row +insert in inbox_items",
            r"(?m)^outcome +alice.*no socket",
        ),
    ),
    "docs/START.md": Session(
        {
            'get "$DAVE" ': 'again answered get "$DAVE" ',
            "bin/tandem-bus tap ": "again inbox:updated bin/tandem-bus tap ",
        },
        (
            r'"members": ?\["carol[-\w]*", ?"dave[-\w]*"\]',
            r'"text": ?"The sea\."',
            r'"title": ?"carol[-\w]* answered',
            r"UPDATE 1",
            r"inbox:updated.*dave",
        ),
    ),
    "docs/BUS.md": Session(
        {"drop 7": "drop 7 || test $? = 1", "DIR=/etc/tandem": "DIR=$(mktemp --directory)"},
        (r"no dead letter 7",),
    ),
    "docs/INSPECT.md": Session({"100000": "200"}, ("nats-server", "stored 200 events")),
}

SCRIPTS: Mapping[str, Script] = {
    "README.md": Script('heard("lists") && heardTwice()', STUBS),
    "docs/START.md": Script('heard("New: New")'),
    "docs/DEPLOY.md": Script(
        'heard("New") && heard("unread: ")',
        'import { createApi } from "/web/api.js";\nimport { createRealtime } from "/web/realtime.js";\n'
        "const getToken = () => token;",
        'realtime.on("inbox:created", ({ title }) => said.push(title));\n'
        "said.push(`unread: ${(await api.items()).unread_count}`);",
    ),
    "docs/MIGRATION.md": Script(
        'heard("New")',
        'import { createRealtime } from "/web/realtime.js";\nconst getToken = () => token;',
        'djangoRealtimeService.on("inbox:created", ({ title }) => said.push(title));',
    ),
    "docs/REACT.md": Script(
        'heard("New")',
        after="inbox.subscribe(() => said.push(...inbox.state.entries.map(({ item }) => item.title)));",
    ),
    "web/README.md": Script(
        'heard("lists") && heard("live") && heard("New")'
        ' && document.querySelector("tandem-inbox").inbox.state.unread > 0',
        f"{STUBS}\nconst tell = (status) => said.push(status);",
    ),
}

RUN_BY: Mapping[tuple[str, str], str] = {
    **{(document, "sh"): "tests/system/test_documents.py::test_the_commands_of_a_document_do_it" for document in SHELL},
    **{
        (document, "js"): "tests/system/browser/test_documents.py::test_the_scripts_of_a_document_work"
        for document in SCRIPTS
    },
    ("docs/REACT.md", "jsx"): "tests/system/browser/test_react.py::test_the_example_shows_the_inbox_and_what_arrives",
    ("docs/INSPECT.md", "sql"): "tests/system/test_documents.py::test_the_statements_of_a_document_are_executed",
    ("docs/BUS.md", "conf"): "tests/docs/test_values.py::test_the_server_understands_the_configuration",
    ("docs/SCALING.md", "conf"): "tests/docs/test_values.py::test_the_server_understands_the_configuration",
    ("docs/MIGRATION.md", "python"): "tests/docs/test_values.py::test_the_setting_names_a_layer_that_is_there",
    ("docs/reference/events.md", "json"): "tests/docs/test_values.py::test_every_frame_in_the_reference_is_one",
    ("contracts/vectors/README.md", "json"): "tests/docs/test_values.py::test_a_vector_has_the_fields_of_the_example",
}
"""The test that runs the blocks of a document in a language, but those in `NOT_RUN`."""
