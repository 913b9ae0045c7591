"""Where to look when something failed in dbt: files of the project, and what dbt made of them."""

from __future__ import annotations

from assetry.plugin import Asset, Check

from assetry_dbt.running.reports import NodeFinished


def named(unique_id: str) -> str:
    """Return a node's name for people; of a hook the one that dbt's own messages use.

    >>> named("operation.shop.shop-on-run-end-1"), named("model.shop.orders")
    ('hook shop.on-run-end.1', 'model.shop.orders')
    """
    kind, _, name = unique_id.partition(".")
    if kind != "operation":
        return unique_id
    package, _, hook = name.partition(".")
    when, _, number = hook.removeprefix(f"{package}-").rpartition("-")
    return f"hook {package}.{when}.{number}" if when else f"hook {name}"


def hook_hint(unique_id: str, target_dir: str) -> str | None:
    """Return where a hook stands, and the SQL that dbt made of it; None for what is no hook.

    >>> hook_hint("operation.s.s-on-run-end-1", "target").partition("; ")[2]
    'what dbt made of it is in target/compiled/s/dbt_project.yml/hooks/s-on-run-end-1.sql.'
    """
    kind, _, name = unique_id.partition(".")
    package, _, hook = name.partition(".")
    if kind != "operation":
        return None
    when = hook.removeprefix(f"{package}-").rpartition("-")[0]
    compiled = f"{target_dir}/compiled/{package}/dbt_project.yml/hooks/{hook}.sql"
    return f"See {when} in dbt_project.yml of {package}; what dbt made of it is in {compiled}."


def check_hint(check: Check, finished: NodeFinished, folder: str, target_dir: str) -> str | None:
    """Return where to look when a test failed: its file, and the query that dbt made of it.

    >>> check = Check("unique_id", source="models/schema.yml")
    >>> check_hint(check, NodeFinished("test.shop.unique_id.1", "fail", path="unique_id.sql"), "", "target")
    'See models/schema.yml; its query is in target/compiled/shop/models/schema.yml/unique_id.sql.'
    """
    if not check.source:
        return None
    file = "/".join(part for part in (folder, check.source) if part)
    if not finished.path or finished.resource_type != "test":
        return f"See {file}."
    package = finished.unique_id.split(".")[1]
    original = check.source.partition(f"/{package}/")[2] or check.source
    # dbt keeps the query of a test that has a file of its own under that name, others beside each other.
    own = original.rpartition("/")[2] == finished.path.rpartition("/")[2]
    compiled = original if own else f"{original}/{finished.path}"
    return f"See {file}; its query is in {target_dir}/compiled/{package}/{compiled}."


def check_count(finished: NodeFinished) -> str | None:
    """Return how much a test found, as dbt begins its message, which dbt 2 gives at its end only.

    >>> check_count(NodeFinished("test.shop.unique_id.1", "fail", failures=2))
    'Got 2 results'
    """
    return f"Got {finished.failures} result{'' if finished.failures == 1 else 's'}" if finished.failures else None


def failure_hint(asset: Asset, folder: str, target_dir: str, batch: str | None = None) -> str | None:
    """Return where to look when a model, or a batch of it, failed: its file, and the SQL that dbt made of it.

    >>> facts = {"package": "shop", "path": "models/orders.sql"}
    >>> orders = Asset(key="shop/orders", kind="dbt", source="models/orders.sql", metadata=facts)
    >>> failure_hint(orders, "transform", "transform/target")
    'See transform/models/orders.sql; what dbt made of it is in transform/target/compiled/shop/models/orders.sql.'
    """
    if not asset.source:
        return None
    file = "/".join(part for part in (folder, asset.source) if part)
    package, path = asset.metadata.get("package"), str(asset.metadata.get("path") or "")
    if not package or not path.endswith((".sql", ".py")):
        return f"See {file}."
    if batch is not None:
        stem, _, suffix = path.rpartition(".")
        path = f"{stem}/{stem.rpartition('/')[2]}_{batch}.{suffix}"
    return f"See {file}; what dbt made of it is in {target_dir}/compiled/{package}/{path}."
