"""How the partitions of an asset are: the sets themselves."""

import pytest
from assetry.errors import UsageError
from assetry.partitions.definitions import StaticPartitionsDefinition
from assetry.partitions.parts import NOTHING
from assetry.status.partitions.sets import SET_NAMES, PartitionSets

LETTERS = StaticPartitionsDefinition(["a", "b", "c", "d"])


def letters(text):
    return LETTERS.parts_of(text)


FOUND = PartitionSets(
    LETTERS,
    existing=letters("abcd"),
    made=letters("ab"),
    fresh=letters("a"),
    stale=letters("b"),
    missing=letters("c"),
    failed=letters("d"),
    unknown=("2026-01-01",),
)


def test_what_is_due_is_all_that_is_not_fresh():
    assert FOUND.due == FOUND.existing - FOUND.fresh == letters("bcd")


def test_counts_tell_of_records_that_have_no_number():
    assert FOUND.counts == {
        **{"total": 4, "made": 2, "fresh": 1, "stale": 1, "missing": 1, "failed": 1, "waiting": 0, "running": 0},
        "orphan": 1,
    }


def test_sets_are_had_by_name_and_words_are_those_of_the_text():
    assert [FOUND.sets(name) for name in SET_NAMES[-2:]] == [NOTHING, NOTHING]
    assert FOUND.words == {"missing": letters("c"), "stale": letters("b"), "failed": letters("d")}
    with pytest.raises(UsageError, match="no set") as caught:
        FOUND.sets("stael")
    assert caught.value.near == ("stale",)
