"""Checks of what an integration loads: assets and checks that are plain data, the same each time, and its own."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from assetry.testing.integration.bench import SLOW_LOAD, Bench
from assetry.testing.integration.comparison import assets_in, differing, named, pickled, repeated
from assetry.testing.verdicts import needs
from assetry.types.assets import Integration
from assetry.types.codec import from_json, to_json
from assetry.types.fields import misfit

#: The most bytes of JSON that the metadata of one event, or of one asset, may have: every reader of a run's log
#: reads them. Larger things are kept as values, and pointed at.
METADATA_LIMIT = 64 * 1024


class DefinitionChecks:
    """Checks of what `assetry_load_assets` gives."""

    @needs("test_spell_hooks_and_arguments_as_the_core_does", "test_import_heavy_modules_inside_functions",
           "test_write_claiming_hooks_as_plain_functions", "test_answer_none_to_what_is_not_yours")  # fmt: skip
    def test_load_assets_without_raising(self, bench: Bench) -> None:
        assert bench.assets, (
            "assetry_load_assets gives no assets for the integration that was filled in: look whether its kind is "
            "yours, and what its options point at"
        )

    @needs("test_load_assets_without_raising")
    def test_give_assets_that_are_plain_data(self, bench: Bench) -> None:
        for each in bench.definitions:
            wrong = misfit(each)
            assert wrong is None, f"{named(each)} has a value of a wrong type: its {wrong}"
            try:
                copy, told = pickled(each), to_json(each)
                read = from_json(type(each), json.loads(json.dumps(told)))
            except Exception as error:
                raise AssertionError(
                    f"{named(each)} cannot be pickled and told as JSON ({error}): put only plain data into it"
                ) from error
            assert copy == each, f"{named(each)} is another one after pickling: put only plain data into it"
            assert read == each, (
                f"{named(each)} is another one after JSON: spec, facets, metadata and options may hold text, numbers, "
                "booleans, None, lists and dicts with text as keys"
            )
        for asset in bench.assets:
            size = len(json.dumps(to_json(asset.metadata)))
            assert size <= METADATA_LIMIT, f"{asset.key} has {size} bytes of metadata; {METADATA_LIMIT} are allowed"

    @needs("test_load_assets_without_raising")
    def test_give_each_asset_a_key_of_its_own(self, bench: Bench) -> None:
        twice = repeated(asset.key for asset in bench.assets)
        assert not twice, f"two assets have the key {twice[0]}: put the integration's or the folder's name before it"

    @needs("test_load_assets_without_raising")
    def test_give_each_asset_its_integration_and_kind(self, bench: Bench) -> None:
        for each in bench.definitions:
            assert each.integration == bench.integration, (
                f"{named(each)} has integration={each.integration!r}: give it the one that was asked for, unchanged, "
                "or it cannot be known which plugin runs it"
            )
        for asset in bench.assets:
            assert asset.kind, f"{asset.key} has no kind"

    @needs("test_give_assets_that_are_plain_data")
    def test_load_the_same_twice(self, bench: Bench) -> None:
        first, second = bench.definitions, bench.loaded_again
        assert first == second, (
            "loading twice gives different assets: leave out times, random names and the order of sets; "
            f"the first difference is at {differing(first, second)}"
        )

    @needs("test_load_assets_without_raising")
    def test_load_quickly(self, bench: Bench) -> None:
        seconds = bench.load_seconds
        if seconds > SLOW_LOAD and bench.kept_load_seconds > SLOW_LOAD:
            # A busy machine is slow, too: how long it takes is told, and fails nothing.
            warnings.warn(
                f"{bench.integration.name}: loading takes {seconds:.1f} seconds, and every command of assetry loads: "
                "say with context.reads what it reads, and it is called again only when that has changed",
                stacklevel=1,
            )

    @needs("test_load_the_same_twice", "test_give_each_asset_its_integration_and_kind")
    def test_load_what_the_options_say_now(self, bench: Bench) -> None:
        before = bench.load()
        for changed in variants(bench.integration):
            found = bench.try_load(changed)
            if found is None:
                continue  # options that mean nothing to it, and it says so
            for each in found:
                assert each.integration == changed, (
                    f"after the options of {changed.name!r} have changed, {named(each)} still has those from before: "
                    "load from the integration that is given; what is kept of an earlier load needs all options in "
                    "its key"
                )
            break
        again = bench.load()
        assert before == again, (
            f"loading with other options in between changes {differing(before, again)}: keep no options of an earlier "
            "load"
        )

    @needs("test_load_what_the_options_say_now", "test_compute_groups_from_the_asset_alone")
    def test_keep_two_integrations_of_one_kind_apart(self, bench: Bench) -> None:
        mine, others = bench.load(), bench.load(bench.another)
        groups = bench.groups(others)
        again = bench.load()
        assert mine == again, (
            f"loading another integration changes the first one at {differing(mine, again)}: keep no state between "
            "calls"
        )
        assert all(each.integration == bench.another for each in others), (
            "the assets of the second integration carry the first one: take it from the argument, not from a global"
        )
        shared = {asset.key for asset in assets_in(mine)} & {asset.key for asset in assets_in(others)}
        assert bench.subject.another is not None or not shared or not named_in(mine, bench.integration.name), (
            f"both integrations have the asset {sorted(shared)[0]}: begin keys with integration.name"
        )
        own = {group.key for group in bench.groups(mine).values() if group is not None}
        both = own & {group.key for group in groups.values() if group is not None}
        assert not both, f"both integrations have the group {sorted(both)[0]!r}: put integration.name into its key"

    @needs("test_load_the_same_twice", "test_keep_two_integrations_of_one_kind_apart")
    def test_leave_alone_what_was_handed_out(self, bench: Bench) -> None:
        assert bench.definitions, "nothing was loaded"
        for before, each in zip(bench.handed_out, bench.definitions, strict=True):
            assert repr(each) == before, (
                f"{named(each)} was handed out, and has changed since then, by another load or group: make new lists "
                "and dicts for each load, and change none that you gave away"
            )


def variants(integration: Integration) -> Iterator[Integration]:
    """Yield an integration with other options: first those that are likely to mean something.

    >>> [each.options for each in variants(Integration("mill", "acme", {"tables": ["a", "b"]}))]
    [{'tables': ['a']}, {'tables': ['a', 'b'], 'assetry_kit': 'another'}]
    """
    options: dict[str, Any] = dict(integration.options)
    for name, value in options.items():
        if isinstance(value, (list, tuple)) and len(value) > 1 and all(isinstance(each, str) for each in value):
            yield replace(integration, options={**options, name: list(value[:-1])})
    yield replace(integration, options={**options, "assetry_kit": "another"})


def named_in(definitions: list[Any], name: str) -> bool:
    """Tell whether all keys begin with the name of their integration."""
    return all(str(asset.key).startswith(f"{name}/") for asset in assets_in(definitions))
