"""Which nodes the options `select` and `exclude` leave: dbt itself is asked, once per change of the project."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace

from assetry.plugin import Asset, AssetKey, IntegrationError
from assetry_toolkit.commands import Command

from assetry_dbt.project.files import files_of
from assetry_dbt.project.flags import widening
from assetry_dbt.project.manifest_stamp import keep_aside, manifest_made, read_stamp, write_stamp
from assetry_dbt.project.project import DbtProject


def listed_ids(project: DbtProject) -> frozenset[str]:
    """Return the unique ids that the project's `select` and `exclude` leave.

    Asked of `dbt ls`; the answer is kept in the manifest's stamp. Raises `IntegrationError` with dbt's message.
    """
    asked = {"select": list(project.select), "exclude": list(project.exclude)}
    stamp = read_stamp(project)
    known = stamp.get("listed")
    if isinstance(known, Mapping) and known.get("asked") == asked and stamp.get("manifest") == manifest_made(project):
        return frozenset(known["ids"])
    ids = frozenset(_ask(project))
    if project.manifest is None:
        write_stamp(project, files_of(project), listed={"asked": asked, "ids": sorted(ids)})
    return ids


def selection_args(project: DbtProject) -> tuple[str, ...]:
    """Return the options `select` and `exclude` as arguments of a dbt command."""
    select = ("--select", *project.select) if project.select else ()
    exclude = ("--exclude", *project.exclude) if project.exclude else ()
    return (*select, *exclude)


def only_listed(assets: Iterable[Asset], listed: frozenset[str]) -> list[Asset]:
    """Return the assets that were listed, and what they read: that is there, but is made elsewhere.

    >>> made = Asset(key="shop/a", kind="dbt", spec={"unique_id": "model.shop.a"})
    >>> read = Asset(key="shop/b", kind="dbt", spec={"unique_id": "model.shop.b"}, deps=["shop/a"])
    >>> [(str(each.key), each.executable) for each in only_listed([made, read], frozenset({"model.shop.b"}))]
    [('shop/a', False), ('shop/b', True)]
    """
    everything = list(assets)
    kept: dict[AssetKey, Asset] = {}
    read: set[AssetKey] = set()
    for asset in everything:
        checks = tuple(check for check in asset.checks if check.spec["unique_id"] in listed)
        if asset.spec.get("unique_id") in listed:
            kept[asset.key] = replace(asset, checks=checks) if len(checks) < len(asset.checks) else asset
            read.update(dep.key for dep in asset.deps)
        elif checks:
            kept[asset.key] = _outside(asset, checks)
        read.update(key for check in checks for key in check.also)
    found = []
    for asset in everything:
        if asset.key in kept:
            found.append(kept[asset.key])
        elif asset.key in read:
            found.append(_outside(asset, ()))
    return found


def _outside(asset: Asset, checks: tuple[object, ...]) -> Asset:
    """Return an asset that is not made here, with the checks that are still run on it."""
    return replace(asset, executable=False, deps=(), code_version=None, code_parts={}, checks=checks)  # type: ignore[arg-type]


def _ask(project: DbtProject) -> list[str]:
    from assetry_dbt.running.engine_cli import find_dbt
    from assetry_dbt.running.errors import fault

    command = find_dbt(project.dbt_executable) or (sys.executable, "-m", "dbt.cli.main")
    args = (
        "ls",
        *project.arguments(),
        *selection_args(project),
        "--output",
        "json",
        "--output-keys",
        "unique_id",
        *widening(),
    )
    # Quiet is a setting of all commands: given first, nothing but the list is printed.
    quiet = ("--quiet", "--no-send-anonymous-usage-stats", "--log-level-file", "none")
    words = (*command, *quiet, *args, "--log-path", str(project.target_path))
    keep_aside(project)
    done = Command(words, folder=project.project_dir, ask=signal.SIGINT).finish()
    if done.returncode:
        raise fault(project, "parse", done.out + done.err)
    found = [json.loads(line)["unique_id"] for line in done.out.splitlines() if line.startswith("{")]
    if not found:
        raise IntegrationError(
            f"The options select and exclude leave nothing of dbt project {project.name!r}.",
            where=str(project.project_dir),
            hint=f"Try them in dbt: dbt ls {' '.join(selection_args(project))}",
        )
    return found
