"""Checks of groups and commands: what may run together, decided from the asset alone."""

from __future__ import annotations

from assetry.testing.integration.bench import Bench
from assetry.testing.integration.comparison import assets_in, group_words, pickled
from assetry.testing.verdicts import needs
from assetry.types.invocations import InvocationGroup


class GroupChecks:
    """Checks of `assetry_invocation_group` and `assetry_invocation_command`."""

    @needs("test_give_assets_that_are_plain_data")
    def test_give_groups_that_are_stable_and_hashable(self, bench: Bench) -> None:
        for asset in bench.assets:
            if not asset.executable:
                continue
            one, two = bench.group(asset), bench.group(pickled(asset))
            assert one is None or isinstance(one, InvocationGroup), f"the group of {asset.key} is {one!r}"
            lacking = [name for name in (one.choice or ()) if name not in asset.spec] if one else []
            assert not lacking, f"the group of {asset.key} chooses by {lacking[0]!r}, which its spec does not have"
            first, then = group_words(one, two)
            assert one == two, f"the group of {asset.key} is {first} once and {then} then: compute it from the asset"
            try:
                assert hash(one) == hash(two), f"the group of {asset.key} has two hashes: use text and numbers in it"
            except TypeError as error:
                raise AssertionError(f"the group of {asset.key} has no hash ({error}): use text in it") from error

    @needs("test_give_groups_that_are_stable_and_hashable", "test_load_the_same_twice")
    def test_compute_groups_from_the_asset_alone(self, bench: Bench) -> None:
        bench.load()
        before = bench.groups(bench.definitions)
        others = bench.load(bench.another)
        bench.groups(reversed(assets_in(others)))
        after = bench.groups(bench.definitions)
        for key, group in before.items():
            first, then = group_words(group, after[key])
            assert group == after[key], (
                f"the group of {key} is {first}, and {then} once another integration was loaded: compute it "
                "from asset.integration and asset.spec, not from what was loaded or asked last"
            )

    @needs("test_give_groups_that_are_stable_and_hashable", "test_give_each_asset_a_key_of_its_own")
    def test_put_what_can_run_together_into_one_group(self, bench: Bench) -> None:
        count = len(bench.main.assets)
        if "collapse" in bench.refused:
            return
        assert count >= 3, (
            f"the largest invocation makes {count} assets: give equal group keys to what one launch makes; a tool "
            'that makes one thing per launch refuses "collapse"'
        )

    @needs("test_put_what_can_run_together_into_one_group")
    def test_show_a_command_that_people_can_read(self, bench: Bench) -> None:
        command = bench.command()
        assert command is None or command.strip(), f"the command is {command!r}: return None when there is none"
