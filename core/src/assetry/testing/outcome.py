"""Projects in a temporary folder, the command line called on them, and what came of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from assetry.project.project import Project
from assetry.testing.child import LONGEST

ENDS = ("materialized", "failed", "skipped")


@dataclass(frozen=True)
class Outcome:
    """What a call of the command line came to: exit code, output, and the events of its run.

    Assets are named by their key, or by its last part.

    >>> lines = '{"event": "materialized", "asset": "shop/a"}\\n{"event": "skipped", "asset": "b", "because": "no a"}'
    >>> outcome = Outcome(0, lines, "")
    >>> outcome.assert_materialized("a").assert_skipped("b", because="no a").launches
    0
    """

    code: int
    out: str
    err: str
    arguments: tuple[str, ...] = field(default=())

    # -- what happened -----------------------------------------------------------------------------------------------

    @cached_property
    def events(self) -> tuple[Mapping[str, Any], ...]:
        """Return the events of the run, as ``--output ndjson`` wrote them; empty for other outputs."""
        lines = [line for line in self.out.splitlines() if line.startswith("{")]
        try:
            found = [json.loads(line) for line in lines]
        except ValueError:
            return ()
        return tuple(each for each in found if "event" in each)

    @cached_property
    def data(self) -> Any:
        """Return the document that ``--output json`` wrote."""
        return json.loads(self.out)

    @property
    def launches(self) -> int:
        """Return how many invocations of tools were started, Python functions not among them."""
        return sum(1 for each in self.events if each["event"] == "invocation_started" and each.get("kind") != "python")

    @property
    def ends(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the terminal event of each asset, by key."""
        return {each["asset"]: each for each in self.events if each["event"] in ENDS}

    # -- what should have happened -----------------------------------------------------------------------------------

    def assert_ok(self) -> Outcome:
        """Fail unless the exit code is 0."""
        return self.assert_code(0)

    def assert_code(self, code: int) -> Outcome:
        """Fail unless the exit code is `code`."""
        assert self.code == code, f"exit code {self.code}, not {code}{self._said()}"
        return self

    def assert_materialized(self, *names: str) -> Outcome:
        """Fail unless each of these was materialized."""
        for name in names:
            self._assert_end(name, "materialized")
        return self

    def assert_only_materialized(self, *names: str) -> Outcome:
        """Fail unless these were materialized, and nothing else was."""
        self.assert_materialized(*names)
        wanted = {self._end(name)["asset"] for name in names}
        made = {key for key, each in self.ends.items() if each["event"] == "materialized"}
        assert made == wanted, f"{', '.join(sorted(made - wanted))} was materialized as well{self._said()}"
        return self

    def assert_failed(self, name: str, message: str | None = None) -> Outcome:
        """Fail unless this asset failed; `message` is a pattern that must be found in what it says."""
        end = self._assert_end(name, "failed")
        said = f"{end['message']} {end.get('hint') or ''}"
        assert message is None or re.search(message, said), f"{name} failed with {said!r}, not with {message!r}"
        return self

    def assert_skipped(self, *names: str, because: str | None = None) -> Outcome:
        """Fail unless each of these was skipped; `because` must occur in the reason."""
        for name in names:
            reason = str(self._assert_end(name, "skipped")["because"])
            assert because is None or because in reason, f"{name} was skipped because {reason!r}, not {because!r}"
        return self

    def assert_checked(self, name: str, check: str, passed: bool = True) -> Outcome:
        """Fail unless a check of this asset was run and came out as said."""
        found = [each for each in self.events if each["event"] == "checked" and each["check"] == check]
        found = [each for each in found if _means(name, each["asset"])]
        assert found, f"check {check} of {name} was not run{self._said()}"
        assert found[-1]["passed"] == passed, f"check {check} of {name}: passed is {found[-1]['passed']}{self._said()}"
        return self

    def assert_said(self, *patterns: str) -> Outcome:
        """Fail unless each pattern is found in what was written, to stdout or stderr."""
        for pattern in patterns:
            assert re.search(pattern, f"{self.out}\n{self.err}"), f"nothing says {pattern!r}{self._said()}"
        return self

    def _assert_end(self, name: str, event: str) -> Mapping[str, Any]:
        end = self._end(name)
        why = end.get("message") or end.get("because") or ""
        assert end["event"] == event, f"{end['asset']} was {end['event']}, not {event}: {why}{self._said()}"
        return end

    def _end(self, name: str) -> Mapping[str, Any]:
        assert self.events, f"there are no events; call materialize(), or add --output ndjson{self._said()}"
        found = [key for key in self.ends if _means(name, key)]
        assert found, f"nothing is said of {name}; there is {', '.join(self.ends) or 'nothing'}{self._said()}"
        exact = [key for key in found if key == name]
        assert len(found) == 1 or exact, f"{name} may be {' or '.join(found)}: write the whole key"
        return self.ends[(exact or found)[0]]

    def _said(self) -> str:
        return f"\n  of: assetry {' '.join(self.arguments)}\n{self.out}\n{self.err}".rstrip()


def _means(name: str, key: str) -> bool:
    return key == name or key.endswith(f"/{name}")


class ProjectFolder:
    """A project in a folder: files, and the command line called on it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     shop = ProjectFolder(Path(folder), {"assets.py": "from assetry import asset\\n@asset\\ndef a(): return 1"})
    ...     shop.materialize().assert_ok().assert_materialized("a").launches
    0
    """

    def __init__(self, root: Path, files: Mapping[str, str]) -> None:
        self.root = root
        self._projects: list[Project] = []
        for name, text in files.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> Path:
        """Write a file below the folder; what all its lines are indented by is taken away."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return file

    def run(self, *arguments: str, process: bool = False, env: Mapping[str, str] | None = None) -> Outcome:
        """Call ``assetry`` with these arguments in the folder; with `process`, as a process of its own."""
        given = ("-C", str(self.root), *arguments)
        if process:
            done = subprocess.run(
                [sys.executable, "-m", "assetry", *given],
                capture_output=True,
                encoding="utf-8",
                check=False,
                timeout=LONGEST,
                env={**os.environ, "PYTHONUTF8": "1", **(env or {})},
            )
            return Outcome(done.returncode, done.stdout, done.stderr, arguments)
        from click.testing import CliRunner

        from assetry.cli.program import Program

        result = CliRunner(env=env).invoke(Program(), given, catch_exceptions=False)
        return Outcome(result.exit_code, result.stdout, result.stderr, arguments)

    def materialize(self, *arguments: str, **how: Any) -> Outcome:
        """Call ``assetry materialize`` and keep its events."""
        return self.run("materialize", "--output", "ndjson", *arguments, **how)

    def retry(self, *arguments: str, **how: Any) -> Outcome:
        """Call ``assetry retry`` and keep its events."""
        return self.run("retry", "--output", "ndjson", *arguments, **how)

    def load(self, **given: Any) -> Project:
        """Return the project itself, for what the command line does not show; it is closed after the test."""
        self._projects.append(Project.load(self.root, **given))
        return self._projects[-1]

    def close(self) -> None:
        """Close what was opened."""
        while self._projects:
            self._projects.pop().close()
