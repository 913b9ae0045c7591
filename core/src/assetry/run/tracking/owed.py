"""What is said of an asset whose end nothing has told: its invocation is over, or has broken."""

from __future__ import annotations

from assetry.run.tracking.ends import Ends
from assetry.run.tracking.tracked import Interruption, Tracked
from assetry.types.assets import Asset
from assetry.types.events import Failed, Skipped


def unbegun(ends: Ends, tracked: Tracked, asset: Asset, problem: Interruption) -> Skipped:
    """Return the end of what had surely not begun."""
    blocker = ends.blocker_above(asset)
    kind = tracked.planned.invocation.integration.kind
    broke = problem.rest or f"the {kind} invocation broke before it began"
    return Skipped(asset.key, broke if blocker is None else blocker.text)


def owed_end(
    ends: Ends, tracked: Tracked, asset: Asset, problem: Interruption | None, unclear: bool
) -> Failed | Skipped:
    """Return the end of what was called for; `unclear` says that its tool need not tell what it begins."""
    blocker = ends.blocker_above(asset)
    if blocker is not None and asset.key not in tracked.started:
        return Skipped(asset.key, blocker.text)
    if problem is None:
        kind = tracked.planned.invocation.integration.kind
        return Failed(
            asset.key,
            f"{kind} ended without saying what became of {asset.key}.",
            hint="Look at the log of the run; this may be a fault of the integration.",
        )
    begun = tracked.begun(asset.key)
    # A tool that does not say what it begins may have begun any of the rest.
    if problem.rest and (begun or (unclear and tracked.unannounced)):
        return Skipped(asset.key, f"{problem.rest} while it was being made", cancelled=True)
    if begun or (unclear and not problem.rest):
        return Failed(asset.key, problem.message, hint=problem.hint, retryable=True)
    return unbegun(ends, tracked, asset, problem)
