"""assetry-automation: makes assets when their policies ask for it, and says when that is.

For definitions there are `sensor` and `watch`; `simulate` says what would be started in days to come. All else is the
command line's, see ``assetry daemon``.

>>> from assetry_automation import Observed, sensor
>>> @sensor(every="5m")
... def landed(context):
...     yield Observed("raw/orders", data_version="v7")
>>> landed.name
'landed'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assetry.plugin import Observed

    from assetry_automation.files.watch import watch
    from assetry_automation.sensing.sensors import Sensor, SensorContext, sensor
    from assetry_automation.simulation.simulation import Simulation, simulate

__all__ = ["Observed", "Sensor", "SensorContext", "Simulation", "sensor", "simulate", "watch"]

#: Where each is: the plugin is loaded by each command, and needs none of them.
_PLACES = {
    "Observed": "assetry.plugin",
    "watch": "assetry_automation.files.watch",
    **dict.fromkeys(("Sensor", "SensorContext", "sensor"), "assetry_automation.sensing.sensors"),
    **dict.fromkeys(("Simulation", "simulate"), "assetry_automation.simulation.simulation"),
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'assetry_automation' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
