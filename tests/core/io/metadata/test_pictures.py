"""Pictures are kept once, whole, beside the records, and go when nothing refers to them any more."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any

import assetry.io.metadata.pictures as pictures_module
import pytest
from assetry.errors import MetadataError
from assetry.hooks.masks import Mask
from assetry.io.metadata.pictures import GRACE, Pictures
from assetry.io.metadata.values import MOST_BYTES, Link, Png
from assetry.types.events import Checked, Log, Materialized

from tests.pictures import png

NO_SECRET = Mask()


def made(**metadata: Any) -> Materialized:
    return Materialized("orders", metadata=metadata)


def age(path: Path) -> None:
    """Let a file be of two days ago."""
    then = time.time() - 2 * GRACE
    os.utime(path, (then, then))


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path / ".assetry" / "state.db.pictures")


def test_a_picture_is_kept_once_for_this_user_alone(pictures: Pictures) -> None:
    picture = Png(png())
    event = made(plot=picture, rows=3, page=Link("https://x"))
    assert pictures.taken(event, NO_SECRET) is event
    assert pictures.taken(Checked("orders", "good", True, metadata={"p": picture}), NO_SECRET).metadata["p"] is picture
    path = pictures.find(picture.digest)
    assert path is not None
    assert path.read_bytes() == pictures.read(picture.digest) == png()
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_folder_it_is_in_memory() -> None:
    pictures, picture = Pictures(None), Png(png())
    pictures.taken(made(plot=picture), NO_SECRET)
    assert pictures.read(picture.digest) == png()
    assert pictures.find(picture.digest) is None
    assert pictures.prune(frozenset) == 0


@pytest.mark.parametrize("digest", ["0" * 32, "../../etc/passwd", "", "x"])
def test_one_that_is_not_here_says_so(pictures: Pictures, digest: str) -> None:
    assert pictures.find(digest) is None
    for each in (pictures, Pictures(None)):
        with pytest.raises(MetadataError, match="is not here"):
            each.read(digest)


def test_what_cannot_be_kept_is_told_in_its_place(pictures: Pictures, tmp_path: Path) -> None:
    mask = Mask(frozenset({"s3cret-of-eight", "abc"}))
    told = pictures.taken(made(plot=Png(png(more=b"by s3cret-of-eight")), rows=3), mask).metadata
    assert told == {"plot": "The picture was not kept: it has a secret in it.", "rows": 3}
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.write(png())
        file.truncate(MOST_BYTES + 1)
    told = pictures.taken(made(plot=Png(large)), mask).metadata
    assert (
        told["plot"]
        == f"The picture was not kept: it has {MOST_BYTES + 1:,} bytes, and at most {MOST_BYTES:,} are kept."
    )
    (tmp_path / "file").write_text("")
    told = Pictures(tmp_path / "file" / "pictures").taken(made(plot=Png(png())), NO_SECRET).metadata
    assert told["plot"].startswith("The picture was not kept: ")
    assert pictures.prune(frozenset) == 0


def test_events_without_metadata_pass(pictures: Pictures) -> None:
    for event in (Log("a"), made(), Materialized("orders", metadata=[1])):  # type: ignore[arg-type]
        assert pictures.taken(event, NO_SECRET) is event


def test_what_nothing_refers_to_goes_but_not_at_once(pictures: Pictures) -> None:
    needed, unused, new = Png(png(1)), Png(png(2)), Png(png(3))
    pictures.taken(made(a=needed, b=unused, c=new), NO_SECRET)
    for each in (needed, unused):
        path = pictures.find(each.digest)
        assert path is not None
        age(path)
    assert pictures.prune(lambda: {needed.digest}, dry_run=True) == 1
    assert pictures.find(unused.digest)
    assert pictures.prune(lambda: {needed.digest}) == 1
    assert [bool(pictures.find(each.digest)) for each in (needed, unused, new)] == [True, False, True]


def test_one_that_is_told_once_more_meanwhile_stays(pictures: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the records and the removal, and between moving aside and removing it."""
    picture = Png(png())
    event = made(plot=picture)
    pictures.taken(event, NO_SECRET)
    path = pictures.find(picture.digest)
    assert path is not None
    age(path)

    def used() -> frozenset[str]:
        pictures.taken(event, NO_SECRET)  # its record is written after this
        return frozenset()

    assert pictures.prune(used) == 0
    assert pictures.read(picture.digest) == png()
    age(path)
    written = pictures_module._written

    def meanwhile(aside: Path) -> float:
        if aside.suffix == ".gone":
            pictures.taken(event, NO_SECRET)
        return written(aside)

    monkeypatch.setattr(pictures_module, "_written", meanwhile)
    pictures.prune(frozenset)
    assert pictures.read(picture.digest) == png()


def test_what_a_killed_pruning_has_moved_aside_is_there_again(pictures: Pictures) -> None:
    picture = Png(png())
    pictures.taken(made(plot=picture), NO_SECRET)
    path = pictures.find(picture.digest)
    assert path is not None
    path.rename(path.with_suffix(".gone"))
    assert pictures.prune(lambda: {picture.digest}) == 0
    assert pictures.read(picture.digest) == png()
