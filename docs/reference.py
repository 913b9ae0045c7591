"""Write the parts of reference.md and toolkit.md that the code knows better: ``cog -r docs/*.md``, or `make docs`.

Each function returns Markdown made from signatures and docstrings.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pkgutil import walk_packages
from types import ModuleType
from typing import Any, Literal, get_args, get_origin, is_typeddict

import assetry_toolkit
from assetry import errors, plugin, testing
from assetry.columns.column_types import KNOWN_NAMES, column_type
from assetry.hooks import specs as hookspecs
from assetry.hooks.inspection import hooks_in
from assetry.testing import subjects
from assetry.types import events

#: Fields that are nothing to a plugin author: class variables that the codec reads.
_HIDDEN = ("json_tag", "json_names")
#: The language of blocks that are there to be read: those of the documentation are run otherwise.
_SHOWN = "python norun"


def hooks() -> str:
    """Return a heading, the signature and the promise of every hook, in the order of their definition."""
    found = sorted(hooks_in(hookspecs), key=lambda name: _line(getattr(hookspecs, name)))
    return "\n\n".join(_function(getattr(hookspecs, name)) for name in found)


def manners() -> str:
    """Return a table of all hooks and how each is called."""
    rows = []
    for name in sorted(hooks_in(hookspecs), key=lambda name: _line(getattr(hookspecs, name))):
        said = inspect.getdoc(getattr(hookspecs, name)) or ""
        rows.append((f"[`{name}`](#{name})", manner(said), _sentence(said)))
    return _table(("hook", "asked", "to"), rows)


def manner(doc: str) -> str:
    """Return the manner of calling that a hook's docstring names.

    >>> manner("Return the assets. Claim, by kind.")
    'claim'
    """
    opening = " ".join(doc.split("\n\n")[0].split())
    found = re.search(r"\b(Claim|Routed|All|first answer)\b", opening)
    if found is None:
        raise ValueError(f"a hook's docstring does not say how it is called: {opening}")
    return {"first answer": "first"}.get(found[1], found[1].lower())


def values() -> str:
    """Return a heading, the fields and the docstring of the values that plugins read and make."""
    return "\n\n".join(_value(each) for each in offered("value"))


def column_types() -> str:
    """Return a table of the words for types of columns, with what others write in their place."""
    written: dict[str, list[str]] = {}
    for name in KNOWN_NAMES:
        written.setdefault(str(column_type(name)), []).append(name)
    rows = [(f"`{word}`", ", ".join(f"`{name}`" for name in names if name != word)) for word, names in written.items()]
    return _table(("word", "also written"), rows)


def tool_events() -> str:
    """Return the events that a plugin may yield."""
    return "\n\n".join(_value(each) for each in offered("event") if each is not events.Event)


def protocols() -> str:
    """Return what an object must have to be an IO manager, a store, an executor; and what the context has."""
    return "\n\n".join(_protocol(each) for each in offered("protocol"))


def functions() -> str:
    """Return the functions that plugins may use."""
    return "\n\n".join(_function(each) for each in offered("function"))


def offered(what: str) -> list[Any]:
    """Return what `assetry.plugin` offers of one sort, in the order of its modules."""
    found = [getattr(plugin, name) for name in plugin.__all__]
    chosen = [each for each in found if get_origin(each) is not Literal and sort_of(each) == what]
    return sorted(chosen, key=lambda each: (each.__module__, _line(each)))


def sort_of(thing: Any) -> str:
    """Say what a thing that plugins may import is: the chapter in which it stands.

    >>> sort_of(plugin.Started), sort_of(plugin.Asset), sort_of(plugin.RunError), sort_of(plugin.near_names)
    ('event', 'value', 'error', 'function')
    """
    if not isinstance(thing, type):
        return "function" if inspect.isfunction(thing) else "mark"
    if issubclass(thing, events.Event):
        return "event"
    if issubclass(thing, Exception):
        return "error"
    return "protocol" if getattr(thing, "_is_protocol", False) else "value"


def words() -> str:
    """Return a heading for each type that is a choice of words, with the words."""
    found = [(name, getattr(plugin, name)) for name in plugin.__all__]
    choices = [(name, get_args(each)) for name, each in found if get_origin(each) is Literal]
    return "\n\n".join(f"### {name}\n\n" + ", ".join(f"`{word}`" for word in each) for name, each in choices)


def option_types() -> str:
    """Return a table of the types of options, with what is of each."""
    found = [(name, getattr(plugin, name)) for name in plugin.__all__]
    rows = [(f"`{name}`", each.words) for name, each in found if isinstance(each, plugin.OptionType)]
    return _table(("type", "is"), rows)


def error_tree() -> str:
    """Return the tree of errors, as it is drawn at the top of their module."""
    paragraphs = (inspect.getdoc(errors) or "").split("\n\n")
    tree = next(each for each in paragraphs if "├──" in each)
    return _code("text", textwrap.dedent(tree))


def capabilities() -> str:
    """Return what each kind of plugin may refuse to the conformance kit."""
    kinds = {
        "an integration": subjects.INTEGRATION_CAPABILITIES,
        "an IO manager": subjects.IO_CAPABILITIES,
        "a store": subjects.STORE_CAPABILITIES,
        "an executor": subjects.EXECUTOR_CAPABILITIES,
    }
    rows = [(who, f"`{name}`", means) for who, known in kinds.items() for name, means in known.items()]
    return _table(("may be refused by", "capability", "means"), rows)


def for_tests() -> str:
    """Return what `assetry.testing` offers: what authors fill in and call, then the classes with checks."""
    found = [getattr(testing, name) for name in testing.__all__]
    return "\n\n".join(_thing(each) for each in sorted(found, key=lambda each: each.__name__.endswith("Conformance")))


# -- the toolkit -------------------------------------------------------------------------------------------------------


def toolkit_modules() -> list[ModuleType]:
    """Return the public modules of the toolkit; a package that says what it offers stands for those in it.

    >>> [each.__name__ for each in toolkit_modules()][:2]
    ['assetry_toolkit.auth', 'assetry_toolkit.clock']
    """
    names = [each.name for each in walk_packages(assetry_toolkit.__path__, "assetry_toolkit.")]
    found = [import_module(name) for name in names]
    whole = tuple(f"{each.__name__}." for each in found if hasattr(each, "__path__") and hasattr(each, "__all__"))
    return [each for each in found if not each.__name__.startswith(whole) and _public(each)]


def toolkit_contents() -> str:
    """Return a list of the toolkit's modules, with what each offers."""
    lines = []
    for module in toolkit_modules():
        names = ", ".join(f"`{each.__name__}`" for each in _public(module))
        lines.append(f"* [`{_short(module)}`](#{_short(module).replace('.', '')}): {names}")
    return "\n".join(lines)


def toolkit() -> str:
    """Return a chapter for each module of the toolkit."""
    chapters = (
        "\n\n".join((f"## {_short(each)}", _prose(each), *(_thing(public) for public in _public(each))))
        for each in toolkit_modules()
    )
    # Three brackets in a row are what cog looks for.
    return "\n\n".join(chapters).replace("]]]", "]] ]").replace("[[[", "[[ [")


def option_tables() -> str:
    """Return the options that the toolkit has for the tables of integrations."""
    from assetry_toolkit.options import HOSTED_OPTIONS, JOB_OPTIONS

    found = {"JOB_OPTIONS": JOB_OPTIONS, "HOSTED_OPTIONS": HOSTED_OPTIONS}
    rows = [
        (f"`{of}`", f"`{name}`", each.words, each.help) for of, them in found.items() for name, each in them.items()
    ]
    return _table(("of", "option", "is", "for"), rows)


def _short(module: ModuleType) -> str:
    return module.__name__.removeprefix("assetry_toolkit.")


def _public(module: ModuleType) -> list[Any]:
    """Return the classes and functions that a module, or a package by its `__all__`, offers of its own."""
    inner = f"{module.__name__}." if hasattr(module, "__path__") else None
    found = [vars(module)[name] for name in getattr(module, "__all__", vars(module)) if not name.startswith("_")]
    things = [each for each in found if isinstance(each, type) or inspect.isfunction(inspect.unwrap(each))]
    homes = [str(getattr(each, "__module__", "")) for each in things]
    own = [each for each, home in zip(things, homes, strict=True) if _own(home, module.__name__, inner)]
    return sorted(own, key=lambda each: (each.__module__, _line(each)))


def _own(home: str, module: str, inner: str | None) -> bool:
    return home == module or (inner is not None and home.startswith(inner))


# -- one thing ---------------------------------------------------------------------------------------------------------


def _thing(thing: Any) -> str:
    if not isinstance(thing, type):
        return _function(thing)
    if getattr(thing, "_is_protocol", False):
        return _protocol(thing)
    return _class(thing)


def _class(kind: type) -> str:
    """Return a class with how it is made, and what it has for those who use it."""
    if is_typeddict(kind) or dataclasses.is_dataclass(kind) or issubclass(kind, tuple):
        shown = _value(kind)
    else:
        made = _signature(kind.__init__, kind.__name__) if "__init__" in vars(kind) else ""
        shown = "\n\n".join((f"### {kind.__name__}", *([_code(_SHOWN, _wrapped(made))] if made else []), _prose(kind)))
    # What a class with checks has besides are pytest's fixtures, of the kit's own.
    members = "" if kind.__name__.endswith("Conformance") else "\n".join(_members(kind))
    return f"{shown}\n\n{members}" if members else shown


def _function(function: Callable[..., Any]) -> str:
    line = _wrapped(f"def {_signature(function)}")
    return f"### {function.__name__}\n\n{_code(_SHOWN, line)}\n\n{_prose(function)}"


def _wrapped(line: str) -> str:
    return line if len(line) <= 100 else re.sub(r"\((.*)\)", lambda found: f"(\n    {found[1]}\n)", line)


def _value(kind: type) -> str:
    fields = list(_field_lines(kind))
    shown = _code(_SHOWN, "\n".join((f"{kind.__name__}(", *(f"    {line}," for line in fields), ")")))
    return "\n\n".join((f"### {kind.__name__}", *([shown] if fields else []), _prose(kind)))


def _protocol(kind: type) -> str:
    lines = [f"### {kind.__name__}", "", _prose(kind), ""]
    noted = [f"`{name}: {annotation}`" for name, annotation in inspect.get_annotations(kind).items()]
    lines += [f"Attributes: {', '.join(noted)}.", ""] if noted else []
    return "\n".join((*lines, *_members(kind)))


def _members(kind: type) -> Iterator[str]:
    """Yield a line for each public method and property of a class, the checks of the kit not among them."""
    for name, member in vars(kind).items():
        function = getattr(member, "fget", None) or getattr(member, "func", None) or getattr(member, "__func__", member)
        if name.startswith(("_", "test_")) or not inspect.isfunction(inspect.unwrap(function)):
            continue
        said = inspect.getdoc(getattr(kind, name)) if function is member else inspect.getdoc(function)
        if said:
            shown = _signature(function) if callable(getattr(kind, name)) else name
            yield f"* `{shown}`: {_inline(said)}"


def _signature(function: Callable[..., Any], name: str = "") -> str:
    """Return name, parameters and result as they are written, without `self`.

    >>> _signature(_signature, "made"), _signature(lambda a, *, b=1: a)
    ("made(function: Callable[..., Any], name: str = '')", '<lambda>(a, *, b = 1)')
    """
    signature = inspect.signature(function)
    parameters, starred = [], False
    for each in signature.parameters.values():
        if each.name in ("self", "cls"):
            continue
        if each.kind is each.KEYWORD_ONLY and not starred:
            parameters.append("*")
        starred = starred or each.kind in (each.KEYWORD_ONLY, each.VAR_POSITIONAL)
        parameters.append(_parameter(each))
    unsaid = name or signature.return_annotation is signature.empty
    returns = "" if unsaid else f" -> {signature.return_annotation}"
    return f"{name or function.__name__}({', '.join(parameters)}){returns}"


def _parameter(given: inspect.Parameter) -> str:
    annotation = "" if given.annotation is given.empty else f": {given.annotation}"
    stars = "*" if given.kind is given.VAR_POSITIONAL else "**" if given.kind is given.VAR_KEYWORD else ""
    return f"{stars}{given.name}{annotation}" + (
        "" if given.default is given.empty else f" = {_default(given.default)}"
    )


def _default(value: Any) -> str:
    """Return a default as it is written; a function's own text has an address in it, another one each time."""
    name = getattr(value, "__name__", None)
    return repr(value) if name is None else "…" if name == "<lambda>" else name


def _field_lines(kind: type) -> Iterator[str]:
    if dataclasses.is_dataclass(kind):
        starred = False
        for field in dataclasses.fields(kind):
            if field.kw_only and not starred:
                starred = True
                yield "*"
            default = ""
            if field.default is not dataclasses.MISSING:
                default = f" = {_default(field.default)}"
            elif field.default_factory is not dataclasses.MISSING:
                default = f" = {field.default_factory()!r}"
            yield f"{field.name}: {field.type}{default}"
        return
    defaults = getattr(kind, "_field_defaults", {})
    for name, annotation in inspect.get_annotations(kind).items():
        if name not in _HIDDEN:
            text = getattr(annotation, "__forward_arg__", annotation)
            yield f"{name}: {text}" + (f" = {defaults[name]!r}" if name in defaults else "")


# -- docstrings as Markdown --------------------------------------------------------------------------------------------


def _prose(thing: Any) -> str:
    parts = []
    for paragraph in (inspect.getdoc(thing) or "").split("\n\n"):
        if paragraph.startswith(">>> "):
            parts.append(_code("pycon", paragraph))
        elif paragraph.startswith("    "):
            parts.append(_code(_SHOWN, textwrap.dedent(paragraph)))
        else:
            text = re.sub(r"^:param (\w+):", r"* `\1`:", paragraph, flags=re.MULTILINE)
            parts.append(_marked(text.replace("::", ":") if text.endswith("::") else text))
    return "\n\n".join(parts)


def _inline(doc: str) -> str:
    plain = [each for each in doc.split("\n\n") if not each.startswith(">>> ")]
    return " ".join(_marked(" ".join(plain)).split())


def _marked(text: str) -> str:
    return text.replace("``", "`")


def _sentence(doc: str) -> str:
    first = " ".join(doc.split("\n\n")[0].split())
    said = _marked(re.split(r"(?<=[.;:])\s", first)[0]).rstrip(".;:")
    return said[0].lower() + said[1:]


def _code(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *([each.replace("|", "\\|") for each in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _line(thing: Any) -> int:
    return inspect.getsourcelines(inspect.unwrap(thing))[1]
