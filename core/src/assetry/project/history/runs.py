"""A run that somebody means."""

from __future__ import annotations

from assetry.errors import UsageError
from assetry.project.history.retention import Retention, age_text
from assetry.types.protocols import Store
from assetry.types.records import RunInfo

#: How many runs are read before all are.
_NEWEST = 20


def found_run(store: Store, retention: Retention, run_id: str | None, ended: bool = False) -> RunInfo:
    """Return a run by its id or a unique beginning of it, the last one that was to make something when None.

    With `ended` that is the last one that goes on no more; one that is named may still go on.

    Raises `UsageError` where there is none, which also says for how long runs are kept.
    """
    found = store.run(run_id) if run_id is not None else last_that_makes(store, ended)
    if found is None and run_id is None and ended and (last := last_that_makes(store)) is not None:
        hint = "`assetry queue` shows what runs and what waits."
        raise UsageError(f"No run has ended yet: the last one, {last.id}, still goes on.", hint=hint)
    if found is None:
        what = f"There is no run {run_id!r}."
        if run_id is None:
            others = bool(store.runs(1))
            what = "No run has made anything yet: name the one that you mean." if others else "There is no run yet."
        age = retention.runs
        gone = f" Those that ended longer ago than {age_text(age)} may be pruned, see [retention]."
        hint = "`assetry runs` lists them; `assetry materialize` starts one."
        raise UsageError(what, hint=hint if age is None else hint + gone)
    return found


def last_that_makes(store: Store, ended: bool = False) -> RunInfo | None:
    """Return the last run that was to make something, with `ended` of those that go on no more.

    It is nearly always among the newest ones.
    """
    for limit in (_NEWEST, None):
        runs = store.runs(limit)
        found = next((run for run in runs if run.makes and (run.is_over or not ended)), None)
        if found is not None or len(runs) < _NEWEST:
            return found
    return None
