"""The making of the assets of one function call: its events, one after the other, as they happen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from assetry.errors import AssetryError, MetadataError, error_words
from assetry.hooks.registry import FAULTS
from assetry.io.frames import is_frame
from assetry.python.calls.call import UNKNOWN, arguments, call, failure, outputs, raised_at, type_hints, wrong_type
from assetry.python.calls.context import AssetContext, context_of
from assetry.python.calls.loading import Loading
from assetry.python.calls.notes import Given, Notes
from assetry.python.calls.output import promised
from assetry.python.calls.portion import Portion
from assetry.python.decorators import AssetFunction
from assetry.types.assets import Asset
from assetry.types.contexts import RunContext
from assetry.types.events import Event, Failed, Level, Log, Materialized, Skipped, Started
from assetry.types.invocations import Invocation
from assetry.types.keys import AssetKey
from assetry.types.policies import RetryPolicy
from assetry.types.protocols import Saved

Function = AssetFunction[..., Any]


class Making:
    """The making of the assets of one function call, event by event."""

    def __init__(
        self, invocation: Invocation, context: RunContext, portion: Portion, keys: Collection[AssetKey]
    ) -> None:
        """Make `keys` of the assets of an invocation, for some of its partitions."""
        self.invocation = invocation
        self.loading = Loading(invocation, context, portion)
        self.context = context
        self.portion = portion
        self.own = {asset.key: asset for asset in (*invocation.assets, *invocation.also) if asset.key in keys}
        self.pending = dict(self.own)
        #: Whether the run was cancelled before all were made.
        self.stopped = False
        #: What was made; the value only where a check is to look at it, for it may be large.
        self.made: dict[AssetKey, Any] = {}
        self._looked_at = {ref.key for ref in invocation.checks}

    @property
    def first(self) -> Asset:
        """Return the first of the assets."""
        return next(iter(self.own.values()))

    def events(self, function: Function) -> Iterator[Event]:
        """Call the function, again where it is to be tried again; yield an end for each asset and partition."""
        self.function = function
        self._hints = type_hints(function.function)
        self._promised = promised(self._hints.get("return", UNKNOWN))
        for key in self.pending:
            yield Started(key, self.portion.first, through=self.portion.through)
        policy = self.first.retry_policy or RetryPolicy(0)
        attempt = 0
        while self.pending:
            error = yield from self._attempt()
            if error is None:
                return
            attempt += 1
            if self.context.cancelled:
                yield from self._stop(f"the run was cancelled; it ended with {error_words(error)}")
                return
            if attempt > policy.attempts:
                yield from self._fail(*_told(error))
                return
            wait = policy.wait(attempt)
            message = f"{error_words(error)}; try {attempt} of {policy.attempts} in {wait:g} s"
            yield Log(message, "warning", next(iter(self.pending)))
            if not _wait(wait, self.context):
                yield from self._fail(f"{failure(error)}\n  the run was stopped before the next try")
                return

    def _attempt(self) -> Generator[Event, None, Exception | SystemExit | None]:
        """Call the function once; return the exception of the user's code when there was one."""
        function = self.function.function
        try:
            told = self._context()
            args, kwargs = arguments(function, told, self._argument, self._hints)
        except AssetryError as error:
            yield from self._fail(sentence(error), error.hint)
            return None
        try:
            with capture(self._tell):
                value = call(function, args, kwargs)
            del args, kwargs  # inputs may be large; what the function did not keep is free before its value is saved
            for key, each in self._heard(self._outputs(value)):
                yield from self._keep(key, each)
        except MetadataError as error:
            error.where = error.where or raised_at(error)
            yield from self._fail(sentence(error), error.hint)
            return None
        except AssetryError as error:
            yield from self._fail(f"{function.__qualname__}() {sentence(error)}", error.hint)
            return None
        except FAULTS as error:
            return error
        yield from self._fail(f"{function.__qualname__}() gave no value for it.", "Return one for each of its assets.")
        return None

    def _argument(self, name: str, form: Any) -> Any:
        return self.loading.argument(self.first, name, form)

    def _context(self) -> AssetContext:
        self._notes = Notes((each.key for each in self.function.assets), self.pending, self.portion)
        return context_of(tuple(self.pending), self.portion, self.context, self.first.partitions_def, self._notes)

    def _tell(self, line: str, level: Level) -> None:
        self.context.log(line, level, None if self.function.multiple else self.first.key)

    def _heard(self, pairs: Iterator[tuple[AssetKey, Any]]) -> Iterator[tuple[AssetKey, Any]]:
        """Yield outputs; the body of a generator runs, and prints, between them."""
        if not self.function.multiple:
            yield from pairs
            return
        while True:
            with capture(self._tell):
                pair = next(pairs, None)
            if pair is None:
                return
            yield pair

    def _outputs(self, value: Any) -> Iterator[tuple[AssetKey, Any]]:
        if not self.function.multiple:
            yield self.first.key, value
            return
        keys = [asset.key for asset in self.function.assets]
        if isinstance(value, (tuple, list)) and self.function.can_subset and len(value) == len(self.pending):
            keys = [key for key in keys if key in self.pending]
        yield from outputs(value, keys)

    def _keep(self, key: AssetKey, value: Any) -> Iterator[Event]:
        """Check and keep one value, with what is told of it; the asset's last event."""
        asset = self.pending.pop(key, None)
        if asset is None:
            return  # made by an earlier try, or not asked for
        try:
            given = self._notes.given(key, value)
        except MetadataError as error:
            error.where = error.where or asset.source
            yield self._failed(key, sentence(error), error.hint)
            return
        del value
        problem = self._type_problem(given) or self._shape_problem(asset, given.value)
        if problem is not None:
            name = self.function.function.__qualname__
            message = f"{name}() returned the wrong value: {problem}.\n  at {asset.source}"
            yield self._failed(key, message, "Correct the function, or what it promises.")
            return
        try:
            value, saved = self._kept(asset, given)
        except AssetryError as error:
            yield self._failed(key, sentence(error), error.hint)
        except Exception as error:
            yield self._failed(key, f"Its value cannot be kept: {failure(error)}")
        else:
            # Of a range each partition is looked at by itself.
            self.made[key] = value if key in self._looked_at and not self.portion.ranged else None
            for each, part in self.portion.alike(saved):
                yield Materialized(
                    key, part.first, each.data_version, each.columns, each.metadata, through=part.through
                )

    def _kept(self, asset: Asset, given: Given) -> tuple[Any, Sequence[Saved]]:
        """Keep what was given, where that is anything; return the value as it was kept, and what was of each part."""
        if given.nothing:
            return None, [each.on(Saved(metadata={"io": "none"})) for each in given.notes]
        value = self._validated(asset, given.value)
        saved = self._save(asset, value)
        return value, [note.on(each) for note, each in zip(given.notes, saved, strict=True)]

    def _validated(self, asset: Asset, value: Any) -> Any:
        """Return a value as the asset's schema of pandera leaves it, where it has one."""
        schema = self.function.validators.get(asset.key)
        if schema is None:
            return value
        from assetry.python.calls.validation import validated

        name = f"asset {str(asset.key)!r}"
        with capture(self._tell):
            if self.portion.ranged and isinstance(value, Mapping):
                return {key: validated(schema, each, name, self._warn) for key, each in value.items()}
            return validated(schema, value, name, self._warn)

    def _warn(self, line: str) -> None:
        self._tell(line, "warning")

    def _save(self, asset: Asset, value: Any) -> tuple[Saved, ...]:
        column = asset.spec.get("partition_column")
        if self.portion.ranged or (column is not None and self.portion.partitions):
            return self.context.save(asset.key, value, self.portion.partitions, column)
        return (self.context.save(asset.key, value, self.portion.partition),)

    def _type_problem(self, given: Given) -> str | None:
        if self.function.multiple:
            return None  # the annotation is of what holds the outputs
        return wrong_type(given.value, self._promised)

    def _shape_problem(self, asset: Asset, value: Any) -> str | None:
        """Say that a value has no column that could tell the partitions of its rows."""
        column = asset.spec.get("partition_column")
        if column is not None and not self.portion.ranged and value is not None and not is_frame(value):
            return f"it is a {type(value).__qualname__}, and partition_column={column!r} is a column of a table"
        return None

    def _fail(self, message: str, hint: str | None = None) -> Iterator[Event]:
        for key in list(self.pending):
            del self.pending[key]
            yield self._failed(key, message, hint)

    def _stop(self, because: str) -> Iterator[Event]:
        self.stopped = True
        for key in list(self.pending):
            del self.pending[key]
            yield Skipped(key, because, partition=self.portion.first, cancelled=True, through=self.portion.through)

    def _failed(self, key: AssetKey, message: str, hint: str | None = None) -> Failed:
        return Failed(key, message, hint, partition=self.portion.first, through=self.portion.through)


def capture(tell: Callable[[str, Level], None]) -> AbstractContextManager[None]:
    """Hand what user code prints and logs to `tell`; `logging` is loaded for it only once something runs."""
    from assetry.python.prints import captured

    return captured(tell)


def _told(error: BaseException) -> tuple[str, str | None]:
    return failure(error), "Correct the function, then run `assetry retry`."


def sentence(error: AssetryError) -> str:
    """Return an error without its hint, which events carry on their own."""
    return str(type(error)(error.message, where=error.where, near=error.near))


def _wait(seconds: float, context: RunContext) -> bool:
    """Wait; return False at once when the run is asked to stop."""
    import time

    end = time.monotonic() + seconds
    while not context.cancelled:
        left = end - time.monotonic()
        if left <= 0:
            return True
        # In slices, because a run is stopped from another thread and a context has nothing to wait on.
        time.sleep(min(left, 0.05))
    return False
