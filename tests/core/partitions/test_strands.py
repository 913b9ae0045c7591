from __future__ import annotations

import pytest
from assetry.partitions.strands import (
    NO_VERSION,
    Cell,
    Strand,
    content_hash,
    differing,
    summed,
    version_digest,
)
from hypothesis import given
from hypothesis import strategies as st

versions = st.sampled_from([NO_VERSION, *(version_digest(str(each)) for each in range(4))])
cells = st.builds(
    Cell,
    versions,
    st.lists(versions, max_size=3).map(tuple),
    st.integers(-(2**40), 2**55),
    versions,
    st.sampled_from([0, 1, 2, 70_000]),
    st.integers(-(2**40), 2**55),
)
changes = st.dictionaries(st.integers(-20, 90), cells, max_size=6)


def padded(cell: Cell, inputs: int) -> Cell:
    return cell._replace(inputs=cell.inputs + (NO_VERSION,) * (inputs - len(cell.inputs)))


@given(st.lists(changes, max_size=4))
def test_a_strand_holds_what_was_written_last(written: list[dict[int, Cell]]) -> None:
    strand, known = Strand(), dict[int, Cell]()
    for each in written:
        strand = strand.changed(each)
        known |= each
        assert Strand.from_bytes(strand.to_bytes()) == strand
    inputs = len(strand.read)
    assert inputs == max((len(cell.inputs) for each in written for cell in each.values()), default=0)
    for number in range(-25, 95):
        assert strand.cell(number) == padded(known.get(number, Cell()), inputs)
    found = {number: trace for trace, first, stop in strand.by_trace() for number in range(first, stop)}
    assert found == {number: cell.trace for number, cell in known.items() if cell.trace}
    assert [first for _, first, _ in strand.by_trace()] == sorted(first for _, first, _ in strand.by_trace())
    for run in {cell.run for cell in known.values()} - {NO_VERSION}:
        assert strand.in_run(run) == sorted(number for number, cell in known.items() if cell.run == run)


@given(changes, st.integers(-30, 100), st.integers(0, 40))
def test_columns_are_cut_and_padded(written: dict[int, Cell], first: int, length: int) -> None:
    strand, stop = Strand().changed(written), first + length
    every = [strand.cell(number) for number in range(first, stop)]
    assert strand.versions_of(first, stop) == b"".join(cell.version for cell in every)
    assert strand.times_of(first, stop) == tuple(cell.at for cell in every)
    assert strand.reached_of(first, stop) == tuple(cell.as_of for cell in every)
    for position in range(4):
        read = [cell.inputs[position] if position < len(cell.inputs) else NO_VERSION for cell in every]
        assert strand.read_of(position, first, stop) == b"".join(read)


@given(st.lists(versions, max_size=9), st.lists(versions, max_size=9))
def test_what_differs_is_found_place_by_place(one: list[bytes], two: list[bytes]) -> None:
    size = min(len(one), len(two))
    then, now = b"".join(one[:size]), b"".join(two[:size])
    assert differing(then, now) == [place for place in range(size) if one[place] != two[place]]


def test_what_is_no_strand_is_refused() -> None:
    data = Strand().changed({3: Cell(b"version1", trace=1)}).to_bytes()
    for other in (b"", data[:-1], data + b"0", b"\x09" + data[1:]):
        with pytest.raises(ValueError, match="are no strand"):
            Strand.from_bytes(other)


def test_readers_keep_versions_and_times_alone() -> None:
    strand = Strand().changed({3: Cell(b"version1", (b"input--1",), 5, b"run----1", 1, 4)})
    assert strand.without_inputs().cell(3) == Cell(b"version1", (), 5, b"", 1, 0)


@given(st.dictionaries(st.sampled_from("abcdé\udce9"), versions), st.randoms())
def test_sums_do_not_depend_on_the_order_and_are_kept_up_by_adding(known: dict[str, bytes], random: object) -> None:
    hashes = [content_hash(*each) for each in known.items()]
    shuffled = sorted(hashes, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert summed(*shuffled) == summed(*hashes)
    for one in hashes:
        assert summed(summed(*hashes), -one, one) == summed(*hashes)


def test_another_partition_or_version_is_another_sum() -> None:
    assert len({content_hash(key, version) for key in "ab" for version in (b"version1", b"version2")}) == 4
    assert version_digest("v1") != version_digest("v2")
    assert version_digest(None) == version_digest("") == NO_VERSION
