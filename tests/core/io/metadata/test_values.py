"""Links, texts, rows and pictures: read when they are made, and plain JSON in records."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from assetry.errors import MetadataError
from assetry.io.metadata.values import MOST_BYTES, Link, Markdown, Png, Preview
from assetry.types.codec import plain

from tests.pictures import png


class Figure:
    """A figure as matplotlib has it."""

    def savefig(self, file: Any, *, format: str) -> None:
        assert format == "png"
        file.write(png(4, 5))


def test_a_picture_is_taken_of_bytes_a_path_and_a_figure(tmp_path: Path) -> None:
    path = tmp_path / "plot.png"
    path.write_bytes(png())
    of_path, of_text, of_bytes, of_figure = Png(path), Png(str(path)), Png(bytearray(png())), Png(Figure())
    path.unlink()
    assert of_path == of_text == of_bytes
    assert (of_path.width, of_path.height, of_path.size, of_path.body) == (3, 2, len(png()), png())
    assert (of_figure.width, of_figure.height) == (4, 5)
    assert pickle.loads(pickle.dumps(of_path)).body == png(), "it goes from a worker to the run with all that it has"
    assert plain({"plot": of_path}) == {
        "plot": {"type": "png", "digest": of_path.digest, "size": len(png()), "width": 3, "height": 2}
    }
    assert "body" not in repr(of_path)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (b"GIF89a", "a bytes that is no PNG"),
        (b"", "a bytes that is no PNG"),
        (png()[:20], "a bytes that is no PNG"),
        ("nowhere.png", "No such file"),
        (".", "Is a directory"),
        ("a\0b", "it is no path"),
        (7, "not of an int"),
        (Figure, "not of a type"),
        (None, "not of None"),
    ],
)
def test_what_is_no_picture_is_refused(given: Any, told: str) -> None:
    with pytest.raises(MetadataError, match=told) as caught:
        Png(given)
    assert caught.value.hint


def test_of_a_file_that_is_too_large_not_all_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.write(png())
        file.truncate(MOST_BYTES * 50)
    found = Png(path)
    assert (found.size, len(found.body)) == (MOST_BYTES * 50, MOST_BYTES + 1)


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"id": [1, 2, 3], "at": [pd.Timestamp("2026-01-31"), pd.NaT, None], "x": [0.5, float("nan"), 2]}),
        pl.DataFrame({"id": [1, 2, 3], "at": ["2026-01-31 00:00:00", None, None], "x": [0.5, None, 2.0]}),
        pa.table({"id": [1, 2, 3], "at": ["2026-01-31 00:00:00", None, None], "x": [0.5, None, 2.0]}),
        pa.table({"id": [1, 2, 3], "at": ["2026-01-31 00:00:00", None, None], "x": [0.5, None, 2.0]}).to_batches()[0],
    ],
    ids=["pandas", "polars", "arrow", "batch"],
)
def test_the_first_rows_of_any_table_are_the_same(table: Any) -> None:
    found = Preview(table, 2)
    assert found.columns == ("id", "at", "x")
    assert found.rows == ((1, "2026-01-31 00:00:00", 0.5), (2, None, None))
    assert found.total == 3
    assert plain(found) == {
        "type": "preview",
        "columns": ["id", "at", "x"],
        "rows": [[1, "2026-01-31 00:00:00", 0.5], [2, None, None]],
        "total": 3,
    }


def test_a_preview_stays_as_the_table_was() -> None:
    table = pd.DataFrame({"id": [1, 2]})
    found = Preview(table)
    table["id"] = 0
    assert found.rows == ((1,), (2,))
    assert Preview(table.iloc[:0]).rows == ()


def test_a_number_that_is_too_long_to_be_written_is_cut() -> None:
    found = Preview(pd.DataFrame({"n": pd.Series([10**5000, 7], dtype=object)}))
    assert found.rows[1] == (7,)
    assert str(found.rows[0][0]).startswith("0x")
    assert len(found.rows[0][0]) == 200


def test_columns_of_one_name_are_both_shown() -> None:
    assert Preview(pa.table([[1], [2]], names=["a", "a"])).rows == ((1, 2),)
    assert Preview(pd.DataFrame([[1, 2]], columns=["a", "a"])).rows == ((1, 2),)


@pytest.mark.parametrize(
    ("given", "rows", "told"),
    [
        ([{"id": 1}], 10, "not of a list"),
        (pl.LazyFrame({"id": [1]}), 10, r"head\(10\).collect"),
        (pd.DataFrame(), 0, "1 to 100 rows"),
        (pd.DataFrame(), 101, "1 to 100 rows"),
        (pd.DataFrame(), True, "1 to 100 rows"),
        (pd.DataFrame(), "all", "rows=a str"),
    ],
)
def test_what_has_no_first_rows_is_refused(given: Any, rows: Any, told: str) -> None:
    with pytest.raises(MetadataError, match=told):
        Preview(given, rows)


def test_no_library_is_loaded_for_it() -> None:
    code = "import sys; from assetry import Link, Png, Preview\ntry: Preview([1])\nexcept Exception: pass\n"
    code += "print(sorted({'pandas', 'polars', 'pyarrow', 'matplotlib', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "url", ["https://x.example.com/a?b=c#d", "http://localhost:8080", "s3://bucket/key", "mailto:a@b.c"]
)
def test_a_link_is_an_address(url: str) -> None:
    assert plain(Link(url)) == {"type": "link", "url": url}
    assert plain(Link(url, "it"))["title"] == "it"


@pytest.mark.parametrize(
    "url",
    ["", "runs/7", "/runs", "javascript:alert(1)", "JavaScript:x", "data:text/html,x", "https:", "https://a b", 7],
)
def test_what_is_no_address_or_a_script_is_no_link(url: Any) -> None:
    with pytest.raises(MetadataError) as caught:
        Link(url)
    assert caught.value.hint


def test_markdown_is_a_text() -> None:
    assert plain(Markdown("# A")) == {"type": "markdown", "text": "# A"}
    with pytest.raises(MetadataError, match="not of None"):
        Markdown(None)  # type: ignore[arg-type]
    with pytest.raises(MetadataError, match="not of an int"):
        Link("https://x", 7)  # type: ignore[arg-type]
