"""The code that dbt really built, where files of the project changed after they were read for the plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from assetry.plugin import Asset, AssetKey, AssetryError, Event, Invocation, Log, Materialized

from assetry_dbt.loading import read_again
from assetry_dbt.project.files import files_digest, files_of
from assetry_dbt.project.manifest_stamp import manifest_made
from assetry_dbt.project.project import DbtProject

#: The version of code that cannot be known: that of no asset, so that what was made from it is out of date.
UNKNOWN = "unknown"
#: How many assets are named.
_TOLD = 5


class BuiltCode:
    """What of an invocation dbt makes from other code than was planned.

    dbt reads the project before it makes the first node, and writes then what it has read into its manifest. `files` is
    the digest of the files that the plan was made from; empty when it was made from a given manifest.
    """

    def __init__(self, project: DbtProject, invocation: Invocation, files: str) -> None:
        self._project = project
        self._integration = invocation.integration
        self._planned = {each.key: each for each in (*invocation.assets, *invocation.also)}
        self._files = files
        self._before = manifest_made(project)
        self._looked = not files
        self._other: Mapping[AssetKey, Asset] = {}

    def look(self) -> Iterator[Event]:
        """Find what changed, and tell it; to be asked when dbt starts a node. Only the first time anything is done."""
        if self._looked:
            return
        self._looked = True
        if files_digest(files_of(self._project), exact=True) == self._files:
            return
        self._other = self._differing()
        if self._other:
            names = [str(key) for key in self._other]
            more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
            yield Log(
                f"Files of the dbt project {self._project.name!r} changed after the run was planned. "
                f"Made from other code than planned, and recorded so: {', '.join(names[:_TOLD])}{more}.",
                "warning",
            )

    def told(self, event: Event) -> Event:
        """Return `event` with the code that an asset was really made from."""
        asset = self._other.get(event.key) if isinstance(event, Materialized) else None
        if asset is None or not isinstance(event, Materialized):
            return event
        return replace(event, code_version=asset.code_version, code_parts=asset.code_parts)

    def _differing(self) -> Mapping[AssetKey, Asset]:
        found: Mapping[AssetKey, Asset] = {}
        if manifest_made(self._project) != self._before:
            with suppress(AssetryError):  # what cannot be read is not known
                found = {asset.key: asset for asset in read_again(self._project, self._integration)}
        built = {key: found.get(key) or _unknown(asset) for key, asset in self._planned.items()}
        return {key: asset for key, asset in built.items() if asset.code_version != self._planned[key].code_version}


def _unknown(asset: Asset) -> Asset:
    return replace(asset, code_version=UNKNOWN, code_parts={})
