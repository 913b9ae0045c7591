"""What the hooks of a plugin look like, and what is wrong with them."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from assetry.errors import AssetryError, error_words, near_names

PREFIX = "assetry_"

#: Where the code of assetry and that of Python itself stand.
_ASSETRY, _PYTHON = (f"{each}{os.sep}" for each in (Path(__file__).parents[1], Path(os.__file__).parent))


#: The attribute of a plugin that says what it refuses to do, and why: ``ASSETRY_REFUSES = {"resume": "…"}``.
REFUSES = "ASSETRY_REFUSES"


def hooks_in(specs: Any) -> tuple[str, ...]:
    """Return the names of the hooks that a module (or object) specifies.

    >>> from assetry.hooks import specs
    >>> "assetry_invoke" in hooks_in(specs)
    True
    """
    return tuple(name for name in dir(specs) if name.startswith(PREFIX) and callable(getattr(specs, name)))


def hooks_of(plugin: Any, known: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the hooks a plugin implements, and what looks like a hook but is not one."""
    hooks: list[str] = []
    problems: list[str] = []
    for name in dir(plugin):
        if not name.startswith(PREFIX) or not callable(getattr(plugin, name)):
            continue
        marked = getattr(getattr(plugin, name), "assetry_impl", None)
        if marked is None:
            if name in known:
                problems.append(f"{name} is not marked with @hookimpl, so it is never called")
        elif name in known:
            hooks.append(name)
        elif not marked.get("optionalhook"):
            near = near_names(name, known, most=1)
            problems.append(f"there is no hook {name}" + (f"; did you mean {near[0]}?" if near else ""))
    return tuple(hooks), tuple(problems)


def refusals_of(plugin: Any) -> dict[str, str]:
    """Return what a plugin says that it refuses, with the reasons.

    >>> class Acme: ASSETRY_REFUSES = {"resume": "its jobs have no ids"}
    >>> refusals_of(Acme)
    {'resume': 'its jobs have no ids'}
    """
    found = getattr(plugin, REFUSES, None)
    return {str(name): str(reason) for name, reason in found.items()} if isinstance(found, Mapping) else {}


def loading_problem(error: BaseException, specs: Any) -> str:
    """Say why a plugin could not be loaded: where, and for a wrong argument, which ones the hook has."""
    if isinstance(error, pluggy.PluginValidationError):
        return _validation_problem(error, specs)
    if isinstance(error, AssetryError):
        return error.message + (f" ({error.where})" if error.where else "")
    where = place_of(error)
    return error_words(error) + (f" ({where})" if where else "")


def _validation_problem(error: pluggy.PluginValidationError, specs: Any) -> str:
    """Say which hook was misdeclared, and which arguments it does have."""
    text = str(error)
    hook = next((name for name in hooks_in(specs) if f"'{name}'" in text), None)
    strange = re.search(r"Argument\(s\) \{(.*)\}", text)
    if hook is None or strange is None:
        return " ".join(text.split())
    known = [each for each in inspect.signature(getattr(specs, hook)).parameters if each != "self"]
    names = re.findall(r"\w+", strange[1])
    near = [each for name in names for each in near_names(name, known, most=1)]
    meant = f"; did you mean {' and '.join(near)}?" if near else ""
    return f"{hook} takes {', '.join(known)}, not {', '.join(sorted(names))}{meant}"


def place_of(error: BaseException) -> str | None:
    """Return file:line of the innermost frame of an error that is neither in assetry nor in Python; else of any.

    What is wrong there is mostly what was given to it.
    """
    frames: list[tuple[str, int]] = []
    trace = error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    of_others = [each for each in frames if not _is_ours(each[0])]
    return "{}:{}".format(*(of_others or frames)[-1]) if frames else None


def _is_ours(file: str) -> bool:
    installed = "site-packages" in file or "dist-packages" in file
    return file.startswith(_ASSETRY) or file.startswith("<frozen") or (file.startswith(_PYTHON) and not installed)


def local_name(plugin: Any, taken: Iterable[str]) -> str:
    """Return what a plugin of the project is called: its module, or its class.

    >>> import json
    >>> local_name(json, []), local_name(json, ["json"])
    ('json', 'json-1')
    """
    name = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__name__
    known = set(taken)
    return name if name not in known else f"{name}-{len(known)}"
