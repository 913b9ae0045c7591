"""Options of integrations that were given for one call, in the place of what the project file says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from assetry.errors import UsageError, near_names
from assetry.types.assets import Asset, Integration
from assetry.types.options import CommandOption


def with_given(
    integrations: Iterable[Integration], given: Mapping[str, Any], known: Sequence[CommandOption]
) -> tuple[Integration, ...]:
    """Return the integrations with the options that were given, each on those of the kinds that take it.

    Raises `UsageError` for an option that none of `known` is, and for one that nothing here takes.

    >>> grain = CommandOption(kind="mill", name="grain", help="How coarse.")
    >>> with_given([Integration("north", "mill")], {"grain": "fine"}, [grain])[0].options
    {'grain': 'fine'}
    """
    made = list(integrations)
    for name, value in given.items():
        takers = {each.kind: each for each in known if each.name == name}
        if not takers:
            names = dict.fromkeys(each.name for each in known)
            raise UsageError(
                f"No integration has an option {name!r} that can be given here.",
                near=near_names(name, names),
                hint=f"There are {', '.join(names)}." if names else "`assetry plugins` lists what is installed.",
            )
        if not any(each.kind in takers for each in made):
            raise UsageError(
                f"{next(iter(takers.values())).flag} is given, and the project has no integration of kind "
                f"{' or '.join(takers)} that could take it.",
                hint="Leave it out; assets that Python code loaded are given it there.",
            )
        made = [_with_one(each, takers[each.kind], value) if each.kind in takers else each for each in made]
    return tuple(made)


def _with_one(integration: Integration, option: CommandOption, value: Any) -> Integration:
    read = option.read(value, integration.options.get(option.name)) if option.read else value
    return replace(integration, options={**integration.options, option.name: read})


def refuse_untouched(
    assets: Iterable[Asset],
    integrations: Iterable[Integration],
    given: Mapping[str, Any],
    known: Callable[[], Sequence[CommandOption]],
) -> None:
    """Raise `UsageError` when assets are of an integration that what was given does not reach: code loaded them."""
    if not given:
        return
    reached = {each.name for each in integrations}
    options = [each for each in known() if each.name in given]
    for asset in assets:
        own = asset.integration
        option = next((each for each in options if own and each.kind == own.kind and own.name not in reached), None)
        if own is not None and option is not None:
            raise UsageError(
                f"{option.flag} does not reach {own.name!r}, whose assets Python code loaded.",
                where=asset.source,
                hint=f"Give it there, {option.name}=…; or name the integration in the project file.",
            )
