from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Folder


def test_text_draws_every_dependency_once(shop: Folder) -> None:
    result = shop.call("graph")
    assert result.stdout.splitlines() == [
        "orders  python",
        "├─ shop/total  python",
        "│  └─ report ⋯",
        "└─ report  python",
    ]
    assert "3 assets, 3 dependencies" in result.stderr


def test_the_sign_for_a_second_mention_is_explained_where_it_stands(shop: Folder) -> None:
    result = shop.call("graph")
    assert "⋯" in result.stdout
    assert "⋯ stands below another of its inputs as well" in result.stderr
    assert "⋯" not in shop.call("graph", "-s", "orders").stderr


def test_json_has_assets_and_edges(shop: Folder) -> None:
    data = shop.json("graph")
    assert [asset["stage"] for asset in data["assets"]] == [0, 1, 2]
    assert {"from": "orders", "to": "report"} in data["edges"]
    assert len(data["edges"]) == 3


def test_dot(shop: Folder) -> None:
    text = shop.call("graph", "--output", "dot", "-s", "total+").stdout
    assert text.startswith("digraph")
    assert '"shop/total" -> "report";' in text
    assert "orders" not in text


def test_svg_is_a_whole_document_with_titles(shop: Folder) -> None:
    root = ET.fromstring(shop.call("graph", "--output", "svg").stdout)
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title").text == "Assets of shop"  # type: ignore[union-attr]
    titles = {each.text for each in root.iterfind(f"{space}g/{space}title")}
    assert titles == {"orders (python)", "shop/total (python)", "report (python)"}
    assert "prefers-color-scheme:dark" in root.find(f"{space}style").text  # type: ignore[union-attr, operator]


def test_other_commands_have_no_svg(shop: Folder) -> None:
    assert "no --output svg" in shop.call("--output", "svg", "list", code=2).stderr
    assert "svg" in shop.call("list", "--output", "svg", code=2).stderr
