"""The options of the kind `meltano`."""

from __future__ import annotations

from collections.abc import Mapping

from assetry.plugin import FLAG, SECONDS, TABLE, TEXT, TEXTS, OptionType, one_of
from assetry_toolkit.options import HOSTED_OPTIONS

_PAIRS = 'For example pairs = ["tap-shop target-postgres"], or pairs = "all".'
_LOADERS = 'Write [integrations.NAME.loaders.target-postgres], then for example schema = "raw".'
_ENV = 'For example env = { TAP_SHOP_TOKEN = { env = "SHOP_TOKEN" } }.'

OPTIONS: Mapping[str, OptionType] = {
    "project_dir": TEXT.about("The folder of meltano.yml.", default="."),
    "environment": TEXT.about("The environment of the Meltano project; its default_environment without it."),
    "pairs": TEXTS.about('Which extractors with which loaders, or "all"; else those of jobs.').hinting(_PAIRS),
    "loaders": TABLE.about("What is known better of the tables of loaders.").hinting(_LOADERS),
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

#: What may be said of a loader.
LOADER_OPTIONS: Mapping[str, OptionType] = {
    **dict.fromkeys(("type", "database", "schema", "table"), TEXT),
    "join": FLAG,
}
