"""The URL of the warehouse that a profile means, for the IO managers of other packages."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from assetry.plugin import Integration, IntegrationError

from assetry_dbt.project.profile import Profile
from assetry_dbt.project.project import DbtProject
from assetry_dbt.running.engine import runs_in_process

#: Settings of a PostgreSQL profile that libpq takes under the same name.
_LIBPQ = ("sslmode", "sslcert", "sslkey", "sslrootcert", "connect_timeout", "application_name")


def warehouse_url(profile: Profile, project_dir: Path) -> str | None:
    """Return the URL of the warehouse of `profile`, password included; None when assetry knows no way into it.

    A DuckDB file is named with all that dbt-duckdb passes to `duckdb.connect`: DuckDB refuses a second connection of
    one process that is configured otherwise.

    >>> profile = Profile("shop", "dev", Path("profiles.yml"), {"type": "duckdb", "path": "shop.duckdb"})
    >>> warehouse_url(profile, Path("/srv/shop"))
    'duckdb:/srv/shop/shop.duckdb?schema=main'
    """
    known = _ADAPTERS.get(profile.adapter)
    return known(profile.output, project_dir) if known else None


class Occupied(NamedTuple):
    """What only one process can open, by IO URLs: what a dbt of its own process `holds`, and one in this `opens`."""

    holds: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()


def occupied_by_dbt(integration: Integration) -> Occupied:
    """Return what no other process can open while dbt runs: the DuckDB file.

    >>> occupied_by_dbt(Integration("shop", "dbt", {"project_dir": "/nowhere"}))
    Occupied(holds=(), opens=())
    """
    try:
        project = DbtProject.of(integration)
        url = warehouse_url(project.read_profile(), project.project_dir)
        if url is None or not url.startswith("duckdb:"):
            return Occupied()
        place = (url.partition("?")[0],)
        return Occupied(opens=place) if runs_in_process(project) else Occupied(holds=place)
    except IntegrationError:
        return Occupied()  # a run of it will say what is wrong


def _duckdb(output: Mapping[str, Any], project_dir: Path) -> str | None:
    path = str(output.get("path") or ":memory:")
    attached = output.get("attach") or []
    # A memory is of one process, and a remote DuckDB is reached by other ways than a file.
    if path == ":memory:" or output.get("remote") or any(_is_remote(each) for each in (path, *_paths(attached))):
        return None
    # dbt works in the project's folder, so that is where a relative path starts.
    query = {"schema": str(output.get("schema") or "main")}
    query.update({name: _written(value) for name, value in (output.get("config_options") or {}).items()})
    for each in attached:
        if isinstance(each, Mapping) and each.get("alias") and each.get("type") in (None, "duckdb"):
            query[f"attach.{each['alias']}"] = _absolute(str(each["path"]), project_dir)
    return f"duckdb:{quote(_absolute(path, project_dir))}?{urlencode(query, quote_via=quote)}"


def _paths(attached: Any) -> list[str]:
    return [str(each.get("path", "")) if isinstance(each, Mapping) else str(each) for each in attached]


def _is_remote(path: str) -> bool:
    return path.startswith(("md:", "motherduck:", "ducklake:")) or "://" in path


def _absolute(path: str, project_dir: Path) -> str:
    return os.path.normpath(project_dir / Path(path).expanduser())


def _written(value: Any) -> str:
    # As Python writes it: DuckDB takes "True" and True for the same setting, but "true" for another one.
    return str(value)


def _postgres(output: Mapping[str, Any], _: Path) -> str:
    user, host = str(output.get("user") or ""), str(output.get("host") or "")
    password = output.get("password", output.get("pass"))
    login = quote(user, safe="") + (f":{quote(str(password), safe='')}" if password is not None else "")
    port = f":{output['port']}" if output.get("port") else ""
    database = quote(str(output.get("dbname") or output.get("database") or ""), safe="")
    query = {"schema": str(output.get("schema") or "public")}
    query.update({name: str(output[name]) for name in _LIBPQ if output.get(name)})
    if output.get("keepalives_idle"):
        query["keepalives_idle"] = str(output["keepalives_idle"])
    settings = [(name, output.get(name)) for name in ("search_path", "role") if output.get(name)]
    if settings:
        query["options"] = " ".join("-c {}={}".format(name, str(value).replace(" ", "\\ ")) for name, value in settings)
    place = f"[{host}]" if ":" in host else quote(host, safe="")
    return f"postgresql://{login}{'@' if login else ''}{place}{port}/{database}?{urlencode(query, quote_via=quote)}"


_ADAPTERS: Mapping[str, Callable[[Mapping[str, Any], Path], str | None]] = {"duckdb": _duckdb, "postgres": _postgres}
