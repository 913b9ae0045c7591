"""What may come next: keys, selections, ids of runs and names of backfills, by what is kept beside the records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from assetry.project.settings import absolute, read_settings
from assetry.selection.grammar import METHODS, STATES
from assetry.store.names import RecordedNames

#: Of more keys than these only the next part is offered, as files are by folders.
_MOST = 100
#: What can be typed as it is: no quotes are needed, neither for the shell nor in a selection.
_PLAIN = re.compile(r"[\w./@-]+")
#: What stands before the part of a selection that is being typed: other parts, and how far this one reaches up.
_BEFORE = re.compile(r"(?:.*[\s,(])?(?:@|\d*\+)?", re.DOTALL)


class Offer(NamedTuple):
    """A word that may come next; `whole` says that it is complete, so that a blank may follow. `help` tells of it."""

    word: str
    whole: bool = True
    help: str | None = None


class Known:
    """What is known of the project in a folder without loading it.

    >>> [offer.word for offer in Known(Path("/")).selections("+st")]
    ['+state:']
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def names(self) -> RecordedNames:
        """Return the names that its records have: none where these are kept elsewhere than in a file."""
        settings = read_settings(self._folder)
        root = settings.root if settings.file is not None else used_folder(self._folder)
        scheme, _, path = absolute(settings.store, root).partition(":")
        return RecordedNames(Path(unquote(path)) if scheme == "sqlite" and settings.keeps_records else None)

    # -- what is offered ---------------------------------------------------------------------------------------------

    def keys(self, typed: str) -> Iterator[Offer]:
        """Yield keys, and the names of assets where these are enough to tell them apart."""
        yield from _keys(self.names.keys(), typed)

    def gone(self, typed: str) -> Iterator[Offer]:
        """Yield the keys of what nothing defines any more."""
        yield from _keys(self.names.gone(), typed)

    def selections(self, typed: str) -> Iterator[Offer]:
        """Yield what the last part of a selection may be: a key, before and after ``+``, or a method and its values."""
        found = _BEFORE.match(typed)
        before = found[0] if found else ""
        part = typed[len(before) :]
        method, colon, value = part.partition(":")
        if colon:
            yield from (
                offer._replace(word=f"{before}{method}:{offer.word}") for offer in self._of_method(method, value)
            )
            return
        for offer in self.keys(part):
            yield offer._replace(word=before + offer.word)
            if offer.word == part and offer.whole:
                yield Offer(f"{before}{part}+")
        yield from (Offer(f"{before}{name}:", whole=False) for name in METHODS if name.startswith(part))

    def _of_method(self, method: str, value: str) -> Iterator[Offer]:
        if method == "key":
            return self.keys(value)
        return _plain(STATES if method == "state" else sorted(self.names.values(method)), value)

    def runs(self, typed: str) -> Iterator[Offer]:
        """Yield the ids of runs, the newest first."""
        yield from _told(self.names.runs(), typed)

    def living(self, typed: str) -> Iterator[Offer]:
        """Yield what runs or waits: ids of runs, names of backfills."""
        yield from _told([*self.names.runs(living=True), *self.names.backfills(living=True)], typed)

    def backfills(self, typed: str) -> Iterator[Offer]:
        """Yield the names of backfills, the newest first."""
        yield from _told(self.names.backfills(), typed)

    def partitions(self, typed: str) -> Iterator[Offer]:
        """Yield partitions that were made, the newest first."""
        yield from _plain(["last", *self.names.partitions()], typed)


def used_folder(start: Path) -> Path:
    """Return the nearest folder with records: `start`, or one above in its repository; `start` where there is none."""
    here = start.resolve()
    for folder in (here, *here.parents):
        if (folder / ".assetry").is_dir():
            return folder
        if (folder / ".git").exists():
            break
    return here


def _keys(keys: Sequence[str], typed: str) -> Iterator[Offer]:
    """Yield the keys that begin as typed, by their next part where they are many; then names that only one has.

    >>> [offer.word for offer in _keys(["shop/orders", "shop/items", "raw/items"], "o")]
    ['orders']
    """
    found = [key for key in keys if key.startswith(typed) and _PLAIN.fullmatch(key)]
    if len(found) > _MOST:
        ends = {key: key.find("/", len(typed)) + 1 for key in found}
        yield from (
            Offer(each, whole=each in ends) for each in sorted({key[: end or None] for key, end in ends.items()})
        )
    else:
        yield from map(Offer, sorted(found))
    if typed and "/" not in typed:
        names: dict[str, int] = {}
        for key in keys:
            name = key.rpartition("/")[2]
            names[name] = names.get(name, 0) + 1
        yield from _plain(sorted(name for name, count in names.items() if count == 1 and name not in found), typed)


def _plain(words: Iterable[str], typed: str) -> Iterator[Offer]:
    yield from (Offer(word) for word in words if word.startswith(typed) and _PLAIN.fullmatch(word))


def _told(rows: Iterable[tuple[str, str]], typed: str) -> Iterator[Offer]:
    yield from (Offer(word, help=told) for word, told in rows if word.startswith(typed) and _PLAIN.fullmatch(word))


#: What a parameter of a command is completed with, by its name; and by command and name, where that is something else.
OFFERS: Mapping[str, Callable[[Known, str], Iterable[Offer]]] = {
    **dict.fromkeys(("select", "exclude", "selection", "selections"), Known.selections),
    **dict.fromkeys(("key", "keys", "show.key", "partitions.words"), Known.keys),
    **dict.fromkeys(("run", "runs", "diff.since"), Known.runs),
    **dict.fromkeys(("cancel.id", "bump.id"), Known.living),
    **dict.fromkeys(("backfills.id", "backfill.name", "backfill.resume"), Known.backfills),
    **dict.fromkeys(("partition", "partitions"), Known.partitions),
    "prune.keys": Known.gone,
}
