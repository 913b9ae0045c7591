"""Secrets that a run has handed out are in nothing that it records, tells or raises; values keep them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from assetry import Asset, AssetKey, Column, Integration, Project, asset
from assetry.plugin import EventRecord, Invocation, InvocationGroup, RunContext, hookimpl, read_secret
from assetry.types.events import Checked, Event, Failed, Handle, Log, Materialized, Observed, Skipped, Started

SECRET = "p/ss wörd&7"
SPELT = (
    SECRET,
    "p%2Fss%20w%C3%B6rd%267",
    "p/ss w\\u00f6rd&7",
    "p/ss wörd&amp;7",
    base64.b64encode(f"bob:{SECRET}".encode()).decode()[8:-4],
)
HEADER = base64.b64encode(f"bob:{SECRET}".encode()).decode()
MILL = Integration("mill", "mill", {"password": {"secret": "shop/db"}})


class Mill:
    """A plugin that provides the secret, and whose tool tells it everywhere."""

    def __init__(self, *events: Callable[[str], Event]) -> None:
        self.events = events
        self.error: Callable[[str], BaseException] | None = None
        self.heard: list[EventRecord] = []

    @hookimpl
    def assetry_secret(self, name: str) -> str | None:
        return SECRET if name == "shop/db" else None

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Sequence[Asset] | None:
        return [] if integration.kind == "mill" else None

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup:
        return InvocationGroup("mill")

    @hookimpl
    def assetry_invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        secret = context.secret("shop/db")
        context.log(f"said {secret}")
        for event in self.events:
            yield event(secret)
        if self.error is not None:
            raise self.error(secret)

    @hookimpl
    def assetry_observe(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        secret = context.secret("shop/db")
        yield Observed("a", data_version="1", metadata={"at": secret})
        raise ValueError(secret)

    @hookimpl
    def assetry_event(self, event: EventRecord) -> None:
        self.heard.append(event)


def ground(key: str, *deps: str) -> Asset:
    return Asset(key=key, kind="mill", deps=deps, integration=MILL)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Callable[..., Project]]:
    made: list[Project] = []

    def make(*assets: Any, plugins: Sequence[Any] = ()) -> Project:
        made.append(Project(assets, plugins=plugins, root=tmp_path, io="memory:"))
        return made[-1]

    yield make
    for each in made:
        each.close()


def recorded(project: Project, run_id: str) -> str:
    """Return all that the store has, and all that was told."""
    project.close()
    return "".join(
        path.read_bytes().decode(errors="replace") for path in (project.root / ".assetry").iterdir() if path.is_file()
    )


def everywhere(secret: str) -> Any:
    spelt = [*SPELT[:-1], HEADER, repr(secret), json.dumps(secret)]
    return {secret: {"deep": [spelt, {secret: secret}]}, "rows": 3}


def test_it_is_masked_in_all_that_a_tool_tells(project: Any) -> None:
    mill = Mill(
        lambda secret: Handle("job-7", f"https://x/?key={SPELT[1]}"),
        lambda secret: Started("a"),
        lambda secret: Checked("a", "ok", False, "warn", f"not {secret}", metadata=everywhere(secret)),
        lambda secret: Materialized("a", metadata=everywhere(secret)),
        lambda secret: Failed("b", f"401 for {secret}", hint=f"Use {HEADER}"),
        lambda secret: Skipped("c", f"because of {secret}"),
    )
    told: list[EventRecord] = []
    found = project(ground("a"), ground("b"), ground("c"), plugins=[mill])
    result = found.materialize(on_event=told.append)
    said = repr((result.outcomes, result.problems, [each.event for each in (*told, *mill.heard)]))
    text = recorded(found, result.run.id)
    logs = [each.event.message for each in told if isinstance(each.event, Log)]
    assert logs == ["said ***"]
    for spelling in SPELT:
        assert spelling not in said
        assert spelling not in text
    assert "https://x/?key=***" in text
    assert [each.event.metadata["rows"] for each in told if isinstance(each.event, Materialized)] == [3]


def test_it_is_masked_in_what_breaks_an_invocation(project: Any) -> None:
    mill = Mill()
    mill.error = lambda secret: ValueError(f"cannot log in with {secret}")
    result = project(ground("a"), plugins=[mill]).materialize()
    (problem,) = result.problems
    assert problem.endswith("raised ValueError: cannot log in with ***")
    assert [each.message for each in result.outcomes.values()] == [problem]


def test_it_is_masked_across_the_invocations_of_a_run_and_values_keep_it(project: Any) -> None:
    mill = Mill(lambda secret: Materialized("a"))

    @asset(deps=["a"])
    def told() -> str:
        print(f"it is {SECRET}")
        return SECRET

    found = project(ground("a"), told, plugins=[mill])
    records: list[EventRecord] = []
    result = found.materialize(on_event=records.append)
    assert result.value("told") == SECRET
    lines = [each.event.message for each in records if isinstance(each.event, Log) and each.event.key == "told"]
    assert lines == ["it is ***"]


def test_it_is_masked_in_observations(project: Any) -> None:
    found = project(ground("a"), plugins=[Mill()])
    result = found.observe()
    assert SECRET not in repr(list(found.store.events(result.run.id)))
    assert found.store.latest()["a", None].metadata["at"] == "***"


def test_a_token_with_a_secret_is_refused_and_short_secrets_are_found_in_tokens_by_chance(project: Any) -> None:
    mill = Mill(lambda secret: Handle(f"job:{secret}"), lambda secret: Materialized("a"))
    mill.error = lambda secret: ConnectionError("lost")
    found = project(ground("a"), plugins=[mill])
    result = found.materialize()
    assert dict(found.store.handles(result.run.id)) == {}
    logs = [each.event.message for each in found.store.events(result.run.id) if isinstance(each.event, Log)]
    assert any("its token has a secret in it" in line for line in logs)


def test_where_a_value_is_kept_is_no_secret(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEV_PASSWORD", "project")

    @asset
    def told(context) -> int:  # type: ignore[no-untyped-def]
        return len(context.secret("DEV_PASSWORD"))

    found = project(told)
    assert found.materialize().ok
    assert found.load_value("told") == 7


def test_read_secret_in_a_tools_stream_asks_and_masks_as_the_context_does(project: Any) -> None:
    mill = Mill(lambda _: Log(f"read {read_secret('shop/db')}"), lambda _: Materialized("a"))
    made = project(ground("a"), plugins=[mill])
    result = made.materialize(raise_on_error=False)
    assert result.ok
    assert any(each.event == Log("read ***") for each in made.store.events(result.run.id))


def test_a_version_a_column_and_a_token_in_base64_keep_none(project: Any) -> None:
    columns = [Column("id", "int", f"of {SECRET}")]
    made = project(
        ground("a"),
        plugins=[
            Mill(
                lambda secret: Handle(f"job-{base64.b64encode(secret.encode()).decode()}"),
                lambda secret: Materialized("a", data_version=f"https://x/?sig={secret}", columns=columns),
            )
        ],
    )
    result = made.materialize()
    told = next(each.event for each in made.store.events(result.run.id) if isinstance(each.event, Materialized))
    assert told.columns == (Column("id", "int", "of ***"),)
    assert len(str(told.data_version)) == 32
    assert made.materialize().ok
    again = made.store.latest()[AssetKey("a"), None].data_version
    assert again == told.data_version, "the same content has the same version"
    everything = recorded(made, result.run.id)
    assert not any(each in everything for each in SPELT)
