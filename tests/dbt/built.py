"""What stands beside a manifest when a dbt of the user's own has built: the results of the same run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def as_built(folder: Path, invocation: str | None = None, **arguments: Any) -> None:
    """Write the results of the run of dbt that wrote a project's manifest, or of another `invocation`."""
    own = json.loads((folder / "target" / "manifest.json").read_bytes())["metadata"]["invocation_id"]
    results = {"metadata": {"invocation_id": invocation or own}, "args": {"which": "build", "vars": {}, **arguments}}
    (folder / "target" / "run_results.json").write_text(json.dumps({**results, "results": []}))
