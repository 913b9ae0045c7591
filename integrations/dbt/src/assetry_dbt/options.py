"""The options of the kind `dbt`: what a project file may say of a dbt project."""

from __future__ import annotations

from collections.abc import Mapping

from assetry.plugin import FLAG, POSITIVE, TABLE, TEXT, TEXTS, OptionType, one_of

OPTIONS: Mapping[str, OptionType] = {
    "project_dir": TEXT.about("The folder of dbt_project.yml, from the project file's.", default="."),
    "manifest": TEXT.about("A manifest.json to read as it is; dbt is not run to load it."),
    "profiles_dir": TEXT.about("Where profiles.yml is."),
    "profile": TEXT.about("The profile, where it is not dbt_project.yml's."),
    "target": TEXT.about("The target of the profile."),
    "dbt_executable": TEXT.about("A dbt installed elsewhere; it is run as a subprocess."),
    "key_prefix": TEXT.about("A name before all keys, for one project in several integrations."),
    "vars": TABLE.about("Variables, as for dbt."),
    "select": TEXTS.about("Load only these, in dbt's own words."),
    "exclude": TEXTS.about("Do not load these, in dbt's own words."),
    "defer": FLAG.about("Read what is not built from where the state has it; see --defer of dbt."),
    "favor_state": FLAG.about("Read it from there also where the target has it."),
    "state": TEXT.about("The folder of the manifest.json of another target, for defer and clone."),
    "defer_state": TEXT.about("The same, for defer alone."),
    "empty": FLAG.about("Build tables without rows: none of them is the real one."),
    "sample": TEXT.about("Build tables of a part of the rows, such as '3 days': none of them is the real one."),
    "clone": FLAG.about("Clone tables from the state instead of building them: none of them is the real one."),
    "threads": POSITIVE.about("How many threads build."),
    "engine": one_of("in-process", "subprocess").about("How dbt is run; in-process where a dbt 1.x is installed."),
}
