"""The registry of plugins: loaded one by one, isolated from each other, and called.

The rest of the program never touches pluggy. How a hook is called (claim, all) stands here, with the name of the plugin
put on whatever goes wrong; which hooks there are is told by `assetry.hooks.manager`.
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pluggy

from assetry.errors import PLUGIN_FAULT, AssetryError, ClaimError, NoClaimError, PluginError, error_words
from assetry.hooks import specs as hookspecs
from assetry.hooks.answers import fault, first_fault
from assetry.hooks.declarations import declared_words, kinds_of, known_words, schemes_of, tables_of
from assetry.hooks.inspection import hooks_in, hooks_of, loading_problem, place_of, refusals_of
from assetry.hooks.installed import Candidate, PluginInfo, unmet
from assetry.hooks.packages import near_words, package_hint
from assetry.hooks.secrets import Secrets, answering, find_secret

#: What a plugin may end a call with besides an answer: a plugin that calls sys.exit() must not end the program.
FAULTS = (Exception, SystemExit)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a plugin, and the next step."""

    plugin: str
    message: str
    hint: str | None = None


class Registry:
    """The loaded plugins: registered one by one, isolated from each other, and called.

    >>> Registry().infos
    ()
    """

    def __init__(self, specs: Any = hookspecs) -> None:
        self._manager = pluggy.PluginManager("assetry")
        self._manager.add_hookspecs(specs)
        self._specs = specs
        self._known = hooks_in(specs)
        self._infos: dict[str, PluginInfo] = {}
        self._routes: dict[tuple[str, str], Any] = {}
        self.secrets = Secrets()
        self._trace = os.environ.get("ASSETRY_TRACE", "") not in ("", "0")

    # -- loading -------------------------------------------------------------------------------------------------

    @property
    def infos(self) -> tuple[PluginInfo, ...]:
        """Return what is known of each plugin, in the order of loading."""
        return tuple(self._infos.values())

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Return everything that is wrong with any plugin."""
        return tuple(
            Problem(info.label, problem, "Look at it with `assetry plugins`, or do without it: ASSETRY_PLUGINS=…")
            for info in self._infos.values()
            for problem in info.problems
        )

    def add(self, candidate: Candidate) -> None:
        """Load and register one plugin; whatever is wrong with it becomes a problem, never an exception."""
        info = candidate.info
        try:
            plugin = candidate.load()
            hooks, problems = hooks_of(plugin, self._known)
            info = replace(info, kinds=kinds_of(plugin, hooks), schemes=schemes_of(plugin, hooks))
            info = replace(info, tables=tables_of(plugin))
            soon, refuses = self._register(plugin, info.name), refusals_of(plugin)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin may fail in any way; it must not take the program along
            # A half registered plugin would answer some hooks and not others.
            self._manager.unregister(name=info.name) if self._manager.has_plugin(info.name) else None
            info = candidate.info
            hooks, problems, soon, refuses = (), (loading_problem(error, self._specs),), (), {}
        problems = (*info.problems, *problems)
        self._infos[info.name] = replace(info, hooks=hooks, problems=problems, warnings=soon, refuses=refuses)
        if problems:
            self._check_version(info.name)

    def check_versions(self) -> None:
        """Add a problem for each plugin whose package asks for another assetry than this one."""
        for name in tuple(self._infos):
            self._check_version(name)

    def _check_version(self, name: str) -> None:
        info = self._infos[name]
        problem = unmet(info.requires) if info.requires else None
        if problem is not None and problem not in info.problems:
            # First: it is the likely reason of the others.
            self._infos[name] = replace(info, problems=(problem, *info.problems))

    def _register(self, plugin: Any, name: str) -> tuple[str, ...]:
        """Register a plugin; return what pluggy warns of: hooks and arguments that will be gone."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self._manager.register(plugin, name=name)
        return tuple(dict.fromkeys(str(each.message) for each in caught))

    def plugin(self, name: str) -> Any:
        """Return the module or object that was registered under a name; None when that could not be loaded."""
        return self._manager.get_plugin(name)

    def tell(self, name: str, problems: Iterable[str], soon: Iterable[str] = ()) -> None:
        """Note what is wrong with a plugin, and what will be with a later assetry; each once."""
        info = self._infos[name]
        wrong, going = dict.fromkeys((*info.problems, *problems)), dict.fromkeys((*info.warnings, *soon))
        self._infos[name] = replace(info, problems=tuple(wrong), warnings=tuple(going))

    def _report(self, name: str, message: str) -> None:
        self.tell(name, (message,))

    # -- calling ------------------------------------------------------------------------------------------------

    def _call(self, impl: Any, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Call one implementation with the arguments it takes."""
        started = time.perf_counter() if self._trace else 0.0
        # A context may want to know that a secret was asked for.
        ask = getattr(arguments.get("context"), "secret", self.secret)
        try:
            return answering(ask, impl.function, *[arguments[name] for name in impl.argnames])
        finally:
            if self._trace:
                elapsed = (time.perf_counter() - started) * 1000
                print(f"assetry: {hook} → {impl.plugin_name} {elapsed:.1f} ms", file=sys.stderr)

    def _implementations(self, hook: str) -> list[Any]:
        """Return the implementations of a hook in the order of loading (pluggy keeps the last one last)."""
        return list(getattr(self._manager.hook, hook).get_hookimpls())

    def _claim(self, hook: str, arguments: Mapping[str, Any], question: str, word: str = "") -> tuple[str, Any] | None:
        """Return the one plugin that answers and its answer, None when none does.

        `word` is the kind or scheme that is asked about, `question` says for people what is claimed.
        """
        found = self._claimed(hook, arguments, question, word)
        if found is None or found[1] is not None:
            return found
        name, answer = found[0], self._called(found[0], hook, arguments)
        if answer is None:
            raise self._wrong(name, hook, f"returned None for {question}, which it declares")
        return name, answer

    def _claimed(
        self, hook: str, arguments: Mapping[str, Any], question: str, word: str = ""
    ) -> tuple[str, Any] | None:
        """Return the one plugin that answers, with its answer; that is None for one that declares the word.

        Such a plugin is not called here, and for other words never. All others are asked.
        """
        answers: list[tuple[str, Any]] = []
        failures: list[tuple[str, BaseException]] = []
        for impl in self._asked_for(hook):
            try:
                answer = self._call(impl, hook, arguments)
            except AssetryError:
                raise
            except FAULTS as error:
                failures.append((impl.plugin_name, error))
                self._report(impl.plugin_name, f"{hook}: {error_words(error)}")
                continue
            if answer is not None:
                answers.append((impl.plugin_name, answer))
        claims = [*((name, None) for name in self._declaring(hook, word)), *answers]
        if len(claims) > 1:
            names = " and ".join(self._infos[name].label for name, _ in claims)
            raise ClaimError(
                f"Two plugins claim {question}: {names}.",
                hint="Uninstall one, or limit what is loaded: ASSETRY_PLUGINS=name,name.",
            )
        if not claims and failures:
            name, failure = failures[0]
            raise self._attributed(name, hook, failure) from failure
        return claims[0] if claims else None

    def _declaring(self, hook: str, word: str) -> list[str]:
        """Return the names of the plugins that declare a kind or scheme."""
        return [name for name, info in self._infos.items() if word in (declared_words(info, hook) or ())]

    def _asked_for(self, hook: str) -> list[Any]:
        """Return the implementations of those that do not declare what they answer."""
        found = self._implementations(hook)
        return [impl for impl in found if declared_words(self._infos[impl.plugin_name], hook) is None]

    def _called(self, name: str, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Call one plugin; None when it does not implement the hook."""
        if (name, hook) not in self._routes:
            found = (impl for impl in self._implementations(hook) if impl.plugin_name == name)
            self._routes[name, hook] = next(found, None)
        impl = self._routes[name, hook]
        if impl is None:
            return None
        try:
            return self._call(impl, hook, arguments)
        except AssetryError:
            raise
        except FAULTS as error:
            self._report(name, f"{hook}: {error_words(error)}")
            raise self._attributed(name, hook, error) from error

    def _attributed(self, name: str, hook: str, error: BaseException) -> PluginError:
        return PluginError(
            f"{self._infos[name].label}: {hook} raised {error_words(error)}",
            where=place_of(error),
            hint=PLUGIN_FAULT,
        )

    def _wrong(self, name: str, hook: str, message: str) -> PluginError:
        """Return the error that says that a hook gave something else than it promises."""
        self._report(name, f"{hook}: {message}")
        return PluginError(
            f"{self._infos[name].label}: {hook} {message}.",
            hint=PLUGIN_FAULT,
        )

    def _all(self, hook: str, arguments: Mapping[str, Any] | Callable[[str], Any]) -> Iterator[tuple[str, Any]]:
        """Call every plugin; one that fails is recorded and passed over."""
        for impl in self._implementations(hook):
            try:
                answer = self._call(impl, hook, arguments(impl.plugin_name) if callable(arguments) else arguments)
            except FAULTS as error:
                self._report(impl.plugin_name, f"{hook}: {error_words(error)}")
                continue
            if answer is not None:
                yield impl.plugin_name, answer

    def _gathered(self, hook: str, arguments: Mapping[str, Any], kind: type[Any]) -> list[Any]:
        """Return what every plugin gives, one after the other; a lazy answer that breaks is passed over, too."""
        found: list[Any] = []
        for name, answer in self._all(hook, arguments):
            try:
                each = list(answer)
            except FAULTS as error:
                self._report(name, f"{hook}: {error_words(error)}")
                continue
            wrong = first_fault(each, kind)
            if wrong is not None:
                self._report(name, f"{hook}: {wrong}")
            found += [item for item in each if fault(item, kind) is None]
        return found

    def secret(self, name: str) -> str:
        """Return a secret: the environment's, else that of the one plugin that has it; it is masked from now on."""
        return self.secrets.note(find_secret(name, self.infos, self._claim, self._wrong))

    # -- when none answers ---------------------------------------------------------------------------------------

    def _unclaimed(self, hook: str, word: str, question: str, whose: str = "") -> NoClaimError:
        """Return the error that says that no plugin answers for a kind or scheme, with what was meant."""
        infos = self.infos
        own = known_words((info for info in infos if info.source == "built in"), hook)
        near = near_words(hook, word, (*known_words(infos, hook), *self._implementing(hook)))
        hint = package_hint(hook, word, own) + self._others_broken()
        return self._broken_one(word, question) or NoClaimError(f"{question}{whose}.", near=near, hint=hint)

    def _implementing(self, hook: str) -> list[str]:
        """Return the names of the installed plugins that have to be asked: often those of their kinds and schemes."""
        own = ("built in", "project")
        names = [impl.plugin_name for impl in self._asked_for(hook)]
        return [name for name in names if self._infos[name].source not in own]

    def _broken_one(self, word: str, question: str) -> NoClaimError | None:
        """Return the error that says that the plugin for a kind or scheme is there, but broken."""
        for info in self._infos.values():
            if info.problems and word in (info.name, *info.package.replace("_", "-").split("-")):
                said = f"{question}: {info.label} is broken: {info.problems[0]}."
                return NoClaimError(said, hint="Mend or update it; `assetry plugins` shows what is wrong.")
        return None

    def _others_broken(self) -> str:
        broken = [info.label for info in self._infos.values() if info.problems and not info.hooks]
        return f", or mend {', '.join(broken)}: see `assetry plugins`" if broken else ""
