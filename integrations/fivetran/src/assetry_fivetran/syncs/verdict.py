"""What became of a sync, worked out from how its connection stands: Fivetran tells no sync's id, and no outcome.

Two moments are known of a connection: when a sync last succeeded, and when one last failed; and whether one is under
way. Both are compared with what they were when nothing of ours was under way (`Mark`), by the server's clock alone. So
a sync that ended since has begun since: it saw all that was at the source when we asked.
"""

from __future__ import annotations

from typing import Literal

from assetry_fivetran.api.responses import Mark, Standing

#: `waiting`: accepted, and not seen to start. `ended`: it was under way, is no more, and has no result.
Verdict = Literal["waiting", "running", "rescheduled", "paused", "ended", "succeeded", "failed"]


def judge(before: Mark, now: Standing, *, seen_running: bool) -> Verdict:
    """Return what became of the sync that was asked for when a connection's mark was `before`.

    `seen_running` says that since then a sync was seen under way. Pure; `now` may be any later look.

    >>> from dataclasses import replace
    >>> from datetime import UTC, datetime
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> now = Standing("c", "crm", Mark(succeeded=at))
    >>> judge(Mark(), now, seen_running=False), judge(Mark(succeeded=at), now, seen_running=False)
    ('succeeded', 'waiting')
    >>> judge(Mark(succeeded=at), replace(now, state="syncing"), seen_running=False)
    'running'
    """
    succeeded = now.mark.succeeded > before.succeeded
    failed = now.mark.failed > before.failed
    if succeeded and (not failed or now.mark.succeeded >= now.mark.failed):
        return "succeeded"  # even if another one is under way by now
    if now.syncing:
        return "running"  # after a failure: Fivetran tries again
    if now.state == "rescheduled":
        return "rescheduled"
    if failed:
        return "failed"
    if now.paused or now.state == "paused":
        return "paused"
    return "ended" if seen_running else "waiting"
