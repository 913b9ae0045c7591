"""The conformance kit against connectors that run here: a real executable, told by files what to do."""

from __future__ import annotations

import os
from pathlib import Path

from assetry.plugin import Integration
from assetry.testing import IntegrationConformance, IntegrationUnderTest, Tool

from tests.conformance.told_by_files import ToldByFiles

SECRET = "k3y-of-the-kit"
STREAMS = ("users", "orders", "refunds")

CONNECTOR = """\
import json, os, sys, time
from pathlib import Path

control = Path("control")
verb, options = sys.argv[1], dict(zip(sys.argv[2::2], sys.argv[3::2]))


def say(type, **more):
    print(json.dumps({"type": type, **more}), flush=True)


def status(name, status):
    about = {"stream_descriptor": {"name": name}, "status": status}
    say("TRACE", trace={"type": "STREAM_STATUS", "stream_status": about})


def read(name):
    status(name, "STARTED")
    while (control / f"held-{name}").exists():
        (control / "holding").touch()
        time.sleep(0.01)
    if (control / f"dies-{name}").exists():
        os._exit(70)
    if (control / f"broken-{name}").exists():
        about = {"message": f"{name} is out of reach", "stream_descriptor": {"name": name}}
        say("TRACE", trace={"type": "ERROR", "error": about})
        status(name, "INCOMPLETE")
        return False
    say("RECORD", record={"stream": name, "data": {"id": 1}})
    (control / f"made-{name}").touch()
    status(name, "COMPLETE")
    return True


if verb == "check":
    say("CONNECTION_STATUS", connectionStatus={"status": "SUCCEEDED"})
elif verb == "discover":
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
    say("CATALOG", catalog={"streams": [{"name": name, "json_schema": schema} for name in STREAMS]})
else:
    (control / f"launch-{os.getpid()}").touch()
    assert json.loads(Path(options["--config"]).read_text())["key"], "there is no key"
    catalog = json.loads(Path(options["--catalog"]).read_text())
    sys.exit(0 if all([read(each["stream"]["name"]) for each in catalog["streams"]]) else 1)
"""


class ConnectorTool(ToldByFiles):
    """Control the connector by the files that it looks for."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "source.py").write_text(CONNECTOR.replace("STREAMS", repr(STREAMS)))


class TestLocalConnector(IntegrationConformance):
    def subject(self, folder: Path) -> IntegrationUnderTest:
        tool = ConnectorTool(folder / "project")
        assert isinstance(tool, Tool)
        # The connector is asked what it offers when assets are loaded, before the kit sets what must not be seen.
        os.environ["CONNECTOR_KEY"] = SECRET
        options = {"command": ["python", "source.py"], "config": {"key": {"env": "CONNECTOR_KEY"}}}
        return IntegrationUnderTest(
            "assetry_airbyte.plugin",
            heavy=("msgspec", "pyarrow", "duckdb"),
            integration=Integration("shop", "airbyte", options, str(tool.folder)),
            tool=tool,
            secrets={"CONNECTOR_KEY": SECRET},
            patience=60.0,
            refuses={"resume": "a connector ends with the process that started it"},
        )
