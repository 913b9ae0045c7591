from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Folder

ACME = """
from assetry.plugin import Asset, InvocationGroup, Materialized, Started, hookimpl

SHAPE = {"a": [], "b": ["a"], "c": ["p"], "d": ["c"]}


@hookimpl
def assetry_load_assets(integration):
    if integration.kind != "acme":
        return None
    return [Asset(key=key, kind="acme", integration=integration, deps=deps) for key, deps in SHAPE.items()]


@hookimpl
def assetry_invocation_group(asset):
    return InvocationGroup("acme:one")


@hookimpl
def assetry_invocation_command(invocation):
    return "acme run " + " ".join(asset.key for asset in invocation.assets)


@hookimpl
def assetry_invoke(invocation, context):
    for asset in invocation.assets:
        yield Started(asset.key)
        yield Materialized(asset.key, data_version="1")
"""


def sandwich(folder: Folder) -> Folder:
    """Make a project where Python stands between assets of one group."""
    folder.write(
        "assetry.toml", 'modules = ["shop_assets"]\nio = "parquet:.assetry/data"\n[integrations.acme]\nkind = "acme"\n'
    )
    folder.write("shop_assets.py", "from assetry import asset\n\n@asset(deps=['b'])\ndef p() -> int: return 1\n")
    folder.write("assetry_plugins.py", ACME)
    return folder


def test_json_has_the_contracts_shape(folder: Folder) -> None:
    data = sandwich(folder).json("plan")
    assert (data["count"], data["lower_bound"], data["minimal"]) == (2, 2, True)
    assert data["skipped"] == []
    first, python, second = data["invocations"]
    for invocation in data["invocations"]:
        assert set(invocation) >= {"id", "kind", "group", "command", "assets", "also", "after", "because"}
    assert first["command"] == "acme run a b"
    assert first["group"] == "acme:one"
    assert first["because"] == {"a": "never materialized", "b": "never materialized"}
    assert python["kind"] == "python"
    assert python["after"] == [first["id"]]
    assert second["after"] == [python["id"]]


def test_text_tells_invocations_reasons_and_the_proof(folder: Folder) -> None:
    text = sandwich(folder).call("plan").stdout
    assert "1  acme run a b" in text
    assert "makes   a and b" in text
    assert "why     a and b: never materialized" in text
    assert "2  python  p: never materialized  after 1" in text
    assert "stands between" in text
    assert text.splitlines()[-1] == "2 acme invocations; no plan has fewer (lower bound 2); 1 Python step beside."


def test_long_lists_are_cut_unless_verbose(folder: Folder) -> None:
    sandwich(folder).write("assetry_plugins.py", ACME.replace('"d": ["c"]', '"d": [], "e": [], "f": []'))
    assert "makes   a, b and 3 more" in folder.call("plan").stdout
    assert "makes   a, b, d, e and f" in folder.call("plan", "-v").stdout


def test_stale_and_exit_code(shop: Folder) -> None:
    assert len(shop.ndjson("plan", "--stale", "--exit-code", code=4)) == 3
    shop.call("materialize", "-q")
    result = shop.call("plan", "--stale", "--exit-code")
    assert result.stdout == "Nothing to run: all 3 selected assets are up to date.\n"
    assert len(shop.ndjson("plan", "--exit-code", code=4)) == 3
    shop.write("shop_assets.py", (shop.root / "shop_assets.py").read_text().replace("sum(orders)", "sum(orders) + 1"))
    (first, second) = shop.json("plan", "--stale")["invocations"]
    assert first["assets"] == ["shop/total"]
    assert "changed" in first["because"]["shop/total"]
    assert second["assets"] == ["report"]


def test_sources_alone_are_skipped_with_the_reason(folder: Folder) -> None:
    sandwich(folder).write(
        "assetry_plugins.py",
        ACME.replace(
            "return [", "return [Asset(key='raw', kind='acme', executable=False, resource_type='source'), *["
        ).replace("SHAPE.items()]", "SHAPE.items()]]"),
    )
    assert folder.json("plan", "-s", "raw")["skipped"] == [
        {"key": "raw", "because": "nothing in this project makes it"}
    ]
    assert "raw: nothing in this project makes it" in folder.call("plan", "-s", "raw").stdout


def test_a_wrong_choice_of_collapse_exits_2(shop: Folder) -> None:
    result = shop.call("plan", "--collapse", "latest", code=2)
    assert result.stderr.startswith("error: ")
    assert "earliest" in result.stderr


def test_a_bare_name_is_answered_with_the_option(shop: Folder) -> None:
    result = shop.call("plan", "orders", code=2)
    assert "Choose assets with -s: `assetry plan -s orders`." in result.stderr


def test_partitions_are_asked_for(shop: Folder) -> None:
    shop.write(
        "shop_assets.py",
        """
        from assetry import StaticPartitionsDefinition, asset

        @asset(partitions_def=StaticPartitionsDefinition(["eu", "us"]))
        def sales(context) -> int:
            return len(context.partition)
        """,
    )
    assert "the last partition is made: sales us" in shop.call("plan").stdout
    assert shop.json("plan", "-p", "all")["invocations"][0]["partitions"] == ["eu", "us"]
    assert "'eu'" in shop.call("plan", "--partition", "ue", code=2).stderr
    assert shop.json("plan", "--partition", "eu")["invocations"][0]["partitions"] == ["eu"]
