"""How all assets are, kept up from look to look, is what is found anew."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from assetry.plugin import AssetKey, Status
from assetry_automation.decision.statuses import Statuses
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples

Word = Literal["fresh", "stale", "failed"]
WORDS = st.sampled_from(("fresh", "fresh", "stale", "failed"))


@settings(max_examples=examples(100))
@given(st.lists(st.dictionaries(st.integers(0, 5), WORDS, max_size=3), max_size=5))
def test_what_is_kept_up_is_what_is_found_anew(looks: list[dict[int, Word]]) -> None:
    every = [Status(AssetKey(f"a{i}"), "fresh") for i in range(6)]
    last = Statuses.of(every)
    for others in looks:
        every = [replace(each, status=others[i]) if i in others else each for i, each in enumerate(every)]
        before, were = last, (dict(last.by_key), dict(last.unsettled))
        last, anew = Statuses.of(every, before), Statuses.of(every)
        assert last.by_key == anew.by_key
        assert [*last.unsettled.items()] == [*anew.unsettled.items()], "in graph order"
        assert (before.by_key, before.unsettled) == were, "that of before stays as it was"
    for i, each in last.unsettled.items():
        assert each is every[i]
        assert each.status != "fresh"
