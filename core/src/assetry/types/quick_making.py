"""Frozen classes that are made very often: graphs have tens of thousands of assets."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any


def make_quickly(cls: type[Any]) -> None:
    """Give a frozen dataclass with slots an `__init__` that writes the slots themselves.

    The one that `dataclass` writes goes through `object.__setattr__` for each field, which takes most of the time that
    a large graph needs to be loaded.
    """
    parameters: list[str] = []
    lines: list[str] = []
    names: dict[str, Any] = {"unset": MISSING}
    for each in fields(cls):
        name = each.name
        names[f"put_{name}"] = getattr(cls, name).__set__
        if each.default_factory is not MISSING:
            names[f"new_{name}"] = each.default_factory
            parameters.append(f"{name}=unset")
            lines.append(f"    put_{name}(self, new_{name}() if {name} is unset else {name})")
        else:
            names[f"default_{name}"] = each.default
            parameters.append(name if each.default is MISSING else f"{name}=default_{name}")
            lines.append(f"    put_{name}(self, {name})")
    exec("\n".join((f"def __init__(self, *, {', '.join(parameters)}):", *lines, "    self.__post_init__()")), names)
    made = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    cls.__init__ = made
