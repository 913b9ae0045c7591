"""What was told of an asset when it was made, as lines for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from assetry.cli.text import aligned, counted, cut, styled
from assetry.io.metadata.pictures import Pictures
from assetry.project.project import Project
from assetry.types.keys import AssetKey
from assetry.types.records import Materialization
from assetry.views.json import json_text
from assetry.views.metadata import is_number, number_text, numbers_to_json
from assetry.views.terminal import plain

#: What is shown elsewhere, or is assetry's own: where a value is, of what type, which rows are from before.
_APART = frozenset(("io", "type", "rows", "columns", "bytes", "older_rows", "epoch"))
#: The most characters of a value in one line.
_ROOM = 100
#: Of how many materializations JSON has the numbers.
RECENT = 30
#: Returns the file of a picture; None where it is not here.
FindPicture = Callable[[str], Path | None]


def before(project: Project, made: Materialization) -> Materialization | None:
    """Return what was made before of the same asset, or of the same partition of it."""
    last = project.history(made.key, made.partition, 2)
    return next((each for each in last if each.at < made.at and each.partition == made.partition), None)


def rows_text(made: Materialization, before: Materialization | None) -> str | None:
    """Return how many rows there are, and how many more or fewer than before; None where that was not told."""
    rows, was = made.metadata.get("rows"), None if before is None else before.metadata.get("rows")
    if not isinstance(rows, int) or isinstance(rows, bool):
        return None
    told = counted(rows, "row")
    return told if not isinstance(was, int) or was == rows else f"{told} ({rows - was:+,})"


def told_json(project: Project, made: Materialization | None, key: AssetKey, partition: str | None) -> dict[str, Any]:
    """Return as JSON the numbers that were told of late, and the files of the pictures that were told last."""
    return {
        "numbers": numbers_to_json(project.numbers(key, partition, RECENT)),
        "pictures": _pictures(made, project.pictures),
    }


def _pictures(made: Materialization | None, pictures: Pictures) -> dict[str, str | None]:
    """Return the files of the pictures among metadata, by name; None for one that is not here."""
    found = {}
    for name, value in () if made is None else made.metadata.items():
        if isinstance(value, Mapping) and value.get("type") == "png":
            path = pictures.find(str(value.get("digest")))
            found[name] = None if path is None else str(path)
    return found


def metadata_lines(
    made: Materialization | None, before: Materialization | None, find: FindPicture, *, everything: bool = False
) -> Iterable[str]:
    """Yield what was told of what was made, below a heading; see `told_lines`."""
    told = {} if made is None else made.metadata
    lines = list(told_lines(told, {} if before is None else before.metadata, find, everything=everything))
    if lines:
        yield ""
        yield f"  {styled('Metadata of what was made', bold=True)}"
        yield from (f"    {each}" for each in lines)


def told_lines(
    metadata: Mapping[str, Any], before: Mapping[str, Any], find: FindPicture, *, everything: bool = False
) -> Iterable[str]:
    """Yield metadata, numbers with the difference to what was told `before`.

    Without `everything` what assetry writes for itself is left out, and long texts are cut.
    """
    told = {name: value for name, value in metadata.items() if everything or not _is_apart(name, value)}
    rows = [(plain(name), *_shown(value, before.get(name), find, everything)) for name, value in told.items()]
    for line, (_, _, more) in zip(aligned(row[:2] for row in rows), rows, strict=True):
        yield line
        yield from (f"  {plain(each)}".rstrip() for each in more)


def _is_apart(name: str, value: Any) -> bool:
    """Tell whether something is not told by a person: what assetry finds of a table is of plain lists and numbers."""
    return name in _APART or (name == "preview" and isinstance(value, list))


def _shown(value: Any, before: Any, find: FindPicture, everything: bool) -> tuple[str, Sequence[str]]:
    """Return a value in one line, and the lines below it."""
    if is_number(value):
        return number_text(value, before), ()
    if isinstance(value, Mapping) and (shown := _SHOWN.get(str(value.get("type")))) is not None:
        try:
            return shown(value, find)
        except (LookupError, TypeError, ValueError):
            pass  # it only looks like one
    text = value if isinstance(value, str) else json_text(value)
    first, *more = text.splitlines() or [""]
    return (plain(first), more) if everything else (cut(text, _ROOM), ())


def _link(value: Mapping[str, Any], _: FindPicture) -> tuple[str, Sequence[str]]:
    title = value.get("title")
    return cut(f"{title}: {value['url']}" if title else value["url"], 2 * _ROOM), ()


def _markdown(value: Mapping[str, Any], _: FindPicture) -> tuple[str, Sequence[str]]:
    return "", [cut(each, 2 * _ROOM) for each in value["text"].splitlines()]


def _preview(value: Mapping[str, Any], _: FindPicture) -> tuple[str, Sequence[str]]:
    rows = [["" if cell is None else cut(str(cell), 40) for cell in row] for row in value["rows"]]
    told = f"{len(rows):,} of {counted(value['total'], 'row')}"
    return told, aligned([[cut(str(name), 40) for name in value["columns"]], *rows]) if rows else ()


def _png(value: Mapping[str, Any], find: FindPicture) -> tuple[str, Sequence[str]]:
    path = find(value["digest"])
    where = "it is not here" if path is None else str(path)
    return f"a picture of {value['width']:,} by {value['height']:,} pixels, {where}", ()


_SHOWN = {"link": _link, "markdown": _markdown, "preview": _preview, "png": _png}
