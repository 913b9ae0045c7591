"""The Python plugin keeps the promises of all integrations: functions of one asset, and functions of several."""

from __future__ import annotations

import sys
from pathlib import Path

from assetry.plugin import Integration
from assetry.testing import FakeTool, IntegrationConformance, IntegrationUnderTest

#: The plugin as a module of hooks, as an entry point would name it.
HOOKS = """\
from assetry.python.plugin import PythonPlugin

_plugin = PythonPlugin()
for _name in dir(_plugin):
    if _name.lower().startswith("assetry_"):
        globals()[_name] = getattr(_plugin, _name)
"""

SEVERAL = """\
import time
from assetry import asset_check, multi_asset
from assetry.testing import FakeTool

NEEDS = {"b": ["a"], "d": ["b"]}
tool = FakeTool(FOLDER, needs=NEEDS)


@multi_asset(
    assets=[{"key": "NAME/a"}, {"key": "NAME/c"}, {"key": "NAME/b", "deps": ["NAME/a"]},
            {"key": "NAME/d", "deps": ["NAME/b"]}],
    can_subset=True,
)
def tables(context):
    keys = {key.name: key for key in context.keys}
    job = tool.start(list(keys))
    seen = 0
    try:
        while not context.cancelled:
            state, steps = tool.poll(job)
            for step in steps[seen:]:
                if step.what == "made":
                    yield keys[step.name], {"rows": step.rows}
                elif step.what == "failed":
                    raise ValueError(step.message)
            if state == "died":
                raise RuntimeError("the tool died")
            if state != "running":
                return
            if seen == len(steps):
                time.sleep(0.005)
            seen = len(steps)
    finally:
        tool.cancel(job)


@asset_check(asset="NAME/d")
def d_has_rows(d):
    return d["rows"] > 0
"""

ONE = """\
from assetry import Link, Markdown, Output, asset, asset_check
from assetry.testing import FakeTool

tool = FakeTool(FOLDER)


def make(name):
    return [step.rows for step in tool.run([name]) if step.what == "made"][0]


@asset
def first():
    told = {"mean": 2.5, "page": Link("https://example.com/7"), "report": Markdown("All *well*.")}
    return Output(make("first"), metadata=told)


@asset
def second(first):
    return make("second")


@asset
def third(second):
    return make("third")
"""


def python(folder: Path, text: str, **refuses: str) -> IntegrationUnderTest:
    tool = FakeTool(folder / "tool", needs={"b": ["a"], "d": ["b"]})
    for name in ("kit_mine", "kit_other"):
        (folder / f"{name}.py").write_text(text.replace("FOLDER", repr(str(tool.folder))).replace("NAME", name))
    hooks = f"kit_hooks_{folder.name.replace('-', '_')}"
    (folder / f"{hooks}.py").write_text(HOOKS)
    sys.path.insert(0, str(folder))
    return IntegrationUnderTest(
        hooks,
        integration=Integration("mine", "python", {"modules": ["kit_mine"]}, str(folder)),
        another=Integration("other", "python", {"modules": ["kit_other"]}, str(folder)),
        tool=tool,
        refuses={"resume": "a function ends with its process", **refuses},
    )


class TestFunctionOfSeveralAssets(IntegrationConformance):
    def subject(self, folder: Path) -> IntegrationUnderTest:
        why = "a function that raises has failed for all that it has not given yet"
        return python(folder, SEVERAL, fail_one=why)


class TestFunctionsOfOneAsset(IntegrationConformance):
    def subject(self, folder: Path) -> IntegrationUnderTest:
        return python(
            folder,
            ONE,
            collapse="a function makes one asset",
            stream="a function makes one asset",
            cancel="a function that does not look is interrupted by the executor, not by its stream",
        )
