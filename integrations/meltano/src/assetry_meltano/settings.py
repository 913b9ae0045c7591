"""The options of a `meltano` integration, read and checked once."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assetry.plugin import REFERENCE, Integration, IntegrationError, checked, checked_options

from assetry_meltano.options import LOADER_OPTIONS, OPTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one integration; see the README for what each of them means."""

    name: str
    root: Path
    project_dir: str = "."
    environment: str | None = None
    meltano_executable: str | None = None
    state_id_suffix: str | None = None
    snapshot: str | None = None
    pairs: tuple[str, ...] = ()
    loaders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    env: Mapping[str, Any] = field(default_factory=dict)
    deps: tuple[str, ...] = ()
    share: bool = True
    force: bool = False
    lock_timeout: float = 3600.0
    results: str = "streams"
    record_count: str = "fail"

    @classmethod
    def of(cls, integration: Integration) -> Options:
        """Read an integration's options; raise `DefinitionError` for one that is unknown or of a wrong type.

        >>> Options.of(Integration("el", "meltano", {"pairs": "all"})).pairs
        ('all',)
        """
        given = checked_options(integration, OPTIONS)
        of = f"integration {integration.name!r}"
        for name, said in given.get("loaders", {}).items():
            checked(said, LOADER_OPTIONS, f"loader {name!r} of {of}")
        checked(given.get("env", {}), dict.fromkeys(given.get("env", {}), REFERENCE), f"env of {of}")
        return cls(name=integration.name, root=Path(integration.root).absolute(), **given)

    @property
    def folder(self) -> Path:
        """Return the folder of the Meltano project."""
        return Path(os.path.normpath(self.root / self.project_dir))

    @property
    def own_folder(self) -> Path:
        """Return the folder for what is kept of such projects."""
        return self.root / ".assetry" / "meltano"

    @property
    def snapshot_path(self) -> Path:
        """Return the file that keeps what the extractors offer."""
        return self.root / self.snapshot if self.snapshot else self.own_folder / f"{self.name}.json"

    def meltano(self) -> str:
        """Return the program: the one that is named, that of this very environment, or the one on PATH.

        Raises `IntegrationError` when there is none.
        """
        if self.meltano_executable:
            # A name is looked for on PATH when it is run; a path starts from the project file.
            named = self.root / Path(self.meltano_executable).expanduser()
            return str(named) if named.is_file() else self.meltano_executable
        beside = Path(sys.executable).with_name("meltano")
        found = str(beside) if beside.is_file() else shutil.which("meltano")
        if found is None:
            raise IntegrationError(
                f"Integration {self.name!r} needs meltano, which is neither in this environment nor on PATH.",
                hint='Try: pip install meltano (or uv tool install meltano); or name it: meltano_executable = "…".',
            )
        return found
