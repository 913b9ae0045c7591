"""Targets: whom the ``[notify.NAME]`` tables of a project file name, and of what each is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Literal

from assetry.plugin import (
    POSITIVE,
    REFERENCE,
    SECONDS,
    SECRET,
    TABLE,
    TEXT,
    TEXTS,
    DefinitionError,
    OptionError,
    OptionTable,
    OptionType,
    checked,
    near_names,
    one_of,
    read_span,
)

EventName = Literal["failed", "overdue", "held", "recovered"]
EVENTS: tuple[EventName, ...] = ("failed", "overdue", "held", "recovered")
#: How long a problem that goes on is not told again, and how long a run waits to tell more at once.
REMIND, BATCH = "12h", "1m"

_KIND = one_of("slack", "teams", "email", "webhook", "command")
_HOOK = SECRET.needed("The address that the service gave for it, which is a secret.")
#: What every target takes.
_COMMON: Mapping[str, OptionType] = {
    "kind": _KIND.needed("What it is."),
    "events": TEXTS.about("Of which events it is told.", default=list(EVENTS)),
    "select": TEXTS.about("Of which assets it is told; of all without it."),
    "exclude": TEXTS.about("Of which assets it is not told."),
    "remind": TEXT.about("How long until what goes on is told again, or never.", default=REMIND),
    "timeout": SECONDS.about("How many seconds a delivery may take.", default=30),
}
#: What only targets of one kind take.
_OWN: Mapping[str, Mapping[str, OptionType]] = {
    "slack": {"url": _HOOK},
    "teams": {"url": _HOOK},
    "webhook": {
        "url": REFERENCE.needed("Where the message is sent to."),
        "token": SECRET.about("The token of the header Authorization."),
        "headers": TABLE.about("Further headers."),
        "ca_bundle": TEXT.about("A file with the certificate authorities to trust."),
    },
    "email": {
        "host": TEXT.needed("The server that takes the mail."),
        "port": POSITIVE.about("Its port.", default=587),
        "tls": one_of("starttls", "tls", "none").about("How it is encrypted.", default="starttls"),
        "user": REFERENCE.about("Who logs in."),
        "password": SECRET.about("The password of that user."),
        "sender": TEXT.needed("From whom it comes."),
        "to": TEXTS.needed("To whom it goes."),
    },
    "command": {"command": TEXTS.needed("The program, with its arguments.")},
}
#: What ``[notify]`` itself may say, for all targets.
_GENERAL = {"remind": _COMMON["remind"], "batch": TEXT.about("How long a run waits to tell more at once.", BATCH)}
TABLES = {"notify": OptionTable(help="Whom problems are told.", options=_GENERAL, named=_COMMON, kinds=_OWN)}


@dataclass(frozen=True, slots=True)
class Target:
    """One whom problems are told: where that is, of which events and assets, and after how long again.

    `remind` is None for a target that is told once of what goes on. `given` are the options of its kind.

    >>> Target("ops", "slack").events
    ('failed', 'overdue', 'held', 'recovered')
    """

    name: str
    kind: str
    events: tuple[EventName, ...] = EVENTS
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    remind: timedelta | None = None
    timeout: float = 30.0
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Table:
    """The whole of ``[notify]``: its targets, and for how long a run collects what it tells while it goes on."""

    targets: tuple[Target, ...] = ()
    batch: timedelta = timedelta(minutes=1)


def read_table(tables: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return what the tables of a project file say of whom to tell; raise `OptionError` for what cannot be meant.

    >>> read_table({"notify": {"ops": {"kind": "slack", "url": {"env": "SLACK_URL"}}}}).targets[0].kind
    'slack'
    >>> read_table({"notify": {"ops": {"kind": "slak", "url": {"env": "SLACK_URL"}}}})
    Traceback (most recent call last):
    assetry.errors.OptionError: Option 'kind' of [notify.ops] must be 'slack', ... not 'slak'.
      did you mean 'slack'?
    """
    found = tables.get("notify", {})
    named = {name: each for name, each in found.items() if isinstance(each, Mapping) and name not in _GENERAL}
    own = {name: each for name, each in found.items() if name not in named}
    known = "Write a target as [notify.NAME] with its kind; [notify] itself has: " + ", ".join(_GENERAL) + "."
    general = checked(own, _GENERAL, "[notify]", known)
    batch = _span(general.get("batch", BATCH), "batch", "[notify]") or timedelta(0)
    remind = general.get("remind", REMIND)
    return Table(tuple(_target(name, {"remind": remind, **each}) for name, each in named.items()), batch)


def _target(name: str, table: Mapping[str, Any]) -> Target:
    of = f"[notify.{name}]"
    kind = table.get("kind")
    own = _OWN.get(kind, MappingProxyType({})) if isinstance(kind, str) else {}
    # Of a kind that there is not, this is told, and not that it lacks what another one needs.
    types = {**_COMMON, **own} if own else {"kind": _COMMON["kind"]}
    given = checked(table if own else {"kind": kind}, types, of)
    common = {word: given.pop(word) for word in tuple(given) if word in _COMMON}
    return Target(
        name,
        common["kind"],
        _events(common.get("events", EVENTS), of),
        common.get("select", ()),
        common.get("exclude", ()),
        None if common["remind"] == "never" else _span(common["remind"], "remind", of),
        common.get("timeout", 30.0),
        given,
    )


def _events(names: Iterable[str], of: str) -> tuple[EventName, ...]:
    for name in names:
        if name not in EVENTS:
            near = near_names(name, EVENTS)
            raise _wrong("events", of, f"{name!r} is no event of {of}.", near, ", ".join(EVENTS))
    return tuple(each for each in EVENTS if each in names)


def _span(text: str, option: str, of: str) -> timedelta | None:
    try:
        return read_span(text, f"{option} of {of}")
    except DefinitionError as error:
        raise _wrong(option, of, error.message, (), error.hint or "") from None


def _wrong(option: str, of: str, message: str, near: Iterable[str], hint: str) -> OptionError:
    return OptionError(message, option=option, table=of, near=tuple(near), hint=hint)
