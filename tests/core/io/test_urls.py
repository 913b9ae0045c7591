"""Places of values as they are compared and shown."""

from __future__ import annotations

import pytest
from assetry.io.urls import public_place


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://bob:se%40cret@db.example.com:5432/shop?password=other", "postgresql://db.example.com:5432/shop"),
        ("postgresql://bob@/shop?host=/run", "postgresql:///shop"),
        ("duckdb:/srv/../srv/my%20shop.duckdb?schema=raw", "duckdb:/srv/my shop.duckdb"),
        ("parquet:/srv/a@b/data", "parquet:/srv/a@b/data"),
        ("s3://key:secret@bucket/data", "s3://bucket/data"),
    ],
)
def test_a_place_is_kept_without_user_password_and_query(url: str, place: str) -> None:
    assert public_place(url) == place
