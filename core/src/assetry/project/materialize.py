"""Assets without a project file: made, and their values taken out of the result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from assetry.project.ask import PlanKeywords, with_plan_keywords
from assetry.project.judged import Selectors, Texts
from assetry.project.project import Project
from assetry.run.result import RunResult


@with_plan_keywords
def materialize(
    assets: Iterable[Any],
    select: Selectors = None,
    exclude: Texts = None,
    *,
    io: str | None = None,
    store: str | None = None,
    raise_on_error: bool = False,
    project: Mapping[str, Any] | None = None,
    **keywords: Unpack[PlanKeywords],
) -> RunResult:
    """Materialize assets without a project file, and return how it went; values come out of the result.

    `io` and `store` are URLs of where values and records are kept, `project` further keywords of `Project`; the others
    are those of `Project.materialize`.

    >>> from assetry import asset
    >>> @asset
    ... def one() -> int:
    ...     return 1
    >>> materialize([one], store="sqlite::memory:", io="memory:").value("one")
    1
    """
    with Project(assets, **{"io": io, "store": store, **(project or {})}) as made:
        return made.materialize(select, exclude, raise_on_error=raise_on_error, **keywords)
