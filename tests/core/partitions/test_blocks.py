from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from assetry.errors import StoreError
from assetry.partitions.blocks import (
    BLOCK,
    CHECK_FAILED,
    FAILED,
    MADE,
    NO_VERSION,
    Block,
    Cell,
    blocks_of,
    column_of,
    content_hash,
    joint_digest,
    version_digest,
)
from assetry.partitions.parts import Parts
from hypothesis import given
from hypothesis import strategies as st

versions = st.sampled_from([NO_VERSION, *(version_digest(str(each)) for each in range(4))])
cells = st.builds(
    Cell,
    versions,
    st.lists(versions, max_size=3).map(tuple),
    st.integers(0, 2),
    st.integers(0, 2**32 - 1),
    st.integers(0, 9),
    st.sampled_from([0, MADE, MADE | FAILED, MADE | CHECK_FAILED, FAILED]),
)
changes = st.dictionaries(st.integers(0, BLOCK - 1), cells, max_size=6)
numbers = st.integers(-3, 90)


def test_very_many_inputs() -> None:
    block = Block(0).changed({0: Cell(b"version1", (b"input--1",) * 300)})
    assert block.inputs == 300
    assert block.cell(0).inputs[299] == b"input--1"


def padded(cell: Cell, inputs: int) -> Cell:
    return cell._replace(inputs=cell.inputs + (NO_VERSION,) * (inputs - len(cell.inputs)))


@given(numbers, st.lists(changes, max_size=4))
def test_a_block_holds_what_was_written_last(number: int, written: list[dict[int, Cell]]) -> None:
    block, known = Block(number), dict[int, Cell]()
    for each in written:
        block = block.changed(each)
        known |= each
        assert Block(number, block.body) == block
    assert block.inputs == max((len(cell.inputs) for each in written for cell in each.values()), default=0)
    for place in range(BLOCK):
        assert block.cell(place) == padded(known.get(place, Cell()), block.inputs)
    begin = number * BLOCK
    for bit in (MADE, FAILED, CHECK_FAILED):
        assert set(block.with_state(bit)) == {("", begin + place) for place, cell in known.items() if cell.state & bit}
    traces = {cell.trace for cell in known.values() if cell.state & MADE}
    assert block.by_trace() == {
        trace: Parts.of(begin + p for p, cell in known.items() if cell.trace == trace and cell.state & MADE)
        for trace in traces
    }
    total = sum(content_hash(begin + place, cell.version) for place, cell in known.items())
    assert block.content_sum() == total % 2**128


@given(changes, st.randoms(use_true_random=False))
def test_the_order_of_writing_does_not_matter(written: Mapping[int, Cell], chance: random.Random) -> None:
    wide = {place: padded(cell, 3) for place, cell in written.items()}
    order = list(wide)
    chance.shuffle(order)
    block = Block(7)
    for place in order:
        block = block.changed({place: wide[place]})
    assert block == Block(7).changed(wide)


@given(changes, st.dictionaries(st.integers(0, BLOCK - 1), versions, max_size=9))
def test_what_differs_is_found_cell_by_cell(written: dict[int, Cell], now: dict[int, bytes]) -> None:
    block = Block(2).changed(written)
    for number in range(block.inputs):
        wanted = {
            2 * BLOCK + place
            for place, cell in written.items()
            if padded(cell, 3).inputs[number] not in (now.get(place, NO_VERSION), NO_VERSION)
            and now.get(place, NO_VERSION) != NO_VERSION
        }
        assert {n for _, n in block.differing(number, column_of(now))} == wanted


def test_the_column_of_an_input_is_that_of_its_own_versions() -> None:
    above = Block(5).changed({place: Cell(version_digest(str(place)), state=MADE) for place in range(200)})
    below = Block(5).changed(
        {place: Cell(b"whatever", (above.cell(place).version,), state=MADE) for place in range(200)}
    )
    assert below.read(0) == above.versions
    assert not below.differing(0, above.versions)
    again = above.changed({17: Cell(version_digest("new"), state=MADE)})
    assert below.differing(0, again.versions) == Parts.of([5 * BLOCK + 17])
    assert below.read(1) == b""


@given(st.sets(st.integers(-600, 900), max_size=20))
def test_partitions_lie_in_blocks(members: set[int]) -> None:
    found = [(block * BLOCK + place) for _, block, places in blocks_of(Parts.of(members)) for place in places]
    assert found == sorted(members)


def test_sums_are_kept_up_by_difference() -> None:
    before = {0: b"version1", 9: b"version2"}
    block = Block(1).changed({place: Cell(version) for place, version in before.items()})
    after = block.changed({9: Cell(b"version3")})
    kept_up = block.content_sum() - content_hash(BLOCK + 9, b"version2") + content_hash(BLOCK + 9, b"version3")
    assert after.content_sum() == kept_up % 2**128


def test_digests_of_what_is_not_known() -> None:
    assert version_digest(None) == version_digest("") == joint_digest([]) == joint_digest([NO_VERSION]) == NO_VERSION
    assert joint_digest([NO_VERSION, b"version1"]) != joint_digest([b"version1", NO_VERSION])
    assert version_digest("caf\udce9") != NO_VERSION


@pytest.mark.parametrize("body", [b"", b"\x01", b"\x02" + bytes(4), b"\x01\x00\x00\x00\x01", b"\x01" + bytes(5)])
def test_what_is_no_block_is_not_read_as_one(body: bytes) -> None:
    with pytest.raises(StoreError, match="records of block 3 cannot be read"):
        Block(3, body)


def test_places_and_versions_are_checked() -> None:
    for place in (-1, BLOCK):
        with pytest.raises(ValueError, match="places 0 to 255"):
            Block(0).changed({place: Cell()})
    with pytest.raises(ValueError, match="8 bytes, not 5"):
        Block(0).changed({0: Cell(b"short")})
    assert Block(0).changed({}) == Block(0)
