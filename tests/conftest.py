"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# pandera tells Arrow to ignore the zones of times, for the whole process, unless this is set.
os.environ.setdefault("PYARROW_IGNORE_TIMEZONE", "")

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("assetry", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("assetry")
