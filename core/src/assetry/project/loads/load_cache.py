"""Loaded assets, kept on disk for as long as nothing that the load depends on has changed.

A plugin says what its load reads (`LoadContext.reads`). What is kept is used only while all of that, the options, the
plugin's code and assetry itself are the same; whatever is odd about it means that the integration is loaded anew.
Removing the folder is harmless.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from datetime import time as clock_time
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

from assetry.errors import AssetryError
from assetry.hooks.installed import PluginInfo, own_version
from assetry.hooks.loading import Loading
from assetry.hooks.manager import Plugins
from assetry.io.parts import replace as replace_file
from assetry.project.loads.stamps import Stamp, same_content, stamp, untouched
from assetry.python.modules import is_below
from assetry.types.assets import Asset, AssetCheck, Integration
from assetry.types.codec import from_json, to_json
from assetry.types.options import is_reference

Found = Asset | AssetCheck

#: The form of the files; another one is not read.
_FORM = 1
#: So many loads of one integration are kept: those with other options, such as another target.
_MOST = 8
#: When this process began, as far as plugins are concerned: none was imported before.
_BEGAN = time.time_ns()
#: Where the code of Python and of assetry stands.
_FIXED = tuple(f"{each.resolve()}{os.sep}" for each in (Path(os.__file__).parent, Path(__file__).parents[1]))
#: What may go wrong with a file of the cache, or with what it is made of, in any of which cases there is none.
_ODD = (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, AssetryError)


class LoadCache:
    """The loads of a project that are kept in a folder of it; None keeps nothing.

    `state` is the project's state folder: nothing in it is part of a folder that a plugin reads.
    """

    def __init__(self, plugins: Plugins, state: Path | None) -> None:
        self._plugins = plugins
        self._state = state

    def load(self, integration: Integration) -> list[Found]:
        """Return the assets of an integration, as they are kept or as its plugin loads them now.

        Raises what `Plugins.load_assets` raises.
        """
        entry = self._entry(integration)
        if entry is None:
            return self._plugins.load_assets(integration)
        kept = entry.read()
        if kept is not None:
            return kept
        loading = Loading(integration.root, self._plugins.secret, entry.look)
        found = self._plugins.load_assets(integration, loading)
        if loading.told and not loading.secret_asked:
            entry.write(found, loading)
        return found

    def _entry(self, integration: Integration) -> _Entry | None:
        """Return where a load is kept; None where it cannot be: the kind is not declared, an option is an object."""
        if self._state is None or not self._plugins.may_keep(integration.kind):
            return None
        info, plugin = self._plugins.answering(integration)
        try:
            key = _digest(_key(integration, info))
        except TypeError:
            return None
        whose = _digest([integration.name, integration.kind])
        path = self._state / "cache" / "loads" / f"{whose[:16]}-{key[:32]}.json"
        return _Entry(path, key, integration, self._state, lambda: _code_files(plugin, info, integration.root))


@dataclass(frozen=True, slots=True)
class _Entry:
    """The file that keeps one load; `code` returns the files of the plugin's code, None where there are none."""

    path: Path
    key: str
    integration: Integration
    state: Path
    code: Callable[[], Sequence[Path] | None]

    def look(self, path: Path, known: Stamp | None = None) -> Stamp | None:
        """Return the stamp of what a plugin is about to read; None when it cannot be told."""
        try:
            return stamp(path, known, (self.state,))
        except (OSError, ValueError, RecursionError):
            return None

    def read(self) -> list[Found] | None:
        """Return the kept assets; None when there are none, or when they may not be right any more."""
        try:
            digest, _, text = self.path.read_bytes().partition(b"\n")
            kept = json.loads(text)
            if digest.decode() != blake2b(text, digest_size=32).hexdigest() or kept["key"] != self.key:
                return None
            if not all(self._same(path, known) for path, known in kept["stamps"].items()):
                return None
            now = _variables(kept["variables"], bytes.fromhex(kept["salt"]), os.environ.get)
            return _decoded(kept["assets"], self.integration) if now == kept["variables"] else None
        except _ODD:
            return None

    def _same(self, path: str, known: Stamp) -> bool:
        now = self.look(Path(path), known)
        return now is not None and same_content(known, now)

    def write(self, found: Iterable[Found], loading: Loading) -> None:
        """Keep a load, unless something was written while it went on, or it is not all data."""
        with suppress(*_ODD):
            stamps = self._stamps(loading)
            assets = _encoded(found, self.integration)
            if stamps is None or assets is None:
                return
            salt = os.urandom(16)
            variables = _variables(loading.variables, salt, loading.variables.get)
            kept = {"key": self.key, "stamps": stamps, "salt": salt.hex(), "variables": variables, "assets": assets}
            text = json.dumps(kept, allow_nan=False).encode()
            replace_file(self.path, lambda file: _write(file, text))
            self._let_go()

    def _stamps(self, loading: Loading) -> dict[str, Stamp] | None:
        """Return the stamps of all that was read and of the plugin's code, None when they are not certain."""
        code = self.code()
        if code is None:
            return None
        stamps: dict[str, Stamp] = {}
        for path, before in loading.paths.items():
            after = None if before is None else self.look(path, before)
            if after is None or not untouched(before, after):
                return None
            stamps[str(path)] = after
        for path in code:
            now = self.look(path)
            if now is None or max(now.get("stat", [0])[1:3], default=0) > _BEGAN:
                return None  # written since this process began, so another code may have been loaded than is there now
            stamps.setdefault(str(path), now)
        return stamps

    def _let_go(self) -> None:
        """Remove the oldest of the loads that are kept of this integration."""
        whose = self.path.name.partition("-")[0]
        files = sorted(self.path.parent.glob(f"{whose}-*.json"), key=lambda file: file.stat().st_mtime_ns)
        for file in files[:-_MOST]:
            file.unlink(missing_ok=True)


def _write(file: Any, text: bytes) -> None:
    file.write(blake2b(text, digest_size=32).hexdigest().encode() + b"\n" + text)


# -- what a load is known by -----------------------------------------------------------------------------------------


def _key(integration: Integration, info: PluginInfo) -> list[Any]:
    """Return what must be equal for a load to be the same; raise `TypeError` for options that are not data."""
    own = [integration.name, integration.kind, _written(integration.options), os.path.abspath(integration.root)]  # noqa: PTH100
    return [_FORM, own, info.name, info.label, info.source, own_version(), list(sys.version_info[:2])]


def _written(value: Any) -> Any:
    """Return options as JSON in which what differs is written differently: a date, and the text of it."""
    if isinstance(value, Mapping):
        if is_reference(value) and "given" in value:
            raise TypeError("an object of this process is another one in the next")
        return ["table", *([name, _written(each)] for name, each in value.items())]
    if isinstance(value, (list, tuple)):
        return ["list", *map(_written, value)]
    if value is None or type(value) in (str, int, float, bool):
        return [type(value).__name__, repr(value)]
    if isinstance(value, (date, clock_time)):
        return [type(value).__name__, value.isoformat()]
    raise TypeError(type(value).__name__)


def _digest(value: Any) -> str:
    return blake2b(json.dumps(value).encode(), digest_size=32).hexdigest()


def _variables(names: Iterable[str], salt: bytes, value_of: Callable[[str], str | None]) -> dict[str, str | None]:
    """Return a digest of each environment variable, None for one that is not set; the value itself is never kept."""
    values = {name: value_of(name) for name in names}
    return {
        name: None if value is None else blake2b(os.fsencode(value), key=salt, digest_size=32).hexdigest()
        for name, value in values.items()
    }


def _code_files(plugin: Any, info: PluginInfo, root: str) -> Sequence[Path] | None:
    """Return the files of the modules that a plugin consists of, as far as they are loaded; None when it has none.

    A version alone does not tell: a plugin that is being written, or that is the project's own, keeps its. Of the
    project's own all modules count, but for what is installed: it may import others from beside the project.
    """
    name = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
    if getattr(sys.modules.get(name, plugin), "__file__", None) is None:
        return None
    top = name.partition(".")[0]
    root = os.path.realpath(root)
    files = set()
    for each, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str):
            continue
        own = info.source == "project" and _is_own(os.path.realpath(file), root)
        if own or each == top or each.startswith(f"{top}."):
            files.add(Path(file))
    return sorted(files)


def _is_own(file: str, root: str) -> bool:
    """Tell whether a module's file is the project's, or stands beside it and is not installed."""
    return is_below(file, root) or not _is_installed(file)


def _is_installed(file: str) -> bool:
    """Tell whether a module's file belongs to Python, to assetry or to an installed package: its version is known."""
    return file.startswith(_FIXED) or "site-packages" in file or "dist-packages" in file


# -- assets as JSON --------------------------------------------------------------------------------------------------


def _encoded(found: Iterable[Found], integration: Integration) -> list[Any] | None:
    """Return assets and checks as JSON; None when that would not give them back just as they are."""
    given = list(found)
    if any(type(each) not in (Asset, AssetCheck) for each in given):
        return None
    data = [_one_encoded(each, integration) for each in given]
    return data if _decoded(json.loads(json.dumps(data)), integration) == given else None


def _one_encoded(each: Found, integration: Integration) -> list[Any]:
    # The integration is the same for nearly all, and may be larger than the rest.
    own = each.integration == integration
    bare: Found = each
    if own:
        bare = replace(each, integration=None) if isinstance(each, Asset) else each._replace(integration=None)
    return [type(each).__name__, own, to_json(bare)]


def _decoded(data: Iterable[Any], integration: Integration) -> list[Found]:
    found: list[Found] = []
    for name, own, each in data:
        if name == "AssetCheck":
            check = from_json(AssetCheck, each)
            found.append(check._replace(integration=integration) if own else check)
        else:
            asset = from_json(Asset, each)
            if own:
                # Nothing else has it yet, and a copy of each would take as long as reading it.
                object.__setattr__(asset, "integration", integration)
            found.append(asset)
    return found
