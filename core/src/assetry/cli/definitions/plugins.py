"""``assetry plugins``: what is loaded, from where, which hooks, what is broken."""

from __future__ import annotations

from collections.abc import Iterable

import click

from assetry.cli.command import verb
from assetry.cli.plugin_commands import commands_of_plugins
from assetry.cli.session import Session
from assetry.cli.text import aligned
from assetry.hooks.installed import PluginInfo


def list_plugins(session: Session) -> None:
    """List the plugins: those of assetry itself, those installed, and the project's own.

    ASSETRY_PLUGINS=name,name limits the installed ones; an empty value disables them all.
    """
    plugins = session.project.plugins
    plugins.check_versions()
    commands_of_plugins(plugins)  # what is wrong with a command is known when it is asked for
    infos = plugins.infos
    if session.text:
        session.say("\n".join(_text(infos, session)))
    else:
        session.emit({"plugins": [_json(info) for info in infos]}, rows="plugins")


def _json(info: PluginInfo) -> dict[str, object]:
    return {
        "name": info.name,
        "package": info.package,
        "version": info.version,  # not in NDJSON, where it is that of the shape
        "package_version": info.version,
        "source": info.source,
        "hooks": list(info.hooks),
        "problems": list(info.problems),
        "warnings": list(info.warnings),
        "refuses": dict(info.refuses),
    }


def _text(infos: Iterable[PluginInfo], session: Session) -> Iterable[str]:
    listed = sorted(infos, key=lambda info: info.source == "built in")
    rows = aligned([("NAME", "PACKAGE", "FROM"), *((info.name, info.label, info.source) for info in listed)])
    yield rows[0]
    for info, row in zip(listed, rows[1:], strict=True):
        yield click.style(row, fg="red") if info.problems else row
        hooks = ", ".join(hook.removeprefix("assetry_") for hook in info.hooks)
        yield from (f"    {line}" for line in _wrapped(hooks or "no hooks", session.width - 4))
        for capability, reason in info.refuses.items():
            yield f"    refuses {capability}: {reason}"
        for warning in info.warnings:
            yield f"    {click.style('soon broken:', fg='yellow')} {warning}"
        for problem in info.problems:
            yield f"    {click.style('broken:', fg='red')} {problem}"
        if info.problems:
            yield f"    {_next_step(info)}"


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, max(width, 40))


def _next_step(info: PluginInfo) -> str:
    if info.source == "project":
        return "Correct it in the project."
    return f"Update it (pip install --upgrade {info.package}), or do without it: ASSETRY_PLUGINS=name,name."


command = verb("plugins")(list_plugins)
