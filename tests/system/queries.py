"""Owns judging the queries of dashboards and alerts: that they parse, and ask for nothing that nobody tells."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import promql_parser
from prometheus_client.openmetrics.parser import text_string_to_metric_families

OF_PROMETHEUS = {"up": frozenset[str]()}
"""What Prometheus itself knows of what it scrapes."""

OF_A_TARGET = frozenset({"job", "instance"})
"""The labels that it adds to everything."""

Exposed = Mapping[str, frozenset[str]]
"""The series there are: the labels of each, by name."""


def exposed(*texts: str) -> Exposed:
    """What these expositions tell."""
    series: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
    for text in texts:
        for family in text_string_to_metric_families(text):  # type: ignore[no-untyped-call]
            for sample in family.samples:
                series[sample.name] |= frozenset(sample.labels)
    return {**series, **OF_PROMETHEUS}


def complaints(query: str, known: Exposed) -> Iterator[str]:
    """What is wrong with a query."""
    try:
        parsed = promql_parser.parse(query)
    except ValueError as error:
        yield f"{query}: {error}"
        return
    yield from _complaints(parsed, known)


def _complaints(node: Any, known: Exposed) -> Iterator[str]:
    labels = _labels_below(node, known)
    if isinstance(node, promql_parser.VectorSelector):
        if node.name not in known:
            yield f"nobody tells {node.name}"
        yield from (f"{node.name} has no label {each.name}" for each in _matchers(node) if each.name not in labels)
    elif isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
        yield from (
            f"nothing below {node.op} has a label {each}" for each in node.modifier.labels if each not in labels
        )
    elif isinstance(node, promql_parser.BinaryExpr) and node.modifier is not None and node.modifier.matching:
        matching = node.modifier.matching.labels
        yield from (f"nothing beside {node.op} has a label {each}" for each in matching if each not in labels)
    for part in _parts(node):
        yield from _complaints(part, known)


def _labels_below(node: Any, known: Exposed) -> frozenset[str]:
    if isinstance(node, promql_parser.VectorSelector):
        return known.get(node.name or "", frozenset()) | OF_A_TARGET
    return frozenset().union(*(_labels_below(part, known) for part in _parts(node)))


def _matchers(node: Any) -> list[Any]:
    return [each for each in node.matchers.matchers if each.name != "__name__"]


def _parts(node: Any) -> list[Any]:
    """The queries of which one is made."""
    found: list[Any] = []
    for name in ("expr", "lhs", "rhs", "args", "param", "vector_selector"):
        part = getattr(node, name, None)
        found += part if isinstance(part, list) else [part] if part is not None else []
    return found
