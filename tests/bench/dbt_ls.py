"""Selections beside `dbt ls`: ``python -m tests.bench.dbt_ls FOLDER…`` prints a table for NOTES.md.

Each folder is a dbt project that dbt can parse, with its profile. For each of sixty selections, made of names that the
project has, the assets that assetry selects are compared with those among what dbt lists: equal, or refused with a
reason where dbt lists none of them or gives an error.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assetry import Project
from assetry.errors import AssetryError, SelectionError
from assetry.types.keys import AssetKey

#: Sixty selections; what stands in braces is a name of the project. After ``--exclude`` stands what is left out.
SELECTIONS = (
    *("{m}", "+{m}", "{m}+", "+{m}+", "1+{m}", "{m}+1", "2+{m}+2", "@{m}", "@{root}", "+{leaf}", "{leaf} {m}"),
    *("{leaf},{m}", "+{leaf},{m}+", "+{leaf} --exclude {m}", "* --exclude +{leaf}", "*", "{start}*", "*{end}"),
    *("fqn:{m}", "fqn:{p}.*", "fqn:{p}.{dir}", "fqn:*.{m}", "{p}", "{p}.{dir}", "{p}.{dir}.*", "{p}.{dir}+"),
    *("path:{folder}", "path:{file}", "{folder}", "{folder}+", "file:{name}", "{name}", "package:{p}", "package:this"),
    *("package:*", "tag:none_has_it", "tag:*", "config.materialized:view", "config.materialized:table"),
    *("config.enabled:true", "resource_type:model", "resource_type:seed", "resource_type:source"),
    *("resource_type:exposure", "source:*", "source:{src}", "source:{src}.{tab}", "source:{src}+", "exposure:*"),
    *("+exposure:*", "+test_type:singular", "+test_name:unique", "+test_name:not_null", "access:protected"),
    *("version:latest", "group:none", "{m},path:{folder}", "no_such_model", "+no_such_model+", "metric:*"),
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """One project: its manifest as dbt has it, and as assetry does."""

    name: str
    dbt: Any
    where: tuple[str, ...]
    project: Project
    keys: Mapping[str, AssetKey]
    names: Mapping[str, str]

    @classmethod
    def of(cls, folder: Path) -> Subject:
        from dbt.cli.main import dbtRunner

        project = Project.load(folder)
        known = {
            str(each.spec["unique_id"]): asset.key
            for i, asset in enumerate(project.graph.assets)
            for each in project.graph.definitions(i)
            if "unique_id" in each.spec
        }
        # Tests that read nothing stand on an asset of their own.
        loose = (asset for asset in project.graph.assets if asset.resource_type == "test")
        known |= {str(check.spec["unique_id"]): asset.key for asset in loose for check in asset.checks}
        profiles = ("--profiles-dir", str(folder)) if (folder / "profiles.yml").exists() else ()
        where = ("--project-dir", str(folder), *profiles, "--log-path", str(folder / "target"))
        manifest = dbtRunner().invoke(["--quiet", "parse", *where]).result
        return cls(
            manifest.metadata.project_name, dbtRunner(manifest=manifest), where, project, known, names_of(manifest)
        )

    def listed(self, *words: str) -> set[AssetKey] | None:
        """Return the assets among what ``dbt ls WORDS`` lists; None when it gives an error."""
        form = ("--output", "json", "--output-keys", "unique_id")
        with contextlib.redirect_stdout(io.StringIO()):
            done = self.dbt.invoke(["--quiet", "ls", *self.where, *words, *form])
        if not done.success:
            return None
        found = (json.loads(line)["unique_id"] for line in done.result)
        return {self.keys[each] for each in found if each in self.keys}

    def compared(self, selection: str) -> str:
        """Return how one selection comes out."""
        select, _, exclude = selection.format(**self.names).partition(" --exclude ")
        excluded = ("--exclude", *exclude.split()) if exclude else ()
        theirs = self.listed("--select", *select.split(), *excluded)
        try:
            ours = set(self.project.select(select, exclude or None))
        except AssetryError as error:
            refused = isinstance(error, SelectionError) and not theirs
            return "refused" if refused else f"WRONG: {error.message}"
        if ours == theirs:
            return f"= {len(ours)}"
        return f"WRONG: {len(ours - (theirs or set()))} more, {len((theirs or set()) - ours)} fewer"


def names_of(manifest: Any) -> dict[str, str]:
    """Return the names that selections are made of: a model in the middle, one at each end, and where they stand."""
    models = sorted(
        (node for node in manifest.nodes.values() if node.resource_type == "model"),
        key=lambda node: node.unique_id,
    )
    read = {parent for node in models for parent in node.depends_on.nodes}
    root_project = manifest.metadata.project_name
    own = [node for node in models if node.package_name == root_project] or models
    middle = next((each for each in own if each.unique_id in read and each.depends_on.nodes), own[0])
    leaf = next((each for each in reversed(own) if each.unique_id not in read), own[-1])
    root = next((each for each in own if each.unique_id in read), own[0])
    source = next(iter(manifest.sources.values()), None)
    path = middle.original_file_path
    return {
        **{"m": middle.name, "leaf": leaf.name, "root": root.name, "p": middle.package_name},
        **{"start": middle.name[:4], "end": middle.name[-5:], "dir": middle.fqn[1], "file": path},
        **{"folder": path.rpartition("/")[0], "name": path.rpartition("/")[2]},
        **{"src": source.source_name if source else "none", "tab": source.name if source else "none"},
    }


def table(subjects: list[Subject]) -> Iterator[str]:
    """Yield the rows of the table, and what they come to."""
    counts = {"=": 0, "refused": 0, "WRONG": 0}
    yield f"| selection | {' | '.join(each.name for each in subjects)} |"
    yield "|---" * (len(subjects) + 1) + "|"
    for selection in SELECTIONS:
        cells = [each.compared(selection) for each in subjects]
        for cell in cells:
            counts[cell.partition(" ")[0].rstrip(":")] += 1
        yield f"| `{selection}` | {' | '.join(cells)} |"
    yield ""
    yield f"{counts['=']} equal, {counts['refused']} refused where dbt lists no asset, {counts['WRONG']} wrong."


def main(folders: list[str], say: Callable[[str], None] = print) -> None:
    """Print the table of the projects in `folders`."""
    subjects = [Subject.of(Path(folder).resolve()) for folder in folders]
    for row in table(subjects):
        say(row)


if __name__ == "__main__":
    main(sys.argv[1:])
