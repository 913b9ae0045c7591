"""The Python plugin: asset functions are loaded from the project's modules and called in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from assetry.errors import IntegrationError
from assetry.hooks.specs import hookimpl
from assetry.python.calls.checking import checked
from assetry.python.calls.loading import Loading
from assetry.python.calls.losses import Losses
from assetry.python.calls.making import Function, Making
from assetry.python.calls.portion import Portion, portions_of, takes_ranges
from assetry.python.code import root_place
from assetry.python.decorated import Decorated
from assetry.python.decorators import AssetFunction
from assetry.python.lost import held_in, refuse_lost
from assetry.python.modules import find_attribute, import_modules, own_modules
from assetry.python.schemas import EXTRA_COLUMNS
from assetry.types.assets import Asset, AssetCheck, Check, Integration
from assetry.types.contexts import RunContext
from assetry.types.events import Event
from assetry.types.invocations import CheckRef, Invocation, InvocationGroup
from assetry.types.keys import AssetKey
from assetry.types.leases import UNLIMITED
from assetry.types.options import TEXTS, checked_options, one_of

KIND = "python"
OPTIONS = {
    "modules": TEXTS.about("Python modules with assets.").hinting('For example modules = ["shop_assets"].'),
    "extra_columns": one_of(*EXTRA_COLUMNS).about("What is done about columns that a schema does not have."),
}


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
        """Return a group for what one function makes together, or for several partitions; None for one of each."""
        spec = asset.spec
        if "output" not in spec and not takes_ranges(asset):
            return None
        # A factory makes many functions of one name; what they make tells them apart.
        which = f"#{'+'.join(spec['outputs'])}" if "outputs" in spec else "" if "output" in spec else f"#{asset.key}"
        return InvocationGroup(
            f"python:{spec['module']}:{spec['qualname']}{which}",
            whole="output" in spec and not spec["can_subset"],
            counted=False,
            # Partitions are made side by side, as far as the executor has room.
            limit=1 if asset.partitions_def is None else UNLIMITED,
            partitions="range" if takes_ranges(asset) else "one",
            max_partitions=spec.get("max_partitions"),
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
        losses = Losses(invocation)
        for portion in losses.in_order(portions_of(invocation)):
            for piece, own in losses.apart(portion):
                yield from losses.skipped(piece, own)
                if own or not invocation.assets:
                    yield from self._make(Making(invocation, context, piece, own), losses)

    def _make(self, making: Making, losses: Losses) -> Iterator[Event]:
        """Call a function for some partitions, and run their checks; note what cannot be read of them."""
        invocation, portion = making.invocation, making.portion
        if invocation.assets:
            yield from making.events(self._find(invocation.integration, making.first.spec, making.first.key))
        for key in [each for each in making.own if each not in making.made]:
            for name in portion.names:
                losses.note(key, name, "was not made" if making.stopped else "failed")
        for part in (Portion((each,)) for each in portion.partitions) if portion.ranged else (portion,):
            loading = Loading(invocation, making.context, part)
            for key, check in _checks(invocation, invocation.checks):
                if key in losses.own and key not in making.made:
                    continue  # it was not made, so there is nothing to look at
                function = self._find(invocation.integration, check.spec, key)
                said = checked(function, key, check, loading, making.made)
                yield said
                if said.stops:
                    losses.note_check(key, said.partition, check.name)

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
        refuse_lost(modules, (each for _, each in own_modules(os.path.realpath(integration.root))), Decorated)
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
    extra = integration.options.get("extra_columns")
    # What an asset says itself goes before what is said for all.
    are = asset.columns_are if extra is None or "extra_columns" in asset.spec else EXTRA_COLUMNS[extra]
    source = root_place(asset.source, integration.root)
    return replace(asset, integration=integration, source=source, columns_are=are)


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
