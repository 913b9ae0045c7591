"""The pictures among metadata: their bytes are kept in files beside the records, each once, by the digest of it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from assetry.errors import MetadataError
from assetry.hooks.masks import Mask
from assetry.io.metadata.values import MOST_BYTES, Png, pictures_in
from assetry.io.parts import replace as write_whole
from assetry.io.parts import sweep
from assetry.types.events import Event

E = TypeVar("E", bound=Event)
_DIGEST = re.compile(r"[0-9a-f]{32}")
#: Seconds for which a picture stays that nothing refers to: its event may not be on the disk yet.
GRACE = 24 * 60 * 60
#: The shortest secret that is looked for in the bytes of a picture.
_CERTAIN = 8
_KEPT, _ASIDE = ".png", ".gone"


class Pictures:
    """The pictures of a project, in the files of a folder; without one they are in memory, for as long as it is there.

    >>> Pictures(None).find("c79e16646e879ea058813586dca47ec7") is None
    True
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._held: dict[str, bytes] = {}

    def taken(self, event: E, mask: Mask) -> E:
        """Keep the pictures among the metadata of an event; return it with a text for each that cannot be kept."""
        metadata: Any = getattr(event, "metadata", None)
        if not metadata or not isinstance(metadata, Mapping):
            return event
        lost = {
            name: f"The picture was not kept: {because}."
            for name, each in pictures_in(metadata).items()
            if (because := self._keep(each, mask)) is not None
        }
        return replace(event, metadata={**metadata, **lost}) if lost else event  # type: ignore[call-arg]

    def find(self, digest: str) -> Path | None:
        """Return the file of a picture; None where it is in none, or not here."""
        path = self._path(digest)
        return path if path is not None and path.is_file() else None

    def read(self, digest: str) -> bytes:
        """Return the bytes of a picture; raise `MetadataError` where they are not here."""
        held = self._held.get(digest)
        path = self._path(digest)
        if held is None and path is not None:
            with suppress(OSError):
                held = path.read_bytes()
        if held is None:
            raise MetadataError(
                f"The picture {digest[:40]} is not here.",
                hint="It was pruned, or is kept beside the records where its asset was made.",
            )
        return held

    def prune(self, used: Callable[[], Collection[str]], *, dry_run: bool = False) -> int:
        """Remove the pictures that nothing refers to; return how many that are.

        `used` tells those that something refers to. What was kept, or told once more, within a day stays.
        """
        before = time.time() - GRACE
        old = [path for path in self._files() if _written(path) < before]
        # Only now: what is told from here on is written anew, or has a new time.
        needed = used() if old else ()
        unused = [path for path in old if path.stem not in needed]
        return len(unused) if dry_run else sum(_removed(path, before) for path in unused)

    def _keep(self, picture: Png, mask: Mask) -> str | None:
        """Keep a picture; return why it cannot be kept."""
        if picture.size > MOST_BYTES:
            return f"it has {picture.size:,} bytes, and at most {MOST_BYTES:,} are kept"
        if _has_secret(picture.body, mask):
            return "it has a secret in it"
        path = self._path(picture.digest)
        if path is None:
            self._held[picture.digest] = picture.body
            return None
        try:
            try:
                os.utime(path)
            except FileNotFoundError:
                write_whole(path, lambda file: file.write(picture.body))
        except OSError as error:
            return str(error.strerror or error)
        return None

    def _path(self, digest: str) -> Path | None:
        if self.folder is None or not _DIGEST.fullmatch(digest):
            return None
        return self.folder / f"{digest}{_KEPT}"

    def _files(self) -> Iterator[Path]:
        if self.folder is None or not self.folder.is_dir():
            return
        sweep(self.folder)
        for aside in self.folder.glob(f"*{_ASIDE}"):
            # Of a process that was killed while it pruned.
            with suppress(OSError):
                os.replace(aside, aside.with_suffix(_KEPT))  # noqa: PTH105 - the one that says that it replaces
        yield from sorted(self.folder.glob(f"*{_KEPT}"))


def _has_secret(body: bytes, mask: Mask) -> bool:
    """Tell whether bytes have a secret in them; shorter ones are found in any by chance."""
    certain = frozenset(each for each in mask.secrets if len(each) >= _CERTAIN)
    text = body.decode("latin-1") if certain else ""
    return bool(certain) and Mask(certain)(text) != text


def _written(path: Path) -> float:
    """Return when a file was written, or told once more; one that is gone is new."""
    try:
        return path.stat().st_mtime
    except OSError:
        return float("inf")


def _removed(path: Path, before: float) -> bool:
    """Remove a picture, but not one that was told once more since. Told while it is aside, it is written anew."""
    aside = path.with_suffix(_ASIDE)
    with suppress(OSError):
        os.replace(path, aside)  # noqa: PTH105 - the one that says that it replaces
        if _written(aside) < before:
            aside.unlink()
            return True
        os.replace(aside, path)  # noqa: PTH105
    return False
