"""Settings of a connection that are changed for a sync, and owed to it until they are put back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from assetry.plugin import Event, Log

from assetry_toolkit.errors import ServiceError
from assetry_toolkit.extract_load.owed_rows import kept_or_told
from assetry_toolkit.files import json_object, locked, read_json, write_whole
from assetry_toolkit.work import GONE


class ChangedSettings:
    """The settings of one connection that are changed, as they were before; true as long as there are any.

    They stand in a file from before they are changed until they are put back, so that whichever run of the connection
    comes next puts them back, when this one is killed. Without a `path` they are forgotten with the process. Raises
    `Unkept` where the file cannot be read or written. Safe for several processes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "changed.json")
    ...     ChangedSettings(path, "c_1").add({"paused": True})
    ...     later = ChangedSettings(path, "c_1")
    ...     later.before, list(later.put_back(print)), bool(ChangedSettings(path, "c_1"))
    {'paused': True}
    ({'paused': True}, [], False)
    """

    def __init__(self, path: Path | None, connection: str) -> None:
        self._path, self._connection = path, connection
        self.before: dict[str, Any] = {}
        if path is not None:
            with kept_or_told(f"What was changed of connection {connection} cannot be read", path):
                self.before = _settings(json_object(path.read_bytes() if path.exists() else b"").get(connection))

    def __bool__(self) -> bool:
        return bool(self.before)

    def add(self, settings: Mapping[str, Any]) -> None:
        """Note settings as they are before they are changed; what is noted already is older, and stays."""
        self._keep({**settings, **self.before})

    def owed(self) -> Iterable[Event]:
        """Tell what stays changed: to put it back could end the sync, which goes on."""
        if self.before:
            told = f"What was changed of connection {self._connection} ({', '.join(self.before)}) is put back"
            later = "`assetry retry`, or the next run of it, sees to that"
            yield Log(f"{told} when its sync has ended: {later}.", "warning")

    def put_back(self, change: Callable[[Mapping[str, Any]], object]) -> Iterable[Event]:
        """Put them back by `change`, which raises `ServiceError` where that cannot be done: that is warned of."""
        try:
            change(self.before)
        except ServiceError as error:
            what = ", ".join(f"{name} = {json.dumps(old)}" for name, old in self.before.items())
            yield Log(f"Connection {self._connection} could not be put back to {what}: {error.message}", "warning")
            if error.status not in GONE:
                return
        self._keep({})

    def _keep(self, settings: dict[str, Any]) -> None:
        if self._path is not None:
            what = f"What is changed of connection {self._connection} cannot be kept"
            with kept_or_told(what, self._path), locked(self._path.with_suffix(".lock")):
                whole = json_object(self._path.read_bytes() if self._path.exists() else b"")
                whole[self._connection] = settings
                text = json.dumps({name: each for name, each in whole.items() if each}, indent=1)
                write_whole(self._path, text, durable=True)
        self.before = settings


def still_changed(path: Path, connections: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of the settings that are owed to connections, by the ids of those that any are owed to.

    >>> still_changed(Path("nowhere.json"), ["c_1"])
    {}
    """
    kept = read_json(path)
    return {id_: [*_settings(kept[id_])] for id_ in connections if id_ in kept and _settings(kept[id_])}


def _settings(given: Any) -> dict[str, Any]:
    return dict(given) if isinstance(given, dict) else {}
