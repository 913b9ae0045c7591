"""What constants and classes of a project hold, where their text does not say it: read from a file, set elsewhere."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from assetry.python.written import UntoldError, Writer

#: What calls give another value in each process: that says nothing about the code.
_FLEETING = {
    *("now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter", "localtime", "gmtime", "strftime"),
    *("uuid1", "uuid4", "random", "randint", "choice", "token_hex", "token_urlsafe", "urandom", "getpid", "id"),
    *("gethostname", "node", "mkdtemp", "mkstemp", "gettempdir", "NamedTemporaryFile", "TemporaryDirectory"),
    *("getuser", "default_rng", "getLogger"),
}
#: Not even their hashes are kept.
_SECRET = re.compile(r"passw|secret|token|credential|private|api_?key", re.IGNORECASE)


class Held(NamedTuple):
    """What a name holds, as text, and the functions and classes in it."""

    texts: Sequence[str] = ()
    functions: Sequence[Any] = ()
    classes: Sequence[type] = ()


def held(statements: Sequence[ast.stmt], name: str, values: Mapping[str, Any], root: str) -> Held:
    """Return what the constant or class `name` holds that the statements that make it do not say.

    >>> read = ast.parse("SQL = open('q.sql').read()").body
    >>> held(read, "SQL", {"SQL": "select 1"}, "/shop").texts
    ["SQL = 'select 1'"]
    >>> held(ast.parse("RATE = 2").body, "RATE", {"RATE": 2}, "/shop").texts
    []
    """
    writer = Writer(root, plain=True)
    texts = []
    for label, made_by, value in _places(statements, name, values):
        if _SECRET.search(label) or _says(made_by, value) or any(_is_fleeting(each) for each in made_by):
            continue
        try:
            texts.append(f"{label} = {writer.text(value)}")
        except UntoldError:
            continue  # its text says how it is made
    return Held(texts, writer.functions, writer.classes)


def _places(
    statements: Sequence[ast.stmt], name: str, values: Mapping[str, Any]
) -> Iterator[tuple[str, Sequence[ast.stmt], Any]]:
    """Yield each name with a value: what it is called, the statements that make it, and the value."""
    if name not in values:
        return  # it stands below what is just made
    classes = [each for each in statements if isinstance(each, ast.ClassDef) and each.name == name]
    if not classes:
        yield name, statements, values[name]
        return
    attributes = vars(values[name]) if isinstance(values[name], type) else {}
    for statement in classes[-1].body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)):
            for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
                if isinstance(target, ast.Name) and target.id in attributes:
                    yield f"{name}.{target.id}", [statement], attributes[target.id]


def _says(statements: Sequence[ast.stmt], value: Any) -> bool:
    """Tell whether the text of statements says the value."""
    if len(statements) != 1 or not isinstance(statements[0], (ast.Assign, ast.AnnAssign)) or not statements[0].value:
        return False
    try:
        return bool(ast.literal_eval(statements[0].value) == value)
    except Exception:  # no literal; or a value that does not compare
        return False


def _is_fleeting(statement: ast.stmt) -> bool:
    """Tell whether a statement asks the clock, chance or the whole environment, which are others in each process."""
    whole = 0
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and _last(node.func) in _FLEETING:
            return True
        if isinstance(node, (ast.Subscript, ast.Attribute)) and _last(node.value) == "environ":
            whole -= not isinstance(node, ast.Attribute) or node.attr == "get"
        whole += isinstance(node, (ast.Name, ast.Attribute)) and _last(node) == "environ"
    return whole > 0


def _last(node: ast.AST) -> str | None:
    return getattr(node, "attr", getattr(node, "id", None))
