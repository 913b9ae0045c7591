"""What is there, beside what the records and the status say of it: every difference is a violation, in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.e2e.campaign.nursery import Child
from tests.e2e.campaign.project import BY_DAY, DAYS, FUNCTIONS, KEYS, READS
from tests.e2e.campaign.world import World

#: An asset, and a day of it; None for one without days.
Place = tuple[str, str | None]

_BY_NAME = {KEYS.get(each, each): each for each in READS}


def name_of(key: str) -> str:
    return _BY_NAME[key]


def places() -> Iterator[Place]:
    for name in READS:
        yield from ((name, day) for day in (DAYS if name in BY_DAY else (None,)))


class Tables:
    """What all tables hold, at one moment: the mark of each place, and which marks of others it has read."""

    def __init__(self, world: World) -> None:
        self.marks: dict[Place, str] = {}
        self.read: dict[Place, dict[str, str]] = {}
        self.odd: list[str] = []
        self._connector(world)
        for name, reads in READS.items():
            if reads or name == "events":
                self._made(world, name, [each.rstrip("*") for each in reads])

    def _connector(self, world: World) -> None:
        for rows, least, ids, most in world.duck(
            "select count(*), min(id), count(distinct id), max(id) from web.visits"
        ):
            if rows and (least != 1 or rows != most or ids != most):
                self.odd.append(f"visits: {rows} rows of {ids} ids from {least} to {most}: lost, or there twice")
            if rows:
                self.marks["visits", None] = str(most)
        for rows, marks, mark in world.duck("select count(*), count(distinct mark), max(mark) from web.pages"):
            if rows and (rows, marks) != (3, 1):
                self.odd.append(f"pages: {rows} rows of {marks} reads")
            if rows:
                self.marks["pages", None] = mark

    def _made(self, world: World, name: str, reads: list[str]) -> None:
        ask = world.server if name in ("events", "scores", "batches", "summary") else world.duck
        day = "cast(ts as date)::text" if name in BY_DAY else "null"
        columns = ", ".join(("made", day, *(f"read_{each}" for each in reads)))
        schema = "public." if ask == world.server else ""
        for made, on, *marks in ask(f"select {columns} from {schema}{name}"):
            if (name, on) in self.marks:
                self.odd.append(f"{name} {on or ''}: it is there twice")
            self.marks[name, on] = made
            self.read[name, on] = dict(zip(reads, marks, strict=True))

    def current(self, name: str, day: str | None) -> dict[str, str | None]:
        """Return what a place would read now, by input."""
        found: dict[str, str | None] = {}
        for each in READS[name]:
            other = each.rstrip("*")
            if each != other or other not in BY_DAY:
                found[other] = self.marks.get((other, day if each != other else None))
            else:
                found[other] = ",".join(sorted(mark for (key, _), mark in self.marks.items() if key == other))
        return found


def fresh_places(status: Mapping[str, Any]) -> set[Place]:
    """Return what a status calls fresh."""
    found = set()
    for each in status["assets"]:
        name = name_of(each["key"])
        if each["partitions"] is None:
            found |= {(name, None)} if each["status"] == "fresh" else set()
        else:
            ranges = each["partitions"]["sets"].get("fresh", ())
            found |= {(name, day) for day in DAYS for first, last in ranges if first <= day <= last}
    return found


def false_status(tables: Tables, status: Mapping[str, Any]) -> Iterator[str]:
    """Say where something is called fresh that is not there, or has read what is not there any more."""
    fresh = fresh_places(status)
    failed = {name_of(each["key"]) for each in status["assets"] if each["status"] == "failed"}
    for name, day in sorted(fresh, key=str):
        place = f"{name} {day or ''}".rstrip()
        if (name, day) not in tables.marks:
            yield f"status: {place} is called fresh, and is not there"
            continue
        for other, mark in tables.current(name, day).items():
            read = tables.read[name, day][other]
            # What failed may have left anything in its table: that is said of it, and not of what has read it before.
            if read != mark and other not in failed:
                yield f"status: {place} is called fresh, has read {read} of {other}, and {mark} is there"
    for each in status["assets"]:
        if each["status"] == "running" or (each["partitions"] or {}).get("running"):
            yield f"status: {each['key']} is called running, and nothing is"


def false_records(world: World, children: list[Child]) -> Iterator[str]:
    """Say what was told or made and is not recorded, or recorded and was not made."""
    ended = Counter((name, day, int(pid)) for word, name, day, _, pid, _ in world.calls() if word == "end")
    processes = dict(world.store("select id, process from runs"))
    made = Counter[tuple[str, str, int]]()
    for key, part, run in world.store("select key, partition, run from materializations"):
        made[name_of(key), part or "-", processes.get(run, 0)] += 1
    for (name, day, pid), count in made.items():
        if name in FUNCTIONS and count > ended[name, day, pid]:
            calls = ended[name, day, pid]
            yield f"records: {name} {day} is recorded {count} times by process {pid}, and was called {calls} times"
    failed = Counter[tuple[str, str, int]]()
    for key, part, run in world.store("select key, partition, run from attempts where outcome = 'failed'"):
        failed[name_of(key), part or "-", processes.get(run, 0)] += 1
    well = {each.pid for each in children if each.code == 0}
    for (name, day, pid), count in ended.items():
        if pid in well and count > made[name, day, pid] + failed[name, day, pid]:
            recorded = made[name, day, pid]
            yield f"records: {name} {day} was made {count} times by process {pid}, and recorded {recorded} times"
    yield from _untold(world, children)


def _untold(world: World, children: list[Child]) -> Iterator[str]:
    recorded = {(run, key) for run, key in world.store("select distinct run, key from materializations")}
    for child in children:
        for line in child.lines() if "ndjson" in child.words else ():
            if line.get("event") == "materialized" and "run" in line and (line["run"], line["asset"]) not in recorded:
                yield f"records: {child} told that {line['asset']} was made, and that is not recorded"


def lost(world: World, children: list[Child], run: str) -> Iterator[str]:
    """Say what a run was to make, that a retry has finished, and that was not made since the run's command began."""
    [(pid, assets, options)] = world.store(f"select process, assets, options from runs where id = '{run}'")
    asked, began = json.loads(options), {each.pid: each.began for each in children}
    if asked.get("stale") or pid not in began:
        return
    last = {
        (name, None if day == "-" else day): float(at) for word, name, day, *_, at in world.calls() if word == "end"
    }
    for key in json.loads(assets):
        name = name_of(key)
        days = [day for day in DAYS for first, last_day in asked["wants"].get(key, ()) if first <= day <= last_day]
        for day in (days or [None]) if name in FUNCTIONS else ():
            if last.get((name, day), 0.0) < began[pid]:
                yield f"lost: {name} {day or ''} of run {run} was not made, and its retry ended well"


def overlaps(world: World) -> Iterator[str]:
    """Say which places a run began to make while another one was making them, by the order of the records."""
    told = [
        (number, run, json.loads(body))
        for number, run, body in world.store("select id, run, body from events order by id")
    ]
    over = {run: number for number, run, _ in told}  # one that was killed has told no end
    under_way: dict[tuple[str, str | None], str] = {}
    for number, run, event in told:
        for place in _places_of(event):
            other = under_way.get(place, run)
            if event["event"] != "started":
                under_way.pop(place, None)
            elif other != run and over[other] > number:
                yield f"doubled: run {run} began to make {place} while run {other} was making it"
            else:
                under_way[place] = run


def _places_of(event: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Return what an event that begins or ends something is of."""
    if event["event"] in ("started", "materialized", "failed", "skipped") and "asset" in event:
        first, last = event.get("partition"), event.get("through") or event.get("partition")
        yield from ((event["asset"], day) for day in (DAYS if first else ()) if first <= day <= last)
        if first is None:
            yield event["asset"], None


def recorded_twice(world: World) -> Iterator[str]:
    """Say which roots were made and recorded more than once, where nobody has asked for that."""
    found = world.store("select key, partition, count(*) from materializations group by 1, 2 having count(*) > 1")
    for key, part, count in found:
        if name_of(key) in ("events", "daily", "batches", "visits", "pages"):
            yield f"doubled: {key} {part} is recorded {count} times, and nobody asked for that"
