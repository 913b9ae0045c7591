"""What a tool answers, kept in a file and asked anew when it would be another answer.

A project loads without running the tool, then, and the file may be kept under version control::

    answers = KeptAnswers(root / ".assetry/mill/shop.json")
    tables = answers.get("orders", digest([script, settings]), lambda: json.loads(mill.output())).value
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assetry.plugin import IntegrationError

from assetry_toolkit.files import read_json, write_whole, written_or_told

_log = logging.getLogger("assetry.kept_answers")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, as JSON: `at` is when it was given (ISO, UTC), `stale` why it is not the newest."""

    value: Any
    at: str
    stale: str | None = None


class KeptAnswers:
    """The answers in one file, each under a name, with what it was `of`: a digest of all that it depends on.

    A file of another `version` counts as empty. Answers must hold no secret.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     answers = KeptAnswers(Path(folder, "mill.json"))
    ...     answers.get("orders", "v1", lambda: [1]).value, answers.get("orders", "v1", lambda: [2]).value
    ([1], [1])
    """

    def __init__(self, path: Path, version: int = 1) -> None:
        self._path, self._version = path, version
        found = read_json(path)
        answers = found.get("answers") if found.get("version") == version else None
        whole = {name: each for name, each in answers.items() if _is_whole(each)} if isinstance(answers, dict) else {}
        self._kept: dict[str, dict[str, Any]] = whole

    def kept(self, name: str, of: str | None = None) -> Answer | None:
        """Return the answer that is kept under a name, if it is of the same as now, or of whatever without `of`."""
        found = self._kept.get(name)
        return Answer(found["answer"], found["at"]) if found and of in (None, found["of"]) else None

    def keep(self, name: str, of: str, value: Any) -> Answer:
        """Keep an answer in the place of the one before; return it.

        Raises `IntegrationError` when the file cannot be written, such as on a full disk.
        """
        answer = Answer(value, datetime.now(UTC).isoformat(timespec="seconds"))
        with written_or_told(self._path):
            self._write(name, of, answer)
        return answer

    def _write(self, name: str, of: str, answer: Answer) -> None:
        self._kept[name] = {"of": of, "at": answer.at, "answer": answer.value}
        document = {"version": self._version, "answers": dict(sorted(self._kept.items()))}
        write_whole(self._path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")

    def get(self, name: str, of: str, ask: Callable[[], Any]) -> Answer:
        """Return the answer that is kept of the same as now; else the one that `ask` returns, which is kept.

        One that cannot be asked, by an `IntegrationError`, keeps the answer it had, with a warning. Raises that error
        when it had none.
        """
        found = self.kept(name, of)
        if found is not None:
            return found
        try:
            return self.keep(name, of, ask())
        except IntegrationError as error:
            before = self.kept(name)
            if before is None:
                raise
            _log.warning("%s What was read on %s is used.", error.message, before.at[:10])
            return Answer(before.value, before.at, error.message)


def _is_whole(kept: Any) -> bool:
    return isinstance(kept, dict) and {"of", "at", "answer"} <= kept.keys()
