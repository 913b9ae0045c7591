"""The conformance kit against the real Meltano, with extractors that are told by files what to do.

Whether a stream was loaded is known when its pair has ended, so each has an extractor of its own: one `meltano run`
loads them all.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from assetry.plugin import Integration
from assetry.testing import IntegrationConformance, IntegrationUnderTest, Tool

from tests.conformance.told_by_files import ToldByFiles
from tests.meltano.scripted import Bench

pytestmark = pytest.mark.slow

SECRET = "k3y-of-the-kit"
STREAMS = ("users", "orders", "refunds")

TAP = """\
#!/usr/bin/env python3
import json, os, sys, time
from itertools import pairwise
from pathlib import Path

options, control = dict(pairwise(sys.argv)), Path("control")
assert json.loads(Path(options["--config"]).read_text())["token"], "there is no token"


def say(type, **more):
    print(json.dumps({"type": type, **more}), flush=True)


schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
name = json.loads(Path(options["--config"]).read_text())["script"].partition(".")[0]
if "--discover" in sys.argv:
    about = [{"breadcrumb": [], "metadata": {"inclusion": "available"}}]
    stream = {"tap_stream_id": name, "stream": name, "key_properties": ["id"], "schema": schema, "metadata": about}
    print(json.dumps({"streams": [stream]}))
    sys.exit()
(control / f"launch-{os.getppid()}").touch()
say("SCHEMA", stream=name, schema=schema, key_properties=["id"])
metric = {"type": "counter", "metric": "record_count", "value": 0, "tags": {"endpoint": name}}
print("METRIC: " + json.dumps(metric), file=sys.stderr, flush=True)
while (control / f"held-{name}").exists():
    (control / "holding").touch()
    time.sleep(0.01)
if (control / f"dies-{name}").exists():
    os._exit(70)
if (control / f"broken-{name}").exists():
    print(f"CRITICAL {name} is out of reach", file=sys.stderr, flush=True)
    sys.exit(1)
say("RECORD", stream=name, record={"id": 1})
(control / f"made-{name}").touch()
print("METRIC: " + json.dumps({**metric, "value": 1}), file=sys.stderr, flush=True)
"""


class MeltanoTool(ToldByFiles):
    """Control the extractor by the files that it looks for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        Bench(folder, {name: {} for name in STREAMS}).write("plugins/tap.py", TAP)


class TestMeltano(IntegrationConformance):
    def subject(self, folder: Path) -> IntegrationUnderTest:
        tool = MeltanoTool(folder / "project")
        assert isinstance(tool, Tool)
        # The extractor is asked what it offers when assets are loaded, before the kit sets what must not be seen.
        os.environ["MELTANO_KEY"] = SECRET
        options = {"env": {f"{name.upper()}_TOKEN": {"env": "MELTANO_KEY"} for name in STREAMS}}
        return IntegrationUnderTest(
            "assetry_meltano.plugin",
            heavy=("yaml", "meltano"),
            integration=Integration("meltano", "meltano", options, str(tool.folder)),
            tool=tool,
            secrets={"MELTANO_KEY": SECRET},
            patience=120.0,
        )
