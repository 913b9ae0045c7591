"""What may come next, by the names that records have."""

from __future__ import annotations

from pathlib import Path

import pytest
from assetry.cli.completion.offers import Known, used_folder
from assetry.graph.graph import AssetGraph
from assetry.selection.grammar import METHODS
from assetry.selection.methods import _TEXTS, Criteria
from assetry.store.names import RecordedNames


class Names(RecordedNames):
    """Names that are given."""

    def __init__(self, keys: list[str], tags: list[str] | None = None) -> None:
        super().__init__(None)
        self._keys, self._tags = keys, tags or []

    def keys(self) -> list[str]:
        return self._keys

    def values(self, method: str) -> list[str]:
        return self._tags if method == "tag" else []


def known(keys: list[str], tags: list[str] | None = None) -> Known:
    found = Known(Path())
    found.__dict__["names"] = Names(keys, tags)
    return found


SHOP = known(["shop/orders", "shop/items", "raw/orders", "total", "odd key", "typical"], ["daily", "nightly", "a b"])


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("shop/", ["shop/items", "shop/orders"]),
        ("t", ["total", "typical", "tag:"]),
        ("ta", ["tag:"]),
        ("tag:", ["tag:daily", "tag:nightly"]),
        ("tag:d", ["tag:daily"]),
        ("+shop/it", ["+shop/items"]),
        ("2+shop/it", ["2+shop/items"]),
        ("@shop/it", ["@shop/items"]),
        ("total", ["total", "total+"]),
        ("tag:daily,shop/it", ["tag:daily,shop/items"]),
        ("tag:daily (it", ["tag:daily (items"]),
        ("total+", []),
        ("state:f", ["state:failed", "state:fresh"]),
        ("key:shop/i", ["key:shop/items"]),
        ("it", ["items"]),
        ("or", []),
        ("nothing:", []),
    ],
)
def test_the_last_part_of_a_selection_is_completed(typed: str, words: list[str]) -> None:
    assert [offer.word for offer in SHOP.selections(typed)] == words


def test_methods_and_parts_of_keys_are_not_whole() -> None:
    assert [(offer.word, offer.whole) for offer in SHOP.selections("ta")] == [("tag:", False)]
    many = known([f"{place}/t{i}" for place in ("raw", "shop") for i in range(80)])
    assert [(offer.word, offer.whole) for offer in many.keys("")] == [("raw/", False), ("shop/", False)]
    assert len(list(many.keys("raw/"))) == 80


def test_many_keys_in_one_place_are_all_offered() -> None:
    many = known([f"t{i:03}" for i in range(300)])
    assert [(offer.word, offer.whole) for offer in many.keys("t29")] == [(f"t29{i}", True) for i in range(10)]
    assert all(offer.whole for offer in many.keys(""))


def test_names_that_several_have_are_not_enough() -> None:
    assert [offer.word for offer in SHOP.keys("o")] == []
    assert [offer.word for offer in SHOP.keys("i")] == ["items"]


def test_the_methods_are_those_that_a_selection_knows() -> None:
    assert set(METHODS) == {*_TEXTS, *Criteria(AssetGraph.of([]))._methods, "selector"}


def test_records_are_looked_for_above_as_far_as_the_repository_reaches(tmp_path: Path) -> None:
    below = tmp_path / "shop" / "models"
    below.mkdir(parents=True)
    (tmp_path / ".assetry").mkdir()
    assert used_folder(below) == tmp_path
    (tmp_path / "shop" / ".git").mkdir()
    assert used_folder(below) == below
    (tmp_path / "shop" / ".assetry").mkdir()
    assert used_folder(below) == tmp_path / "shop"


@pytest.mark.parametrize("store", ["sqlite::memory:", "postgresql://db/records"])
def test_records_elsewhere_than_in_a_file_have_no_names(store: str, tmp_path: Path) -> None:
    (tmp_path / "assetry.toml").write_text(f'store = "{store}"\n')
    assert list(Known(tmp_path).keys("")) == []
