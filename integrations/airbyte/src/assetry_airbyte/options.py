"""The options of the kind `airbyte`: those of hosted connections, and those of connectors that run here."""

from __future__ import annotations

from collections.abc import Mapping

from assetry.plugin import FLAG, REFERENCE, SECRET, TABLE, TEXT, TEXTS, Integration, OptionType, one_of
from assetry_toolkit.options import HOSTED_OPTIONS, JOB_OPTIONS

_SECRET = (
    'Secrets are given by the environment variable that holds them: client_secret = { env = "AIRBYTE_CLIENT_SECRET" }.'
)

#: The options of a hosted integration.
HOSTED: Mapping[str, OptionType] = {
    **HOSTED_OPTIONS,
    "workspace_id": TEXT.about("All connections of a workspace."),
    "tags": TEXTS.about("Only the connections with these tags."),
    "config_url": TEXT.about("The address of the configuration API, where that is another one."),
    "client_id": REFERENCE.about("The application that asks."),
    "client_secret": SECRET.about("The secret of that application.").hinting(_SECRET),
    "token": SECRET.about("A token, in the place of an application."),
    "username": REFERENCE.about("A user of a self-managed Airbyte, in the place of an application."),
    "password": SECRET.about("The password of that user."),
    "streams": FLAG.about("Ask also which streams and columns there are.", default=True),
    "on_inactive": one_of("fail", "skip").about("What to do about an inactive connection.", default="fail"),
    "on_full_refresh": one_of("remove", "retain").about(
        "Whether rows go that were there, where streams are read anew.", default="remove"
    ),
    **JOB_OPTIONS,
}

_EXAMPLE = 'For example command = "source-faker", or ["python", "source_shop.py"].'

#: The options of a connector that runs here.
LOCAL: Mapping[str, OptionType] = {
    "command": TEXTS.about("The connector that is run here: a command, or a script.").hinting(_EXAMPLE),
    "requirement": TEXT.about("What is installed to run the connector, as pip writes it."),
    "python": TEXT.about("The Python that it is installed for."),
    "config": TABLE.about("What the connector is configured with.").hinting("Write [integrations.NAME.config]."),
    "streams": OptionType(
        "a list of streams or a table of them",
        lambda value: TEXTS.fits(value) or TABLE.fits(value),
        json_schema={"anyOf": [TEXTS.json_schema, TABLE.json_schema]},
    ).about("The streams to load, and how."),
    "schema": TEXT.about("The schema of the tables."),
    "prefix": TEXT.about("What the names of the tables begin with."),
    "io": REFERENCE.about("The URL of another place than the project's."),
    "deps": HOSTED_OPTIONS["deps"],
    "extracted_at": FLAG.about("Add the time of the sync to each row.", default=False),
    "record_count": one_of("fail", "warn").about("What fewer records than were counted mean.", default="fail"),
}


def _either(one: OptionType, other: OptionType) -> OptionType:
    fits_one, fits_other = one.fits, other.fits
    forms = {"anyOf": [one.json_schema, *other.json_schema["anyOf"]]}
    said = OptionType(
        f"{one.words}, or {other.words}", lambda value: fits_one(value) or fits_other(value), json_schema=forms
    )
    return said.about("Of a connector here, its streams; of a hosted one, whether to ask which streams there are.")


#: All options of the kind; which of them go together depends on whether the connector runs here.
OPTIONS: Mapping[str, OptionType] = {**HOSTED, **LOCAL, "streams": _either(HOSTED["streams"], LOCAL["streams"])}


def is_local(integration: Integration) -> bool:
    """Tell whether an `airbyte` integration is a connector that runs here.

    >>> is_local(Integration("shop", "airbyte", {"command": "source-shop"}))
    True
    """
    return not integration.options.keys().isdisjoint(("command", "requirement"))
