"""What a project file says of automation: ``[automation]`` and ``[jobs.NAME]``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from assetry.plugin import AutomationPolicy, DefinitionError, OptionError, near_names, read_span


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One demand of a clock on a selection: what is out of date of it is made at each tick.

    `partitions` are those that are made, as ``-p`` takes them; ``stale = false`` makes them also where they are up to
    date.

    >>> Job(name="nightly", select="tag:nightly", cron="0 2 * * *").policy.when
    'on_cron'
    """

    name: str
    select: str
    cron: str
    timezone: str = "UTC"
    partitions: str | None = None
    stale: bool = True

    @property
    def policy(self) -> AutomationPolicy:
        """Return the clock of the job."""
        return AutomationPolicy("on_cron", cron=self.cron, timezone=self.timezone)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEnd:
    """How a job came out that was run last: `at` when, `told` in words, and by which `run` where there was one.

    >>> from datetime import UTC
    >>> JobEnd(at=datetime(2026, 1, 5, 2, tzinfo=UTC), ok=False, told="it failed", run="r7").text
    'it failed at 2026-01-05 02:00 UTC, run r7'
    """

    at: datetime
    ok: bool
    told: str
    run: str | None = None

    @property
    def text(self) -> str:
        """Return it for people."""
        return f"{self.told} at {self.at:%Y-%m-%d %H:%M} UTC" + (f", run {self.run}" if self.run else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How much automation does at a time.

    * `max_runs`: so many of its runs are under way at a time.
    * `max_partitions_per_wave`: so many partitions are made by one run; the others are by the next ones.
    * `batch`: so long is waited after something is wanted, for what else comes to join it. ``auto`` waits only while
      something that its tool makes, too, is on its way, and no longer in all than an invocation costs by itself.
    * `slack`: the time before a deadline at which something is begun of which it is not known how long it takes.
    * `surge`: of more assets, or `surge_partitions`, that are out of date because of definitions alone, none is begun
      before a person has said so.
    * `holds_after`: so often in a row something fails from the same code and inputs before it is held.
    """

    max_runs: int = 4
    max_partitions_per_wave: int = 1_000
    batch: timedelta | Literal["auto"] = "auto"
    slack: timedelta = timedelta(minutes=10)
    surge: int = 500
    surge_partitions: int = 10_000
    holds_after: int = 5
    jobs: tuple[Job, ...] = field(default=())


def read_settings(tables: Mapping[str, Any], where: str | None = None) -> Settings:
    """Return what the tables of a project file say; raise `OptionError`, with near names, for what they cannot say.

    >>> read_settings({"automation": {"max_runs": 2, "batch": "2m"}}).batch
    datetime.timedelta(seconds=120)
    >>> read_settings({"jobs": {"nightly": {"select": "tag:nightly", "cron": "@daily"}}}).jobs[0].cron
    '@daily'
    """
    found = _read(tables.get("automation", {}), AUTOMATION, "[automation]", where)
    jobs = tables.get("jobs", {})
    if not isinstance(jobs, Mapping) or not all(isinstance(each, Mapping) for each in jobs.values()):
        raise OptionError(
            "[jobs] is made of tables.", where=where, hint='For example [jobs.nightly], with select = "…".'
        )
    return Settings(**found, jobs=tuple(_job(str(name), table, where) for name, table in jobs.items()))


def _job(name: str, table: Mapping[str, Any], where: str | None) -> Job:
    title = f"[jobs.{name}]"
    found = _read(table, JOB, title, where)
    for needed in ("select", "cron"):
        if needed not in found:
            hint = f"For example {needed} = {_EXAMPLES[needed]}."
            raise OptionError(f"{title} has no {needed}.", table=title, where=where, hint=hint)
    job = Job(name=name, **found)
    try:
        _ = job.policy
    except DefinitionError as error:
        zone = "time zone" in error.message
        raise OptionError(
            f"{title}: {error.message}",
            option="timezone" if zone else "cron",
            table=title,
            where=where,
            near=error.near,
            hint='For example timezone = "Europe/Berlin".' if zone else 'For example cron = "0 2 * * *".',
        ) from error
    return job


def _read(table: Any, known: Mapping[str, type], title: str, where: str | None) -> dict[str, Any]:
    if not isinstance(table, Mapping):
        raise OptionError(f"{title} is a table.", table=title, where=where)
    found: dict[str, Any] = {}
    for name, value in table.items():
        wanted = known.get(name)
        if wanted is None:
            hint, near = f"It has {', '.join(known)}.", near_names(str(name), known)
            raise OptionError(
                f"{title} has no {name!r}.", option=str(name), table=title, where=where, near=near, hint=hint
            )
        if name == "batch" and value == "auto":
            found[name] = value
        elif wanted is timedelta:
            found[name] = _span(value, name, title, where)
        elif type(value) is not wanted or (isinstance(value, int) and wanted is int and value < 1):
            word = {int: "a number above 0", bool: "true or false", str: "a text"}[wanted]
            raise OptionError(
                f"{name} of {title} is {word}, not {value!r}.",
                option=name,
                table=title,
                where=where,
                hint=f"For example {name} = {_EXAMPLES[name]}.",
            )
        else:
            found[name] = value
    return found


def _span(value: Any, name: str, title: str, where: str | None) -> timedelta:
    try:
        return (
            timedelta(0) if value in (0, "0", "0s") and value is not False else read_span(value, f"{name} of {title}")
        )
    except DefinitionError as error:
        raise OptionError(error.message, option=name, table=title, where=where, hint=error.hint) from error


#: Of what has no span of time, a value that it may have.
_EXAMPLES: Mapping[str, str] = {
    **{"max_runs": "4", "max_partitions_per_wave": "1000", "surge": "500", "surge_partitions": "10000"},
    **{"holds_after": "5", "select": '"tag:nightly"', "cron": '"0 2 * * *"', "timezone": '"Europe/Berlin"'},
    **{"partitions": '"last:2"', "stale": "false"},
}
#: What ``[automation]`` and the table of a job may say, and of which type each is.
AUTOMATION: Mapping[str, type] = {
    **{"max_runs": int, "max_partitions_per_wave": int, "batch": timedelta, "slack": timedelta},
    **{"surge": int, "surge_partitions": int, "holds_after": int},
}
JOB: Mapping[str, type] = {
    **{"select": str, "cron": str, "timezone": str, "partitions": str, "stale": bool},
}
