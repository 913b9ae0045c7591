"""The options of integrations: which types they are of, whether given ones are right, and those that commands take.

A plugin says as data which options its integrations have, and they are checked before it is asked::

    ASSETRY_KINDS = {
        "mill": {
            "command": TEXTS.needed("The command that makes tables."),
            "mode": one_of("append", "replace").about("How rows are added.", default="append"),
            "token": SECRET.about("What the mill is asked with."),
        }
    }
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from typing import Any

from assetry.errors import DefinitionError, OptionError, near_names
from assetry.types.assets import Integration
from assetry.types.policies.spans import read_span


def as_given(value: Any) -> Any:
    """Return a value as it is."""
    return value


@dataclass(frozen=True, slots=True)
class OptionType:
    """One type of option: how it is called, which values are of it, and what is made of them.

    `choices` are the only values, where there are few; `hint` is what to do about a wrong one. Of a `secret` only a
    reference is right. `help` says what the option is for, in a line; a `required` one must be given; `default` is what
    counts where it is not, for people to read: a plugin fills it in itself. One that is `in_python` has values that no
    project file can hold.

    `json_schema` tells editors which values are of the type, in the words of JSON Schema, draft 7; it may let more
    pass than `fits` does, never less. Without one they complete the option, and take any value; `choices` are told by
    themselves.

    >>> number = {"type": "integer", "minimum": 1, "maximum": 65535}
    >>> port = OptionType("a port", lambda value: value in range(1, 65536), str, json_schema=number)
    >>> checked({"port": 8080}, {"port": port.about("Where it listens.")}, "integration 'shop'")
    {'port': '8080'}
    """

    words: str
    fits: Callable[[Any], bool]
    make: Callable[[Any], Any] = as_given
    choices: tuple[str, ...] = ()
    hint: str | None = None
    secret: bool = False
    help: str = ""
    required: bool = False
    default: Any = None
    in_python: bool = False
    json_schema: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def terms(self) -> str:
        """Return for people which values are of the type, and what counts without one.

        >>> FLAG.about("Ring louder.", default=False).terms, TEXT.needed("The folder.").terms
        ('true or false; false unless given', 'text; must be given')
        """
        if self.required:
            return f"{self.words}; must be given"
        if self.default is None:
            return self.words
        shown = str(self.default).lower() if isinstance(self.default, bool) else str(self.default)
        return f"{self.words}; {shown} unless given"

    def hinting(self, hint: str) -> OptionType:
        """Return this type with another hint."""
        return replace(self, hint=hint)

    def about(self, help: str, default: Any = None) -> OptionType:
        """Return this type for an option that may be left out, with what it is for and what counts without it.

        >>> TEXT.about("The folder of scripts.", default="sql").default
        'sql'
        """
        return replace(self, help=help, default=default, required=False)

    def needed(self, help: str) -> OptionType:
        """Return this type for an option that must be given, with what it is for.

        >>> TEXT.needed("The folder of scripts.").required
        True
        """
        return replace(self, help=help, default=None, required=True)


#: What a test such as ``lambda value: 0 < value < 65536`` raises for a value of another type, and ``int`` for a text.
_TRIPS = (TypeError, ValueError, LookupError, AttributeError, OverflowError)

#: The options of one kind of integration, by name.
OptionTypes = Mapping[str, OptionType]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionTable:
    """What a table of the project file may hold, for editors and for people; its plugin checks it when it reads it.

    `options` are those of the table itself. `named` are those of each table within it that people give a name, such
    as ``[notify.ops]``; None where there may be none. Where these are of several kinds, `kinds` has by the word of
    their option ``kind`` what each takes besides. `help` says what the table is for, in a line.

    >>> table = OptionTable(help="Bells.", options={"loud": FLAG.about("Ring louder.", default=False)})
    >>> list(table.options), table.named
    (['loud'], None)
    """

    help: str = ""
    options: OptionTypes = field(default_factory=dict)
    named: OptionTypes | None = None
    kinds: Mapping[str, OptionTypes] = field(default_factory=dict)


def is_reference(value: Any) -> bool:
    """Tell whether a value says where another one is found: with the secrets, or among the objects of this process.

    >>> is_reference({"env": "TOKEN"}), is_reference("t0ken"), is_reference({"env": "TOKEN", "or": "none"})
    (True, False, False)
    """
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    [(where, name)] = value.items()
    return where in ("env", "secret", "given") and isinstance(name, str)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, (list, tuple)) and all(map(_is_text, value)))


def _json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _json(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(each) for each in value]
    return value.isoformat() if isinstance(value, (date, time)) else value


def _tuple(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _is_span(value: Any) -> bool:
    try:
        read_span(value)
    except (DefinitionError, OverflowError, ValueError):
        return False
    return True


_STRING: Mapping[str, Any] = {"type": "string"}
_REFERENCE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "env": {**_STRING, "description": "The environment variable that holds it."},
        "secret": {**_STRING, "description": "Its name, by which a plugin finds it."},
        "given": {**_STRING, "description": "An object handed over in Python.", "x-taplo": {"hidden": True}},
    },
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}

#: Text.
TEXT = OptionType("text", _is_text, json_schema=_STRING)
#: Text or a list of texts; a tuple of texts is made of it.
TEXTS = OptionType(
    "text or a list of texts", _are_texts, _tuple, json_schema={"type": ["string", "array"], "items": _STRING}
)
#: True or false.
FLAG = OptionType("true or false", lambda value: isinstance(value, bool), json_schema={"type": "boolean"})
#: A whole number.
COUNT = OptionType(
    "a whole number",
    lambda value: isinstance(value, int) and not isinstance(value, bool),
    json_schema={"type": "integer"},
)
#: A number of seconds, not negative.
SECONDS = OptionType(
    "a number of seconds",
    lambda value: _is_number(value) and value >= 0,
    float,
    hint="For example 300, for 5 minutes.",
    json_schema={"type": "number", "minimum": 0},
)
#: A span of time, such as 15m, 1h30m or 2d, or a number of seconds; a `timedelta` is made of it.
SPAN = OptionType(
    "a span of time",
    _is_span,
    read_span,
    hint="For example 15m, 1h30m or 2d.",
    json_schema={"type": ["string", "number"], "pattern": r"^ *(\d[\d ]*[smhdwSMHDW] *)+$"},
)
#: A whole number above zero.
POSITIVE = OptionType(
    "a whole number above 0",
    lambda value: COUNT.fits(value) and value > 0,
    json_schema={"type": "integer", "minimum": 1},
)
#: A table: a mapping of names to anything; in JSON a date, which a project file may have, is the text of it.
TABLE = OptionType(
    "a table",
    lambda value: isinstance(value, Mapping),
    lambda value: {**_json(value)},
    json_schema={"type": "object", "additionalProperties": True},
)
#: A reference to a secret, never the secret itself.
SECRET = OptionType("a reference to a secret", is_reference, secret=True, json_schema=_REFERENCE)
#: Text, or a reference to it.
REFERENCE = OptionType(
    "text or a reference",
    lambda value: _is_text(value) or is_reference(value),
    json_schema={"anyOf": [_STRING, _REFERENCE]},
)
#: Anything.
ANYTHING = OptionType("anything", lambda _: True)


def one_of(*choices: str) -> OptionType:
    """Return the type of a text that has only these values.

    >>> one_of("append", "replace", "merge").words
    "'append', 'replace' or 'merge'"
    """
    listed = [repr(each) for each in choices]
    words = " or ".join(filter(None, (", ".join(listed[:-1]), listed[-1])))
    return OptionType(words, choices.__contains__, choices=choices)


def checked_options(integration: Integration, types: OptionTypes) -> dict[str, Any]:
    """Return the options of an integration, each as its type makes it; one that is None counts as not given.

    Raises `OptionError` for an option that is unknown, with the near ones, that is of another type, or that is missing.

    >>> types = {"tables": TEXTS.needed("The tables."), "folder": TEXT}
    >>> checked_options(Integration("shop", "mill", {"tables": "orders", "folder": None}), types)
    {'tables': ('orders',)}
    >>> checked_options(Integration("shop", "mill", {"tabels": "orders"}), types)
    Traceback (most recent call last):
    assetry.errors.OptionError: Integration 'shop' has no option 'tabels'.
      did you mean 'tables'?
      The options of its kind, mill: tables, folder.
    """
    names = [name for name, each in types.items() if not each.in_python]
    known = f"The options of its kind, {integration.kind}: {', '.join(names)}." if names else None
    return checked(integration.options, types, f"integration {integration.name!r}", known)


def checked(
    given: Mapping[str, Any], types: OptionTypes, of: str, known: str | None = None, within: Sequence[str] = ()
) -> dict[str, Any]:
    """Return options of anything, such as a table within the options, each as its type makes it.

    `of` says whose they are, `known` the next step after an unknown one, and `within` the names of the tables of an
    integration's options that they stand in, so that their line is told. Raises `OptionError`; of a table of the
    project file, as in ``[notify.ops]``, with its line where a command tells it.

    >>> checked({"mode": "apend"}, {"mode": one_of("append", "replace")}, "stream 'orders'")
    Traceback (most recent call last):
    assetry.errors.OptionError: Option 'mode' of stream 'orders' must be 'append' or 'replace', not 'apend'.
      did you mean 'append'?
    """
    try:
        return _checked(given, types, of, known)
    except OptionError as error:
        if within and (error.option is None or isinstance(error.option, str)):
            error.option = (*within, *filter(None, [error.option]))
        error.table = of if of.startswith("[") else None
        raise


def _checked(given: Mapping[str, Any], types: OptionTypes, of: str, known: str | None) -> dict[str, Any]:
    found = {}
    whose = f"{of[:1].upper()}{of[1:]}"
    for name, value in given.items():
        each = types.get(name)
        if each is None:
            hint = known or (f"There are: {', '.join(types)}." if types else "It has none.")
            error = OptionError(f"{whose} has no option {name!r}.", near=near_names(str(name), types), hint=hint)
            error.option = str(name)
            raise error
        if value is not None:
            found[name] = _made(name, value, each, of)
    missing = next((name for name, each in types.items() if each.required and name not in found), None)
    if missing is not None:
        needed = types[missing]
        raise OptionError(
            f"{whose} needs the option {missing!r}, {needed.words}.", hint=needed.hint or needed.help or None
        )
    return found


def _made(name: str, value: Any, type_: OptionType, of: str) -> Any:
    """Return what a type makes of a value; where it trips over one that is none of its own, that is not of the type."""
    try:
        if type_.fits(value):
            return type_.make(value)
    except _TRIPS:
        raise _wrong(name, value, type_, of) from None  # what it says may have the value in it
    raise _wrong(name, value, type_, of)


def _wrong(name: str, value: Any, type_: OptionType, of: str) -> OptionError:
    if type_.secret:
        stands = "is given as a value" if isinstance(value, str) else f"is not {type_.words}"
        usual = type_.default["env"] if is_reference(type_.default) and "env" in type_.default else name.upper()
        hint = f'Secrets are given by the environment variable that holds them: {name} = {{ env = "{usual}" }}.'
        error = OptionError(f"Option {name!r} of {of} {stands}.", hint=type_.hint or hint)
    else:
        near = near_names(value, type_.choices) if isinstance(value, str) else ()
        said = f"Option {name!r} of {of} must be {type_.words}, not {_shown(value, bool(type_.choices))}."
        error = OptionError(said, near=near, hint=type_.hint)
    error.option = name
    return error


def _shown(value: Any, whole: bool) -> str:
    """Return how a wrong value is told: by its sort, since any text may be a secret that stands in the wrong place."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)) or (whole and isinstance(value, str)):
        return repr(value)
    sorts = {str: "text", list: "a list", tuple: "a list", dict: "a table"}
    return next((words for sort, words in sorts.items() if isinstance(value, sort)), f"a {type(value).__name__}")


# -- on the command line -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOption:
    """An option of a kind of integration that commands take, and `Project.plan` and `materialize` as a keyword.

    `name` is the option's name as in the project file, `kind` the kind of integration, `help` a line for people. A
    `switch` is given without a value, and its value is then True.
    `read` makes the option's value of what was given (a text on the command line, anything in Python) and of what the
    project file says, None when it says nothing; it raises `UsageError` for what it cannot read. Without it the value
    is what was given.

    >>> CommandOption(kind="mill", name="grain_size", help="How coarse.").flag
    '--grain-size'
    """

    kind: str
    name: str
    help: str
    metavar: str = "TEXT"
    short: str | None = None
    switch: bool = False
    read: Callable[[Any, Any], Any] | None = None

    @property
    def flag(self) -> str:
        """Return how the option is written on the command line."""
        return flag_of(self.name)


def flag_of(name: str) -> str:
    """Return how an option of this name is written on the command line.

    >>> flag_of("profiles_dir")
    '--profiles-dir'
    """
    return f"--{name.replace('_', '-')}"
