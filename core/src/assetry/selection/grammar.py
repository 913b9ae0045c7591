"""The grammar of selections: from text to a tree, by hand, with positions.

    selection  = every { [ "or" ] every }            a blank and "or" mean either
    every      = chain { "and" chain }               "and" means both, and binds tighter
    chain      = one { "," one }                     so does a comma, which binds tightest and stands without blanks
    one        = { "not" } ( reach "(" selection ")" reach | criterion )
    criterion  = [ "@" ] [ [ number ] "+" ] [ method ":" ] value [ "+" [ number ] ]

It is dbt's, with words and brackets added. A value that holds blanks, commas, brackets, colons or ``+`` is written in
quotes, single or double; a quote of the same sort within is written twice (`assetry.types.keys.selection_value`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from assetry.errors import SelectionError

#: The methods that all assets have; integrations give theirs more (`assetry.selection.facets`).
METHODS = (
    *("key", "tag", "group", "owner", "kind", "integration", "state", "path", "file", "partition", "column"),
    *("resource_type", "fqn", "selector"),
)
#: The statuses that `state:` takes.
STATES = ("stale", "never", "failed", "fresh", "running", "external")


class Reach(NamedTuple):
    """How far beyond its matches a part of a selection goes; a depth of None is all the way.

    `both` is dbt's ``@``: what is downstream, and everything that any of it is made from.
    """

    both: bool = False
    parents: bool = False
    parents_depth: int | None = None
    children: bool = False
    children_depth: int | None = None


@dataclass(frozen=True, slots=True)
class Criterion:
    """What one method finds by a value; `method` is None when none was written."""

    method: str | None
    value: str
    start: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Reaching:
    """What `inner` finds, and its neighbours."""

    inner: Expression
    reach: Reach


@dataclass(frozen=True, slots=True)
class Either:
    """What at least one part finds."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Both:
    """What every part finds."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Without:
    """Everything that `inner` does not find."""

    inner: Expression


@dataclass(frozen=True, slots=True)
class Named:
    """What a selection with a name of its own finds; `text` is what it says."""

    text: str
    inner: Expression


Expression = Criterion | Reaching | Either | Both | Without | Named


class Selector(NamedTuple):
    """A selection that was read: its text, and the expressions whose union it is, each with its own text."""

    text: str
    parts: tuple[tuple[str, Expression], ...]


def read_selector(text: str) -> Selector:
    """Return what `text` says; raise `SelectionError`, pointing at the place, when it cannot be read.

    >>> read_selector("2+orders,tag:nightly").parts[0][1].parts[1]
    Criterion(method='tag', value='nightly', start=9)
    """
    return _Reader(text).selector()


def fault(text: str, at: int, message: str, *, near: Iterable[str] = (), hint: str | None = None) -> SelectionError:
    """Return the error that something is wrong at one place of a selection; a caret points at it.

    >>> print(fault("a b", 2, "Wrong."))
    Wrong.
        a b
          ^
    """
    line = "".join(each if each.isprintable() else " " for each in text)
    first = max(0, at - 60)
    shown = ("…" if first else "") + line[first : at + 40] + ("…" if len(line) > at + 40 else "")
    caret = " " * (at - first + bool(first)) + "^"
    return SelectionError(f"{message}\n    {shown}\n    {caret}", near=near, hint=hint)


#: How deep brackets may stand in each other.
_DEEPEST = 50

_BLANKS = re.compile(r"\s*")
_WORD = re.compile(r"(and|or|not)(?=[\s()]|\Z)", re.IGNORECASE)
_BEFORE = re.compile(r"(@)?(?:(\d*)(\+))?")
_AFTER = re.compile(r"(\+)(\d*)")
_METHOD = re.compile(r"([\w.]+):")
_VALUE = re.compile(r"[^\s,()]*")
_QUOTED = {quote: re.compile(f"{quote}((?:[^{quote}]|{quote}{quote})*+){quote}") for quote in ("'", '"')}
_TAIL = re.compile(r"\+\d*\Z")


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def selector(self) -> Selector:
        self.skip()
        if self.ended():
            raise fault(self.text, self.at, "The selection is empty.", hint="Write a name, or leave the option out.")
        parts = self.parts()
        if not self.ended():
            raise fault(self.text, self.at, "Nothing was opened that this ')' could close.")
        return Selector(self.text, tuple(parts))

    def ended(self) -> bool:
        return self.at >= len(self.text)

    def skip(self) -> bool:
        """Go past blanks; tell whether there were any."""
        before = self.at
        self.at = _BLANKS.match(self.text, before).end()  # type: ignore[union-attr]
        return self.at > before

    def word(self, *wanted: str) -> str | None:
        """Go past one of the words, if it stands here."""
        found = _WORD.match(self.text, self.at)
        if found is None or found[1].lower() not in wanted:
            return None
        self.at = found.end()
        return found[1].lower()

    def parts(self) -> list[tuple[str, Expression]]:
        found = []
        while True:
            self.skip()
            start = self.at
            expression = self.every()
            found.append((self.text[start : self.at], expression))
            blank = self.skip()
            if self.ended() or self.text[self.at] == ")":
                return found
            if not self.word("or") and not blank:
                raise fault(self.text, self.at, "A blank, a comma or a word is missing here.")

    def every(self) -> Expression:
        found = [self.chain()]
        while True:
            before = self.at
            self.skip()
            if not self.word("and"):
                self.at = before
                return found[0] if len(found) == 1 else Both(tuple(found))
            self.skip()
            found.append(self.chain())

    def chain(self) -> Expression:
        found = [self.one()]
        while not self.ended():
            after = _BLANKS.match(self.text, self.at).end()  # type: ignore[union-attr]
            if self.text[after : after + 1] != ",":
                break
            lonely = after > self.at or self.text[after + 1 : after + 2].strip() in ("", ")", ",")
            if lonely:
                raise fault(
                    self.text,
                    after,
                    "A comma means both, and stands between two names without blanks.",
                    hint="Write 'a,b' for what is in both, 'a b' for what is in either.",
                )
            self.at += 1
            found.append(self.one())
        return found[0] if len(found) == 1 else Both(tuple(found))

    def one(self) -> Expression:
        negations = 0
        while self.word("not"):
            negations += 1
            self.skip()
        stray = self.at
        if self.ended() or self.text[stray] == ")":
            raise fault(self.text, stray, "A name is missing here.")
        word = self.word("and", "or")
        if word:
            raise fault(
                self.text,
                stray,
                f"There is nothing before '{word}' that it could join.",
                hint=f"To select an asset of that name, write fqn:{word}.",
            )
        found = self.operand()
        return Without(found) if negations % 2 else found

    def operand(self) -> Expression:
        start = self.at
        before = _BEFORE.match(self.text, start)
        assert before is not None
        self.at = before.end()
        inner: Expression = self.group() if self.text[self.at : self.at + 1] == "(" else self.criterion(start)
        after = _AFTER.match(self.text, self.at)
        if after:
            self.at = after.end()
        reach = Reach(
            bool(before[1]),
            bool(before[3]),
            _number(before[2]),
            after is not None,
            _number(after[2]) if after else None,
        )
        if reach.both and reach.children:
            raise fault(
                self.text,
                start,
                "'@' in front and '+' behind do not go together.",
                hint="'@a' is a, all that is downstream, and all that any of it needs; 'a+' leaves the last out.",
            )
        return Reaching(inner, reach) if any(reach[:2]) or reach.children else inner

    def group(self) -> Expression:
        opened = self.at
        self.depth += 1
        if self.depth > _DEEPEST:
            raise fault(self.text, opened, f"More than {_DEEPEST} brackets stand in each other.")
        self.at += 1
        found = [expression for _, expression in self.parts()]
        if self.ended():
            raise fault(self.text, opened, "This '(' is never closed.")
        self.at += 1
        self.depth -= 1
        return found[0] if len(found) == 1 else Either(tuple(found))

    def criterion(self, start: int) -> Criterion:
        method = _METHOD.match(self.text, self.at)
        if method:
            self.at = method.end()
        value = self.quoted() if self.text[self.at : self.at + 1] in ("'", '"') else self.bare()
        if not value:
            what = f"A value is missing after '{method[0]}'." if method else "A name is missing here."
            raise fault(self.text, self.at, what)
        return Criterion(method[1] if method else None, value, start)

    def bare(self) -> str:
        value = _VALUE.match(self.text, self.at)[0]  # type: ignore[index]
        tail = _TAIL.search(value)
        value = value[: tail.start()] if tail else value
        self.at += len(value)
        if self.text[self.at : self.at + 1] == "(":
            raise fault(self.text, self.at, "A blank is missing before this '('.")
        return value

    def quoted(self) -> str:
        quote = self.text[self.at]
        value = _QUOTED[quote].match(self.text, self.at)
        if value is None:
            hint = f"Two of them, {2 * quote}, stand for one in a name."
            raise fault(self.text, self.at, "This quote is never closed.", hint=hint)
        self.at = value.end()
        return value[1].replace(2 * quote, quote)


def _number(digits: str | None) -> int | None:
    return int(digits) if digits else None
