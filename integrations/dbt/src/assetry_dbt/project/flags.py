"""What dbt takes from its environment, and from options: flags that change what a build makes, or would narrow it.

dbt 1.11 reads ``DBT_ENGINE_EMPTY`` before ``DBT_EMPTY``, and so for each; `flags:` of dbt_project.yml has none of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

#: Flags without a value, and with one, that change what is in a table.
_SWITCHES = ("EMPTY", "DEFER", "FAVOR_STATE")
_VALUES = ("SAMPLE", "STATE", "DEFER_STATE")
#: The window of microbatch models; where they have partitions, a command has one of its own.
_WINDOW = ("EVENT_TIME_START", "EVENT_TIME_END")
#: What is built by these is not the real table, whatever else is the same.
_UNREAL = ("EMPTY", "SAMPLE", "CLONE")
#: These mean nothing but beside `DEFER`.
_OF_DEFER = frozenset({"FAVOR_STATE", "STATE", "DEFER_STATE"})
#: dbt's name for the warning of a test.
_TEST_RESULT = "LogTestResult"
_YES = frozenset({"1", "true", "t", "yes", "y", "on"})


def from_environment(name: str) -> str | None:
    """Return what the environment says of a setting of dbt; an empty text says nothing."""
    return os.environ.get(f"DBT_ENGINE_{name}") or os.environ.get(f"DBT_{name}") or None


@dataclass(frozen=True, slots=True)
class BuildFlags:
    """The flags that are set and that change what a build makes; a switch has an empty text.

    >>> BuildFlags({"EMPTY": "", "SAMPLE": "3 days"}, {}).args()
    ('--empty', '--sample', '3 days')
    """

    content: Mapping[str, str]
    window: Mapping[str, str]
    full_refresh: bool = False

    @classmethod
    def read(cls, given: Mapping[str, str] | None = None) -> BuildFlags:
        """Return the flags that the environment of this process sets, with those that are `given` in their place."""
        content = {name: "" for name in _SWITCHES if _is_set(name)}
        content |= {name: value for name in _VALUES if (value := from_environment(name))}
        content |= given or {}
        if "DEFER" not in content and "CLONE" not in content:
            content = {name: value for name, value in content.items() if name not in _OF_DEFER}
        window = {name: value for name in _WINDOW if (value := from_environment(name))}
        return cls(content, window, _is_set("FULL_REFRESH"))

    def without_window(self) -> BuildFlags:
        """Return the flags without the window: a command has one of its own."""
        return replace(self, window={})

    def args(self) -> tuple[str, ...]:
        """Return the flags as one would type them."""
        given: list[str] = ["--full-refresh"] if self.full_refresh else []
        for name, value in {**self.content, **self.window}.items():
            if name == "CLONE":
                continue  # a command of its own
            given += [f"--{name.lower().replace('_', '-')}", *([value] if value else [])]
        return tuple(given)

    def unreal(self, resource_type: str) -> str | None:
        """Return how what is built so is not the real table; None where it is.

        >>> flags = BuildFlags({"EMPTY": "", "SAMPLE": "3 days"}, {})
        >>> flags.unreal("model"), flags.unreal("seed")
        ('built with --empty --sample', None)
        """
        if resource_type not in ("model", "snapshot") and "CLONE" not in self.content:
            return None
        names = [f"--{name.lower()}" for name in _UNREAL if name in self.content]
        return f"built with {' '.join(names)}" if names else None

    def lasting(self) -> BuildFlags:
        """Return those flags by which a build makes another table that is a real one, too."""
        return replace(self, content={name: value for name, value in self.content.items() if name not in _UNREAL})

    def of(self, resource_type: str, windowed: bool) -> dict[str, str]:
        """Return the flags that change what is in a table: one that is built so is not the real one.

        `windowed` is a microbatch model that has no partitions.

        >>> BuildFlags({"EMPTY": ""}, {"EVENT_TIME_START": "2024-01-01"}).of("model", False)
        {'empty': 'true'}
        """
        changes = resource_type in ("model", "snapshot") or "CLONE" in self.content
        found = {**self.content, **(self.window if windowed else {})} if changes else {}
        return {name.lower(): value or "true" for name, value in found.items()}


def widening(resource_types: Sequence[str] = ()) -> tuple[str, ...]:
    """Return arguments that undo what the environment leaves out of every selection; `resource_types` are its own.

    A selection says what is to be built, all of it: a type that is left out besides would be a model that is not made.
    """
    every = ("--resource-type", "all") if from_environment("RESOURCE_TYPES") and not resource_types else ()
    # Nothing is ever built of these; what the command line says takes the place of what the environment says.
    none = ("--exclude-resource-type", "analysis") if from_environment("EXCLUDE_RESOURCE_TYPES") else ()
    return (*every, *none)


def warnings_fail(settings: Mapping[str, Any]) -> bool:
    """Tell whether dbt fails a test that only warns; `settings` are dbt_project.yml, the environment goes before them.

    >>> warnings_fail({"flags": {"warn_error": True}}), warnings_fail({})
    (True, False)
    >>> warnings_fail({"flags": {"warn_error_options": {"error": "all", "warn": ["LogTestResult"]}}})
    False
    """
    given = settings.get("flags")
    flags = given if isinstance(given, Mapping) else {}
    if _is_set("WARN_ERROR") if from_environment("WARN_ERROR") else flags.get("warn_error") is True:
        return True
    options: Any = flags.get("warn_error_options")
    written = from_environment("WARN_ERROR_OPTIONS")
    if written:
        import yaml

        try:
            options = yaml.safe_load(written)
        except yaml.YAMLError:
            return False  # dbt itself refuses it
    if not isinstance(options, Mapping):
        return False
    errors = options.get("error", options.get("include")) or ()
    spared = [*(options.get("warn", options.get("exclude")) or ()), *(options.get("silence") or ())]
    return (errors in ("all", "*") or _TEST_RESULT in errors) and _TEST_RESULT not in spared


def _is_set(name: str) -> bool:
    return (from_environment(name) or "").strip().lower() in _YES
