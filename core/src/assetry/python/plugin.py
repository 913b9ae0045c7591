"""The Python plugin: asset functions are loaded from the project's modules and called in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, cast

from assetry.errors import AssetryError, IntegrationError, error_words, near_names
from assetry.hooks.registry import FAULTS
from assetry.hooks.specs import hookimpl
from assetry.io.frames import columns_missing, frame_name
from assetry.python.call import UNKNOWN, arguments, call, check_result, failure, outputs, type_hints, wrong_type
from assetry.python.code import root_place
from assetry.python.context import AssetContext
from assetry.python.decorators import AssetFunction
from assetry.python.loading import Loading
from assetry.python.lost import held_in, refuse_lost
from assetry.python.modules import find_attribute, import_modules, own_modules
from assetry.types.assets import Asset, AssetCheck, Check, Integration, Severity
from assetry.types.events import Checked, Event, Failed, Level, Log, Materialized, Skipped, Started
from assetry.types.invocations import CheckRef, Invocation, InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.options import TEXTS, checked_options
from assetry.types.policies import RetryPolicy
from assetry.types.protocols import RunContext, Saved

KIND = "python"
_NO_LIMIT = 1_000_000
OPTIONS = {"modules": TEXTS.about("Python modules with assets.").hinting('For example modules = ["shop_assets"].')}
Function = AssetFunction[..., Any]


class PythonPlugin:
    """The plugin that loads and calls asset functions.

    `functions` are live ones that belong to every Python integration it loads: those of a notebook or a test, which
    cannot be imported by name. All others are found as ``module:qualname``.

    >>> from assetry.python.decorators import asset
    >>> @asset
    ... def numbers() -> list: return [1, 2]
    >>> plugin = PythonPlugin([numbers])
    >>> [str(each.key) for each in plugin.assetry_load_assets(Integration("python", "python"))]
    ['numbers']
    """

    ASSETRY_KINDS = MappingProxyType({KIND: OPTIONS})

    def __init__(self, functions: Iterable[Function] = ()) -> None:
        self._functions = tuple(functions)
        self._held: dict[tuple[str, ...], Function] = {}
        self._lock = threading.Lock()

    @hookimpl
    def assetry_load_assets(self, integration: Integration) -> Iterable[Asset | AssetCheck]:
        """Return the assets and checks of the integration's `modules`, and those of the functions it holds."""
        return self._load(integration)

    @hookimpl
    def assetry_invocation_group(self, asset: Asset) -> InvocationGroup | None:
        """Return a group for what one function makes together; None for a function of one asset."""
        spec = asset.spec
        if "output" not in spec:
            return None
        which = f"#{'+'.join(spec['outputs'])}" if "outputs" in spec else ""
        return InvocationGroup(
            f"python:{spec['module']}:{spec['qualname']}{which}",
            whole=not spec["can_subset"],
            counted=False,
            # Partitions are made side by side, as far as the executor has room.
            limit=1 if asset.partitions_def is None else _NO_LIMIT,
        )

    @hookimpl
    def assetry_invocation_command(self, invocation: Invocation) -> str | None:
        """Return the call as it would be written, ``shop_assets.logins()``."""
        specs = [asset.spec for asset in invocation.assets] or [
            check.spec for _, check in _checks(invocation, invocation.checks)
        ]
        names = dict.fromkeys(f"{spec['module']}.{spec['qualname']}()" for spec in specs)
        return ", ".join(names) or None

    @hookimpl
    def assetry_invoke(self, invocation: Invocation, context: RunContext) -> Iterator[Event]:
        """Call the function of an invocation: load its arguments, keep what it returns, run the checks."""
        checks = list(_checks(invocation, invocation.checks))
        for partition in invocation.partitions or (None,):
            making = _Making(invocation, context, partition)
            if invocation.assets:
                first = invocation.assets[0]
                yield from making.events(self._find(invocation.integration, first.spec, first.key))
            for key, check in checks:
                if key in making.own and key not in making.made:
                    continue  # it was not made, so there is nothing to look at
                function = self._find(invocation.integration, check.spec, key)
                yield _checked(function, key, check, making.loading, making.made)

    # -- definitions ---------------------------------------------------------------------------------------------

    def _load(self, integration: Integration) -> Iterator[Asset | AssetCheck]:
        functions: dict[int, Function] = {id(each): each for each in self._functions}
        plain: dict[int, Asset] = {}
        named = checked_options(integration, OPTIONS).get("modules", ())
        modules = import_modules(named, integration.root)
        for module in modules:
            for each in held_in(module, (AssetFunction, Asset)):
                found: dict[int, Any] = functions if isinstance(each, AssetFunction) else plain
                found.setdefault(id(each), each)
        refuse_lost(modules, (each for _, each in own_modules(os.path.realpath(integration.root))), AssetFunction)
        with self._lock:
            for function in functions.values():
                for asset in function.assets:
                    self._held[_identity(integration, asset.spec, asset.key)] = function
                for key, check, _ in function.checks:
                    self._held[_identity(integration, check.spec, key)] = function
        assets = [asset for function in functions.values() for asset in function.assets]
        yield from (_owned(asset, integration) for asset in (*assets, *plain.values()))
        for function in functions.values():
            for each in function.checks:
                source = root_place(each.check.source, integration.root)
                yield each._replace(integration=integration, check=each.check._replace(source=source))

    def _find(self, integration: Integration, spec: Mapping[str, Any], key: AssetKey) -> Function:
        held = self._held.get(_identity(integration, spec, key))
        if held is None:
            found = find_attribute(spec["module"], spec["qualname"], integration.root)
            if not isinstance(found, AssetFunction):
                raise IntegrationError(
                    f"{spec['qualname']!r} in module {spec['module']!r} is not an asset function any more.",
                    hint="Load the project again.",
                )
            held = self._held[_identity(integration, spec, key)] = found
        return held


def _identity(integration: Integration, spec: Mapping[str, Any], key: AssetKey) -> tuple[str, ...]:
    # A check's own key and name as they were written: the graph may have found others for them.
    return (integration.root, spec["module"], spec["qualname"], spec.get("asset", key), spec.get("check", ""))


def _owned(asset: Asset, integration: Integration) -> Asset:
    if asset.integration is not None or asset.kind != KIND:
        return asset
    return replace(asset, integration=integration, source=root_place(asset.source, integration.root))


def _checks(invocation: Invocation, refs: Sequence[CheckRef]) -> Iterator[tuple[AssetKey, Check]]:
    known = {
        (asset.key, check.name): check
        for asset in (*invocation.assets, *invocation.also, *invocation.inputs)
        for check in asset.checks
    }
    for ref in refs:
        check = known.get((ref.key, ref.check))
        if check is not None:
            yield ref.key, check


# -- calls -------------------------------------------------------------------------------------------------------


class _Making:
    """The making of the assets of one function call, event by event."""

    def __init__(self, invocation: Invocation, context: RunContext, partition: str | None) -> None:
        self.loading = Loading(invocation, context, partition)
        self.context = context
        self.partition = partition
        assets = (*invocation.assets, *invocation.also)
        self.own = {asset.key: asset for asset in assets}
        self.pending = dict(self.own)
        #: What was made; the value only where a check is to look at it, for it may be large.
        self.made: dict[AssetKey, Any] = {}
        self._looked_at = {ref.key for ref in invocation.checks}

    def events(self, function: Function) -> Iterator[Event]:
        self.function = function
        self.first = next(iter(self.own.values()))
        for key in self.pending:
            yield Started(key, self.partition)
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
            told = AssetContext(tuple(self.pending), self.partition, self.context)
            args, kwargs = arguments(function, told, lambda name, form: self.loading.argument(self.first, name, form))
        except AssetryError as error:
            yield from self._fail(_sentence(error), error.hint)
            return None
        try:
            with _capture(self._tell):
                value = call(function, args, kwargs)
            del args, kwargs  # inputs may be large; what the function did not keep is free before its value is saved
            for key, each in self._heard(self._outputs(value)):
                yield from self._keep(key, each)
        except AssetryError as error:
            yield from self._fail(f"{function.__qualname__}() {_sentence(error)}", error.hint)
            return None
        except FAULTS as error:
            return error
        yield from self._fail(f"{function.__qualname__}() gave no value for it.", "Return one for each of its assets.")
        return None

    def _tell(self, line: str, level: Level) -> None:
        self.context.log(line, level, None if self.function.multiple else self.first.key)

    def _heard(self, pairs: Iterator[tuple[AssetKey, Any]]) -> Iterator[tuple[AssetKey, Any]]:
        """Yield outputs; the body of a generator runs, and prints, between them."""
        if not self.function.multiple:
            yield from pairs
            return
        while True:
            with _capture(self._tell):
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
        """Check and keep one value; the asset's last event."""
        asset = self.pending.pop(key, None)
        if asset is None:
            return  # made by an earlier try, or not asked for
        problem = _type_problem(self.function, value) or _column_problem(asset, value)
        if problem is not None:
            message = (
                f"{self.function.function.__qualname__}() returned the wrong value: {problem}.\n  at {asset.source}"
            )
            yield self._failed(key, message, "Correct the function, or what it promises.")
            return
        if value is None:
            self.made[key] = None
            yield Materialized(key, self.partition, metadata={"io": "none"})
            return
        try:
            saved: Saved = self.context.save(key, value, self.partition)
        except AssetryError as error:
            yield self._failed(key, _sentence(error), error.hint)
        except Exception as error:
            yield self._failed(key, f"Its value cannot be kept: {failure(error)}")
        else:
            self.made[key] = value if key in self._looked_at else None
            yield Materialized(key, self.partition, saved.data_version, saved.columns, saved.metadata)

    def _fail(self, message: str, hint: str | None = None) -> Iterator[Event]:
        for key in list(self.pending):
            del self.pending[key]
            yield self._failed(key, message, hint)

    def _stop(self, because: str) -> Iterator[Event]:
        for key in list(self.pending):
            del self.pending[key]
            yield Skipped(key, because, partition=self.partition, cancelled=True)

    def _failed(self, key: AssetKey, message: str, hint: str | None = None) -> Failed:
        return Failed(key, message, hint, partition=self.partition)


def _capture(tell: Callable[[str, Level], None]) -> AbstractContextManager[None]:
    """Hand what user code prints and logs to `tell`; `logging` is loaded for it only once something runs."""
    from assetry.python.prints import captured

    return captured(tell)


def _type_problem(function: Function, value: Any) -> str | None:
    if function.multiple:
        return None  # the annotation is of what holds the outputs
    return wrong_type(value, type_hints(function.function).get("return", UNKNOWN))


def _column_problem(asset: Asset, value: Any) -> str | None:
    """Say which promised columns a frame lacks; before it is kept, so that the last good value stays."""
    if not asset.columns or frame_name(value) is None:
        return None
    missing, there = columns_missing(value, [column.name for column in asset.columns])
    if not missing:
        return None
    return (
        f"its schema promises {_listed(missing, there)}, which the value lacks; "
        f"it has {', '.join(map(repr, there)) or 'no columns'}"
    )


def _listed(missing: Sequence[str], there: Sequence[str]) -> str:
    told = []
    for name in missing:
        near = near_names(name, there, most=1)
        told.append(f"{name!r} (did you mean {near[0]!r}?)" if near else repr(name))
    return ", ".join(told)


def _told(error: BaseException) -> tuple[str, str | None]:
    return failure(error), "Correct the function, then run `assetry retry`."


def _sentence(error: AssetryError) -> str:
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


def _checked(
    function: Function, key: AssetKey, check: Check, loading: Loading, made: Mapping[AssetKey, Any]
) -> Checked:
    """Run one check and say how it came out; whatever it raises is a failure of the check."""
    keys = iter((key, *check.also))
    severity = cast(Severity, check.severity)

    def value(_name: str, form: Any) -> Any:
        return _looked_at(next(keys), form, loading, made)

    told = AssetContext((key,), loading.partition, loading.context)
    # Only what has partitions is looked at in parts.
    partition = loading.partition if loading.is_partitioned(key) else None
    where = {} if partition is None else {"partition": partition}
    say = partial(Checked, key, check.name, severity=severity, partition=partition)
    try:
        args, kwargs = arguments(function.function, told, value)
        with _capture(lambda line, level: loading.context.log(line, level, key)):
            said = call(function.function, args, kwargs)
        result = check_result(said, type_hints(function.function).get("return", UNKNOWN))
    except AssertionError as error:
        return say(False, message=str(error) or failure(error), metadata=where)
    except AssetryError as error:
        where |= {"hint": error.hint} if error.hint else {}
        return say(False, message=_sentence(error), metadata=where)
    except FAULTS as error:
        return say(False, message=failure(error), metadata=where)
    return say(result.passed, message=result.message, metadata={**where, **result.metadata})


def _looked_at(key: AssetKey, form: Any, loading: Loading, made: Mapping[AssetKey, Any]) -> Any:
    """Return the value that a check sees: the one just made when it is of the type asked for, else as it was kept."""
    value = made.get(key)
    if value is None:
        return loading.value(key, form)
    # Without an annotation a table arrives as whatever is the default, not as what the function happened to return.
    fits = frame_name(value) is None if form is None else wrong_type(value, form) is None
    return value if fits else loading.value(key, form)
