"""Results on stdout are results, whatever user code prints and whatever becomes of the streams."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from assetry.cli.output import write_line
from assetry.cli.text import styled
from assetry.hooks.masks import Mask
from assetry.views.json import json_text
from hypothesis import given
from hypothesis import strategies as st

NOISY = """
import os, subprocess
from assetry import asset
print("imported")

@asset
def loud() -> int:
    print("made")
    os.write(1, b"from below\\n")
    subprocess.run(["echo", "from a child"], check=True)
    return 1
"""


def call(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the shell in which `assetry` is the command line."""
    line = f'assetry() {{ "{sys.executable}" -m assetry "$@"; }}; {command}'
    return subprocess.run(["bash", "-c", line], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    (tmp_path / "assets.py").write_text(NOISY)
    return tmp_path


def test_nothing_that_user_code_prints_gets_between_results(noisy: Path) -> None:
    done = call(noisy, "assetry materialize --output ndjson")
    events = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert events[0] == "run_started"
    assert events[-1] == "run_finished"
    for said in ("imported", "from below", "from a child"):
        assert said in done.stderr
    assert json.loads(call(noisy, "assetry list --output json").stdout)["assets"][0]["key"] == "loud"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_nothing_else(noisy: Path, closed: str) -> None:
    assert call(noisy, f"assetry materialize {closed}; exit $?").returncode == 0
    # What was opened under the number of a closed stream would have been written into.
    assert json.loads(call(noisy, "assetry status --output json").stdout)["counts"] == {"fresh": 1}


def on_a_terminal(folder: Path, *arguments: str, colours: bool = False) -> str:
    """Return what a person sees of a call on a terminal, control characters included."""
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "" if colours else "1", "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "assetry", *arguments]
    with subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        seen = b""
        try:
            while got := os.read(ours, 4096):
                seen += got
        except OSError:  # the terminal has been left
            pass
    os.close(ours)
    return seen.decode()


def test_a_terminal_shows_what_is_being_read_until_there_is_more_to_show(tmp_path: Path) -> None:
    (tmp_path / "assets.py").write_text("from assetry import asset\n\n@asset\ndef one() -> int:\n    return 1\n")
    seen = on_a_terminal(tmp_path, "list", "-q")
    assert "Reading" not in seen
    seen = on_a_terminal(tmp_path, "list")
    assert seen.index("Reading python …") < seen.index("\r\x1b[2K") < seen.index("python: 1 asset")
    assert "Reading" not in call(tmp_path, "assetry list").stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
@pytest.mark.parametrize("output", ["text", "json", "ndjson"])
def test_a_full_disk_below_stdout_shows_in_the_exit_code_and_the_run_goes_on(noisy: Path, output: str) -> None:
    done = call(noisy, f"assetry materialize --output {output} > /dev/full")
    assert done.returncode == 1
    assert "The result could not be written: No space left on device." in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(call(noisy, "assetry status --output json").stdout)["counts"] == {"fresh": 1}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this system")
def test_a_full_disk_below_stderr_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "assets.py").write_text("from assetry import asset\n\n@asset\ndef quiet(): return 1\n")
    assert call(tmp_path, "assetry materialize 2> /dev/full").returncode == 0


def test_a_reader_that_leaves_is_no_failure(noisy: Path) -> None:
    done = call(noisy, "set -o pipefail; assetry materialize --output ndjson | head -n 1")
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


#: Titles, links, clipboards, cursors, colours, and their forms of one byte, in front of a word each.
ESCAPES = ("\x1b]0;t\x07", "\x1b]8;;u\x1b\\", "\x1b]52;c;x\x07", "\x1b[2J", "\x1b[31m", "\x9b31m", "\x9d0;", "\x08")
EVIL = "EVIL".join(["", *ESCAPES, "\x1bc", ""])
TOOL = """
from assetry.plugin import (
    Asset, Check, Checked, Column, Failed, InvocationGroup, Log, Materialized, Panel, Progress, Started, hookimpl
)

ASSETRY_KINDS = {"mill": {}}
EVIL = EVIL_TEXT

@hookimpl
def assetry_load_assets(integration):
    return [
        Asset(key=f"mill/{name}", kind="mill", integration=integration, description=EVIL, group=EVIL, owners=[EVIL],
              tags=[EVIL], metadata={EVIL: EVIL}, columns=[Column(EVIL, EVIL, EVIL)], checks=[Check(EVIL)],
              resource_type="table", source=EVIL, deps=["mill/a"] if name == "b" else ())
        for name in "ab"
    ]

@hookimpl
def assetry_invocation_group(asset):
    return InvocationGroup(EVIL)

@hookimpl
def assetry_invocation_command(invocation):
    return EVIL

@hookimpl
def assetry_panels(asset, context):
    return [Panel(title=EVIL, markdown=EVIL)]

@hookimpl
def assetry_invoke(invocation, context):
    yield Log(EVIL, "warning")
    for asset in invocation.assets:
        yield Started(asset.key)
        if asset.key.name == "a":
            yield Materialized(asset.key, data_version=EVIL, metadata={EVIL: EVIL})
            yield Checked(asset.key, EVIL, False, "warn", EVIL)
        else:
            yield Failed(asset.key, EVIL, EVIL)
"""


def test_what_a_tool_says_commands_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "assetry_plugins.py").write_text(TOOL.replace("EVIL_TEXT", repr(EVIL)))
    (tmp_path / "assetry.toml").write_text('[integrations.works]\nkind = "mill"\n')
    calls = ("list -v", "show mill/a -v", "plan -v", "materialize -v", "status -v", "logs -v", "check", "graph")
    for arguments in (*calls, "show mill/b", "runs", "plugins", "retry", "list -s EVIL"):
        seen = on_a_terminal(tmp_path, *arguments.split(), colours=True)
        assert "EVIL" in seen or arguments in ("check", "graph", "runs", "plugins"), arguments
        for each in ("\x1b]", "\x07", "\x1b[2J", "\x1bc", "\x1b[31mEVIL", "\x08", *map(chr, range(0x80, 0xA0))):
            assert each not in seen, (arguments, each)
    assert "\x1b[" in on_a_terminal(tmp_path, "status", colours=True)
    for arguments in ("list", "status", "show mill/a", "plan"):
        seen = on_a_terminal(tmp_path, *arguments.split(), "--output", "json")
        assert "EVIL\\u001b]0;t\\u0007" in seen
        assert "\x9b" not in seen


def test_a_secret_with_a_colour_in_it_is_covered() -> None:
    told = io.StringIO()
    write_line(told, f"{styled('error:', fg='red')} it is s3\x1b[0mcret", cover=Mask(frozenset({"s3cret"})))
    assert told.getvalue() == "error: it is ***\n"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values, st.booleans())
def test_json_is_json_for_every_reader(value: object, unicode: bool) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    text = json_text({"value": value}, unicode=unicode)
    text.encode("utf-8" if unicode else "ascii")
    json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_a_stream_cannot_hold_is_written_as_its_escape(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "out"
    with path.open("w", encoding=encoding) as stream:
        write_line(stream, "½ ü \udcff")
    assert path.read_bytes().endswith(b"\\udcff" + os.linesep.encode())
