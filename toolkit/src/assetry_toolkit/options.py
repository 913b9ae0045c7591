"""The options of an integration: those of `assetry.plugin`, and those that only what stands on this toolkit has.

A plugin declares its options with the types of `assetry.plugin`; a table of them is checked anywhere::

    from assetry.plugin import SECRET, TEXTS, checked_options, one_of

    OPTIONS = {"tables": TEXTS, "mode": one_of("append", "replace"), "token": SECRET}
    given = checked_options(integration, OPTIONS)
"""

from __future__ import annotations

from assetry.plugin import (
    ANYTHING,
    COUNT,
    FLAG,
    POSITIVE,
    REFERENCE,
    SECONDS,
    SECRET,
    TABLE,
    TEXT,
    TEXTS,
    OptionType,
    checked,
    checked_options,
    is_reference,
    one_of,
)

# The types that moved into the core keep their old home.
__all__ = ["ANYTHING", "COUNT", "FLAG", "POSITIVE", "REFERENCE", "SECONDS", "SECRET", "TABLE", "TEXT", "TEXTS"]
__all__ += ["JOB_OPTIONS", "OBJECT", "Kind", "checked", "checked_options", "one_of"]

#: What `OptionType` was called here.
Kind = OptionType

#: A reference to a live object of this process; see `assetry_toolkit.live_objects`.
OBJECT = OptionType("an object handed over in Python", lambda value: is_reference(value) and "given" in value)

#: The options of `assetry_toolkit.work.JobOptions` as a project file has them, for the table of an integration's own.
JOB_OPTIONS = {
    "attach": one_of("accept", "wait_then_start", "refuse").about("What to do about a job that runs already."),
    "on_cancel": one_of("cancel", "leave").about("What a cancelled run does to its job.", default="cancel"),
    "follow_superseded": FLAG.about("Follow the job that took the place of ours.", default=True),
    "poll_timeout": SECONDS.about("How long a job may run before it is left alone.", default=86400),
    "queue_timeout": SECONDS.about("How long a job may wait for its turn.", default=86400),
    "poll_error_budget": SECONDS.about("After how long without any good answer a job's end is unknown.", default=900),
}
