"""The options of the kind `meltano`: their types, and what an integration says as a value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assetry.plugin import FLAG, REFERENCE, SECONDS, TABLE, TEXT, TEXTS, Integration, OptionType, checked, one_of
from assetry_toolkit.options import HOSTED_OPTIONS, IntegrationOptions
from assetry_toolkit.secrets import Reference

_PAIRS = 'For example pairs = ["tap-shop target-postgres"], or pairs = "all".'
_LOADERS = 'Write [integrations.NAME.loaders.target-postgres], then for example schema = "raw".'
_ENV = 'For example env = { TAP_SHOP_TOKEN = { env = "SHOP_TOKEN" } }.'

OPTIONS: Mapping[str, OptionType] = {
    "project_dir": TEXT.about("The folder of meltano.yml.", default="."),
    "environment": TEXT.about("The environment of the Meltano project; its default_environment without it."),
    "pairs": TEXTS.about('Which extractors with which loaders, or "all"; else those of jobs.').hinting(_PAIRS),
    "loaders": TABLE.about("What is known better of the tables of loaders.").hinting(_LOADERS),
    "io": HOSTED_OPTIONS["io"],
    "env": TABLE.about("Variables for Meltano; secrets by reference.").hinting(_ENV),
    "deps": HOSTED_OPTIONS["deps"],
    "meltano_executable": TEXT.about("The program, where it is neither in this environment nor on PATH."),
    "share": FLAG.about("Load all pairs by one run.", default=True),
    "snapshot": TEXT.about("The file that keeps which streams extractors have."),
    "state_id_suffix": TEXT.about("Meltano's option of that name."),
    "lock_timeout": SECONDS.about("How long to wait while another run has the state of a pair.", default=3600),
    "force": FLAG.about("Run although another run has the state of a pair.", default=False),
    "results": one_of("streams", "exit code").about("By what a part of the streams is judged.", default="streams"),
    "record_count": one_of("fail", "warn").about("What fewer rows than were extracted mean.", default="fail"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(IntegrationOptions):
    """The options of one integration; see the README for what each of them means.

    >>> Options.of(Integration("el", "meltano", {"pairs": "all"})).pairs
    ('all',)
    """

    types = OPTIONS

    project_dir: str = "."
    environment: str | None = None
    pairs: tuple[str, ...] = ()
    loaders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    io: Reference | None = None
    env: Mapping[str, Any] = field(default_factory=dict)
    meltano_executable: str | None = None
    share: bool = True
    state_id_suffix: str | None = None
    lock_timeout: float = 3600.0
    force: bool = False
    results: str = "streams"
    record_count: str = "fail"

    @classmethod
    def read(cls, integration: Integration, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the fields, after a look at what is said of loaders, and at variables."""
        from assetry_toolkit.hosted.tables import Override

        Override.check(given.get("loaders", {}), (), integration.name, "loaders", {"type": TEXT})
        env = given.get("env", {})
        checked(env, dict.fromkeys(env, REFERENCE), f"table env of integration {integration.name!r}", within=["env"])
        return given

    @property
    def folder(self) -> Path:
        """Return the folder of the Meltano project."""
        return Path(os.path.abspath(Path(self.root, self.project_dir)))  # noqa: PTH100 - links stay
