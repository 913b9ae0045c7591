"""What a text of SQL and Jinja says: what of it counts, without comments and layout, and all that its Jinja asks for.

Comments and white space are left out where they cannot reach the result. They are kept inside quotes, in a comment that
holds Jinja (which dbt renders all the same), and in a text whose quotes may be read in two ways. What Jinja captures
(``{% set x %}…{% endset %}``) and what a macro says may end up inside quotes: of these only comments, blank lines and
the depth of lines are left out. A call of ``config()`` is left out, because the manifest says what it set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Literal, NamedTuple

#: What Jinja can ask for. A ``name`` is written as it stands there, ``cents`` or ``shop.cents``: a macro, or something
#: of dbt's own. A ``dispatch``, a ``var``, an ``env_var``, a key of the ``config`` and a property of the ``model`` have
#: the name that is asked for, or `COMPUTED`; a ``literal`` is a text that stands beside a computed name.
Kind = Literal["name", "dispatch", "var", "env_var", "config", "model", "literal"]
Mention = tuple[Kind, str]

COMPUTED = "*"


class Text(NamedTuple):
    """What a text says: `plain`, what of it counts, and what its Jinja asks for; `quoted` is what of that in quotes."""

    plain: str
    mentions: frozenset[Mention]
    quoted: frozenset[Mention] = frozenset()


_SINGLE = r"'(?:[^'\\]++|\\.)*+'"
_DOUBLE = r'"(?:[^"\\]++|\\.)*+"'
_LITERAL = f"{_SINGLE}|{_DOUBLE}"


def _braces(depth: int) -> str:
    """Return the pattern of what stands in an expression, with pairs of braces as deep as `depth`."""
    nested = rf"|\{{{_braces(depth - 1)}\}}" if depth else ""
    return rf"(?:[^'\"{{}}]++|{_SINGLE}|{_DOUBLE}{nested})*+"


_REMARK = r"\{\#.*?\#\}"
_TAG = "|".join(
    (
        _REMARK,
        r"\{%-?\s*raw\s*-?%\}.*?\{%-?\s*endraw\s*-?%\}",
        rf"\{{\{{{_braces(3)}\}}\}}",
        rf"\{{%(?:[^'\"%]++|{_SINGLE}|{_DOUBLE}|%(?!\}}))*+%\}}",
    )
)
_CAPTURED = r"\{%-?\s*(?:set\s+\w+\s*-?%\}|(?:call|filter|macro)\b).*\{%-?\s*end(?:set|call|filter|macro)\s*-?%\}"
_TAGS = re.compile(_TAG, re.DOTALL)
_TOKEN = re.compile(
    rf"\A\{{\{{-?|-?\}}\}}\Z|\A\{{%[-+]?|[-+]?%\}}\Z|{_LITERAL}|[A-Za-z_]\w*+(?:\s*\.\s*[A-Za-z_]\w*+)*+|[\d.]+|\S",
    re.DOTALL,
)
_DOUBTFUL = re.compile(r"""['"`]|\{[{%]|\*/""")
_LINES = re.compile(r"\s*\n\s*")
_OWN_CONFIG = re.compile(r"\{\{-?\s*config\s*\(")
#: A comment that takes no white space away around it.
_LONE_REMARK = re.compile(r"\{\#[^-].*[^-]\#\}", re.DOTALL)
_ENDRAW = re.compile(r"endraw\s*-?%\}$")
_PARAMETERS = re.compile(r"\{%-?\s*macro\s+\w+\s*\(([^)]*)\)")

#: Words of Jinja itself.
_WORDS = frozenset(
    {
        "if", "elif", "else", "endif", "for", "endfor", "in", "not", "and", "or", "is", "set", "endset", "do", "macro",
        "endmacro", "call", "endcall", "filter", "endfilter", "recursive", "true", "false", "none", "True", "False",
        "None", "loop",
    }
)  # fmt: skip

#: After these stands what has no name of its own: a property, a filter, a macro that is defined.
_BEFORE_NO_NAME = frozenset({".", "|", "macro"})

#: Adapters of databases in which two dashes may be two signs of minus.
_MINUS = frozenset({"mysql", "mysql5", "mariadb", "singlestore", "tidb", "doris", "starrocks"})

#: What gives a value by a name, what these are looked up in, and how that argument is called where it is named.
_VALUES: tuple[Kind, Kind] = ("var", "env_var")
_NAMESPACES = frozenset({"builtins", "context"})
_FIRST = frozenset({"var", "var_name", "name", "macro_name"})

_NOTHING: frozenset[Mention] = frozenset()

#: Stands in SQL where a piece was that is kept as it is.
_KEPT = "\0"


class _Piece(NamedTuple):
    """A piece of a text that is no plain SQL: what stands in its place, and what of it counts."""

    stands: str
    plain: str
    mentions: frozenset[Mention] = _NOTHING
    quoted: frozenset[Mention] = _NOTHING


class Reader:
    """The reader of a project's texts; what it has seen of a tag it knows for the next text."""

    def __init__(self, adapter: str) -> None:
        self._adapter = adapter
        self._tags: dict[str, _Piece] = {}
        self._mentions: dict[frozenset[Mention], frozenset[Mention]] = {}

    def model(self, text: str) -> Text:
        """Return what a model's own text says."""
        return self._read(text, layout=False)

    def macro(self, text: str) -> Text:
        """Return what a macro's text says; a parameter named `model` is not the model."""
        found = self._read(text, layout=True)
        parameters = _PARAMETERS.search(text)
        if parameters and "model" in re.findall(r"\w+", parameters[1]):
            return found._replace(mentions=frozenset(each for each in found.mentions if each[0] != "model"))
        return found

    def mentions(self, text: str) -> frozenset[Mention]:
        """Return what the Jinja of `text` asks for."""
        return frozenset(each for tag in _TAGS.findall(text) for each in self._tag(tag).mentions)

    def in_quotes(self, text: str) -> str:
        """Return what counts of a text that stands inside quotes: all but the comments of Jinja."""
        return _TAGS.sub(lambda tag: "" if _LONE_REMARK.fullmatch(tag[0]) else tag[0], text)

    def _read(self, text: str, *, layout: bool) -> Text:
        # Plain SQL, a piece that is none, and the name of its quotes when it has one; and so on.
        parts: list[str] = _pieces(self._adapter, not layout).split(text)
        known = self._tags
        found = [known.get(piece) or self._piece(piece) for piece in parts[1::3]]
        kept: Iterable[str] = ()
        mentions = quoted = _NOTHING
        if found:
            stands, kept, asked, asked_in_quotes = zip(*found, strict=True)
            parts[1::3] = stands
            parts[2::3] = [""] * len(found)
            mentions, quoted = self._joined(asked), self._joined(asked_in_quotes)
        between = "".join(parts)
        if self._adapter in _MINUS or _is_doubtful(text, between):
            kept, between = (), self.in_quotes(text)
        elif layout:
            between = _LINES.sub("\n", between).strip()
        else:
            between = _words(between)
        # What is left out is empty, and what is kept never.
        return Text("\0".join((between, *filter(None, kept))), mentions, quoted)

    def _joined(self, sets: Iterable[frozenset[Mention]]) -> frozenset[Mention]:
        """Return the union of sets. Most texts ask for what others ask for as well: equal ones are one object."""
        different = {*sets}
        if len(different) == 1:
            return different.pop()
        joined = _NOTHING.union(*different)
        return self._mentions.setdefault(joined, joined)

    def _piece(self, piece: str) -> _Piece:
        """Return what is to be known of a piece that is no plain SQL."""
        sign = piece[0]
        if sign == "{":
            if piece.startswith("{#"):
                return _Piece("", "")
            if re.match(_CAPTURED, piece, re.DOTALL):
                return _Piece(_KEPT, *self._read(piece, layout=True))
            return self._tag(piece)
        if sign in "-/" and _is_comment(piece):
            return _Piece(" ", "")
        asked: frozenset[Mention] = self.mentions(piece) if "{" in piece else frozenset()
        return _Piece(_KEPT, piece, asked, asked)

    def _tag(self, tag: str) -> _Piece:
        """Return one way to write `tag`, and what it asks for; a call of ``config()`` is nothing."""
        known = self._tags.get(tag)
        if known is None:
            tokens = [_one_way(token) for token in _TOKEN.findall(tag)]
            if tag.startswith("{#") or (_OWN_CONFIG.match(tag) and _ends_with_call(tokens)):
                known = _Piece("", "")
            elif _ENDRAW.search(tag):
                known = _Piece(_KEPT, tag)
            else:
                asked = frozenset(_mentions(tokens))
                known = _Piece(_KEPT, " ".join(tokens), self._mentions.setdefault(asked, asked))
            self._tags[tag] = known
        return known


@cache
def _pieces(adapter: str, captured: bool) -> re.Pattern[str]:
    """Return the pattern of all that is not plain SQL."""
    kinds = [
        *([_CAPTURED] if captured else ()),
        _TAG,
        *((r"#[^\n]*", r"'''.*?'''", r'""".*?"""') if adapter == "bigquery" else ()),
        rf"--(?:[^\n{{]++|{_TAG}|\{{)*+",
        rf"/\*(?:[^*{{]++|\*(?!/)|{_TAG}|\{{)*+\*/",
        rf"'(?:[^'{{]++|''|{_TAG}|\{{)*+'",
        rf'"(?:[^"{{]++|""|{_TAG}|\{{)*+"',
        rf"`(?:[^`{{]++|{_TAG}|\{{)*+`",
        r"\$(?P<tag>\w*)\$.*?\$(?P=tag)\$",
    ]
    return re.compile(f"({'|'.join(kinds)})", re.DOTALL)


def _is_comment(piece: str) -> bool:
    """Tell whether a comment says nothing to anybody but people: no Jinja in it, no hint to the database."""
    return "{{" not in piece and "{%" not in piece and piece[2:3] not in ("+", "!") and "/*" not in piece[2:]


def _is_doubtful(text: str, between: str) -> bool:
    """Tell whether quotes may be read in two ways: one has a backslash before it, or has no other one."""
    return _DOUBTFUL.search(between) is not None or ("\\" in text and ("\\'" in text or '\\"' in text)) or "\0" in text


def _words(sql: str) -> str:
    """Return `sql` with one space wherever white space may stand or not: between words, around brackets and commas."""
    return " ".join(sql.replace(",", " , ").replace("(", " ( ").replace(")", " ) ").split())


def _one_way(token: str) -> str:
    """Return one way to write a word of Jinja: quotes are single ones, and names have no space around their dots."""
    if token[0] not in "'\"":
        return "".join(token.split())
    return f"'{token[1:-1]}'" if token[0] == '"' and "'" not in token and "\\" not in token else token


def _ends_with_call(tokens: Sequence[str]) -> bool:
    """Tell whether the call that a tag begins with is all of it."""
    depth = 0
    for number, token in enumerate(tokens):
        depth += (token == "(") - (token == ")")
        if token == ")" and not depth:
            return number == len(tokens) - 2
    return False


def _mentions(tokens: Sequence[str]) -> Iterator[Mention]:
    for number, token in enumerate(tokens):
        if not (token[0].isalpha() or token[0] == "_") or token in _WORDS or tokens[number - 1] in _BEFORE_NO_NAME:
            continue
        rest = tokens[number + 1 : number + 30]
        if rest[:1] == ["="] and rest[1:2] != ["="]:
            continue  # the name of an argument, or of what is set
        head, *path = token.split(".")
        if head in _NAMESPACES and path in ([], ["get"]):
            namespace, path = head, []
            head, rest = _looked_up(rest)
            if namespace == "context" and head not in _VALUES:
                head = "context"
            elif head == COMPUTED:
                yield from ((kind, COMPUTED) for kind in _VALUES)
                yield from _literals(tokens)
                continue
        elif head == "builtins":
            head, *path = path
        if head in _VALUES and path in ([], ["has_var"], ["get"]):
            kind: Kind = "var" if head == "var" else "env_var"
            if tokens[number - 1] == "=" and rest[:1] != ["("]:
                yield kind, COMPUTED  # it gets another name
                yield from _literals(tokens)
            else:
                yield from _asked(kind, rest, tokens)
        elif head == "invocation_args_dict":
            yield "var", COMPUTED  # those of the command line are in it
        elif head == "target":
            yield "name", f"target.{_property([each for each in path if each != 'get'], _subscripted(path, rest))}"
        elif head == "adapter" and path == ["dispatch"]:
            yield from _asked("dispatch", rest, tokens)
        elif head == "config":
            yield from _of_config(path, rest)
        elif head == "model":
            yield "model", _property(path, rest)
        else:
            yield "name", ".".join((head, *path))


def _asked(kind: Kind, rest: Sequence[str], tokens: Sequence[str]) -> Iterator[Mention]:
    """Yield what a call asks for, whose brackets begin `rest`; what is not called may be a variable of that name."""
    if rest[:1] != ["("]:
        return
    given = rest[1:]
    if rest[2:3] == ["="]:
        # By name, in any order: the default may come first.
        named = (at for at in range(1, len(rest) - 2) if rest[at] in _FIRST and rest[at + 1] == "=")
        given = rest[next(named, len(rest)) + 2 :]
    if given and given[0][0] in "'\"" and given[1:2] in ([","], [")"]):
        yield kind, given[0][1:-1]
        return
    yield kind, COMPUTED
    yield from _literals(tokens)


def _literals(tokens: Iterable[str]) -> Iterator[Mention]:
    for token in tokens:
        if token[0] in "'\"":
            yield "literal", token[1:-1]


def _looked_up(rest: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Return the name that ``['name']`` or ``.get('name')`` looks up, and what stands behind it."""
    if rest[:1] in (["["], ["("]) and rest[1:2] and rest[1][0] in "'\"" and rest[2:3] in (["]"], [")"]):
        return rest[1][1:-1], rest[3:]
    return COMPUTED, rest


def _subscripted(path: Sequence[str], rest: Sequence[str]) -> Sequence[str]:
    """Return ``.get('name')`` as ``['name']``."""
    if path[-1:] == ["get"] and rest[:1] == ["("] and len(rest) > 1:
        return ["[", rest[1], "]"]
    return rest


def _of_config(path: Sequence[str], rest: Sequence[str]) -> Iterator[Mention]:
    if path[:1] in (["get"], ["require"]):
        yield from _asked("config", rest, ())
    elif path[:1] in (["meta_get"], ["meta_require"]):
        yield "config", "meta"
    elif path != ["set"] and not (path == [] and rest[:1] == ["("]):
        yield "config", _property(path, rest)


def _property(path: Sequence[str], rest: Sequence[str]) -> str:
    """Return which property is read: ``.meta``, ``['meta']``; of the config which key of it."""
    names = list(path)
    at = 0
    while rest[at : at + 1] == ["["] and rest[at + 2 : at + 3] == ["]"] and rest[at + 1][0] in "'\"":
        names.append(rest[at + 1][1:-1])
        at += 3
    if names[:1] == ["config"]:
        names = [name for name in names[1:] if name != "get"]
    return names[0] if names else COMPUTED


def python_text(code: str) -> Text:
    """Return what a model written in Python says: its code without comments and layout, and the configuration it reads.

    >>> python_text("dbt.ref( 'a' )  # one").plain
    "dbt.ref('a')"
    """
    import ast

    try:
        plain = ast.unparse(ast.parse(code))
    except (SyntaxError, ValueError):
        plain = code
    asked: set[Mention] = set()
    for tail, key in re.findall(rf"\bconfig\.(get|meta_get)\(\s*({_LITERAL}|)", plain):
        asked.add(("config", "meta" if tail == "meta_get" else key[1:-1] or COMPUTED))
    return Text(plain, frozenset(asked))
