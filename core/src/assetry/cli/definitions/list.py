"""``assetry list``: the assets, grouped by what makes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from assetry.cli.command import verb
from assetry.cli.definitions.describe import heading
from assetry.cli.session import Session
from assetry.cli.text import counted, cut, styled
from assetry.types.assets import Asset
from assetry.views.json import asset_to_json

#: Keys longer than this do not push the columns after them out of sight.
_LONGEST_KEY = 44


def list_assets(session: Session) -> None:
    """List the assets, grouped by what makes them.

    -q lists bare keys, -v adds what each is made from.
    """
    project = session.project
    assets = [project.graph[key] for key in session.chosen()]
    if not session.text:
        session.emit({"assets": [asset_to_json(asset, project.group_of(asset)) for asset in assets]}, rows="assets")
    elif session.quiet:
        session.say("\n".join(asset.key for asset in assets))
    else:
        session.say("\n".join(_listing(assets, session)))
        if not assets:
            session.note("No assets. `assetry init` makes an example; `assetry check` tells what was looked at.")


def _listing(assets: Sequence[Asset], session: Session) -> Iterable[str]:
    parts: dict[str, list[Asset]] = {}
    for asset in assets:
        parts.setdefault(heading(asset), []).append(asset)
    for number, (title, members) in enumerate(parts.items()):
        if number:
            yield ""
        types = Counter(asset.resource_type for asset in members)
        total = ", ".join(counted(count, name) for name, count in types.most_common())
        yield f"{styled(title, bold=True)}: {total}"
        yield from _rows(sorted(members, key=lambda asset: asset.key), session)


def _rows(assets: Sequence[Asset], session: Session) -> Iterable[str]:
    width = min(max(len(asset.key) for asset in assets), _LONGEST_KEY)
    types = max(len(asset.resource_type) for asset in assets)
    room = session.width - width - types - 7
    for asset in assets:
        told = cut(asset.description, room) if asset.description else ""
        yield f"  {asset.key:<{width}}  {asset.resource_type:<{types}}  {told}".rstrip()
        if session.verbose and asset.deps:
            yield f"    from {', '.join(dep.key for dep in asset.deps)}"


command = verb("list", selects=True)(list_assets)
