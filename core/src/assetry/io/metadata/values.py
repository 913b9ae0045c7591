"""What metadata may have besides numbers and texts: links, Markdown, the first rows of a table, pictures.

Each is plain JSON in events and records, told apart by its ``type``. The bytes of a picture are in no event: it is
known by the digest of them, and `Pictures` keeps them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from io import BytesIO
from typing import Any, ClassVar

from assetry.errors import MetadataError
from assetry.io.frames import first_rows, frame_name

#: The most rows of a `Preview`.
MOST_ROWS = 100
#: The most bytes of a `Png` that are kept: 4 MiB.
MOST_BYTES = 4 * 1024 * 1024
#: What a link must not begin with: it would run in the page that shows it.
_SCRIPTS = ("javascript:", "data:", "vbscript:")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Link:
    """A page about what was made; `title` is what it is shown as, its address when there is none.

    Raises `MetadataError` for what is no address with a scheme, and for a script.

    >>> Link("https://ci.example.com/builds/7", "build 7").title
    'build 7'
    """

    json_tag: ClassVar = ("type", "link")
    url: str
    title: str | None = None

    def __post_init__(self) -> None:
        url = self.url
        if not isinstance(url, str) or not (self.title is None or isinstance(self.title, str)):
            strange = self.title if isinstance(url, str) else url
            raise MetadataError(f"Link(…) is of texts, not of {named(strange)}.", hint='Link("https://…", "title")')
        scheme, colon, rest = url.partition(":")
        if not colon or not scheme.isascii() or not scheme.isalnum() or not rest or not url.isprintable() or " " in url:
            raise MetadataError(
                "Link(…) was given a text that is no address.", hint='Write all of it: Link("https://example.com/runs")'
            )
        if url.lower().startswith(_SCRIPTS):
            raise MetadataError(f"Link(…) to a {scheme}: address.", hint="Give one that can be opened, https://…")


@dataclass(frozen=True, slots=True)
class Markdown:
    """A text with headings, lists and the like, in Markdown.

    >>> Markdown("**3** orders without a customer").text
    '**3** orders without a customer'
    """

    json_tag: ClassVar = ("type", "markdown")
    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise MetadataError(f"Markdown(…) is of a text, not of {named(self.text)}.", hint='Markdown("**3** rows")')


@dataclass(frozen=True, slots=True, init=False)
class Preview:
    """The first `rows` of a table of pandas, polars or Arrow, at most 100, as they are when it is made.

    Texts of more than 200 characters are cut. `total` is how many rows the table has. Raises `MetadataError` for what
    is no table in memory, and for another number of rows.

    >>> import pyarrow
    >>> Preview(pyarrow.table({"id": [1, 2, 3]}), rows=2)
    Preview(columns=('id',), rows=((1,), (2,)), total=3)
    """

    json_tag: ClassVar = ("type", "preview")
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int

    def __init__(self, table: Any, rows: int = 10) -> None:
        if type(rows) is not int or not 1 <= rows <= MOST_ROWS:
            told = rows if type(rows) is int else named(rows)
            raise MetadataError(f"Preview(…, rows={told}): it has 1 to {MOST_ROWS} rows.", hint="Preview(table, 10)")
        found = first_rows(table, rows)
        if found is None:
            stream = frame_name(table) is not None
            hint = "Give its first rows as a table: for polars, lazy.head(10).collect()." if stream else None
            raise MetadataError(
                f"Preview(…) is of a table in memory, not of {named(table)}.",
                hint=hint or "Give a pandas.DataFrame, a polars.DataFrame or a pyarrow.Table.",
            )
        for name, value in zip(("columns", "rows", "total"), found, strict=True):
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True, init=False)
class Png:
    """A picture, such as a plot: the bytes of a PNG, the path of one, or a figure (anything with ``savefig``).

    It is read when it is made: the file may be gone, and the figure closed, afterwards. `size` is in bytes, `width` and
    `height` in pixels; `digest` is what it is kept by. One of more than 4 MiB is refused when it is told of an asset.
    Raises `MetadataError` for what is no PNG, or cannot be read.

    >>> Png(bytes.fromhex("89504e470d0a1a0a0000000d49484452000000020000000108060000000000000000"))
    Png(digest='c79e16646e879ea058813586dca47ec7', size=34, width=2, height=1)
    """

    json_tag: ClassVar = ("type", "png")
    digest: str
    size: int
    width: int
    height: int
    #: Not compared, and so not in JSON either. Where it is too large, only its beginning.
    body: bytes = field(repr=False, compare=False)

    def __init__(self, source: Any) -> None:
        body, size = _picture(source)
        if not body.startswith(_SIGNATURE) or body[12:16] != b"IHDR" or len(body) < 24:
            raise MetadataError(
                f"Png(…) was given {named(source)} that is no PNG.", hint='Save it as one: figure.savefig("plot.png")'
            )
        told = {
            "digest": blake2b(body, digest_size=16).hexdigest(),
            "size": size,
            "width": int.from_bytes(body[16:20], "big"),
            "height": int.from_bytes(body[20:24], "big"),
            "body": body,
        }
        for name, value in told.items():
            object.__setattr__(self, name, value)


#: All of them.
KINDS = (Link, Markdown, Preview, Png)


def pictures_in(metadata: Mapping[str, Any]) -> Mapping[str, Png]:
    """Return the pictures among metadata, by name.

    >>> pictures_in({"rows": 3})
    {}
    """
    return {name: each for name, each in metadata.items() if type(each) is Png}


def named(value: Any) -> str:
    """Return what something is, for an error; never the value, which may be a secret.

    >>> named(None), named([1]), named(object)
    ('None', 'a list', 'a type')
    """
    if value is None:
        return "None"
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _picture(source: Any) -> tuple[bytes, int]:
    """Return the bytes of a picture, and how many there are; of one that is too large only the first."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        whole = bytes(source)
        return whole, len(whole)
    if isinstance(source, (str, os.PathLike)):
        try:
            with open(source, "rb") as file:  # noqa: PTH123 - it need not be a Path
                return file.read(MOST_BYTES + 1), os.fstat(file.fileno()).st_size
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or "it is no path"
            raise MetadataError(f"Png(…) cannot read its file: {words}.", hint="Give the path of a PNG.") from None
    save = getattr(source, "savefig", None)
    if callable(save) and not isinstance(source, type):
        drawn = BytesIO()
        save(drawn, format="png")
        return drawn.getvalue(), len(drawn.getvalue())
    hint = "Give bytes, the path of a file, or a figure of matplotlib; of axes, axes.figure."
    raise MetadataError(f"Png(…) is of a picture, not of {named(source)}.", hint=hint)
