"""``assetry <tool> pull``: read anew what integrations of a kind have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from assetry.plugin import (
    AssetryError,
    CommandContext,
    Commands,
    DefinitionError,
    Integration,
    IntegrationError,
    UsageError,
    near_names,
)

if TYPE_CHECKING:
    from assetry_toolkit.hosted.settings import HostedOptions

#: How many assets are named that came or left.
MOST_NAMED = 10
#: How is told of what could not be read.
UNREAD = "could not be read"
#: What is kept of a connection that is not found: that it is so, since the error of the look says the rest.
UNFOUND = "it was not there when it was last asked for"
#: What was read of one integration, as JSON.
Found = Mapping[str, Any]


def add_pull(
    commands: Commands,
    kind: str,
    help: str,
    pulled: Callable[[Integration], Found],
    lines: Callable[[Found], Iterable[str]],
    option: str = 'connection_id = "…"',
) -> None:
    """Add the command; it has the name of the `kind`, and `help` is what people are told of its group.

    `pulled` reads one integration and returns what to tell of it, as JSON; `lines` are the same as text. Where it has
    something under ``unread``, the command fails in the end. So it does where `pulled` raises a `DefinitionError`, as
    when options ask for what there is not: the others are read all the same. `option` is one that a project file may
    begin with.

    >>> add_pull(commands := Commands(), "mill", "Look at the mill.", dict, list)
    >>> [each.name for group in commands.groups for each in group.commands], commands.problems
    (['pull'], [])
    """

    def pull(context: CommandContext, integrations: list[str]) -> None:
        """Read anew what there is to sync, of all integrations or of those named.

        :param integrations: names of integrations, as in assetry.toml
        """
        own = [each for each in context.project.integrations if each.kind == kind]
        if not set(integrations) <= {each.name for each in own}:
            own += _built(context, kind, own)
        found, errors = _each(pulled, wanted(own, integrations, kind, option) if own or integrations else ())
        if not integrations and not errors:  # after the others, which the definitions may need
            built = _built(context, kind, own)
            more, errors = _each(pulled, built if own else wanted(built, (), kind, option))
            found += more
        for each in found:
            for name, error in {**each.get("unread", {})}.items():
                if isinstance(error, AssetryError):
                    context.project.settings.locate(error)
                    each["unread"][name] = str(error)
        if not context.text:
            context.emit({"integrations": found}, rows="integrations")
        elif found:
            context.say("\n".join(line for each in found for line in lines(each)))
        for error in errors[1:]:
            context.warn(error.message)
        if errors:
            raise errors[0]
        if any(each.get("unread") for each in found):
            raise IntegrationError("Not everything could be read.", hint="What was known of the rest is kept.")

    commands.group(kind, help).command("pull")(pull)


def _each(
    pulled: Callable[[Integration], Found], integrations: Iterable[Integration]
) -> tuple[list[Found], list[DefinitionError]]:
    """Return what was read of each integration, and what is wrong with the rest."""
    found, errors = list[Found](), list[DefinitionError]()
    for each in integrations:
        try:
            found.append(pulled(each))
        except DefinitionError as error:
            error.where = error.where or f"integration {each.name!r}"
            errors.append(error)
    return found, errors


class Renewed(NamedTuple):
    """What was read anew of an integration: its connections, and the keys of assets that came and that left by that."""

    connections: Sequence[Any]
    came: Sequence[str]
    left: Sequence[str]


def found_in(options: HostedOptions, renewed: Renewed, things: str) -> dict[str, Any]:
    """Return what to tell of what was read of an integration anew; `things` are what each of its connections has.

    A connection has a name and a status, under `things` what it loads, what is wrong with it as `trouble`, whether it
    is `gone`, when it is not counted, and may have a `note`.
    """
    told = {each: each.trouble or getattr(each, "note", None) for each in renewed.connections}
    there = [each for each in renewed.connections if not each.gone]
    unread = {each.name: why for each, why in told.items() if why and UNREAD in why}
    return {
        "integration": options.name,
        "file": str(options.snapshot_path),
        "connections": len(there),
        things: sum(len(getattr(each, things)) for each in there),
        "came": list(renewed.came),
        "left": list(renewed.left),
        "trouble": [{"name": each.name, "status": each.status, "told": why} for each, why in told.items() if why],
        **({"unread": unread} if unread else {}),
    }


def lines_of(found: Found, things: str) -> Iterable[str]:
    """Yield the same as text, `things` being a plural in s.

    >>> list(lines_of({"integration": "shop", "connections": 1, "sacks": 2, "trouble": []}, "sacks"))
    ['shop: 1 connection, 2 sacks']
    """
    connections = f"{counted(found['connections'], 'connection')}, " if found["connections"] else ""
    yield f"{found['integration']}: {connections}{counted(found[things], things[:-1])}"
    yield from (f"  {each['name']}: {each['told']}" for each in found["trouble"])
    for how, keys in (("came", found.get("came")), ("left", found.get("left"))):
        if keys:
            more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
            yield f"  {how}: {', '.join(keys[:MOST_NAMED])}{more}"


def _built(context: CommandContext, kind: str, own: Sequence[Integration]) -> list[Integration]:
    """Return the integrations of a kind that Python builds, besides `own`; they are known by their assets alone."""
    if own and not any(each.kind == "python" for each in context.project.integrations):
        return []
    try:
        known = context.project.graph.integrations
    except AssetryError as error:
        if not own:
            raise
        context.warn(f"What Python builds of kind {kind!r} is not read, since this does not load: {error.message}")
        return []
    named = {each.name for each in own}
    return [each for name, each in known.items() if each.kind == kind and name not in named]


class Asked(NamedTuple):
    """What is asked of an integration, each thing by itself: its answer is how many there are, and kept in `file`."""

    file: Path
    questions: Mapping[str, Callable[[], int]]


def add_pull_of_each(
    commands: Commands, kind: str, help: str, asked: Callable[[Integration], Asked], words: tuple[str, str], option: str
) -> None:
    """Add the command as `add_pull` does, for an integration of which several things are asked, each by itself.

    One that cannot be asked, by an `IntegrationError`, hides nothing of the others. `words` are what is asked, as JSON
    has it, and what there is of each: ``("sources", "stream")``.

    >>> def asked(integration: Integration) -> Asked:
    ...     return Asked(Path("mill.json"), {"rye": lambda: 7})
    >>> add_pull_of_each(commands := Commands(), "mill", "Look at the mill.", asked, ("grains", "sack"), "")
    >>> commands.problems
    []
    """
    things, noun = words

    def pulled(integration: Integration) -> Found:
        file, questions = asked(integration)
        counts: dict[str, int] = {}
        unread: dict[str, IntegrationError] = {}
        for name, ask in questions.items():
            try:
                counts[name] = ask()
            except IntegrationError as error:
                unread[name] = error
        return {"integration": integration.name, "file": str(file), things: counts, "unread": unread}

    def lines(found: Found) -> Iterable[str]:
        for name, count in found[things].items():
            yield f"{found['integration']}: {name}, {counted(count, noun)}"
        for name, why in found["unread"].items():
            yield f"{found['integration']}: {name} cannot be asked: {why}"

    add_pull(commands, kind, help, pulled, lines, option)


def wanted(
    integrations: Iterable[Integration], names: Sequence[str], kind: str, option: str = 'connection_id = "…"'
) -> list[Integration]:
    """Return the integrations of a kind that are named, or all of them; raise `UsageError` when there are none.

    >>> [each.name for each in wanted([Integration("shop", "mill", {})], [], "mill")]
    ['shop']
    """
    known = {each.name: each for each in integrations if each.kind == kind}
    for name in names:
        if name not in known:
            raise UsageError(
                f"There is no {kind} integration {name!r}.", near=near_names(name, known), hint="See assetry.toml."
            )
    if not known:
        raise UsageError(
            f"No integration of this project is of kind {kind!r}.",
            hint=f'Add one to assetry.toml: [integrations.NAME], kind = "{kind}", {option}.',
        )
    return [known[name] for name in names or known]


def counted(count: int, noun: str) -> str:
    """Return how many there are of something.

    >>> counted(1, "table"), counted(1200, "table")
    ('1 table', '1,200 tables')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
