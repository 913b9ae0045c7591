"""Automation policies: which partitions of an asset are to be made without being asked, as values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Literal

from assetry.errors import DefinitionError, near_names
from assetry.types.policies.spans import read_span

#: What each word says of an asset, or of its partitions, that is to be made.
WORDS: Mapping[str, str] = {
    "eager": "as soon as it is out of date",
    "lazy": "when a freshness policy, its own or one below it, needs it",
    "never": "by nobody but people",
    "on_cron": "at the ticks of a clock",
    "missing": "where it was never made",
    "failed": "where the last try failed",
    "code_changed": "where its code changed",
    "upstream_changed": "where what it is made from has new content",
    "provisional": "where it was made before all its data was there",
    "between": "at some hours of the day",
    "any_of": "where any of its policies says so",
    "all_of": "where all of its policies say so",
    "not_": "where its policy does not say so",
}
#: Other names of words: the first two were all that there was, the third is what it is called in Python.
_ALIASES = {"stale": "eager", "overdue": "lazy", "on_missing": "missing"}
_OPERATORS = ("any_of", "all_of", "not_")
_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
Waits = Literal["all", "any"]


@dataclass(frozen=True, slots=True)
class AutomationPolicy:
    """When an asset is made without being asked: which of its partitions, as an expression over how they are.

    `when` is its word, see `WORDS`; ``stale`` is another name of ``eager``, and ``overdue`` of ``lazy``. The functions
    of `assetry.automation` make policies, ``|``, ``&`` and ``~`` join them, and the methods narrow them. It says what
    is wanted; when that is begun follows from what it is made from, from what else is due then, and from what failed.

    * `of`: the policies that ``any_of``, ``all_of`` and ``not_`` are made of.
    * `every`: at least so long is between two starts.
    * `cron`, `timezone`: the ticks of ``on_cron``; `hours`: from when to when ``between`` is, on the clocks of there.
    * `upstream`: the selection of inputs whose new content counts for ``upstream_changed``.
    * `newest`, `since`, `allowed`, `ignored`, `waits_for`, `batched`: see `last`, `from_`, `allow`, `ignore`,
      `wait_for` and `batch`.

    Raises `DefinitionError` for another word, and for what a word does not take.

    >>> AutomationPolicy("stale").when
    'eager'
    >>> print((AutomationPolicy("eager") | AutomationPolicy("missing")).last(7))
    (eager | missing).last(7)
    """

    when: str = "eager"
    of: tuple[AutomationPolicy, ...] = field(default=(), kw_only=True)
    every: timedelta | None = field(default=None, kw_only=True)
    cron: str | None = field(default=None, kw_only=True)
    timezone: str = field(default="UTC", kw_only=True)
    hours: tuple[str, str] | None = field(default=None, kw_only=True)
    upstream: str | None = field(default=None, kw_only=True)
    newest: int | None = field(default=None, kw_only=True)
    since: str | None = field(default=None, kw_only=True)
    allowed: str | None = field(default=None, kw_only=True)
    ignored: str | None = field(default=None, kw_only=True)
    waits_for: Waits = field(default="all", kw_only=True)
    batched: timedelta | None = field(default=None, kw_only=True)

    words: ClassVar[tuple[str, ...]] = tuple(WORDS)

    def __post_init__(self) -> None:
        word = _ALIASES.get(self.when, self.when)
        if word not in WORDS:
            raise DefinitionError(
                f"automation={self.when!r}: unknown word.",
                near=near_names(str(self.when), [*WORDS, *_ALIASES]),
                hint=f"There are {', '.join(WORDS)}.",
            )
        object.__setattr__(self, "when", word)
        for wrong in (*self._wrong_parts(), *self._wrong_clock(), *self._wrong_numbers()):
            raise DefinitionError(f"automation={word!r} {wrong}.", hint=_EXAMPLES.get(word))

    def _wrong_parts(self) -> tuple[str, ...]:
        counts = {"any_of": 1, "all_of": 1, "not_": 1}
        if self.when in _OPERATORS and (len(self.of) < counts[self.when] or (self.when == "not_" and len(self.of) > 1)):
            return ("is made of one policy" if self.when == "not_" else "is made of at least one policy",)
        if self.of and self.when not in _OPERATORS:
            return ("is not made of policies",)
        return ("is made of policies, and of nothing else",) if not all(map(_is_policy, self.of)) else ()

    def _wrong_clock(self) -> tuple[str, ...]:
        if (self.cron is not None) != (self.when == "on_cron"):
            return ("takes a cron text" if self.when == "on_cron" else "takes no cron text",)
        if (self.hours is not None) != (self.when == "between"):
            return ("takes two times of day" if self.when == "between" else "takes no times of day",)
        if self.hours is not None and not _are_hours(self.hours):
            return (f"takes two times of day, not {self.hours!r}",)
        if self.cron is None and self.hours is None:
            return ("says nothing with a timezone",) if self.timezone != "UTC" else ()
        from assetry.partitions.grids.moments import zone_named  # most policies have no clock
        from assetry.partitions.grids.ticks import checked

        zone_named(self.timezone)
        if self.cron is not None:
            object.__setattr__(self, "cron", checked(self.cron))
        return ()

    def _wrong_numbers(self) -> tuple[str, ...]:
        for name, span in (("every", self.every), ("batch", self.batched)):
            if span is not None and (not isinstance(span, timedelta) or span <= timedelta(0)):
                return (f"takes a positive timedelta for {name}, not {span!r}",)
        if self.newest is not None and (not isinstance(self.newest, int) or self.newest < 1):
            return (f"takes a number of partitions above 0 for last, not {self.newest!r}",)
        if self.waits_for not in ("all", "any"):
            return (f"waits for 'all' or 'any' of what it is made from, not {self.waits_for!r}",)
        if self.upstream is not None and self.when != "upstream_changed":
            return ("takes no selection of inputs; .allow(…) does",)
        return ()

    # -- joined ------------------------------------------------------------------------------------------------------

    def __or__(self, other: AutomationPolicy) -> AutomationPolicy:
        """Return the policy by which all is made that either of two says."""
        return AutomationPolicy("any_of", of=(*self._joined("any_of"), *other._joined("any_of")))

    def __and__(self, other: AutomationPolicy) -> AutomationPolicy:
        """Return the policy by which all is made that both of two say."""
        return AutomationPolicy("all_of", of=(*self._joined("all_of"), *other._joined("all_of")))

    def __invert__(self) -> AutomationPolicy:
        """Return the policy by which all is made that this one does not say."""
        return AutomationPolicy("not_", of=(self,))

    def _joined(self, word: str) -> tuple[AutomationPolicy, ...]:
        return self.of if self == AutomationPolicy(word, of=self.of or (self,)) else (self,)

    # -- narrowed ----------------------------------------------------------------------------------------------------

    def last(self, count: int) -> AutomationPolicy:
        """Return the policy for the newest partitions alone, so many of them."""
        return replace(self, newest=count)

    def from_(self, first: str | date | datetime) -> AutomationPolicy:
        """Return the policy for partitions whose time begins at a date or later; without it, from when it is new on.

        A new policy on partitions of time acts on those that end after it was first seen, so that no old asset is made
        all at once.
        """
        text = first.isoformat() if isinstance(first, date) else str(first)
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise DefinitionError(f"{first!r} is no date.", hint="For example from_('2026-01-31').") from None
        return replace(self, since=text)

    def allow(self, selection: str) -> AutomationPolicy:
        """Return the policy for which only new content of these inputs counts."""
        return replace(self, allowed=selection)

    def ignore(self, selection: str) -> AutomationPolicy:
        """Return the policy for which new content of these inputs does not count."""
        return replace(self, ignored=selection)

    def wait_for(self, inputs: Waits) -> AutomationPolicy:
        """Return the policy that waits for ``all`` that it is made from, or begins when ``any`` of it is new."""
        return replace(self, waits_for=inputs)

    def batch(self, span: timedelta) -> AutomationPolicy:
        """Return the policy that waits so long after something is wanted, so that what comes meanwhile joins it."""
        return replace(self, batched=span)

    # -- told --------------------------------------------------------------------------------------------------------

    def __str__(self) -> str:
        return self._word() + "".join(
            f".{name}({value})"
            for name, value in (
                ("last", self.newest),
                ("from_", self.since),
                ("allow", self.allowed),
                ("ignore", self.ignored),
                ("wait_for", self.waits_for if self.waits_for != "all" else None),
                ("batch", self.batched),
            )
            if value is not None
        )

    def _word(self) -> str:
        if self.when in ("any_of", "all_of"):
            sign = " | " if self.when == "any_of" else " & "
            return f"({sign.join(map(str, self.of))})"
        if self.when == "not_":
            return f"~{self.of[0]}"
        zone = "" if self.timezone == "UTC" else f" {self.timezone}"
        told = {"on_cron": f"{self.cron}{zone}", "between": f"{' to '.join(self.hours or ())}{zone}"}.get(self.when)
        told = told or (f"every {self.every}" if self.every else self.upstream)
        return f"{self.when}({told})" if told else self.when


def _are_hours(value: tuple[object, ...]) -> bool:
    return len(value) == 2 and all(isinstance(each, str) and _HOUR.fullmatch(each) for each in value)


def _is_policy(value: object) -> bool:
    return isinstance(value, AutomationPolicy)


_EXAMPLES = {
    "on_cron": "For example on_cron('0 9 * * MON-FRI', 'Europe/Berlin').",
    "between": "For example between('08:00', '20:00', 'Europe/Berlin').",
    "any_of": "For example any_of(eager(), missing().last(7)).",
    "all_of": "For example all_of(eager(), between('08:00', '20:00')).",
    "not_": "For example not_(code_changed()).",
    "eager": "For example eager(every=timedelta(minutes=15)).",
}
#: By the word of a table of a file, the field of a policy that it sets.
_TABLE = {
    **{name: name for name in ("when", "every", "cron", "timezone", "upstream", "since")},
    **{"last": "newest", "allow": "allowed", "ignore": "ignored", "wait_for": "waits_for", "batch": "batched"},
    **{"hours": "hours", "any_of": "of", "all_of": "of", "not": "of"},
}


def read_policy(said: object, where: str | None = None) -> AutomationPolicy:
    """Return the policy that a file says: a word, or a table with a word and what narrows it.

    A table with ``cron`` is ``on_cron``, one with ``any_of``, ``all_of`` or ``not`` is made of other policies; spans
    are texts as ``15m``. Raises `DefinitionError`, with `where`, for what is none.

    >>> print(read_policy({"cron": "@daily", "timezone": "Europe/Berlin"}))
    on_cron(0 0 * * * Europe/Berlin)
    >>> print(read_policy({"any_of": ["eager", {"when": "missing", "last": 7}], "batch": "2m"}))
    (eager | missing.last(7)).batch(0:02:00)
    """
    try:
        if isinstance(said, AutomationPolicy):
            return said
        if isinstance(said, str):
            return AutomationPolicy(said)
        if isinstance(said, Mapping) and said:
            return AutomationPolicy(**_fields(said))
        raise DefinitionError(f"{said!r} is no automation policy.", hint='For example "eager", or { cron = "@daily" }.')
    except DefinitionError as error:
        error.where = error.where or where
        raise


def _fields(table: Mapping[str, Any]) -> dict[str, Any]:
    known = {each.name for each in fields(AutomationPolicy)}
    found: dict[str, Any] = {}
    for word, value in table.items():
        name = _TABLE.get(word)
        if name is None or name not in known:
            raise DefinitionError(
                f"An automation policy has no {word!r}.",
                near=near_names(str(word), _TABLE),
                hint=f"It has {', '.join(_TABLE)}.",
            )
        if name == "of":
            found["when"] = "not_" if word == "not" else word
        found[name] = _value(word, name, value)
    found.setdefault("when", "on_cron" if "cron" in found else "between" if "hours" in found else "eager")
    return found


def _value(word: str, name: str, value: Any) -> Any:
    """Return the value of a field of a policy that a word of a table gives."""
    several = list(value) if isinstance(value, list | tuple) else [value]
    if name in ("every", "batched"):
        return read_span(value, f"{word} of an automation policy")
    if name == "of":
        return tuple(map(read_policy, several))
    if name == "since":
        return AutomationPolicy().from_(value).since
    return tuple(several) if name == "hours" else value
