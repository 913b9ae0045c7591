"""Commands that plugins add: what a plain function's signature and docstring say of how it is called. Pure."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from assetry.types.options import flag_of

#: What a command's function returns: None, or the exit code.
Work = Callable[..., int | None]
Sort = Literal["int", "float", "bool", "str", "Path"]

_SORTS: Mapping[type, Sort] = {int: "int", float: "float", bool: "bool", str: "str"}
_MANY: Mapping[Any, Callable[[Sequence[Any]], Any]] = {list: list, tuple: tuple, Sequence: tuple, Collection: tuple}
_TAKEN = "int, float, bool, str, Path, Literal of texts; list[…] or tuple[…, ...] of one of them; or one of them | None"


@dataclass(frozen=True, slots=True)
class CommandParameter:
    """One argument of a command, or with a `flag` one option, as its function's signature says it.

    `choices` are the texts it may be, any when empty; `gather` makes the value of many, None where it takes one.

    >>> CommandParameter("since", "str", flag="--since").required
    True
    """

    name: str
    sort: Sort
    flag: str | None = None
    choices: tuple[str, ...] = ()
    gather: Callable[[Sequence[Any]], Any] | None = None
    required: bool = True
    default: Any = None
    help: str = ""

    @property
    def both(self) -> bool:
        """Tell whether it is a flag that can be turned off as well: one that is on, or may be left open."""
        return self.sort == "bool" and self.flag is not None and self.default is not False

    @property
    def flags(self) -> tuple[str, ...]:
        """Return all ways in which it is written.

        >>> CommandParameter("force", "bool", flag="--force").flags
        ('--force', '--no-force')
        """
        if self.flag is None:
            return ()
        return (self.flag, f"--no-{self.flag[2:]}") if self.both else (self.flag,)


@dataclass(frozen=True, slots=True)
class Command:
    """A command that a plugin adds: its function, how that is called, and where it stands.

    `problem` is what is wrong with the function, so that it cannot be called; `selects` says that the command takes a
    selection of assets.

    >>> def pull(context, names: list[str], *, force: bool = False) -> None:
    ...     '''Read anew.'''
    >>> [each.flag for each in Command.of("pull", pull).parameters]
    [None, '--force']
    """

    name: str
    work: Work
    help: str = ""
    parameters: tuple[CommandParameter, ...] = ()
    where: str | None = None
    problem: str | None = None
    selects: bool = False

    @classmethod
    def of(cls, name: str, work: Work, *, selects: bool = False) -> Command:
        """Read what a function says of how it is called; what is wrong with it becomes the `problem`."""
        doc = inspect.getdoc(work) or ""
        first, where = " ".join(doc.partition("\n\n")[0].partition("\n:")[0].split()), _place(work)
        first = "" if first.startswith(":") else first
        try:
            parameters = tuple(_parameters(work, _param_lines(doc)))
        except _Wrong as wrong:
            return cls(name, work, first, where=where, problem=str(wrong), selects=selects)
        return cls(name, work, first, parameters, where, selects=selects)

    def call(self, context: Any, given: Mapping[str, Any]) -> Any:
        """Call the function with what was asked and the value of each parameter by its name."""
        values = {each.name: given[each.name] for each in self.parameters}
        for each in self.parameters:
            if each.gather is not None:
                values[each.name] = each.gather(values[each.name] or ())
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for name, parameter in list(inspect.signature(self.work).parameters.items())[1:]:
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional += values[name]
            elif parameter.kind is parameter.KEYWORD_ONLY:
                keywords[name] = values[name]
            else:
                positional.append(values[name])
        return self.work(context, *positional, **keywords)


class _Wrong(Exception):
    """What is wrong with the signature of a command's function."""


def _place(work: Any) -> str | None:
    code = getattr(inspect.unwrap(work) if callable(work) else work, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else None


def _param_lines(doc: str) -> dict[str, str]:
    """Return what the ``:param name:`` lines of a docstring say, by name.

    >>> _param_lines("Pull.\\n\\n:param names: which\\n    ones\\n:param force: also\\n\\nMore.")
    {'names': 'which ones', 'force': 'also'}
    """
    found = re.findall(r"^:param (?:\S+ )?\*{0,2}(\w+):((?:.*)(?:\n[ \t]+\S.*)*)", doc, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _parameters(work: Work, told: Mapping[str, str]) -> Iterator[CommandParameter]:
    """Yield the parameters of a function after the first, which is given what was asked of the call."""
    if not callable(work):
        raise _Wrong(f"is a {type(work).__name__}, and not a function")
    if inspect.iscoroutinefunction(work) or inspect.isgeneratorfunction(work) or inspect.isasyncgenfunction(work):
        raise _Wrong("is called as a plain function, and is an async or generator function")
    try:
        first, *rest = inspect.signature(work).parameters.values()
    except (TypeError, ValueError):
        raise _Wrong("takes no context; its first parameter is given it: def f(context: CommandContext, …)") from None
    if first.kind not in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD):
        raise _Wrong(f"takes `{first}` first, and is given the context there: def f(context: CommandContext, …)")
    many: str | None = None
    flags: dict[str, str] = {}
    for each in rest:
        if each.kind is each.VAR_KEYWORD:
            raise _Wrong(f"takes `{each}`; write each option as a parameter after `*`")
        made = _parameter(work, each, told.get(each.name, ""))
        if made.flag is None:
            if many is not None:
                raise _Wrong(f"takes `{each.name}` after `{many}`, which takes all that is left; write it after `*`")
            many = each.name if made.gather is not None else None
        for flag in made.flags:
            if flag in flags:
                raise _Wrong(f"takes `{flags[flag]}` and `{each.name}`, which are both written {flag}; rename one")
            flags[flag] = each.name
        yield made


def _parameter(work: Work, given: inspect.Parameter, told: str) -> CommandParameter:
    spread = given.kind is given.VAR_POSITIONAL
    flag = flag_of(given.name.strip("_")) if given.kind is given.KEYWORD_ONLY else None
    sort, choices, gather, optional = _read(given.name, _annotation(work, given))
    if sort == "bool" and flag is None:
        raise _Wrong(f"takes `{given.name}: bool` as an argument; write it after `*`, so that it is an option")
    if sort == "bool" and gather is not None:
        raise _Wrong(f"takes many of `{given.name}`, each a bool; an option without a value is given once")
    if spread and gather is not None:
        raise _Wrong(f"takes `*{given.name}` of lists; write what each of them is: *{given.name}: str")
    gather = tuple if spread else gather
    lacks = given.default is given.empty
    if gather is not None and not lacks and given.default:
        raise _Wrong(f"has a default for `{given.name}`, which takes many; put in what is meant inside the function")
    default = None if lacks or gather is not None else given.default
    required = lacks and gather is None and not optional
    if choices and default is not None and default not in choices:
        raise _Wrong(f"has the default {default!r} for `{given.name}`, which is none of {', '.join(choices)}")
    number: tuple[type, ...] = {"int": (int,), "float": (int, float)}.get(sort, (object,))
    if default is not None and not isinstance(default, number):
        raise _Wrong(f"has the default {default!r} for `{given.name}`, which is no {sort}")
    return CommandParameter(given.name, sort, flag, choices, gather, required, default, told)


def _annotation(work: Work, given: inspect.Parameter) -> Any:
    """Return what a parameter is annotated as; the type of its default when nothing is written, else text."""
    if given.annotation is given.empty:
        return type(given.default) if type(given.default) in _SORTS else str
    if not isinstance(given.annotation, str):
        return given.annotation
    names = getattr(inspect.unwrap(work), "__globals__", {})
    try:
        return eval(given.annotation, dict(names))  # the author's own code, as typing.get_type_hints does
    except Exception:
        raise _Wrong(
            f"has `{given.name}: {given.annotation}`, which cannot be read; import its names at the top of the module"
        ) from None


def _read(name: str, annotation: Any) -> tuple[Sort, tuple[str, ...], Callable[[Sequence[Any]], Any] | None, bool]:
    """Return what an annotation means: the sort of value, the choices, what makes many of it, whether None is one."""
    origin, within = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _read(name, within[0])
    if origin in (typing.Union, types.UnionType) and type(None) in within and len(within) == 2:
        sort, choices, gather, _ = _read(name, next(each for each in within if each is not type(None)))
        return sort, choices, gather, True
    if origin is Literal and all(isinstance(each, str) for each in within):
        return "str", within, None, False
    if annotation in (list, tuple):
        return "str", (), _MANY[annotation], False
    if origin in _MANY and (len(within) == 1 or (len(within) == 2 and within[1] is ...)):
        sort, choices, gather, optional = _read(name, within[0])
        if gather is None and not optional:
            return sort, choices, _MANY[origin], False
    elif isinstance(annotation, type) and annotation in _SORTS:
        return _SORTS[annotation], (), None, False
    elif getattr(annotation, "__name__", "") == "Path" and annotation.__module__.partition(".")[0] == "pathlib":
        return "Path", (), None, False
    written = annotation.__name__ if isinstance(annotation, type) and origin is None else str(annotation)
    raise _Wrong(f"has `{name}: {written}`, which no command line can give; it takes {_TAKEN}")
