"""What Meltano's log comes to, in JSON as `logging.json` of this package makes it be written: the events of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assetry.plugin import Asset, Event, Invocation
from assetry_toolkit.commands import plain
from assetry_toolkit.files import json_object
from assetry_toolkit.singer.loads import Advice, TapLoad
from assetry_toolkit.singer.logs import read_log
from assetry_toolkit.singer.pairs import Pair
from assetry_toolkit.singer.reading import LoadReading
from assetry_toolkit.singer.streams import StreamLoad

from assetry_meltano.project.assets import place_of_loader
from assetry_meltano.project.program import install_hint
from assetry_meltano.project.project import MeltanoProject

_UNREAD = "Else its streams may be others by now: `assetry meltano pull`, or look what `meltano select {}` says."
#: How Meltano begins with a pair, or does not because another run has the lock of its state.
_BEGIN = re.compile(r"(?:Running job with name|Another) '([^']+)' (?:pipeline is already running|and run ID '([^']+)')")


@dataclass(slots=True, kw_only=True)
class Load(TapLoad):
    """One pair in a run, `locked` while another run has its state.

    `state_id` is the name under which its state is kept, and `run` the run that it was last in, as Meltano has said it.
    """

    pair: Pair
    state_id: str = ""
    run: str = ""

    @classmethod
    def of(cls, pair: Pair, assets: Sequence[Asset], sources: Mapping[str, str] | None = None) -> Load:
        """Return the load of some streams of a pair; `sources` are where its plugins are defined."""
        tap, loader, spec = pair.extractor, pair.loader, assets[0].spec
        advice = Advice(
            unread=_UNREAD.format(tap),
            silent='results = "exit code" takes Meltano\'s word',
            lost='If the extractor repeats rows, record_count = "warn" takes what comes.',
            nowhere=f"Say where it is: schema, table or join = false in {place_of_loader(assets[0])}.",
        )
        known = {"offered": spec["of"], "mapped": spec["mapped"], "advice": advice, "called": str(pair)}
        return cls(tap, loader, [StreamLoad(asset) for asset in assets], pair=pair, sources=sources or {}, **known)


def loads_of(invocation: Invocation, project: MeltanoProject) -> list[Load]:
    """Return the pairs of an invocation with their streams, and where their plugins are defined."""
    found: dict[Pair, list[Asset]] = {}
    for asset in invocation.assets:
        found.setdefault(Pair(asset.spec["pair"]), []).append(asset)
    sources = {each.name: " and ".join(each.places) for pair in found for _, each in project.plugins_of(pair)}
    return [Load.of(pair, assets, sources) for pair, assets in found.items()]


class Reading(LoadReading[Load]):
    """The output of one `meltano run`, in which a pair is known by the name of its state."""

    def take(self, text: str) -> Iterator[Event]:
        """Take a line; yield what follows. What is said of a pair that is not asked for is passed over."""
        line = json_object(text)
        event = str(line.get("event", "")) if line else text
        said = read_log(event, line.get("metric_info"), str(line.get("level", "info")))
        if "stdio" in line:
            yield from self.plugin_said(str(line["name"]), said, event)
        elif begun := _BEGIN.search(event) if line else None:
            self._begin(begun[1], begun[2] or "", event)
        elif line and event == "Block run completed":
            self._end(line)
        else:
            # What Meltano tells of its own doings is for those who look for something.
            yield from self.said(event, "debug" if line and said.level == "info" else said.level)

    def _begin(self, state_id: str, run: str, event: str) -> None:
        """Begin with the pair of a state, in whichever environment."""
        names = state_id.split(":")
        load = next((load for load in self.loads if f"{load.tap}-to-{load.target}" in names), None)
        self.begin(load)
        if load is not None:
            load.state_id, load.run, load.why = state_id, run, plain(event)

    def _end(self, line: Mapping[str, Any]) -> None:
        load, said = self.now, line.get("exit_codes") or {}
        exits = {kind: code for each in (said if isinstance(said, list) else [said]) for kind, code in each.items()}
        codes = ", ".join(map(str, exits.values()))
        well, why = bool(line.get("success")), plain(str(line.get("err") or ""))
        if load is not None and not well and not codes and why == load.why:
            self.begin(None)
            load.locked = True
        elif load is not None:
            load.locked = False
            ends = {"extractors": load.tap, "loaders": load.target, "mappers": load.pair[1]}
            hint = next(filter(None, (install_hint(name, kind[:-1], why) for kind, name in ends.items())), None)
            faults = [ends.get(kind, kind) for kind, code in exits.items() if code]
            self.over(well, f"{why} (exit code {codes})" if codes else why, hint, faults)
