"""assetry-automation: makes assets when their policies ask for it, and says when that is.

`simulate` says what would be started in days to come; all else is the command line's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assetry_automation.simulation.simulation import Simulation, simulate

__all__ = ["Simulation", "simulate"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from assetry_automation.simulation import (
            simulation,
        )  # the plugin is loaded by each command, and needs none of it

        return getattr(simulation, name)
    raise AttributeError(f"module 'assetry_automation' has no attribute {name!r}")
