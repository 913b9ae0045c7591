"""Events against the schemas of OpenLineage itself, each facet against the one that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from openlineage.client.serde import Serde
from referencing import Registry, Resource

SPEC = Path(__file__).parent / "spec"
SCHEMAS = {(body := json.loads(path.read_text()))["$id"]: body for path in sorted(SPEC.rglob("*.json"))}
REGISTRY: Registry[Any] = Registry().with_resources(
    (id_, Resource.from_contents(body)) for id_, body in SCHEMAS.items()
)
FORMATS = FormatChecker(formats=("uuid",))


@FORMATS.checks("date-time", raises=ValueError)
def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def validated(event: Any) -> dict[str, Any]:
    """Return an event as it is sent; raise `jsonschema.ValidationError` where it is not as the specification says."""
    sent: dict[str, Any] = event if isinstance(event, dict) else json.loads(Serde.to_json(event))
    _validate(sent["schemaURL"], sent)
    for facet in _facets(sent):
        _validate(facet["_schemaURL"], facet)
    return sent


def _validate(url: str, value: Mapping[str, Any]) -> None:
    assert url.partition("#")[0] in SCHEMAS, f"no schema of {url} is here"
    Draft202012Validator({"$ref": url}, registry=REGISTRY, format_checker=FORMATS).validate(value)


def _facets(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from event["run"]["facets"].values()
    yield from event["job"]["facets"].values()
    for each in (*event["inputs"], *event["outputs"]):
        yield from each["facets"].values()
        yield from each.get("outputFacets", {}).values()
