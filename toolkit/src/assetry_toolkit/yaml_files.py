"""YAML files that tools are configured with. PyYAML is needed, on which an integration that reads them depends."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Self

from assetry.plugin import DefinitionError, IntegrationError, near_names


def read_yaml(path: Path, strict: bool = False) -> dict[str, Any]:
    """Return the mapping that the YAML file at `path` holds; an empty file is an empty mapping.

    `strict` is for tools that refuse tabs between words, as all do that read YAML in Python; libyaml takes them.

    Raises `IntegrationError` when it cannot be read or is not a mapping; the place is named by line.
    """
    import yaml

    try:
        text = path.read_bytes()
        slow = strict and b"\t" in text
        loader: Any = yaml.SafeLoader if slow else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        data = yaml.load(text, loader)
    except OSError as error:
        raise IntegrationError(f"{path.name} cannot be read: {error.strerror}.", where=str(path)) from None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise IntegrationError(f"{path.name} is not valid YAML: {error.problem}.", where=f"{path}{line}") from None
    except yaml.YAMLError as error:
        raise IntegrationError(f"{path.name} is not valid YAML: {error}.", where=str(path)) from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise IntegrationError(f"{path.name} is not a mapping of names to settings.", where=str(path))
    return data


def place_of(name: str, texts: Mapping[Path, str], root: Path) -> str | None:
    """Return where the first entry of a name stands in some YAML files, as ``file:line``; the file starts from `root`.

    For `Asset.source`. An entry is a mapping with ``name: …``; None when there is none.

    >>> place_of("orders", {Path("/shop/mill.yml"): "tables:\\n- {name: users}\\n- name: orders\\n"}, Path("/shop"))
    'mill.yml:3'
    """
    pattern = re.compile(rf"\bname['\"]?:\s*['\"]?{re.escape(name)}['\"]?\s*(?:[,}}#]|$)", re.MULTILINE)
    for path, text in texts.items():
        if found := pattern.search(text):
            return f"{path.relative_to(root)}:{text.count(chr(10), 0, found.start()) + 1}"
    return None


def place_within(texts: Mapping[Path, str], root: Path, *steps: str) -> str | None:
    """Return where something stands in some YAML files, as `place_of` does, by the names that lead to it.

    A step is a name in a mapping, or that of an entry in a list. None where it does not stand in any.

    >>> mill = {Path("/shop/mill.yml"): "over:\\n- {name: users}\\ntables:\\n- name: orders\\n- name: users\\n"}
    >>> place_within(mill, Path("/shop"), "tables", "users"), place_within(mill, Path("/shop"), "over", "users")
    ('mill.yml:5', 'mill.yml:2')
    """
    for path, text in texts.items():
        node: Any = _composed(text)
        for step in steps:
            node = _step(node, step)
        if node is not None:
            name = _step(node, "name") or node
            return f"{path.relative_to(root)}:{name.start_mark.line + 1}"
    return None


@lru_cache(maxsize=16)
def _composed(text: str) -> Any:
    """Return the nodes of a text in YAML; None where it is none."""
    import yaml

    try:
        return yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return None


def _step(node: Any, step: str) -> Any:
    if node is None or isinstance(node.value, str):
        return None
    for each in node.value:
        if isinstance(each, tuple) and each[0].value == step:
            return each[1]
        if not isinstance(each, tuple) and (name := _step(each, "name")) is not None and name.value == step:
            return each
    return None


def mapping(value: Any) -> dict[str, Any]:
    """Return a mapping; an empty one for nothing, or for what stands there by mistake.

    >>> mapping({"days": 1}), mapping([])
    ({'days': 1}, {})
    """
    return value if isinstance(value, dict) else {}


def named_entries(whole: Mapping[str, Any], kind: str, where: Path) -> list[dict[str, Any]]:
    """Return the entries under a word such as ``jobs``; raise `IntegrationError` unless each has a name.

    >>> named_entries({"jobs": [{"nme": "load"}]}, "jobs", Path("meltano.yml"))
    Traceback (most recent call last):
    assetry.errors.IntegrationError: Entry 1 of jobs has no `name`.
      at meltano.yml
      did you mean 'nme'?
    ...
    """
    found = whole.get(kind)
    if found is not None and not isinstance(found, list):
        raise IntegrationError(f"{kind} is no list.", where=str(where), hint=f"Write {kind}: [{{name: …}}].")
    for number, each in enumerate(found or (), 1):
        if not isinstance(each, dict) or not isinstance(each.get("name"), (str, int)):
            has = mapping(each)
            raise IntegrationError(
                f"Entry {number} of {kind} has no `name`.",
                where=str(where),
                near=near_names("name", map(str, has)),
                hint=f"It is {', '.join(map(str, has)) or each!r}.",
            )
    return list(found or ())


def entries(value: Any) -> list[dict[str, Any]]:
    """Return the mappings of a list; what is nothing, or stands there by mistake, is left out.

    >>> entries([{"name": "tap-shop"}, None]), entries(None)
    ([{'name': 'tap-shop'}], [])
    """
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def merged(one: Any, other: Any) -> Any:
    """Return a document with another over it: mappings name by name, lists one after the other.

    >>> merged({"jobs": ["a"], "env": {"X": 1}}, {"jobs": ["b"], "env": {"X": 2}})
    {'jobs': ['a', 'b'], 'env': {'X': 2}}
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return {**one, **{name: merged(one[name], each) if name in one else each for name, each in other.items()}}
    return [*one, *other] if isinstance(one, list) and isinstance(other, list) else other


_SHAPES = {dict: ("mapping", "{name: value}"), list: ("list", "[…]")}


def refuse_shape(value: Any, kind: type[dict[Any, Any]] | type[list[Any]], name: str, where: str) -> None:
    """Raise `IntegrationError` unless a value is a mapping or a list, whichever it has to be, or is not given.

    A text is not shown, which may be a secret in a wrong place.

    >>> refuse_shape(["A=1"], dict, "env", "mill.yml:3")
    Traceback (most recent call last):
    assetry.errors.IntegrationError: env is no mapping: ['A=1'].
      at mill.yml:3
      Write env: {name: value}.
    """
    if value is not None and not isinstance(value, kind):
        what, example = _SHAPES[kind]
        shown = "" if isinstance(value, str) else f": {value!r}"
        raise IntegrationError(f"{name} is no {what}{shown}.", where=where, hint=f"Write {name}: {example}.")


@dataclass(frozen=True, slots=True)
class YamlFiles:
    """Some YAML files that a tool reads as one: `whole` is all of them put together, `texts` what stands in each.

    Where something has another shape than the tool reads, the error names its line.
    """

    main: Path
    whole: Mapping[str, Any]
    texts: Mapping[Path, str]

    @classmethod
    def read(cls, main: Path, include: str | None = None, *, strict: bool = False, missing: str | None = None) -> Self:
        """Read `main`, and the files below its folder that its option `include` names by patterns, if it has that.

        Lists of several files, such as those of jobs, are put together. Raises `IntegrationError` as `read_yaml` does,
        for what is no pattern, and where `main` is not there; `missing` is the next step then, and where it is empty.
        """
        if not main.is_file():
            raise IntegrationError(f"{main.name} is not here.", where=str(main.parent), hint=missing)
        alone = cls(main, read_yaml(main, strict), {main: main.read_text(errors="replace")})
        whole, texts = alone.whole, {**alone.texts}
        if not whole and missing:
            raise IntegrationError(f"{main.name} is empty.", where=str(main), hint=missing)
        for path in alone._included(include) if include else ():
            if path.is_file() and path not in texts:
                whole, texts[path] = merged(whole, read_yaml(path, strict)), path.read_text(errors="replace")
        return cls(main, whole, texts)

    def _included(self, option: str) -> Iterator[Path]:
        refuse_shape(said := self.whole.get(option), list, option, self.line_of(option))
        for each in said or ():
            pattern = PurePosixPath(each) if isinstance(each, str) else PurePosixPath()
            try:
                if pattern.is_absolute() or not pattern.parts:
                    raise ValueError
                yield from sorted(self.main.parent.glob(each))
            except (ValueError, IndexError, NotImplementedError):
                message = f"{option}: {each!r} is no pattern of files below this folder."
                hint = f"For example {option}: [more/*.yml]."
                raise IntegrationError(message, where=self.line_of(option), hint=hint) from None

    def mapping(self, word: str, of: Mapping[str, Any] | None = None, where: str | None = None) -> dict[str, Any]:
        """Return the mapping under a word of a mapping, of the whole unless given; an empty one for nothing.

        Raises `IntegrationError` for anything else; `where` is the place of what it is of, if it is known better.
        """
        found = (self.whole if of is None else of).get(word)
        refuse_shape(found, dict, word, where or self.line_of(word))
        return found or {}

    def entries(self, word: str, of: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the entries of a list under a word, of the whole or `of` a mapping; see `named_entries`."""
        return named_entries(self.whole if of is None else of, word, self.main)

    def place_of(self, name: str, *within: str) -> str:
        """Return where an entry of a name stands; the main file where that is not known.

        That is the one to which the steps `within` lead (`place_within`), else the first (`place_of`).
        """
        found = place_within(self.texts, self.main.parent, *within, name) if within else None
        return found or place_of(name, self.texts, self.main.parent) or self.main.name

    def line_of(self, word: str) -> str:
        """Return where a word first stands as a name, as ``file:line``; the main file where that is not known."""
        pattern = re.compile(rf"""(?m)^[\s{{]*["']?{re.escape(word)}["']?\s*:""")
        for path, text in self.texts.items():
            if found := pattern.search(text):
                return f"{path}:{text.count(chr(10), 0, found.end()) + 1}"
        return str(self.main)

    def line_with(self, word: str) -> str:
        """Return where a word first stands by itself, as ``file:line``; the main file where it does not.

        >>> mill = YamlFiles(Path("mill.yml"), {}, {Path("mill.yml"): "tables:\\n- orders-old\\n- users, orders"})
        >>> mill.line_with("orders")
        'mill.yml:3'
        """
        pattern = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
        for path, text in self.texts.items():
            if found := pattern.search(text):
                return f"{path}:{text.count(chr(10), 0, found.start()) + 1}"
        return str(self.main)

    def refuse_unknown(
        self, words: Iterable[str], known: Iterable[str], of: str, what: str, hint: str = "", **more: Any
    ) -> None:
        """Raise `DefinitionError` for the first word that is none of those that are known.

        `of` says whose words they are, and `what` they have to be; `hint` follows after what there is. The place is
        where the word stands, unless `more` of the error says another `where`.

        >>> shop = YamlFiles(Path("mill.yml"), {}, {})
        >>> shop.refuse_unknown(["oders"], ["orders", "visits"], "job 'daily'", "table of this mill")
        Traceback (most recent call last):
        assetry.errors.DefinitionError: job 'daily': 'oders' is no table of this mill.
          at mill.yml
          did you mean 'orders'?
          It has orders, visits.
        """
        has = sorted(known)
        for word in words:
            if word not in has:
                raise DefinitionError(
                    f"{of}: {word!r} is no {what}.",
                    near=near_names(word, has),
                    hint=f"It has {', '.join(has) or 'none'}. {hint}".rstrip(),
                    **{"where": self.line_with(word), **more},
                )
