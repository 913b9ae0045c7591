"""What dbt says of models beside their tables: deprecation, and private models that others read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from assetry import Project
from assetry.hooks.warnings import warnings_of as warnings_in
from assetry.plugin import Asset, Integration
from assetry_dbt.warnings import SOON, warnings_of

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SHOP = Integration("shop", "dbt")


def told(asset: Asset, *readers: Asset, now: datetime = NOW) -> list[str]:
    return [str(each) for each in warnings_of([asset], {asset.key: readers}, now)]


def model(name: str, **metadata: str) -> Asset:
    return Asset(key=f"shop/{name}", kind="dbt", integration=SHOP, group="finance", metadata=metadata)


def reader(name: str, integration: Integration = SHOP) -> Asset:
    return Asset(key=name, kind=integration.kind, integration=integration)


@pytest.mark.parametrize(
    ("date", "text"),
    [
        ("2026-05-31T00:00:00+00:00", "is deprecated since 2026-05-31"),
        ("2026-06-01", "is deprecated since 2026-06-01"),
        ("2026-06-01T12:00:00+00:00", "will be deprecated on 2026-06-01, today"),
        ("2026-06-02T00:00:00", "will be deprecated on 2026-06-02, in 1 day"),
        ("2026-07-01T00:00:00Z", "will be deprecated on 2026-07-01, in 30 days"),
        ("2026-07-01T00:00:01Z", None),
        ("2027-01-01", None),
        ("some day", None),
    ],
)
def test_the_end_of_a_model_is_told_when_it_is_near_or_past(date: str, text: str | None) -> None:
    assert told(model("orders", deprecation_date=date)) == ([f"shop/orders {text}."] if text else [])


def test_it_names_who_reads_it_and_what_to_read_instead() -> None:
    old = model("orders/v1", deprecation_date="2026-01-01", latest_version="shop/orders/v2")
    assert told(old, reader("report")) == [
        "shop/orders/v1 is deprecated since 2026-01-01, and report reads it. The latest version is shop/orders/v2."
    ]
    many = [reader(name) for name in "abcde"]
    assert "and a, b, c and 2 more read it" in told(old, *many)[0]


def test_a_private_model_is_told_where_something_outside_of_its_project_reads_it() -> None:
    private = model("margins", access="private")
    python = Integration("python", "python")
    assert told(private, reader("shop/board"), reader("shop/metric/margin")) == []
    assert told(private, reader("forecast", python), reader("shop/below")) == [
        "shop/margins is private to the group 'finance', and is read from outside of it, by forecast. "
        "Read a model that is public, or give it another access in dbt."
    ]
    assert told(model("orders", access="public"), reader("forecast", python)) == []


FILES = {
    "dbt_project.yml": "name: shop\nprofile: shop\n",
    "profiles.yml": "shop: {target: dev, outputs: {dev: {type: duckdb, path: shop.duckdb}}}\n",
    "models/orders_v1.sql": "select 1 as id",
    "models/orders_v2.sql": "select 1 as id",
    "models/margins.sql": "select 1 as id",
    "models/schema.yml": """\
groups: [{name: finance, owner: {name: Ann}}]
models:
  - name: orders
    latest_version: 2
    versions: [{v: 1, deprecation_date: 2026-05-01}, {v: 2}]
  - name: margins
    config: {access: private, group: finance}
""",
    "assets.py": """\
from assetry import asset


@asset(deps=["shop/margins", "shop/orders/v1"])
def forecast() -> None: ...
""",
}


@pytest.mark.slow
def test_a_project_tells_them_in_all_places_and_finds_them(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    with Project.load(tmp_path) as project:
        found = {str(each.key): each for each in warnings_in(project.graph, project.plugins, now=NOW)}
        assert set(found) == {"shop/orders/v1", "shop/margins"}
        assert found["shop/orders/v1"].text == "is deprecated since 2026-05-01, and forecast reads it"
        assert found["shop/orders/v1"].hint == "The latest version is shop/orders/v2."
        assert "private to the group 'finance'" in found["shop/margins"].text
        assert warnings_in(project.graph, project.plugins, [project.graph.find("margins")], NOW) == (
            found["shop/margins"],
        )
        early = datetime(2026, 5, 1, tzinfo=UTC) - SOON - timedelta(seconds=1)
        assert [str(each.key) for each in warnings_in(project.graph, project.plugins, now=early)] == ["shop/margins"]
        assert project.select("access:private") == ("shop/margins",)
        assert project.select("access:private+") == ("shop/margins", "forecast")
        # What describes a model changes nothing of its table.
        assert "deprecation_date" in project.graph["shop/orders/v1"].metadata
        before = project.graph["shop/orders/v1"].code_version
    text = FILES["models/schema.yml"].replace("2026-05-01", "2030-05-01")
    (tmp_path / "models" / "schema.yml").write_text(text)
    with Project.load(tmp_path) as project:
        assert project.graph["shop/orders/v1"].code_version == before
        assert [str(each.key) for each in warnings_in(project.graph, project.plugins, now=NOW)] == ["shop/margins"]
