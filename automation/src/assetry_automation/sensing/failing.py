"""Of which assets it is not known what others have made of them, because what sees that fails."""

from __future__ import annotations

from collections.abc import Iterator

from assetry import Project
from assetry.plugin import AssetKey, DefinitionError, Next

from assetry_automation.decision.senses import asked_at
from assetry_automation.kept import known_senses
from assetry_automation.sensing.senses import Senses, senses_of


def unseen(project: Project) -> dict[AssetKey, Next]:
    """Return the assets of senses that fail, each with why and when it is asked again; nothing while none fails."""
    known = {name: each for name, each in known_senses(project.store).items() if each.failures}
    if not known:
        return {}
    try:
        found = senses_of(project)
    except DefinitionError:
        return {}  # it is told where they are asked
    nexts = {}
    for sense in found.all:
        last = known.get(sense.name)
        if last is None:
            continue
        times = "once" if last.failures == 1 else f"{last.failures} times in a row"
        told = f"what others have made of it is not seen, {sense.of} {sense.name!r} failed {times}: {last.told}"
        for key in dict.fromkeys((*map(AssetKey, last.keys), *_keys(project, found, sense.name))):
            if key in project.graph:
                nexts[key] = Next("backing_off", told, at=asked_at(sense, last, last.at))
    return nexts


def _keys(project: Project, found: Senses, name: str) -> Iterator[AssetKey]:
    """Yield the assets that a sense is about, whatever it told of."""
    if name in found.sensors:
        asset = found.sensors[name].asset
        yield from () if asset is None else (asset,)
        return
    own = [each for each in project.graph.assets if each.integration and each.integration.name == name]
    yield from (each.key for each in own if not each.executable)
