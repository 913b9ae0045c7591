"""A tap and a target in one run: how each stream comes out, by what their logs say and by the rows in its table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

from assetry.plugin import Event, Failed, Log, Progress, Started

from assetry_toolkit.commands import LastWords
from assetry_toolkit.extract_load.owed_rows import Owed, OwedRows, Unkept
from assetry_toolkit.extract_load.row_counts import ABSENT, may_be_all
from assetry_toolkit.hosted.pulling import counted
from assetry_toolkit.singer.logs import Said
from assetry_toolkit.singer.streams import StreamLoad, read_anew

#: Lines that are kept of what programs said last.
LAST_WORDS = 6
#: How many other streams a failure names.
_NAMED = 5
#: Targets that are known to lose rows, by how their names begin.
_LOSSY = {
    "target-duckdb": "target-duckdb 0.8.0 is known to lose the first row of each batch: use another loader. ",
}


@dataclass(frozen=True, slots=True)
class Advice:
    """Next steps that an integration has of its own, by its commands and options.

    * `unread`: a stream that was asked for is not read.
    * `silent`: how to take the exit code for the result of a tap that does not tell what it reads.
    * `lost`: follows the advice to read a stream anew of which rows were lost.
    * `nowhere`: there is no table where one should be.

    >>> Advice(unread="Look into mill.yml.").unread
    'Look into mill.yml.'
    """

    unread: str | None = None
    silent: str = ""
    lost: str = ""
    nowhere: str | None = None


@dataclass(slots=True)
class TapLoad:
    """What a tap reads and a target loads in one run.

    * `offered`: how many streams the tap would read if nothing was chosen.
    * `mapped`: rows may be left out on the way, so that fewer of them say nothing.
    * `called`: what errors call it; the names of both unless given.
    * `sources`: where the programs are defined (``file:line``), by name.
    * `well`: None as long as it has no end, then whether both programs ended well; `why` says more, and `remedy` is the
      next step where both did not. `faults` are the names of those that did not, where that is known (else those count
      that `why` names), and `words` the last that they have said.
    * `locked`: it has not begun, because another run has what it needs.

    >>> from assetry.plugin import Asset
    >>> orders = StreamLoad(Asset(key="shop/orders", kind="mill", spec={"stream": "orders", "name": "orders"}))
    >>> load = TapLoad("tap-shop", "target-lake", [orders], offered=1)
    >>> [type(each).__name__ for each in load.take("tap-shop", Said("rows", stream="orders", value=7))]
    ['Started', 'Progress']
    >>> load.failure(orders), load.missing(orders, rows=6).message
    (None, 'tap-shop extracted 7 rows of orders, and the table None has 6.')
    """

    tap: str
    target: str
    streams: Sequence[StreamLoad]
    _: KW_ONLY
    offered: int = 1
    mapped: bool = False
    advice: Advice = field(default_factory=Advice)
    called: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)
    well: bool | None = None
    why: str = ""
    remedy: str | None = None
    faults: Sequence[str] = ()
    words: LastWords = field(default_factory=lambda: LastWords(LAST_WORDS))
    locked: bool = False
    #: Whether the tap tells what it reads; and streams that it reads though they were not asked for.
    speaks: bool = False
    strange: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.called = self.called or f"{self.tap} {self.target}"

    @property
    def chosen(self) -> list[str]:
        """Return the ids of the streams to read, when these are not all of them."""
        ids = [each.id for each in self.streams if each.id is not None]
        return ids if len(ids) < self.offered else []

    @property
    def is_file(self) -> bool:
        """Tell whether the target writes into a file that nothing else can use meanwhile."""
        return any(stream.asset.io is not None for stream in self.streams)

    def fail(self, message: str, hint: str, retryable: bool = False) -> Iterator[Failed]:
        """End before it has begun: yield that each of its streams failed."""
        self.well = False
        yield from (Failed(stream.asset.key, message, hint, retryable=retryable) for stream in self.streams)

    def leave_out(self, stream: StreamLoad) -> None:
        """Take out a stream that is not to be read; without any it has its end."""
        self.streams = [each for each in self.streams if each is not stream]
        if not self.streams:
            self.well = False

    def forget(self) -> None:
        """Forget what was said of its streams: they are read anew."""
        for each in self.streams:
            each.forget()

    def take(self, plugin: str, said: Said) -> Iterator[Event]:
        """Take what the tap or the target, by the name of a `plugin`, says of a stream; yield what follows."""
        known = self._known(said.stream)
        found = known[0] if len(known) == 1 else None
        if plugin == self.target and found is not None and said.what == "rows":
            found.loaded = (found.loaded or 0) + said.value
        if plugin != self.tap:
            return
        self.speaks = True
        if found is None:
            for each in known:
                each.unclear, each.well = True, each.well and (said.what != "ended" or bool(said.value))
            if said.stream not in self.strange:
                self.strange.add(said.stream)
                what = "calls more than one stream" if known else "reads stream"
                told = "so it is not known how many rows each has" if known else "which was not asked for"
                yield Log(f"{plugin} {what} {said.stream!r}, {told}.", "warning")
            return
        if not found.seen:
            found.seen = True
            yield Started(found.asset.key)
        found.began, found.ended = found.began or said.what == "began", found.ended or said.what == "ended"
        if said.what == "rows":
            found.rows = (found.rows or 0) + said.value
            yield Progress(found.asset.key, found.rows)
        elif said.what == "ended":
            found.well = found.well and bool(said.value)

    def _known(self, said: str) -> list[StreamLoad]:
        """Return the streams that a log may mean by a name: the one that has it as its id, else all that have it."""
        by_id = next((each for each in self.streams if each.id in (None, said)), None)
        by_name = [each for each in self.streams if each.asset.spec.get("name") == said and each is not by_id]
        if by_id is None:
            return by_name
        for each in by_name:
            each.unclear = True  # a tap that knows them by their names may have meant any
        return [by_id]

    def failure(self, stream: StreamLoad, accept_silence: bool = False, spoke: bool = False) -> Failed | None:
        """Return why a stream did not come out well as far as the log tells; None when it did.

        Where one of the programs failed each stream has: what was read before may be loaded in part. A stream that was
        asked for and not read is no success: a choice that matches nothing ends well. Of a tap that never tells what it
        reads only the exit code is known; that is taken where all of its streams were asked for, or with
        `accept_silence`. One that `spoke` in an earlier run has ended too early when it says nothing.
        """
        key, name = stream.asset.key, stream.id
        if self.well is False:
            read = f" after {stream.rows:,} rows of {name}" if stream.rows else ""
            message = f"{self.called}: {(self.why or 'it broke off').rstrip('.')}{read}."
            hint = self.remedy or self.words.cause or None
            named = [each for each in self.sources if re.search(rf"(?<![\w-]){re.escape(each)}(?![\w-])", self.why)]
            return Failed(key, message, hint, retryable=True, where=self._place(*(self.faults or named)))
        if not stream.well:
            return Failed(key, f"{self.tap} says that it failed to read {name}.", self.words.errors or None)
        if stream.began and not (stream.ended or stream.unclear) and any(each.ended for each in self.streams):
            return self._left_off(stream)
        unheard = not self.speaks or stream.unclear
        silent = unheard and (accept_silence or not (self.chosen or (spoke and not self.speaks)))
        if not stream.seen and not silent and name is not None and not unheard:
            return self._left_off(stream)
        if not stream.seen and not silent and name is not None:
            before = ", though it did tell in an earlier run" if spoke and not self.speaks else ""
            told = f"Nothing tells that {self.tap} has read {name}, which was asked for{before}."
            return Failed(key, told, self._how_it_is_known(stream))
        if not self.mapped and stream.loaded is not None and stream.loaded < (stream.rows or 0):
            return self._lost(stream, f"{self.target} took {stream.loaded:,} of them")
        return None

    def _how_it_is_known(self, stream: StreamLoad) -> str:
        """Return what to do where nothing tells whether a stream was read."""
        word = f" If nothing is wrong: {self.advice.silent}." if self.advice.silent else ""
        if stream.unclear:
            return f"Its log calls another stream by the same name. Choose all its streams.{word}"
        last = f" It said last: {self.words.last}" if self.words.last else ""
        return f"Its log has no METRIC lines: look into it whether it ended before it had read anything.{word}{last}"

    def _left_off(self, stream: StreamLoad) -> Failed:
        """Return that the tap ended before it had read a stream, though without an error, and what is known of that."""
        told = f"ended without an error, and does not tell that it read {stream.id}, which was asked for"
        if stream.seen:
            after = f", after {counted(stream.rows, 'row')}" if stream.rows else ""
            told = f"began to read {stream.id}, and ended before its end{after}, though without an error"
        took = f"; {self.target} took {counted(stream.loaded, 'row')} of it" if stream.loaded else ""
        others = [each.told for each in self.streams if each.seen and each is not stream] + sorted(self.strange)
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        message = f"{self.tap} {told}{took}. It tells of {', '.join(others[:_NAMED]) or 'no other stream'}{more}."
        last = (
            f"; it said last: {self.words.last}"
            if self.words.last
            else ": `assetry logs` of the run tells all it said."
        )
        hint = f"It may have stopped half-way{last}"
        return Failed(stream.asset.key, message, "\n".join(filter(None, (hint, self.advice.unread))))

    def uncompared(self, stream: StreamLoad, rows: int | None) -> str | None:
        """Return why the rows in the table of a stream, where they were counted, say nothing of its load; None if not.

        >>> from assetry.plugin import Asset
        >>> orders = StreamLoad(Asset(key="shop/orders", kind="mill", spec={"stream": "orders"}), rows=7)
        >>> TapLoad("tap-shop", "target-lake", [orders]).uncompared(orders, None)
        'it is loaded into no table that is known'
        """
        relation = stream.asset.relation
        whys = {
            "it is loaded into no table that is known": relation is None,
            "its table is not known": stream.asset.io is None and None in (relation or ()),
            "rows may be left out on the way": self.mapped,
            "its replication is log-based": not self._comparable(stream),
            f"{self.tap} does not tell how many it extracted": stream.rows is None,
            "its table cannot be read here": rows is None,
            "the table has a key and had rows before": self._hidden(stream, rows or 0),
        }
        return None if stream.rows == 0 else next((why for why, is_so in whys.items() if is_so), None)

    def _hidden(self, stream: StreamLoad, rows: int) -> bool:
        """Tell whether rows may have been lost behind those that a table with a key had: it has grown by fewer."""
        extracted, before = stream.rows or 0, stream.before
        if not stream.asset.spec.get("keys"):
            return False
        return rows > extracted if before is None else before > 0 and rows - before < extracted

    def unheard(self, stream: StreamLoad) -> bool:
        """Tell whether nothing is said of a stream, and its table at least should be there."""
        return not (stream.seen or self.mapped or stream.id is None)

    def missing(self, stream: StreamLoad, rows: int | None) -> Failed | None:
        """Return that a table, which has `rows` now, has too few; None when it may be right, or is not known.

        Log-based replication brings several versions of a row, and rows that are deleted: that cannot be compared.
        """
        if rows == ABSENT and self.unheard(stream):
            told = f"Nothing tells that {self.tap} has read {stream.id}, and there is no table {stream.asset.relation}."
            hint = f"Look into its log whether it ended before it had read anything. {self._elsewhere()}"
            return Failed(stream.asset.key, told, hint, where=self._place(self.tap))
        had = stream.before or 0
        if stream.adds and rows is not None and max(rows, 0) < had:
            told = f"The table {stream.asset.relation} had {counted(had, 'row')} before this run, which reads only what"
            have = "is gone" if rows == ABSENT else f"has {rows:,} after it"
            return self._lost(stream, f"{told} is new, and {have}.", whole=True)
        if rows is None or not stream.rows or not self._comparable(stream):
            return None
        if rows == ABSENT:
            return self._nowhere(stream, stream.rows)
        if may_be_all(stream.rows, rows, None if stream.asset.spec.get("keys") else stream.before):
            return None
        after = f", after {stream.before:,} before," if stream.before and not stream.asset.spec.get("keys") else ""
        return self._lost(stream, f"the table {stream.asset.relation}{after} has {rows:,}")

    def settled(
        self,
        stream: StreamLoad,
        failed: Failed | None,
        count: Callable[[], int | None],
        owed: OwedRows,
        anew: bool = False,
    ) -> tuple[Failed | None, int | None]:
        """Return what is missing in a table, if anything, and its rows where they were counted; note what it owes.

        `failed` is why the stream did not come out well, if so, and `count` counts the rows of its table. What one run
        has extracted the next does not read again, unless it reads all `anew`: so that is `owed`, until it was counted.
        Where that cannot be kept the stream has failed, with the next step: no later run would know of it.

        >>> import tempfile
        >>> from pathlib import Path
        >>> from assetry.plugin import Asset
        >>> orders = StreamLoad(Asset(key="shop/orders", kind="mill", spec={"stream": "orders"}), rows=7)
        >>> load = TapLoad("tap-shop", "target-lake", [orders])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     owed = OwedRows(Path(folder, "owed.json"), "shop")
        ...     first, _ = load.settled(orders, None, lambda: 6, owed, anew=False)
        ...     orders.rows, orders.lost = 0, False
        ...     again, _ = load.settled(orders, None, lambda: 6, owed, anew=False)
        ...     orders.rows = 7
        ...     first is None, again is None, load.settled(orders, None, lambda: 7, owed, anew=True)
        (False, False, (None, 7))
        """
        name, few, rows = stream.id or "", None, None
        try:
            before = owed.of(name)
            looked = stream.rows or before or self.unheard(stream) or stream.before is not None
            rows = count() if failed is None and looked else None
            few = self.missing(stream, rows)
            if before and not (failed or few):
                few = self.still_missing(stream, before, rows, anew)
            most = max(before.rows if before else 0, stream.rows or 0, stream.before or 0 if stream.lost else 0)
            if (failed or few) and most and not self.mapped:
                owed.note(name, Owed(most, stream.lost or bool(before and before.lost)))
            elif before and not (failed or few) and (before.lost or rows is not None):
                owed.note(name, None)
        except Unkept as error:
            few = self._unkept(stream, few or failed, error)
        return few, rows

    def still_missing(self, stream: StreamLoad, owed: Owed, rows: int | None, anew: bool = False) -> Failed | None:
        """Return that a table, which has `rows` now, lacks rows of an earlier run; None when it does not any more.

        Rows that were lost are there again when a run that reads the stream `anew`, from its first row on, came out
        well and was counted: the state of any other run goes on behind them. It is asked after `failure` and `missing`.

        >>> from assetry.plugin import Asset
        >>> orders = StreamLoad(Asset(key="shop/orders", kind="mill", spec={"stream": "orders"}), rows=0)
        >>> load = TapLoad("tap-shop", "target-lake", [orders])
        >>> load.still_missing(orders, Owed(7, lost=True), rows=7).message
        'Of 7 rows of orders that an earlier run extracted some were lost, and this run did not read them again.'
        >>> load.still_missing(orders, Owed(7), rows=7), load.still_missing(orders, Owed(7, lost=True), 0, anew=True)
        (None, None)
        """
        full = stream.asset.spec.get("method") == "FULL_TABLE"
        if anew or (full and (stream.rows or 0) >= owed.rows):
            if rows is not None or not stream.rows or not self._comparable(stream) or stream.loaded is not None:
                return None
            return self._lost(stream, "its table, which had too few before, cannot be counted")
        if not owed.lost and (full or rows is None or rows >= owed.rows or not self._comparable(stream)):
            return None
        if not owed.lost and rows == ABSENT:
            return self._nowhere(stream, owed.rows)
        have = f"the table {stream.asset.relation} has {rows:,}" if rows is not None and rows < owed.rows else ""
        some = f"{counted(owed.rows, 'row')} of {stream.id} that an earlier run extracted"
        again = "this run did not read them again"
        if (stream.rows or 0) >= owed.rows:
            again = f"it cannot be told whether the {stream.rows:,} that this run read are the same"
        told = f"Of {some} some were lost, and {have or again}."
        return self._lost(stream, told, whole=True)

    def gone(self, stream: StreamLoad, rows: int) -> Failed:
        """Return that a run would go on behind the rows that a table had, at least so many `rows`, if it has none now.

        Where the table is not there any more, or is another one, `rows` may be 0.
        """
        relation = stream.asset.relation
        told = f"There is no table {relation}"
        if stream.before != ABSENT:
            told = f"The table {relation} is empty, which had {counted(rows, 'row')} after an earlier run"
        message = f"{told}, and the state goes on behind the rows that {self.tap} has read: nothing was read now."
        hint = f"Read {stream.id} from its first row on: {read_anew(stream.asset)}. {self._elsewhere()}"
        return Failed(stream.asset.key, message, hint, where=self._place(self.target))

    def emptied_first(self, stream: StreamLoad) -> str:
        """Return what to do before rows are read anew that would be in the table twice then; "" where they would not.

        >>> from assetry.plugin import Asset
        >>> orders = StreamLoad(Asset(key="shop/orders", kind="mill", spec={"stream": "orders"}), before=7)
        >>> TapLoad("tap-shop", "target-lake", [orders]).emptied_first(orders)
        ' It has no key, and target-lake may only add rows: remove its table before, or they are there twice.'
        """
        if not stream.keyless:
            return ""
        why = "It is loaded by append-only" if stream.asset.spec.get("load_method") else "It has no key"
        return f" {why}, and {self.target} may only add rows: remove its table before, or they are there twice."

    def doubled(self, stream: StreamLoad, rows: int | None, anew: bool) -> str | None:
        """Return that rows that were read from the first on were added to those that were there; None if not.

        `rows` are those of the table after the run, which reads all `anew`.
        """
        had, read = max(stream.before or 0, 0), stream.rows or 0
        whole = anew or stream.asset.spec.get("method") == "FULL_TABLE"
        if self.mapped or not (whole and stream.keyless and had and read and (rows or 0) >= had + read):
            return None
        told = f"All {counted(read, 'row')} of {stream.id} were read, and added to the {had:,} that the table"
        after = "a key or `load_method: overwrite` keeps that from happening"
        return f"{told} {stream.asset.relation} had: rows may be there twice. Empty it and load it anew; {after}."

    def _comparable(self, stream: StreamLoad) -> bool:
        return not self.mapped and stream.asset.spec.get("method") != "LOG_BASED"

    def _nowhere(self, stream: StreamLoad, rows: int) -> Failed:
        told = self._extracted(stream, f"there is no table {stream.asset.relation}", rows)
        ended = f"{self.target} may have ended before it wrote any: `assetry logs` of the run tells what it said"
        hint = f"{ended}; when that is mended, {read_anew(stream.asset)} reads them anew. {self._elsewhere()}"
        return Failed(stream.asset.key, told, hint.rstrip(), where=self._place(self.target))

    def _elsewhere(self) -> str:
        return f"Or the table is elsewhere. {self.advice.nowhere or ''}".rstrip()

    def _place(self, *names: str) -> str | None:
        """Return where some of the programs are defined, where that is known."""
        return " and ".join(self.sources[name] for name in names if name in self.sources) or None

    def _unkept(self, stream: StreamLoad, told: Failed | None, error: Unkept) -> Failed:
        """Return that a stream has failed, because of what is `told` if anything, and that later runs will not know."""
        words = [told.message, error.message] if told else [error.message]
        hints = [told.hint] if told and told.hint else []
        hints += [f"{error.hint} Later runs do not know of it"]
        anew = read_anew(stream.asset)
        hints[-1] += "." if anew in hints[0] else f": read the stream anew then, {anew}."
        return Failed(stream.asset.key, " ".join(words), " ".join(hints), where=told.where if told else None)

    def _lost(self, stream: StreamLoad, told: str, whole: bool = False) -> Failed:
        """Return that rows were lost; `told` is the `whole` message, or ends it."""
        stream.lost = True
        known = "".join(words for name, words in _LOSSY.items() if self.target.startswith(name))
        each = stream.asset.spec.get("method") == "FULL_TABLE"
        why = "" if each else "The state goes on behind these rows, so read them anew"
        hint = f"{known}{why or 'Read them anew'}: {read_anew(stream.asset)}.{self.emptied_first(stream)}"
        message = told if whole else self._extracted(stream, told, stream.rows or 0)
        return Failed(stream.asset.key, message, f"{hint} {self.advice.lost}".rstrip(), where=self._place(self.target))

    def _extracted(self, stream: StreamLoad, told: str, rows: int) -> str:
        return f"{self.tap} extracted {counted(rows, 'row')} of {stream.id}, and {told}."
