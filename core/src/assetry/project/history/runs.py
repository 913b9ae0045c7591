"""A run that somebody means."""

from __future__ import annotations

from assetry.errors import UsageError
from assetry.project.history.retention import Retention, age_text
from assetry.types.protocols import Store
from assetry.types.records import RunInfo

#: How many runs are read before all are.
_NEWEST = 20


def found_run(store: Store, retention: Retention, run_id: str | None) -> RunInfo:
    """Return a run by its id or a unique beginning of it, the last one that was to make something when None.

    Raises `UsageError` where there is none, which also says for how long runs are kept.
    """
    found = store.run(run_id) if run_id is not None else last_that_makes(store)
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


def last_that_makes(store: Store) -> RunInfo | None:
    """Return the last run that was to make something; it is nearly always among the newest ones."""
    for limit in (_NEWEST, None):
        runs = store.runs(limit)
        found = next((run for run in runs if run.makes), None)
        if found is not None or len(runs) < _NEWEST:
            return found
    return None
