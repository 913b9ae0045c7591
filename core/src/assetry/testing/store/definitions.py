"""What a store keeps of definitions."""

from __future__ import annotations

from dataclasses import replace

from assetry.testing.store.samples import START, A, B, run
from assetry.testing.verdicts import needs
from assetry.types.protocols import Store


class DefinitionChecks:
    """Checks of the definitions that runs began with."""

    @needs("test_list_runs_newest_first")
    def test_remember_the_definitions_that_runs_began_with(self, store: Store) -> None:
        sets = {"one": {A: "a1", B: "b1"}, "two": {A: "a2"}, "three": {A: "a2", B: "b1"}}
        for number, digest in enumerate(("one", "one", "two", "one", "three")):
            store.define(digest, sets[digest])
            store.begin(replace(run(f"r{number}"), definitions=digest))
            store.finish(f"r{number}", "succeeded", START)
        store.begin(run("r5"))
        found = [store.definitions(f"r{number}") for number in range(6)]
        wanted = [sets["one"], sets["one"], sets["two"], sets["one"], sets["three"], None]
        assert [None if each is None else dict(each) for each in found] == wanted, (
            f"runs began with the definitions {found}, not with {wanted}: those of a digest never change"
        )
        assert store.definitions("never") is None, "a run that was never begun has definitions"
        told = dict(store.defined({A: "r2", B: "r0"}))
        assert told == {A: "a2", B: "b1"}, f"an asset is told to have been defined as {told} when a run began"
        gone = dict(store.defined({A: "r5", B: "r2"}))
        assert gone == {}, f"definitions that were not recorded, or had no such asset, are told as {gone}"
