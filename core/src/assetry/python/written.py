"""Values written out: as text that is the same in every process, under another hash seed and in a moved folder."""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import inspect
import os
import re
import types
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from assetry.io.content import content_version
from assetry.io.frames import frame_name, to_arrow

#: Modules whose values say all about themselves as text.
_PLAIN = {"datetime", "decimal", "fractions", "uuid", "zoneinfo", "ipaddress"}

_BASES: tuple[Any, ...] = (dict, list, tuple, set, frozenset, str, bytes, int, float)


class UntoldError(Exception):
    """A value cannot be written out."""


class Writer:
    """What writes values out, and notes the functions and classes that they are made of.

    Paths are written as they are reached from `root`. Of a value that is made by code only, as of an open connection,
    `text` raises `UntoldError`; with `plain` any object but data is written as its type, and never asked.

    >>> Writer("/shop").text({"b": {2, 1}, "a": (PurePath("/shop/q.sql"), re.compile("x"))})
    "{'b': set(1, 2), 'a': tuple(Path('q.sql'), Pattern('x', 32))}"
    """

    def __init__(self, root: str, *, plain: bool = False) -> None:
        self.root = root
        self.plain = plain
        self.functions: list[types.FunctionType] = []
        self.classes: list[type] = []
        self._inside: list[int] = []

    def text(self, value: Any) -> str:
        """Return one way to write a value."""
        if id(value) in self._inside:
            return f"<{len(self._inside) - self._inside.index(id(value))} up>"
        self._inside.append(id(value))
        try:
            return self._data(value) or self._made(value)
        except UntoldError:
            raise
        except Exception as error:  # of the value's own code, and of what is nested too deep
            raise UntoldError(type(value).__qualname__) from error
        finally:
            self._inside.pop()

    def _data(self, value: Any) -> str | None:
        kind = type(value)
        if kind is str:
            return repr(self._moved(value))
        if kind is bytes or kind is bytearray:
            return repr(value) if len(value) < 1000 else f"{kind.__name__}({_digest(value)})"
        if kind in (int, float, complex, bool, type(None), type(...), range):
            return repr(value)
        if kind is dict:
            return f"{{{', '.join(f'{self.text(name)}: {self.text(each)}' for name, each in value.items())}}}"
        if kind in (list, tuple):
            return self._listed(kind.__name__, (self.text(each) for each in value))
        if kind in (set, frozenset):
            return self._listed(kind.__name__, sorted(self.text(each) for each in value))
        if isinstance(value, enum.Enum):
            return f"{self._class(kind)}.{value.name}({self.text(value.value)})"
        if isinstance(value, PurePath):
            return f"Path({self._moved(value.as_posix())!r})"
        if isinstance(value, re.Pattern):
            return f"Pattern({value.pattern!r}, {value.flags})"
        if kind.__module__ in _PLAIN:
            zone = getattr(value, "tzinfo", None)
            return f"{kind.__name__}({value})" + (f" {self.text(zone)}" if zone is not None else "")
        return self._table(value)

    def _table(self, value: Any) -> str | None:
        """Write what holds rows by its content."""
        kind, library = type(value), type(value).__module__.partition(".")[0]
        frame = frame_name(value)
        if frame == "polars.LazyFrame":
            raise UntoldError(frame)  # to look at it might read a lake
        if frame is not None:
            return f"{frame}({content_version(to_arrow(value))}{self._labels(value)})"
        if library == "polars" and kind.__name__ == "Series":
            return f"{library}.Series({value.name!r}, {self._table(value.to_frame())})"
        if library == "pandas" and kind.__name__ == "Series":
            cells = self._table(value.reset_index(drop=True).to_frame("value"))
            return f"{library}.Series({self.text(value.name)}, {cells}{self._labels(value)})"
        if library == "pandas" and kind.__name__.endswith("Index"):
            cells = self._table(value.to_frame(index=False, name=[str(each) for each in range(value.nlevels)]))
            return f"{library}.{kind.__name__}({self.text(list(value.names))}, {cells})"
        if library == "numpy" and hasattr(value, "dtype") and hasattr(value, "tobytes"):
            inner = self.text(value.tolist()) if value.dtype.hasobject else _digest(value.tobytes())
            return f"{kind.__name__}({value.dtype}, {value.shape}, {inner})"
        return None

    def _labels(self, value: Any) -> str:
        """Write the index of what pandas made, unless its rows are only numbered."""
        if frame_name(value) != "pandas.DataFrame" and type(value).__name__ != "Series":
            return ""
        index = value.index
        numbered = type(index).__name__ == "RangeIndex" and (index.start, index.step) == (0, 1)
        return "" if numbered else f", {self._table(index)}"

    def _made(self, value: Any) -> str:
        """Write what code made: a function, a class, an object by what it would be made of again."""
        if inspect.isclass(value):
            return self._class(value)
        if inspect.isfunction(value):
            self.functions.append(value)
            return f"function {value.__module__}.{value.__qualname__}"
        if isinstance(value, types.ModuleType):
            return f"module {value.__name__}"
        if isinstance(value, functools.partial):
            return f"partial({self.text(value.func)}, {self.text(value.args)}, {self.text(value.keywords)})"
        if isinstance(value, types.MethodType):
            return f"method({self.text(value.__self__)}, {self.text(value.__func__)})"
        inner = inspect.unwrap(value) if hasattr(value, "__wrapped__") else None
        if inspect.isfunction(inner):
            self.functions.append(inner)
        fields = _fields(value)
        if fields is not None:
            return f"{self._class(type(value))}({self.text(fields)})"
        base = next((each for each in _BASES if isinstance(value, each)), None) if self.plain else None
        if base is not None:
            return f"{self._class(type(value))}({self.text(base(value))})"
        if self.plain:
            return f"a {type(value).__qualname__}"
        return self._object(value)

    def _object(self, value: Any) -> str:
        reduced = value.__reduce_ex__(4)
        if isinstance(reduced, str):
            return f"{getattr(value, '__module__', '')}.{reduced}"
        maker, args, *rest = reduced
        parts = [self.text(maker), *(self.text(each) for each in args)]
        state, listed, named = (*rest, None, None, None)[:3]
        parts += [self.text(each) for each in (state, listed and list(listed), named and dict(named))]
        return self._listed(self._class(type(value)), parts)

    def _class(self, kind: type) -> str:
        self.classes.append(kind)
        return f"{kind.__module__}.{kind.__qualname__}"

    @staticmethod
    def _listed(name: str, texts: Iterable[str]) -> str:
        return f"{name}({', '.join(texts)})"

    def _moved(self, text: str) -> str:
        """Return a path as it is reached from the root, unless it lies elsewhere altogether."""
        if not os.path.isabs(text):  # noqa: PTH117 - a text is asked, no file
            return text.replace(os.path.join(self.root, ""), "") if len(self.root) > 1 else text  # noqa: PTH118
        try:
            shared = os.path.commonpath([self.root, text])
        except ValueError:  # on another drive
            return text
        return text if os.path.dirname(shared) == shared else os.path.relpath(text, self.root)  # noqa: PTH120


def _fields(value: Any) -> dict[str, Any] | None:
    """Return what a value of a class that lists its fields holds."""
    kind = type(value)
    if isinstance(value, types.SimpleNamespace):
        return dict(vars(value))
    names: Iterable[str] = getattr(kind, "_fields", ()) if isinstance(value, tuple) else ()
    if dataclasses.is_dataclass(value):
        names = [each.name for each in dataclasses.fields(value)]
    elif hasattr(kind, "__attrs_attrs__"):
        names = [each.name for each in kind.__attrs_attrs__]
    elif hasattr(kind, "__pydantic_fields__"):
        names = list(kind.__pydantic_fields__)
    return {name: getattr(value, name, None) for name in names} if names else None


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
