"""``assetry plugins``: what is loaded, from where, for which kinds and schemes, with which options, what is broken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from assetry.cli.command import verb
from assetry.cli.plugin_commands import commands_of_plugins
from assetry.cli.session import Session
from assetry.cli.text import aligned, styled
from assetry.errors import UsageError, near_names
from assetry.hooks.installed import PluginInfo
from assetry.types.codec import plain
from assetry.types.options import OptionType


def list_plugins(session: Session, names: tuple[str, ...] = ()) -> None:
    """List the plugins: those of assetry itself, those installed, and the project's own.

    NAME is a plugin or a kind of integration: only that one is shown, with all options of its integrations.
    ASSETRY_PLUGINS=name,name limits the installed ones; an empty value disables them all.
    """
    plugins = session.project.plugins
    plugins.check_versions()
    commands_of_plugins(plugins)  # what is wrong with a command is known when it is asked for
    infos = _chosen(plugins.infos, names)
    if session.text:
        session.say("\n".join(_text(infos, session, options=bool(names or session.verbose))))
    else:
        session.emit({"plugins": [_json(info) for info in infos]}, rows="plugins")


def _chosen(infos: Iterable[PluginInfo], names: Iterable[str]) -> list[PluginInfo]:
    """Return the plugins of these names, packages or kinds, all when there are none; raise `UsageError`."""
    known = list(infos)
    called = {info.name: {info.name, info.package, *(info.kinds or ())} for info in known}
    for name in names:
        if not any(name in each for each in called.values()):
            raise UsageError(
                f"There is no plugin {name!r}.",
                near=near_names(name, (word for each in called.values() for word in sorted(each))),
                hint="`assetry plugins` lists them.",
            )
    wanted = set(names)
    return [info for info in known if not wanted or wanted & called[info.name]]


def _json(info: PluginInfo) -> dict[str, object]:
    return {
        "name": info.name,
        "package": info.package,
        "version": info.version,  # not in NDJSON, where it is that of the shape
        "package_version": info.version,
        "source": info.source,
        "hooks": list(info.hooks),
        "kinds": {
            kind: {name: _option_json(each) for name, each in options.items()}
            for kind, options in (info.kinds or {}).items()
        },
        "schemes": {what: list(schemes) for what, schemes in info.schemes.items()},
        "tables": list(info.tables),
        "problems": list(info.problems),
        "warnings": list(info.warnings),
        "refuses": dict(info.refuses),
    }


def _option_json(each: OptionType) -> dict[str, Any]:
    return {
        "type": each.words,
        "help": each.help,
        "required": each.required,
        "default": plain(each.default),
        "choices": list(each.choices),
        "secret": each.secret,
        "in_python": each.in_python,
    }


def _text(infos: Iterable[PluginInfo], session: Session, options: bool) -> Iterable[str]:
    listed = sorted(infos, key=lambda info: info.source == "built in")
    rows = aligned([("NAME", "PACKAGE", "FROM"), *((info.name, info.label, info.source) for info in listed)])
    yield rows[0]
    for info, row in zip(listed, rows[1:], strict=True):
        yield styled(row, fg="red") if info.problems else row
        hooks = ", ".join(hook.removeprefix("assetry_") for hook in info.hooks)
        yield from (f"    {line}" for line in _wrapped(hooks or "no hooks", session.width - 4))
        if info.kinds:
            yield f"    loads {', '.join(info.kinds)}"
        if info.tables:
            yield f"    reads {', '.join(f'[{table}]' for table in info.tables)} of the project file"
        for what, schemes in info.schemes.items():
            yield f"    opens {', '.join(f'{scheme}:' for scheme in schemes)} ({what})"
        for capability, reason in info.refuses.items():
            yield f"    refuses {capability}: {reason}"
        if options:
            yield from _options(info, session.width)
        for warning in info.warnings:
            yield f"    {styled('soon broken:', fg='yellow')} {warning}"
        for problem in info.problems:
            yield f"    {styled('broken:', fg='red')} {problem}"
        if info.problems:
            yield f"    {_next_step(info)}"


def _options(info: PluginInfo, width: int) -> Iterator[str]:
    """Yield the options of each kind of integration, as the table of one in a project file takes them."""
    for kind, every in (info.kinds or {}).items():
        options = {name: each for name, each in every.items() if not each.in_python}
        yield f'    options of kind = "{kind}"' + ("" if options else ": none")
        space = max(map(len, options), default=0)
        for name, each in options.items():
            help_ = f"{each.help} ({each.terms})" if each.help else each.terms
            lines = _wrapped(help_, width - space - 8)
            yield f"      {name:<{space}}  {lines[0]}"
            yield from (f"      {'':<{space}}  {line}" for line in lines[1:])


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, max(width, 40))


def _next_step(info: PluginInfo) -> str:
    if info.source == "project":
        return "Correct it in the project."
    return f"Update it (pip install --upgrade {info.package}), or do without it: ASSETRY_PLUGINS=name,name."


command = verb("plugins", click.Argument(["names"], nargs=-1, metavar="[NAME]..."))(list_plugins)
