"""A macro that changes more models at once than a person allows is held, and told with the ways to go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.automation.story import DBT, MINUTE, Story, told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MODELS = [f"m{number}" for number in range(8)]
FILES = {
    **DBT,
    "dbt_project.yml": "name: shop\nprofile: shop\nmodels:\n  shop:\n    +materialized: table\n"
    "    +meta: {assetry: {automation: eager}}\n",
    "assetry.toml": '[automation]\nsurge = 3\n[integrations.shop]\nkind = "dbt"\n',
    "macros/cents.sql": "{% macro cents(amount) %}{{ amount }} * 100{% endmacro %}\n",
    "models/free.sql": "select 1 as amount",
    **{f"models/{name}.sql": f"select {{{{ cents({number}) }}}} as cents" for number, name in enumerate(MODELS)},
}
KEYS = {f"shop/{name}" for name in MODELS}


def held(story: Story) -> set[str]:
    return {str(key) for key, each in story.project.next().items() if each.kind == "held"} & KEYS


def test_a_macro_that_changes_very_much_is_held_for_a_person_who_goes_on_in_three_ways(tmp_path: Path) -> None:
    with told(tmp_path, FILES) as story:
        assert story.turn() == [True], "what was never made is no change"
        story.clock.advance(MINUTE)
        story.write("macros/cents.sql", "{% macro cents(amount) %}{{ amount }} * 10{% endmacro %}\n")
        story.write("models/free.sql", "select 2 as amount")
        story.reload()
        assert story.turn() == []
        assert held(story) == KEYS
        said = " ".join(story.says("daemon", "--once", "--dry-run").split())
        assert "9 assets changed at once (`shop/m0` and 7 more: its macro cents changed)" in said
        ways = ["assetry plan --stale", "assetry accept -s state:stale --why", "assetry resume -s state:stale"]
        assert [way in said for way in ways] == [True] * 3

        # First: to see what would be made, without making it.
        planned = story.tells("plan", "--stale", "--output", "json").data["invocations"]
        assert set(planned[0]["assets"]) == {*KEYS, "shop/free"}
        assert story.turn() == []

        # Second: to take what there is as it is.
        story.says("accept", "-s", "m0", "m1", "--why", "the same numbers")
        assert story.turn() == []
        assert held(story) == KEYS - {"shop/m0", "shop/m1"}

        # Third: to let it be made.
        story.says("resume", "-s", "m2", "m3", "free")
        assert story.turn() == [True]
        assert story.made[-1].keys == {"shop/m2", "shop/m3", "shop/free"}
        assert held(story) == KEYS - {"shop/m0", "shop/m1", "shop/m2", "shop/m3"}
        story.says("resume", "-s", "state:stale")
        assert story.turn() == [True]
        assert set(story.counts()) == {"fresh"}
        assert story.sql("select (select cents from m1), (select cents from m2), (select cents from m7)") == [
            (100, 20, 70)
        ]
