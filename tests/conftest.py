"""What holds for all tests."""

from __future__ import annotations

import gc
import os

import pytest
from dbt_common.tests import enable_test_caching
from hypothesis import HealthCheck, settings

from tests.examples import examples

# pandera tells Arrow to ignore the zones of times, for the whole process, unless this is set.
os.environ.setdefault("PYARROW_IGNORE_TIMEZONE", "")

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile(
    "assetry", max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("assetry")

# dbt's own switch for tests: it reads the hundreds of macros that every project has once, and not for each project.
enable_test_caching()

# Workers hold hundreds of megabytes of modules and tests, in which Python looks for garbage again and again.
gc.set_threshold(20_000, 10, 20)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that all workers end together, with files that take little."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
