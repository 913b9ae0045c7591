"""The user's Python modules: imported from the project's folder, afresh when they changed, leaving no files behind."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType, TracebackType
from typing import Any, ClassVar

from assetry.errors import AssetryError, IntegrationError, integration_at, near_names
from assetry.python.code import written_place
from assetry.python.lost import noting_made

#: Modules are imported one project at a time: two roots may have modules of one name.
_lock = threading.RLock()


def import_modules(names: Sequence[str], root: str) -> list[ModuleType]:
    """Import modules by their dotted names from the folder `root`, and all modules of those that are packages.

    A module that another root had imported under that name is replaced, and all of the root's modules are imported
    again when one of their files has changed. No ``__pycache__`` is written beside them.

    Raises `IntegrationError`, with the place of the failing line, when one cannot be imported.

    >>> [module.__name__ for module in import_modules(["json.encoder"], ".")]
    ['json.encoder']
    """
    if not names:
        return []
    root = os.path.realpath(root)
    with _lock, _zones_unchanged():
        _make_room(root)
        modules = [_import(name, root) for name in names]
        found = [each for module in modules for each in (module, *_submodules(module, root))]
    return list(dict.fromkeys(found))


@contextmanager
def _zones_unchanged() -> Iterator[None]:
    """Take back what the import of pandera does to the process where there is no pyspark, for which it is meant.

    With this variable Arrow takes 10:00+02:00 for 10:00 in UTC when it is given Python's times.
    """
    variable = "PYARROW_IGNORE_TIMEZONE"
    before = os.environ.get(variable)
    try:
        yield
    finally:
        if before is None and "pyspark" not in sys.modules:
            os.environ.pop(variable, None)


def find_attribute(module: str, qualname: str, root: str) -> Any:
    """Return what stands under a dotted name in a module; raise `IntegrationError` when it is not there.

    >>> find_attribute("json", "JSONDecoder.decode", ".").__name__
    'decode'
    """
    found: Any = import_modules([module], root)[0]
    for part in qualname.split("."):
        if not hasattr(found, part):
            raise IntegrationError(
                f"There is no {qualname!r} in module {module!r}.",
                near=near_names(part, [name for name in dir(found) if not name.startswith("__")]),
                hint="An asset function must be reachable by name at the top of its module.",
            )
        found = getattr(found, part)
    return found


class _Finder:
    """The finder of modules below the project's folder, first of all and without writing bytecode."""

    root: str | None = None
    #: Every root there was: tests and notebooks restore `sys.path` as it was under an earlier one.
    roots: ClassVar[set[str]] = set()

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if cls.root is None:
            return None
        spec = PathFinder.find_spec(name, [cls.root] if path is None else path, target)
        if spec is None or spec.origin is None or not is_below(spec.origin, cls.root):
            return None
        if type(spec.loader) is SourceFileLoader:
            spec.loader = _SourceLoader(name, spec.origin)
        return spec


class _SourceLoader(SourceFileLoader):
    """A loader that compiles from source each time: a cached file can carry the time stamp of an older text."""

    def path_stats(self, path: str | bytes) -> Any:  # noqa: ARG002 - the signature of the base
        raise OSError("no bytecode is read or written")


def is_below(path: str, root: str) -> bool:
    """Tell whether a file is the project's own: below its root, and not in an environment that lies there.

    >>> is_below("/shop/assets/orders.py", "/shop"), is_below("/shop/.venv/lib/site-packages/x.py", "/shop")
    (True, False)
    """
    if not path.startswith(os.path.join(root, "")):  # noqa: PTH118 - runs for each module of the process
        return False
    folders = path[len(root) :].split("/" if os.sep == "/" else os.sep)[:-1]
    return not any(folder in ("site-packages", "dist-packages") or folder.startswith(".") for folder in folders)


def own_modules(root: str) -> Iterator[tuple[str, ModuleType]]:
    """Yield the imported modules of the folder `root`, by name."""
    for name, module in list(sys.modules.items()):
        spec: ModuleSpec | None = getattr(module, "__spec__", None)
        if spec is None:
            continue
        if isinstance(spec.loader, _SourceLoader):
            own = is_below(spec.origin or "", root)
        else:
            # A folder without __init__.py has no origin.
            folders = () if spec.origin else spec.submodule_search_locations or ()
            own = any(is_below(os.path.join(folder, ""), root) for folder in folders)  # noqa: PTH118
        if own:
            yield name, module


def _stamp(module: ModuleType) -> tuple[int, int]:
    try:
        facts = os.stat(getattr(module, "__file__", None) or "")  # noqa: PTH116
    except OSError:
        return (0, 0)
    return (facts.st_mtime_ns, facts.st_size)


def _make_room(root: str) -> None:
    """Point the finder at `root`; forget what other roots, or an older state of its files, left in `sys.modules`."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    if _Finder.root is not None and _Finder.root != root:
        for name, _ in list(own_modules(_Finder.root)):
            del sys.modules[name]
    for name, module in list(sys.modules.items()):
        # Also what came back by itself: tests and notebooks restore `sys.modules` as it was under an earlier root.
        loader = getattr(module, "__loader__", None)
        if isinstance(loader, _SourceLoader) and not is_below(loader.path, root):
            del sys.modules[name]
    own = list(own_modules(root))
    if any(getattr(module, "__assetry_stamp__", None) != _stamp(module) for _, module in own):
        for name, _ in own:
            del sys.modules[name]
    _Finder.root = root
    _Finder.roots.add(root)
    sys.path[:] = [each for each in sys.path if each == root or each not in _Finder.roots]
    if root not in sys.path:
        sys.path.insert(0, root)
    importlib.invalidate_caches()


def _import(name: str, root: str) -> ModuleType:
    try:
        with noting_made():
            module = importlib.import_module(name)
    except AssetryError as error:
        if error.where is None or integration_at(error.where):
            error.where = _where(error, root) or error.where
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # user code may end in anything
        raise _import_error(name, root, error) from error
    finally:
        for _, own in own_modules(root):
            if getattr(own, "__file__", "") is None:
                # `inspect` trips over it where an earlier project had a module of this name with a file.
                del own.__file__
            if not hasattr(own, "__assetry_stamp__"):
                own.__assetry_stamp__ = _stamp(own)  # type: ignore[attr-defined]
    return module


def _submodules(module: ModuleType, root: str) -> Iterator[ModuleType]:
    """Import what lies in a package's folders; those below it need no ``__init__.py``."""
    names: set[str] = set()
    for folder in getattr(module, "__path__", ()):
        if is_below(os.path.join(folder, ""), root):  # noqa: PTH118
            names.update(_module_names(folder))
    for name in sorted(names - {"__init__", "__main__"}):
        found = _import(f"{module.__name__}.{name}", root)
        yield found
        yield from _submodules(found, root)


def _module_names(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name.removesuffix(".py")
            if name.isidentifier() and (
                name != entry.name or (entry.is_dir(follow_symlinks=False) and any(_module_names(entry.path)))
            ):
                yield name


def _import_error(name: str, root: str, error: BaseException) -> IntegrationError:
    missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    if missing is not None and (name == missing or name.startswith(missing + ".")):
        here = [entry.name.removesuffix(".py") for entry in os.scandir(root) if entry.name.endswith(".py")]
        return IntegrationError(
            f"There is no Python module {name!r} in {root}.",
            near=near_names(name, here),
            hint="Modules are named as in an import; correct `modules` in the project file.",
        )
    hint = "Correct the module; nothing was run."
    if missing is not None:
        hint = f"Install what provides {missing!r} into the environment of assetry, or correct the import."
    return IntegrationError(
        f"Module {name!r} cannot be imported: {type(error).__name__}{_said(error)}.",
        where=_where(error, root),
        hint=hint,
    )


def _said(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # its text is user code, too
        return ""
    return f": {text}" if text else ""


def _where(error: BaseException, root: str) -> str | None:
    if isinstance(error, SyntaxError) and error.filename:
        return written_place(error.filename, error.lineno or 1)
    found: str | None = None
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if is_below(path, root):
            found = written_place(path, trace.tb_lineno)
        trace = trace.tb_next
    return found
