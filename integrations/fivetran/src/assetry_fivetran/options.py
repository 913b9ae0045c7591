"""The options of the kind `fivetran`."""

from __future__ import annotations

from collections.abc import Mapping

from assetry.plugin import FLAG, POSITIVE, REFERENCE, SECONDS, SECRET, TEXT, TEXTS, OptionType, one_of
from assetry_toolkit.options import HOSTED_OPTIONS, JOB_OPTIONS

#: The environment variables with a key and its secret, unless the options name others.
API_KEY, API_SECRET = "FIVETRAN_API_KEY", "FIVETRAN_API_SECRET"

OPTIONS: Mapping[str, OptionType] = {
    **HOSTED_OPTIONS,
    "group_id": TEXT.about("All connections of a destination.").hinting("Copy it from the destination's URL."),
    "services": TEXTS.about("Only the connections of these services, * allowed."),
    "schemas": TEXTS.about("Only the connections whose names begin so before the first dot, * allowed."),
    "api_key": REFERENCE.about("The key that asks.", default={"env": API_KEY}),
    "api_secret": SECRET.about("The secret of that key.", default={"env": API_SECRET}),
    "calls_per_hour": POSITIVE.about("How many calls the account may make.", default=20_000),
    "on_paused": one_of("fail", "skip", "unpause").about("What to do about a paused connection.", default="fail"),
    "schedule_type": one_of("auto", "manual").about("What Fivetran's own schedule is changed to before a sync."),
    "restore": FLAG.about("Put back after the sync what was changed for it.", default=False),
    "table_times": FLAG.about("Tell by the newest row of each table whether it has changed.", default=True),
    "start_timeout": SECONDS.about("Until an accepted sync has to be under way.", default=300),
    "reschedule_timeout": SECONDS.about("How long to wait for a sync that Fivetran has put off.", default=3600),
    "retry_timeout": SECONDS.about("How long to wait after a failure whether Fivetran tries again.", default=0),
    # Of the options that jobs have: a sync can be neither stopped nor replaced.
    **{name: JOB_OPTIONS[name] for name in ("attach", "poll_timeout", "poll_error_budget")},
}
