"""Every verb, form of output and odd surrounding: what is written can be read, and the exit code is true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from assetry.cli.overview import COMMANDS

pytestmark = pytest.mark.slow

#: Half a character, and numbers that JSON has not: in all that a person, a tool and a plugin may say.
ODD = r"""
import sys
from assetry import Asset, Column, Integration, StaticPartitionsDefinition, asset, asset_check
from assetry.plugin import Checked, Log, Materialized, Observed, Started, hookimpl

HALF, NAN, INF = "half \ud83d.", float("nan"), float("inf")
DEEP = {"deep": [{"nan": NAN, "inf": (INF, -INF), HALF: HALF, "n": {1: NAN}}]}
print("NOISE", HALF.encode("utf-8", "replace"))
sys.stdout.write("NOISE without an end")


@asset(description=f"Odd {HALF}", metadata=DEEP, tags=["odd"], owners=["who@example.com"])
def odd() -> int:
    print("made \ud83d")
    print("to stderr \ud83d", file=sys.stderr)
    return 1


@asset
def fails(odd: int) -> int:
    raise ValueError(HALF)


@asset_check(asset=odd)
def is_odd(odd: int) -> bool:
    return True


@asset(partitions_def=StaticPartitionsDefinition(["\u00df"]))
def parted() -> int:
    return 1
"""
PLUGIN = r'''
import sys
from assetry.plugin import *

HALF, NAN, INF = "half \ud83d.", float("nan"), float("inf")
DEEP = {"deep": [{"nan": NAN, "inf": (INF, -INF), HALF: HALF}]}
print("NOISE")


@hookimpl
def assetry_load_assets(integration):
    print("NOISE")
    if integration.kind == "mill":
        checks = [Check("ok", description=HALF)]
        columns = [Column("a", "int", HALF)]
        return [Asset(key="mill/flour", kind="mill", integration=integration, metadata=DEEP, columns=columns,
                      checks=checks, description=HALF, facets={"odd": (HALF,)})]


@hookimpl
def assetry_invocation_group(asset):
    return InvocationGroup("mill")


@hookimpl
def assetry_invocation_command(invocation):
    return HALF


@hookimpl
def assetry_invoke(invocation, context):
    sys.stdout.write("NOISE")
    for asset in invocation.assets:
        yield Started(asset.key)
        yield Log(HALF, "warning", asset.key)
        yield Checked(asset.key, "ok", False, "warn", HALF, metadata=DEEP)
        yield Materialized(asset.key, metadata=DEEP)


@hookimpl
def assetry_observe(invocation, context):
    for asset in invocation.assets:
        yield Observed(asset.key, data_version="1", metadata=DEEP)


@hookimpl
def assetry_panels(asset, context):
    print("NOISE")
    return [Panel(title="odd", markdown=HALF, columns=("a",), rows=((NAN,), (HALF,)))]


@hookimpl
def assetry_add_commands(commands):
    print("NOISE")
    mill = commands.group("mill", "The mill.")

    @mill.command("tell")
    def tell(context):
        """Tell."""
        print("NOISE")
        context.say(HALF) if context.text else context.emit(DEEP)
'''
PROJECT = """
[integrations.mill]
kind = "mill"
share = nan
most = [inf, { least = -inf }]
"""

#: A call of each verb, and the exit code that it has where nothing is in the way.
CALLS = {
    "list": (["list"], 0),
    "list -v": (["list", "-v"], 0),
    "show": (["show", "mill/flour", "-v"], 0),
    "show-python": (["show", "odd", "-v"], 0),
    "graph": (["graph"], 0),
    "impact": (["impact", "odd"], 0),
    "diff": (["diff"], 0),
    "check": (["check"], 0),
    "plan": (["plan"], 0),
    "status": (["status"], 0),
    "materialize": (["materialize"], 1),
    "retry": (["retry"], 1),
    "accept": (["accept", "odd", "--dry-run"], 0),
    "backfill": (["backfill", "-s", "parted", "-p", "all"], 0),
    "backfill --dry-run": (["backfill", "-s", "parted", "-p", "all", "--dry-run"], 0),
    "backfills": (["backfills"], 0),
    "observe": (["observe"], 0),
    "runs": (["runs"], 0),
    "logs": (["logs"], 0),
    "cancel": (["cancel", "2"], 0),
    "plugins": (["plugins"], 0),
    "partitions": (["partitions"], 0),
    "prune": (["prune", "--history", "--dry-run"], 0),
    "mill": (["mill", "tell"], 0),
}
#: A verb makes a file, and has no result.
#: What makes files, takes one that a tool wrote, or says something only while another run goes on.
WITHOUT = {"init", "record", "queue", "bump"}
OUTPUTS = ("text", "json", "ndjson")
BOTH = "2>&1 | head -c 1"


def call(folder: Path, command: list[str], streams: str = "") -> subprocess.CompletedProcess[bytes]:
    line = f'"$0" -m assetry "$@" {streams}'
    environment = {**os.environ, "PYTHONUTF8": "1", "ASSETRY_PLUGINS": ""}
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}", sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    (folder / "assets.py").write_text(ODD)
    (folder / "assetry_plugins.py").write_text(PLUGIN)
    (folder / "assetry.toml").write_text(PROJECT)
    call(folder, ["materialize"])
    call(folder, ["backfill", "parted", "-s", "parted", "-p", "all"])
    return folder


def read(out: bytes, output: str) -> None:
    """Raise unless what was written is what the form of output promises."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    text = out.decode("utf-8")  # a reader that is strict
    assert "NOISE" not in text
    documents = [text] if output == "json" else text.splitlines() if output == "ndjson" else []
    for document in documents:
        assert json.loads(document, parse_constant=refuse)["version"] == 1


def test_every_verb_is_called() -> None:
    assert {words[0] for words, _ in CALLS.values()} >= set(COMMANDS) - WITHOUT


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("name", CALLS)
def test_what_is_odd_is_written_so_that_it_can_be_read(project: Path, name: str, output: str) -> None:
    words, code = CALLS[name]
    done = call(project, [*words, "--output", output])
    said = done.stderr.decode("utf-8")
    assert "Traceback" not in said or "-v" in words
    assert "bug in assetry" not in said
    if name != "cancel":
        assert done.returncode == code, said
        assert done.stdout
    if done.returncode == code:
        read(done.stdout, output)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
@pytest.mark.parametrize(
    ("name", "output"),
    [(name, "ndjson") for name in CALLS if name != "cancel"]
    + [(name, output) for name in ("list", "materialize", "mill") for output in ("text", "json")],
)
def test_a_result_that_cannot_be_written_is_no_success(project: Path, name: str, output: str) -> None:
    done = call(project, [*CALLS[name][0], "--output", output], "> /dev/full")
    said = done.stderr.decode()
    assert done.returncode == 1, said
    assert "could not be written: No space left on device" in said
    assert "bug in assetry" not in said


@pytest.mark.parametrize(
    ("name", "streams"),
    [(name, "2> /dev/full") for name in CALLS if name != "cancel"]
    + [(n, s) for n in ("list", "materialize", "mill") for s in (">&-", "2>&-", "<&- >&- 2>&-", "| head -c 1", BOTH)],
)
def test_a_stream_that_is_gone_or_full_changes_no_exit_code(project: Path, name: str, streams: str) -> None:
    words, code = CALLS[name]
    if not Path("/dev/full").exists() and "/dev/full" in streams:
        pytest.skip("there is no /dev/full on this system")
    done = call(project, [*words, "--output", "ndjson"], streams)
    assert done.returncode in ({code, 0} if "head" in streams else {code}), done.stderr.decode()
    assert b"Traceback" not in done.stderr or "-v" in words
    if streams == "2> /dev/full":
        read(done.stdout, "ndjson")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
@pytest.mark.parametrize("words", [["--help"], [], ["--version"], ["plan", "--help"], ["mill", "--help"]])
def test_help_that_cannot_be_written_is_no_success(project: Path, words: list[str]) -> None:
    done = call(project, words, "> /dev/full 2> /dev/full" if not words else "> /dev/full")
    assert done.returncode == (1 if words else 2), done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert call(project, words, ">&- 2>&-").returncode == (0 if words else 2)
