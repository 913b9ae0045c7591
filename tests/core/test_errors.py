from __future__ import annotations

from assetry.errors import UsageError


def test_all_that_follows_the_message_is_indented() -> None:
    error = UsageError("No such thing.", where="assets.py:3", near=("thong",), hint="Look here.\nOr there.")
    assert str(error).splitlines() == [
        "No such thing.",
        "  at assets.py:3",
        "  did you mean 'thong'?",
        "  Look here.",
        "  Or there.",
    ]
