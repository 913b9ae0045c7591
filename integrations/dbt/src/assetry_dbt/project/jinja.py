"""The Jinja of dbt's settings files: `env_var()`, `var()` and dbt's own filters, as dbt renders them.

dbt renders `profiles.yml` and `dbt_project.yml` with a context in which there is nothing else, so knowing the warehouse
costs no import of dbt. The filters are those of dbt 1.11, `dbt/clients/jinja.py`.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any


class RenderError(ValueError):
    """An expression that cannot be evaluated; the text says why, in a few words."""


class MissingEnvironmentError(RenderError):
    """An environment variable that is not set and has no default; `name` is its name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the environment variable {name} is not set")
        self.name = name


def render(value: Any, variables: Mapping[str, Any] | None = None) -> Any:
    """Return `value`, a YAML value, with every Jinja expression in it evaluated.

    `variables` are what `var()` finds. A text that is one expression becomes what the expression gives, a number for
    ``{{ env_var('PORT') | int }}``; expressions amid text become text. Raises `RenderError`.

    >>> render({"schema": "raw_{{ var('stage', 'dev') }}"})
    {'schema': 'raw_dev'}
    """
    if isinstance(value, str):
        return _render_text(value, variables or {}) if "{" in value else value
    if isinstance(value, dict):
        return {name: render(item, variables) for name, item in value.items()}
    if isinstance(value, list):
        return [render(item, variables) for item in value]
    return value


def _render_text(text: str, variables: Mapping[str, Any]) -> Any:
    import jinja2

    def var(name: str, default: Any = None) -> Any:
        if name not in variables and default is None:
            raise RenderError(f"the variable {name!r}, which has no value")
        return variables.get(name, default)

    try:
        return _environment().from_string(text).render(env_var=_env_var, var=var)
    except RenderError:
        raise
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise RenderError(f"the text `{text.strip()}`, which cannot be rendered: {error}") from None


@cache
def _environment() -> Any:
    """Return the environment of Jinja, made at the first text that needs it: importing it takes a moment."""
    from jinja2 import StrictUndefined
    from jinja2.nativetypes import NativeEnvironment
    from jinja2.sandbox import SandboxedEnvironment

    class Environment(SandboxedEnvironment, NativeEnvironment):
        """Values as they are, without access to what lies behind them."""

        concat = staticmethod(_joined)

    environment = Environment(undefined=StrictUndefined)
    environment.filters.update(as_text=str, as_bool=_as_bool, as_number=_as_number, as_native=_as_native)
    return environment


def _joined(values: Iterable[Any]) -> Any:
    """Return one value as it is, and several as text."""
    listed = list(values)
    return listed[0] if len(listed) == 1 else "".join(map(str, listed))


def _env_var(name: str, default: Any = None) -> str:
    found = os.environ.get(name)
    if found is not None:
        return found
    if default is None:
        raise MissingEnvironmentError(name)
    return str(default)


def _as_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise RenderError(f"the value {value!r}, which is neither true nor false")


def _as_number(value: Any) -> int | float:
    try:
        return int(value)
    except ValueError:
        return float(value)


def _as_native(value: Any) -> Any:
    try:
        return ast.literal_eval(value) if isinstance(value, str) else value
    except (ValueError, SyntaxError):
        return value
