"""How the daemon is, over HTTP on this machine: ``/healthz`` and ``/metrics``."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any, NamedTuple

from assetry.plugin import UsageError


class SenseHealth(NamedTuple):
    """How a sensor, or an integration that is observed, is: asked next `at` (seconds), after `failures` in a row.

    >>> SenseHealth(1767225600.0).failures
    0
    """

    at: float
    failures: int = 0
    told: str = ""


class JobHealth(NamedTuple):
    """How a job is: it ticks next `at` (seconds), and was `ok` when it was run last, None where it never was.

    >>> JobHealth(1767225600.0).ok is None
    True
    """

    at: float
    ok: bool | None = None
    told: str = ""


@dataclass(slots=True)
class Health:
    """What is told of a daemon: how many `looks` and `runs` there were, and `counts` of assets by what they wait for.

    >>> health = Health(interval=5)
    >>> health.looked({"held": 2}); health.ok
    True
    """

    interval: float
    looks: int = 0
    runs: dict[str, int] = field(default_factory=lambda: {"succeeded": 0, "failed": 0})
    running: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    problem: str | None = None
    standing_by: bool = False
    senses: Mapping[str, SenseHealth] = field(default_factory=dict)
    jobs: Mapping[str, JobHealth] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()
    _turned: float = field(default_factory=monotonic)

    @property
    def ok(self) -> bool:
        """Tell whether it goes round, and the definitions load."""
        return self.problem is None and monotonic() - self._turned < max(60.0, 10 * self.interval)

    def turned(self) -> None:
        """Take down that it has gone round."""
        self._turned = monotonic()

    def looked(self, counts: Mapping[str, int], jobs: Mapping[str, JobHealth] | None = None) -> None:
        """Take down what a look has found."""
        self.looks += 1
        self.counts, self.jobs = dict(counts), dict(jobs or {})

    def failing(self) -> dict[str, str]:
        """Return what fails, and how: sensors and integrations by their names, jobs as ``job NAME``."""
        found = {name: each.told for name, each in self.senses.items() if each.failures}
        return found | {f"job {name}": each.told for name, each in self.jobs.items() if each.ok is False}

    def metrics(self) -> str:
        """Return all figures in the text form of Prometheus."""
        lines = [
            *("# TYPE assetry_daemon_up gauge", f"assetry_daemon_up {int(self.ok)}"),
            *("# TYPE assetry_daemon_standing_by gauge", f"assetry_daemon_standing_by {int(self.standing_by)}"),
            *("# TYPE assetry_daemon_looks_total counter", f"assetry_daemon_looks_total {self.looks}"),
            "# TYPE assetry_daemon_runs_total counter",
            *(f'assetry_daemon_runs_total{{state="{name}"}} {count}' for name, count in self.runs.items()),
            *("# TYPE assetry_daemon_runs gauge", f"assetry_daemon_runs {self.running}"),
            "# TYPE assetry_assets gauge",
            *(f'assetry_assets{{next="{name}"}} {count}' for name, count in sorted(self.counts.items())),
            "# TYPE assetry_sense_next_timestamp_seconds gauge",
            *(
                f"assetry_sense_next_timestamp_seconds{_label(name)} {each.at:.0f}"
                for name, each in self.senses.items()
            ),
            "# TYPE assetry_sense_failures gauge",
            *(f"assetry_sense_failures{_label(name)} {each.failures}" for name, each in self.senses.items()),
            "# TYPE assetry_job_next_timestamp_seconds gauge",
            *(f"assetry_job_next_timestamp_seconds{_label(name)} {each.at:.0f}" for name, each in self.jobs.items()),
            "# TYPE assetry_job_last_ok gauge",
            *(
                f"assetry_job_last_ok{_label(name)} {int(each.ok)}"
                for name, each in self.jobs.items()
                if each.ok is not None
            ),
            *("# TYPE assetry_wrong_jobs gauge", f"assetry_wrong_jobs {len(self.wrong)}"),
        ]
        return "\n".join(lines) + "\n"


def _label(name: str) -> str:
    """Return the label of a sense, as the text form of Prometheus has it.

    >>> _label('the "first"')
    '{name="the \\\\"first\\\\""}'
    """
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{{name="{escaped}"}}'


def serve(health: Health, port: int) -> ThreadingHTTPServer:
    """Serve how a daemon is on a port of 127.0.0.1, 0 for any free one; raise `UsageError` where it is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/healthz":
                state = HTTPStatus.OK if health.ok else HTTPStatus.SERVICE_UNAVAILABLE
                failing = health.failing()
                told: dict[str, Any] = {"ok": health.ok, "problem": health.problem, "standing_by": health.standing_by}
                told |= {"failing": failing} if failing else {}
                told |= {"wrong": health.wrong} if health.wrong else {}
                self._answer(state, "application/json", json.dumps(told))
            elif self.path == "/metrics":
                self._answer(HTTPStatus.OK, "text/plain; version=0.0.4", health.metrics())
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", "There are /healthz and /metrics.\n")

        def _answer(self, state: HTTPStatus, kind: str, text: str) -> None:
            body = text.encode()
            self.send_response(state)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a probe comes every few seconds."""

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    except (OSError, OverflowError) as error:
        hint = "Name another one with --port."
        raise UsageError(f"Port {port} of 127.0.0.1 cannot be listened on: {error}.", hint=hint) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
