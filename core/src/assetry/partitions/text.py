"""The text by which people name partitions, to sets of them.

============================  ==========================================================================================
``2026-01-31``, ``eu``        one partition, by its key
``2026-01-01..2026-01-31``    of time all windows in between, both ends inside; an end may be a year, month, day or hour
``2026-01..``, ``..2026-01``  from an end on, and up to one
``last``, ``last:7``          the newest, the seven newest; of several dimensions, of each strand
``all``                       all that exist
``missing stale failed``      those that are so, where that is known
``date=2026-01..,region=eu``  by dimension: those of both; values of one dimension are united
``A, B; C``                   any of these; ``;`` ends the dimensions of one term, and begins those of the next
``"a,b"``                     a key in which one of these signs is part of the key; two quotes stand for one
============================  ==========================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from assetry.errors import UsageError, near_names
from assetry.partitions.definitions import PARTITION_WORDS, DynamicPartitionsDefinition, PartitionsDefinition
from assetry.partitions.grids.moments import aware, localize, period
from assetry.partitions.grids.windows import TimeWindowPartitionsDefinition
from assetry.partitions.key_table import KeyTable
from assetry.partitions.multi import MultiPartitionsDefinition
from assetry.partitions.parts import NOTHING, Parts
from assetry.partitions.recorded import has_dynamic, numbered, time_of, without_dropped

#: What is missing, stale or failed, by these words.
Sets = Mapping[str, Parts]

_LAST = re.compile(r"last(?::(\d+))?")
_DIMENSION = re.compile(r"\s*([\w-]+)\s*=\s*(.*)", re.DOTALL)


def read_parts(text: str, definition: PartitionsDefinition, now: datetime, sets: Sets | None = None) -> Parts:
    """Return the partitions that `text` names, of those that exist at `now`.

    `sets` are those that are missing, stale and failed, by these words. Raises `UsageError`, with near names, for a
    key that is none or yet to come, a range backwards or without any partition, and a word that is not known here.

    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition
    >>> days, now = DailyPartitionsDefinition("2026-01-01"), datetime(2026, 3, 1)
    >>> [len(read_parts(text, days, now)) for text in ("2026-01-31", "2026-02..", "last:7", "2026-01-01,..2026-01-03")]
    [1, 28, 7, 3]
    """
    reader = _Reader(definition, now, sets)
    found = NOTHING
    for term in _terms(text, definition):
        found |= reader.term(term)
    return found


def read_partitions(
    text: str | Sequence[str],
    definitions: Mapping[str, PartitionsDefinition],
    now: datetime,
    sets: Mapping[str, Sets] | None = None,
) -> dict[str, Parts]:
    """Return the partitions that `text` names of each of several assets; `definitions` and `sets` are by asset.

    Of several texts it is what any of them names.

    A range of time means the windows of every asset that overlap it, a key those that have it. Raises `UsageError` when
    nothing has what a term names, and for an asset that gets no partition at all, which it names.

    >>> from assetry.partitions.definitions import StaticPartitionsDefinition
    >>> from assetry.partitions.grids.time_grids import DailyPartitionsDefinition, MonthlyPartitionsDefinition
    >>> both = {"days": DailyPartitionsDefinition("2026-01-01"), "months": MonthlyPartitionsDefinition("2026-01-01")}
    >>> found = read_partitions("2026-01-30..2026-02-02", both, datetime(2026, 3, 1))
    >>> [found[asset].text(both[asset]) for asset in both]
    ['2026-01-30..2026-02-02', '2026-01-01..2026-02-01']
    """
    readers = {asset: _Reader(each, now, (sets or {}).get(asset)) for asset, each in definitions.items()}
    found: dict[str, Parts] = {}
    missed: dict[str, list[UsageError]] = {asset: [] for asset in definitions}
    for term in _terms_of(text, definitions):
        errors = {}
        for asset, reader in readers.items():
            try:
                found[asset] = found.get(asset, NOTHING) | reader.term(term)
            except UsageError as error:
                errors[asset] = error
                missed[asset].append(error)
        if errors and len(errors) == len(readers):
            raise _nearest(list(errors.values()))
    for asset, each in missed.items():
        if asset not in found:
            why = _nearest(each)
            said = f"{', '.join([text] if isinstance(text, str) else text)!r} names no partition of `{asset}`"
            raise UsageError(f"{said}: {why.message}", near=why.near, hint=why.hint)
    return found


def with_new_keys(
    text: str | Sequence[str], definitions: Mapping[str, PartitionsDefinition]
) -> dict[str, PartitionsDefinition]:
    """Return definitions, by asset, with the keys that a text names and that come into being by being made.

    A key that another one of the assets has, or had before it was dropped, is not taken for a new one.

    >>> found = with_new_keys("a.csv, last", {"files": DynamicPartitionsDefinition("file")})["files"]
    >>> found.keys(datetime(2026, 1, 1))
    ('a.csv',)
    """
    found = dict(definitions)
    coming = [asset for asset, each in definitions.items() if has_dynamic(each)]
    for term in _terms_of(text, definitions) if coming else ():
        item = term.item
        if item is None or item.ends is not None or (not item.is_key and _is_word(item.text)):
            continue
        known = any(_is_number(each, item.text) or not without_dropped(each, [item.text]) for each in found.values())
        for asset in coming:
            if _is_number(found[asset], item.text) or (not known and _may_be(found[asset], item.text)):
                found[asset] = numbered(found[asset], [item.text]).definition
    return found


def _terms_of(text: str | Sequence[str], definitions: Mapping[str, PartitionsDefinition]) -> list[_Term]:
    texts = [text] if isinstance(text, str) else text
    return [term for each in texts for term in _terms(each, *definitions.values())]


def _is_word(text: str) -> bool:
    return text in PARTITION_WORDS or _LAST.fullmatch(text) is not None


def _is_number(definition: PartitionsDefinition, key: str) -> bool:
    try:
        definition.number(key)
    except UsageError:
        return False
    return True


def _may_be(definition: PartitionsDefinition, key: str) -> bool:
    try:
        definition.validate(key)
    except UsageError:
        return False
    return True


def _nearest(errors: list[UsageError]) -> UsageError:
    return next((error for error in errors if error.near), errors[0])


# -- the text into terms -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Item:
    """A key or range as it was written: `is_key` where it is a key, whatever it holds; `ends` of a range."""

    text: str
    is_key: bool = False
    ends: tuple[str, str] | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class _Term:
    """One item, or items of dimensions."""

    item: _Item | None = None
    dimensions: list[tuple[str, _Item]] = field(default_factory=list)


def _terms(text: str, *definitions: PartitionsDefinition) -> list[_Term]:
    if any(_has(each, text) for each in definitions):
        return [_Term(_Item(text, is_key=True))]
    terms: list[_Term] = []
    for group in _split(text, ";"):
        begun: _Term | None = None
        for piece in _split(group, ","):
            dimension = None if piece.strip().startswith('"') else _DIMENSION.fullmatch(piece)
            is_key = any(_has(each, piece.strip()) for each in definitions)
            if dimension is None or is_key:
                terms.append(_Term(_Item(piece.strip(), is_key=True) if is_key else _item(piece.strip(), text)))
                begun = None
                continue
            if begun is None:
                begun = _Term()
                terms.append(begun)
            begun.dimensions.append((dimension[1], _item(dimension[2].strip(), text)))
    if not terms:
        raise UsageError("No partition is named.", hint="Write a key, a range as 2026-01-01.., last or all.")
    return terms


def _has(definition: PartitionsDefinition, text: str) -> bool:
    """Tell whether a text with signs in it is a key as it stands."""
    if not any(sign in text for sign in (",", ";", "=", "..")):
        return False
    return _is_number(definition, text)


def _split(text: str, sign: str) -> Iterator[str]:
    """Yield what stands between signs that are not in quotes, and is not empty."""
    begin, quoted = 0, False
    for place, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter == sign and not quoted:
            if text[begin:place].strip():
                yield text[begin:place]
            begin = place + 1
    if text[begin:].strip():
        yield text[begin:]


def _item(piece: str, text: str) -> _Item:
    cut = next((place for place in range(len(piece)) if piece.startswith("..", place) and _is_open(piece, place)), None)
    if cut is not None:
        return _Item(piece, ends=(_unquoted(piece[:cut].strip(), text), _unquoted(piece[cut + 2 :].strip(), text)))
    return _Item(_unquoted(piece, text), is_key=piece.startswith('"'))


def _is_open(piece: str, place: int) -> bool:
    """Tell whether a place is not in quotes."""
    return piece.count('"', 0, place) % 2 == 0


def _unquoted(piece: str, text: str) -> str:
    if not piece.startswith('"'):
        return piece
    if len(piece) < 2 or not piece.endswith('"') or piece[1:-1].replace('""', "").count('"'):
        raise UsageError(f"A quote is not closed in {text!r}.", hint='Two quotes, "", stand for one in a key.')
    return piece[1:-1].replace('""', '"')


# -- terms into sets ---------------------------------------------------------------------------------------------------


class _Reader:
    """The reading of terms for one definition."""

    def __init__(self, definition: PartitionsDefinition, now: datetime, sets: Sets | None) -> None:
        self.definition = definition
        self.now = aware(now)
        self.sets = sets

    def term(self, term: _Term) -> Parts:
        if term.item is not None:
            return self.item(term.item)
        definition = self.definition
        if not isinstance(definition, MultiPartitionsDefinition):
            name, item = term.dimensions[0]
            raise UsageError(
                f"'{name}={item}' names a dimension, and these partitions have just one.", hint=f"Write {item}."
            )
        box = definition.values(self.now)
        found: dict[str, Parts] = {}
        for name, item in term.dimensions:
            if name not in definition.partitions_defs:
                raise UsageError(
                    f"There is no dimension {name!r}.",
                    near=near_names(name, definition.partitions_defs),
                    hint=f"There are {', '.join(definition.partitions_defs)}.",
                )
            dimension = self._dimension(name, box[name])
            found[name] = found.get(name, NOTHING) | _Reader(dimension, self.now, None).item(item)
        for name, parts in found.items():
            dimension = self._dimension(name, box[name])
            box[name] = parts if isinstance(box[name], Parts) else dimension.keys_of(parts)
        return definition.made_of(box) & definition.existing(self.now)

    def item(self, item: _Item) -> Parts:
        if item.is_key:
            return self._key(item.text)
        last = _LAST.fullmatch(item.text)
        if last is not None:
            return self.definition.newest(int(last[1] or 1), self.now)
        if item.text == "all":
            return self.definition.existing(self.now)
        if item.text in PARTITION_WORDS:
            return self._set(item.text)
        if item.ends is not None:
            return self._range(*item.ends, item.text)
        return self._key(item.text)

    def _set(self, word: str) -> Parts:
        if self.sets is None or word not in self.sets:
            raise UsageError(
                f"Which partitions are {word} is not known here.", hint="Name them by key, by range, last or all."
            )
        return self.sets[word] & self.definition.existing(self.now)

    def _key(self, key: str) -> Parts:
        try:
            self.definition.validate(key, self.now)
            return self.definition.parts_of([key])
        except UsageError as error:
            word = re.fullmatch(r"(\w+):(\d+)", key)
            if word is not None and not error.near and near_names(word[1], ["last"]):
                raise UsageError(error.message, near=(f"last:{word[2]}",), hint=error.hint) from None
            if time_of(self.definition) is None or period(key) is None or not self._in_period(key):
                raise
            hint = f"For all that are in it write {key}..{key}."
            raise UsageError(error.message, near=error.near, hint=hint) from None

    def _in_period(self, text: str) -> Parts:
        try:
            return self._range(text, text, text)
        except UsageError:
            return NOTHING

    def _dimension(self, name: str, value: tuple[str, ...] | Parts) -> PartitionsDefinition:
        assert isinstance(self.definition, MultiPartitionsDefinition)
        dimension = self.definition.partitions_defs[name]
        if isinstance(dimension, DynamicPartitionsDefinition) and not isinstance(value, Parts):
            return dimension.with_table(KeyTable(value))  # it has the keys that are known of all dimensions together
        return dimension

    def _range(self, first: str, last: str, text: str) -> Parts:
        windows = time_of(self.definition)
        if windows is None:
            raise UsageError(
                f"{text!r} is a range, and these partitions are not of time.", hint="Name them by key, or write all."
            )
        start = self._end(first, windows) if first else None
        end = self._end(last, windows) if last else None
        if start is not None and end is not None and end.stop <= start.first:
            raise UsageError(f"The range {text} runs backwards.", near=(f"{last}..{first}",))
        existing = self.definition.existing(self.now)
        inside = existing.within(start.first if start else None, end.stop if end else None)
        if end is not None and end.begin > self.now and not existing.within(end.first, end.stop):
            newest = windows.keys_of(windows.existing(self.now).last(1))
            raise UsageError(
                f"{last!r} lies in the future.",
                near=(f"{first}..",) if first else (),
                hint=f"The last partition is {newest[0]!r}." if newest else "There is no partition yet.",
            )
        if not inside:
            known = windows.existing(self.now)
            there = " to ".join(repr(windows.keys_of(each)[0]) for each in (known.first(1), known.last(1)) if each)
            raise UsageError(
                f"There is no partition in {text}.", hint=f"There are {there}." if there else "There is none yet."
            )
        return inside

    def _end(self, text: str, windows: TimeWindowPartitionsDefinition) -> _End:
        """Return what an end of a range covers: a window by its key, else a year, month, day or hour."""
        number = windows.find(text)
        if number is not None:
            return _End(number, number + 1, windows.window_of(number)[0])
        found = period(text)
        if found is None:
            raise UsageError(
                f"{text!r} is no end of a range.",
                near=windows.near(text),
                hint=f"Write a key as {windows.key(windows.bounds()[0])!r}, or a time as 2026, 2026-01 or 2026-01-31.",
            )
        begin, end = (localize(wall, windows.zone()) for wall in found)
        try:
            return _End(*windows.span(begin, end), begin)
        except OverflowError:
            raise UsageError(f"{text!r} is out of all bounds.", hint="Write a time that is over.") from None


@dataclass(frozen=True, slots=True)
class _End:
    """What an end of a range covers: the numbers of windows, and when the first of them begins."""

    first: int
    stop: int
    begin: datetime
