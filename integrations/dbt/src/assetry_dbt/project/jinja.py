"""The few Jinja expressions that dbt's own settings files use: `env_var()`, `var()`, literals and conversions.

dbt renders `profiles.yml` and `dbt_project.yml` with a context in which there is nothing else, so a small reader is
enough, and knowing the warehouse costs no import of dbt.
"""

from __future__ import annotations

import ast
import operator
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)


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
        return _render_text(value, variables or {})
    if isinstance(value, dict):
        return {name: render(item, variables) for name, item in value.items()}
    if isinstance(value, list):
        return [render(item, variables) for item in value]
    return value


def _render_text(text: str, variables: Mapping[str, Any]) -> Any:
    if "{" not in text:
        return text
    text = COMMENT.sub("", text)
    if "{%" in text:
        raise RenderError("a `{% … %}` block, which assetry does not read in this file")
    if "{{" in EXPRESSION.sub("", text):
        raise RenderError("a `{{` without its `}}`")
    whole = EXPRESSION.fullmatch(text.strip())
    if whole and "}}" not in whole[1]:
        return _evaluate(whole[1], variables)
    return EXPRESSION.sub(lambda match: str(_evaluate(match[1], variables)), text)


def _evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    source = _concatenation(expression.strip().strip("-").strip())
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError:
        raise RenderError(f"the expression `{expression.strip()}`, which assetry does not understand") from None
    return _Evaluation(variables).value(tree)


def _concatenation(expression: str) -> str:
    """Write Jinja's ``~`` as ``+``, which Python's parser knows; strings are left alone."""
    parts = re.split(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", expression)
    return "".join(part if i % 2 else part.replace("~", "+") for i, part in enumerate(parts))


def _env_var(name: str, default: Any = None) -> str:
    found = os.environ.get(name)
    if found is not None:
        return found
    if default is None:
        raise MissingEnvironmentError(name)
    return str(default)


def _as_bool(value: Any) -> bool:
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if isinstance(value, bool):
        return value
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


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "int": int,
    "float": float,
    "string": str,
    "as_text": str,
    "as_bool": _as_bool,
    "as_number": _as_number,
    "as_native": _as_native,
    "lower": lambda value: str(value).lower(),
    "upper": lambda value: str(value).upper(),
    "trim": lambda value: str(value).strip(),
    "replace": lambda value, old, new: str(value).replace(old, new),
    "default": lambda value, default="": value if value is not None else default,
}

_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}


class _Evaluation:
    """The value of one expression; anything outside the subset raises `RenderError`."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.variables = variables

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.List() | ast.Tuple():
                return [self.value(item) for item in node.elts]
            case ast.Name(id="true" | "false" | "none" as word):
                return {"true": True, "false": False, "none": None}[word]
            case ast.IfExp():
                return self.value(node.body if self.value(node.test) else node.orelse)
            case ast.BoolOp():
                return self.boolean(node)
            case ast.UnaryOp(op=ast.Not()):
                return not self.value(node.operand)
            case ast.Compare(ops=[one]) if type(one) in _COMPARISONS:
                return _COMPARISONS[type(one)](self.value(node.left), self.value(node.comparators[0]))
            case ast.BinOp(op=ast.BitOr()):
                return self.filtered(node)
            case ast.BinOp(op=ast.Add()):
                return self.sum(self.value(node.left), self.value(node.right))
            case ast.Call(func=ast.Name(id="env_var")):
                return _env_var(*self.arguments(node))
            case ast.Call(func=ast.Name(id="var")):
                return self.var(*self.arguments(node))
            case ast.Call(func=ast.Attribute(value=inner, attr="lower" | "upper" | "strip" as method)):
                return getattr(str(self.value(inner)), method)()
        raise RenderError(f"the expression `{ast.unparse(node)}`, which assetry does not understand")

    def arguments(self, node: ast.Call) -> list[Any]:
        given = [self.value(item) for item in node.args] + [self.value(item.value) for item in node.keywords]
        if not 1 <= len(given) <= 2:
            raise RenderError(f"the call `{ast.unparse(node)}`: it takes a name and a default")
        return given

    def var(self, name: str, default: Any = None) -> Any:
        if name in self.variables:
            return self.variables[name]
        if default is None:
            raise RenderError(f"the variable {name!r}, which has no value")
        return default

    def boolean(self, node: ast.BoolOp) -> Any:
        outcome: Any = None
        for item in node.values:
            outcome = self.value(item)
            if bool(outcome) != isinstance(node.op, ast.And):
                break
        return outcome

    def filtered(self, node: ast.BinOp) -> Any:
        call = node.right
        name = call.func if isinstance(call, ast.Call) else call
        if not isinstance(name, ast.Name) or name.id not in _FILTERS:
            raise RenderError(f"the filter `{ast.unparse(call)}`, which assetry does not know")
        extra = [self.value(item) for item in call.args] if isinstance(call, ast.Call) else []
        value = self.value(node.left)
        try:
            return _FILTERS[name.id](value, *extra)
        except (TypeError, ValueError) as error:
            raise RenderError(f"the filter `{name.id}` on {value!r}: {error}") from None

    @staticmethod
    def sum(left: Any, right: Any) -> Any:
        return f"{left}{right}" if isinstance(left, str) or isinstance(right, str) else left + right
