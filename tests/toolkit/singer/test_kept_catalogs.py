"""What taps offer, asked once and kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from assetry.plugin import IntegrationError
from assetry_toolkit.singer.catalogs import Catalog, Stream
from assetry_toolkit.singer.kept_catalogs import KeptCatalogs
from assetry_toolkit.singer.plugins import Plugin


class Mill(KeptCatalogs):
    """The catalogs of one tap, which answers with the names in `streams`, of which none or all are selected."""

    streams: tuple[str, ...] = ("rye", "oats")
    selects, version = True, "1"

    def place(self, tap: Plugin) -> tuple[str, str]:
        return tap.name, self.version

    def asked(self, tap: Plugin) -> Catalog:
        return Catalog([Stream(each, each) for each in self.streams if self.selects], self.streams)


def test_what_was_known_is_kept_where_nothing_is_offered_or_selected_any_more(tmp_path: Path) -> None:
    mill = Mill({"tap-a": Plugin("tap-a", "tap-a", {})}, tmp_path / "mill.json", 1, "Or leave it out.")
    assert mill.ask("tap-a") == 2
    mill.streams = ()
    with pytest.raises(IntegrationError, match="tap-a: its catalog is empty, and had 2 streams: rye, oats"):
        mill.ask("tap-a")
    mill.version = "2"
    assert "its catalog is empty" in str(mill.known("tap-a").stale)
    mill.streams, mill.selects = ("rye",), False
    with pytest.raises(IntegrationError, match="tap-a selects none of its streams"):
        mill.ask("tap-a")
    mill.selects = True
    assert (mill.ask("tap-a"), mill.known("tap-a").stale) == (1, None)
