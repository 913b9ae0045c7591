"""The tool itself: ``python -m assetry_sqlfolder.runner DATABASE FOLDER NAME… [--check NAME.CHECK …]``.

It knows nothing of assetry. It makes the named scripts in the order in which they read each other and prints a line of
JSON whenever something has happened. A script that fails takes with it what is made from it, and nothing else.
"""

import argparse
import json
import os
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from assetry_sqlfolder.scripts import Script, read_scripts, upstream


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m assetry_sqlfolder.runner")
    parser.add_argument("database")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--check", nargs="*", default=[], metavar="NAME.CHECK")
    asked = parser.parse_args()
    tell(what="begun", process=os.getpid())
    run(asked.database, asked.folder, asked.names, {tuple(each.split(".", 1)) for each in asked.check})
    tell(what="done")


def tell(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def run(database: str, folder: Path, names: list[str], checks: set[tuple[str, ...]]) -> None:
    import duckdb

    scripts = read_scripts(folder)
    needs = {name: upstream(scripts[name], scripts) for name in names}
    spoilt: dict[str, str] = {}  # by script: why nothing can be made from it
    Path(database).parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(database) as connection:
        for name in TopologicalSorter(needs).static_order():
            if name not in needs:
                continue  # read, but not to be made now
            because = next((spoilt[each] for each in needs[name] if each in spoilt), None)
            if because is not None:
                spoilt[name] = because
                tell(name=name, what="skipped", because=because)
                continue
            tell(name=name, what="started")
            try:
                tell(name=name, what="made", **make(connection, scripts[name]))
            except duckdb.Error as error:
                spoilt[name] = f"{name} failed"
                tell(name=name, what="failed", message=str(error))
                continue
            for check in (each for each in scripts[name].checks if (name, each) in checks):
                message = wrong(connection, scripts[name].checks[check])
                tell(name=name, what="checked", check=check, passed=message is None, message=message)
                if message is not None:
                    spoilt[name] = f"check {check} of {name} failed"


def make(connection: Any, script: Script) -> dict[str, Any]:
    """Replace the table of a script; return its columns, its rows, and a version of its content."""
    connection.execute(f'CREATE OR REPLACE TABLE "{script.name}" AS {script.query}')
    columns = [row[:2] for row in connection.execute(f'DESCRIBE "{script.name}"').fetchall()]
    rows, content = connection.execute(f'SELECT count(*), sum(hash(t)) FROM "{script.name}" t').fetchall()[0]
    return {"rows": rows, "columns": columns, "version": f"{rows}-{content or 0:x}"}


def wrong(connection: Any, query: str) -> str | None:
    """Return what a check finds wrong: it passes when its query has no rows."""
    import duckdb

    try:
        bad = connection.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0]
    except duckdb.Error as error:
        return str(error)
    return f"{bad} rows: {query}" if bad else None


if __name__ == "__main__":
    main()
