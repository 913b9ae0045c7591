"""What a person asks of a plan besides the selection."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypedDict, TypeVar

from assetry.errors import UsageError, near_names
from assetry.plan.collapse import Mode

Work = TypeVar("Work", bound=Callable[..., Any])


class PlanKeywords(TypedDict, total=False):
    """The keywords of `Project.plan` and `Project.materialize`.

    * `stale`: leave out what is up to date, and what turns out to be so because its inputs come out as before.
    * `full_refresh`: read and build from the first row on: incremental models, and streams of syncs and extractors.
    * `partition`: which partitions, as text (see `assetry.partitions.text`): a key, ``2026-01..``, ``last:7``,
      ``missing``; or a list of such texts.
    * `collapse`: ``fewest`` invocations, or ``earliest``: more of them, for an earlier start.
    * `target`, `vars`, `threads`: for this call, in the place of the options of that name of the integrations that take
      them; so for all options that plugins name (`assetry_command_options`).
    """

    stale: bool
    full_refresh: bool
    partition: str | Sequence[str]
    collapse: Mode
    target: str
    vars: Mapping[str, Any]
    threads: int


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of a plan, checked; the fields are those of `PlanKeywords`.

    Raises `UsageError` for a `collapse` that does not exist.

    >>> Ask(partition="2026-01-31").partitions
    ('2026-01-31',)
    """

    stale: bool = False
    full_refresh: bool = False
    partition: str | Sequence[str] = ()
    collapse: Mode = "fewest"

    def __post_init__(self) -> None:
        if self.collapse not in ("fewest", "earliest"):
            raise UsageError(f"collapse={self.collapse!r}: unknown.", near=("fewest", "earliest"))

    @classmethod
    def of(
        cls, keywords: Mapping[str, Any], options: Callable[[], Iterable[str]] = tuple
    ) -> tuple[Ask, dict[str, Any]]:
        """Return what keywords ask for, and those that are options of integrations: `options` returns their names.

        Raises `UsageError`, with near names, for a keyword that does not exist.

        >>> Ask.of({"stale": True})[0].stale
        True
        """
        known = [field.name for field in fields(cls)]
        others = {name: value for name, value in keywords.items() if name not in known}
        allowed = dict.fromkeys(options()) if others else {}
        for name in others:
            if name not in allowed:
                raise UsageError(
                    f"There is no keyword {name!r}.",
                    near=near_names(name, [*known, *allowed]),
                    hint=f"There are {', '.join([*known, *allowed])}.",
                )
        return cls(**{name: value for name, value in keywords.items() if name in known}), others

    @property
    def partitions(self) -> tuple[str, ...]:
        """Return the texts that name the partitions asked for."""
        return (self.partition,) if isinstance(self.partition, str) else tuple(self.partition)

    def options(self) -> dict[str, Any]:
        """Return what a run keeps of this, as JSON."""
        return {"full_refresh": self.full_refresh, "partition": list(self.partitions), "stale": self.stale}


def with_plan_keywords(work: Work) -> Work:
    """Make `help` and editors show the keywords of `Ask` in the place of a function's ``**keywords``.

    >>> @with_plan_keywords
    ... def plan(select: str, **keywords: Any) -> None: ...
    >>> list(inspect.signature(plan).parameters)
    ['select', 'stale', 'full_refresh', 'partition', 'collapse']
    """
    signature = inspect.signature(work)
    own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    asked = [
        inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=each.type)
        for each in fields(Ask)
    ]

    @functools.wraps(work)
    def shown(*args: Any, **keywords: Any) -> Any:
        return work(*args, **keywords)

    shown.__signature__ = signature.replace(parameters=[*own, *asked])  # type: ignore[attr-defined]
    return shown  # type: ignore[return-value]
