"""Definitions of local connectors: asked once, loaded offline afterwards, joined by their tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from assetry import Integration
from assetry.plugin import Asset, DefinitionError, IntegrationError, UsageError
from assetry_airbyte import plugin
from assetry_airbyte.local.integration import load_local, pull_local

from tests.airbyte.local.scripted import KEYED, Bench, stream

Make = Callable[..., Bench]


def test_a_stream_is_an_asset(bench: Make) -> None:
    columns = {"id": {"type": "integer", "description": "who"}, "at": {"type": "string", "format": "date-time"}}
    made = bench([stream("orders", columns, **KEYED), stream("users", namespace="crm")], schema="raw", prefix="x_")
    orders, users = load_local(made.integration)
    assert (str(orders.key), str(users.key)) == ("shop/x_orders", "shop/crm/x_users")
    assert orders.relation == (None, "raw", "x_orders")
    assert [column[:3] for column in orders.columns] == [("id", "bigint", "who"), ("at", "timestamptz", "")]
    assert dict(orders.metadata) == {
        "sync_mode": "incremental_append_dedup",
        "cursor_field": "at",
        "primary_key": ["id"],
    }
    assert users.metadata == {"sync_mode": "full_refresh_overwrite"}


def test_the_connector_is_asked_once(bench: Make) -> None:
    made = bench([stream("orders")])
    for _ in range(3):
        load_local(made.integration)
    assert (len(made.calls("check")), len(made.calls("discover"))) == (1, 1)


def test_it_is_asked_again_when_script_or_config_changed(bench: Make) -> None:
    made = bench([stream("orders")])
    load_local(made.integration)
    made.options["config"] = {"start": 1}
    load_local(made.integration)
    made.streams = [stream("orders"), stream("users")]
    made.write("")
    assert len(list(load_local(made.integration))) == 2
    assert len(made.calls("discover")) == 3
    assert pull_local(made.integration) == 2
    assert len(made.calls("discover")) == 4


def test_what_is_kept_and_broken_is_asked_anew(bench: Make) -> None:
    made = bench([stream("orders")])
    load_local(made.integration)
    (made.root / ".assetry/airbyte/shop/catalog.json").write_text("{")
    assert len(list(load_local(made.integration))) == 1


def test_tables_are_where_the_project_keeps_tables(bench: Make) -> None:
    made = bench([stream("orders")], schema="raw")
    read = Asset(key="dbt/raw/orders", kind="dbt", executable=False, relation=("shop", "raw", "ORDERS"))
    with made.project() as project:
        assert project.graph["shop/orders"].relation == ("shop", "raw", "orders")
    with made.project(read) as project:
        assert [str(each.key) for each in project.graph.assets] == ["shop/orders"]
        assert project.graph["dbt/raw/orders"].key == "shop/orders"


def test_or_where_its_own_io_says(bench: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "duckdb:elsewhere/lake.duckdb?schema=stage")
    made = bench([stream("orders")], io={"env": "PLACE"})
    with made.project() as project:
        assert project.graph["shop/orders"].relation == ("lake", "stage", "orders")
    assert made.run().ok
    assert (made.root / "elsewhere" / "lake.duckdb").is_file()


def test_python_reads_what_the_connector_loaded(bench: Make) -> None:
    made = bench([stream("orders")])
    assert made.run().ok
    with made.project() as project:
        assert project.load_value("shop/orders").to_dict("list") == {"id": [1]}


@pytest.mark.parametrize(
    ("options", "message", "near"),
    [
        ({"comand": "x"}, "no option 'comand'", ("command",)),
        ({"config": 3}, "'config' of integration 'shop' must be a table", ()),
        (
            {"streams": {"orders": {"sync_mode": "incremental_apend"}}},
            "not 'incremental_apend'",
            ("incremental_append",),
        ),
        ({"streams": {"orders": {"cursor": "id"}}}, "no option 'cursor'", ("cursor_field",)),
        ({"streams": ["oders"]}, "no stream 'oders'", ("orders",)),
        (
            {"streams": {"orders": {"sync_mode": "incremental_append_dedup", "cursor_field": "id"}}},
            "no primary key",
            (),
        ),
        ({"streams": {"orders": {"sync_mode": "incremental_append"}}}, "needs a cursor", ()),
        ({"streams": {"once": {"sync_mode": "incremental_append", "cursor_field": "id"}}}, "cannot be read as", ()),
        ({"streams": ["users"]}, "has 2 streams 'users'", ("a.users", "b.users")),
        ({"streams": ["a.users", "b.users"], "schema": "raw"}, "would go into one table", ()),
    ],
)
def test_options_that_are_wrong(bench: Make, options: dict[str, Any], message: str, near: tuple[str, ...]) -> None:
    offered = [stream("orders"), stream("once", supported_sync_modes=["full_refresh"])]
    made = bench([*offered, stream("users", namespace="a"), stream("users", namespace="b")], **options)
    with pytest.raises(DefinitionError, match=message) as caught:
        load_local(made.integration)
    assert set(near) <= set(caught.value.near)


@pytest.mark.parametrize("names", [("users", "Users"), ("u" * 70, "u" * 64)])
def test_streams_whose_tables_are_one_are_refused(bench: Make, names: tuple[str, str]) -> None:
    made = bench([stream(name) for name in names])
    with pytest.raises(DefinitionError, match="would go into one table") as caught:
        load_local(made.integration)
    assert "an integration of its own" in str(caught.value.hint)
    assert [len(list(load_local(each.integration))) for each in _apart(made, names)] == [1, 1]


def _apart(made: Bench, names: tuple[str, str]) -> list[Bench]:
    """Do as the hint says."""
    return [
        replace(made, options={"streams": [names[0]]}),
        replace(made, options={"streams": [names[1]], "prefix": "x"}),
    ]


def test_namespaces_tell_streams_of_one_name_apart(bench: Make) -> None:
    made = bench([stream("users", namespace="a"), stream("users", namespace="b")])
    assert [asset.relation for asset in load_local(made.integration)] == [(None, "a", "users"), (None, "b", "users")]


def test_a_connector_that_is_not_there(bench: Make, tmp_path: Path) -> None:
    bench([])
    integration = Integration("shop", "airbyte", {"command": "source-shp"}, str(tmp_path))
    with pytest.raises(IntegrationError, match="neither on PATH nor a file") as caught:
        load_local(integration)
    assert caught.value.near == ("source-shop",)
    (tmp_path / "source-shop").chmod(0o644)
    with pytest.raises(IntegrationError, match="is not executable"):
        load_local(Integration("shop", "airbyte", {"command": "source-shop"}, str(tmp_path)))


def test_a_script_beside_the_project_runs_with_its_python(bench: Make, tmp_path: Path) -> None:
    made = bench([stream("orders")])
    made.script.chmod(0o644)
    [asset] = load_local(Integration("shop", "airbyte", {"command": ["python", "source-shop"]}, str(tmp_path)))
    assert str(asset.key) == "shop/orders"


def test_a_check_that_fails_is_told_in_its_own_words(bench: Make, secret: str) -> None:
    body = """
        def check():
            why = "The key " + config["key"] + " is not valid."
            say("CONNECTION_STATUS", connectionStatus={"status": "FAILED", "message": why})
    """
    made = bench([stream("orders")], body, config={"key": {"env": "SHOP_KEY"}})
    with pytest.raises(IntegrationError, match=r"cannot connect: The key \*\*\* is not valid\.") as caught:
        load_local(made.integration)
    assert secret not in str(caught.value)
    assert not made.calls("discover")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("error('No access to the shop')", "cannot discover: No access to the shop"),
        ("sys.exit(3)", "ended with exit code 3 and gave no answer"),
        ("print('hello')", "ended with exit code 0 and gave no answer"),
        ("raise KeyError('password')", "ended with exit code 1"),
    ],
)
def test_a_discovery_that_fails(bench: Make, body: str, message: str) -> None:
    made = bench([stream("orders")], f"def discover(): {body}")
    with pytest.raises(IntegrationError, match=message) as caught:
        load_local(made.integration)
    if "KeyError" in body:
        assert "KeyError: 'password'" in str(caught.value.hint)
    assert not list(made.root.glob(".assetry/airbyte/shop/run-*"))


def test_a_secret_that_is_not_set(bench: Make) -> None:
    made = bench([stream("orders")], config={"key": {"env": "SHOP_KEY_THAT_IS_NOT_SET"}})
    with pytest.raises(UsageError, match="SHOP_KEY_THAT_IS_NOT_SET is not set"):
        load_local(made.integration)


def test_the_kept_catalog_and_the_plan_hold_no_secret(bench: Make, secret: str) -> None:
    made = bench([stream("orders")], config={"key": {"env": "SHOP_KEY"}})
    with made.project() as project:
        plan = project.commands(project.plan())
    [planned] = plan.invocations
    assert planned.command == "source-shop read --config … --catalog orders"
    assert (plan.count, plan.minimal) == (1, True)
    kept = (made.root / ".assetry/airbyte/shop/catalog.json").read_text()
    assert secret not in kept
    assert json.loads(kept)["answers"]["catalog"]["answer"]["catalog"]["streams"][0]["name"] == "orders"


def test_without_uv_a_requirement_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    integration = Integration("fake", "airbyte", {"requirement": "airbyte-source-faker==7.2.1"}, str(tmp_path))
    with pytest.raises(IntegrationError, match="uv is not on PATH") as caught:
        load_local(integration)
    assert 'command = "source-faker"' in str(caught.value.hint)


def test_a_requirement_gets_an_environment_of_its_own(
    bench: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What uv would do, without a registry: an environment with the connector's executable in it.
    made = bench([stream("orders")])
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(
        f"#!{sys.executable}\nimport os, shutil, sys\n"
        f"open({str(tmp_path / 'uv-calls')!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        "if sys.argv[1] == 'venv':\n"
        "    os.makedirs(sys.argv[-1] + '/bin')\n"
        "else:\n"
        f"    shutil.copy({str(made.script)!r}, os.path.dirname(sys.argv[sys.argv.index('--python') + 1]))\n"
    )
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(uv.parent), prepend=":")
    integration = Integration("shop", "airbyte", {"requirement": "airbyte-source-shop==1.0"}, str(tmp_path))
    for _ in range(2):
        [asset] = load_local(integration)
    assert str(asset.key) == "shop/orders"
    [venv, install] = (tmp_path / "uv-calls").read_text().splitlines()
    assert venv.startswith("venv --quiet")
    assert install.endswith("airbyte-source-shop==1.0")
    [folder] = [each for each in (tmp_path / ".assetry/airbyte/venvs").iterdir() if each.is_dir()]
    assert folder.name.startswith("airbyte-source-shop-")


def test_hook_assetry_local_files_of_a_connector_are_its_catalog_and_its_environments(bench: Make) -> None:
    made = bench([stream("orders")])
    load_local(made.integration)
    catalog, environments = map(Path, plugin.assetry_local_files(made.integration))
    assert catalog.is_file()
    assert environments.name == "venvs"
