"""What extractors offer: asked once by `meltano invoke --dump=catalog`, and kept by the content it depends on.

The snapshot holds the selected streams of each extractor in each environment: names, columns, keys and how they are
read, never a setting. It is all that is needed to define the assets, so that a project loads without running Meltano.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assetry.plugin import IntegrationError, near_names, read_secret
from assetry_toolkit.commands import ending
from assetry_toolkit.definitions.digests import digest
from assetry_toolkit.definitions.kept_answers import Answer, KeptAnswers
from assetry_toolkit.files import json_object
from assetry_toolkit.singer.catalogs import Catalog

from assetry_meltano.options import Options
from assetry_meltano.project.program import Program, install_hint, last_words
from assetry_meltano.project.project import MeltanoProject, Plugin

VERSION = 3


class Catalogs:
    """The catalogs of a project's extractors, kept in one file."""

    def __init__(self, options: Options, project: MeltanoProject) -> None:
        self._options, self._project = options, project
        self._kept = KeptAnswers(options.snapshot_path, VERSION)

    def known(self, plugin: Plugin) -> Answer:
        """Return what an extractor offers, from the file; asked when its definition is another than then.

        One that cannot be asked keeps the catalog it had. Raises `IntegrationError` when it has none.
        """
        try:
            return self._kept.get(*self._place(plugin), lambda: self._discovered(plugin))
        except IntegrationError as error:
            other = "Or commit the file of `snapshot` where it can be asked; or leave this extractor out of `pairs`."
            error.hint = "\n".join(filter(None, (error.hint, other)))
            raise

    def ask(self, plugin: Plugin) -> Answer:
        """Ask an extractor anew, and keep the answer. Raises `IntegrationError` when it does not give one."""
        return self._kept.keep(*self._place(plugin), self._discovered(plugin))

    def _place(self, plugin: Plugin) -> tuple[str, str]:
        """Return the name of an answer, and a hash of what an extractor is and is told; variables count by name."""
        told = [plugin.essence, plugin.definition.get("select"), plugin.definition.get("select_filter")]
        files = [self._project.folder / str(plugin.definition.get(each) or "") for each in ("executable", "catalog")]
        return f"{plugin.name}@{self._project.environment}", digest(told, *files)

    def _discovered(self, plugin: Plugin) -> Mapping[str, Any]:
        """Return what is kept of an extractor's catalog, in which Meltano has applied all that selects."""
        program = Program(self._options, self._project, read_secret)
        done = program.command("invoke", "--no-install", "--refresh-catalog", "--dump=catalog", plugin.name).finish()
        where = str(Path(self._options.project_dir, plugin.source))
        if done.returncode == 0 and (found := json_object(done.out)):
            try:
                return Catalog.read(found).to_json()
            except IntegrationError as error:
                raise IntegrationError(f"{plugin.name}: {error.message}", where=where, hint=error.hint) from None
        said = program.mask(last_words(done.err)) or f"it {ending(done.returncode or 0)}"
        *before, last = said.splitlines()
        raise IntegrationError(
            f"Extractor {plugin.name!r} does not say which streams it has: {last.strip().rstrip('.')}.",
            where=where,
            hint=install_hint(plugin.name, "extractor", said) or "\n".join(before and ["It wrote:", *before]) or None,
        )


def choice_warnings(plugin: Plugin, kept: Mapping[str, Any]) -> list[str]:
    """Return what to tell of patterns that choose streams and match none.

    Raises `IntegrationError` where an extractor has streams and none is selected: a run of it would make nothing.
    """
    offered, found = kept["offered"], []
    near: Sequence[str] = ()
    for option, pattern, stream in _patterns(plugin):
        if offered and not fnmatch.filter(offered, stream):
            alike = near_names(stream, offered)
            near = near or alike
            meant = f" Did you mean {', '.join(alike)}?" if alike else ""
            what = f"{option} of {plugin.name}: {pattern!r}"
            found.append(f"{what} matches none of its streams ({plugin.source}).{meant}")
    offers = f"It offers {', '.join(offered[:10]) or 'none'}{' …' if offered[10:] else ''}."
    if offered and not kept["streams"]:
        hint = "\n".join([offers, *found])
        raise IntegrationError(f"{plugin.name} selects none of its streams.", where=plugin.source, near=near, hint=hint)
    return found if offered else [f"{plugin.name} has no streams ({plugin.source})."]


def _patterns(plugin: Plugin) -> Iterator[tuple[str, str, str]]:
    """Yield what chooses streams, as it stands there and as it is compared with their names; not what has variables."""
    for option in ("select", "select_filter"):
        said = plugin.definition.get(option)
        if isinstance(said, list) and not (option == "select" and plugin.definition.get("catalog")):
            for pattern in (str(each) for each in said if "$" not in str(each)):
                stream = re.split(r"(?<!\\)\.", pattern.removeprefix("!"))[0].replace("\\.", ".")
                yield option, pattern, stream
