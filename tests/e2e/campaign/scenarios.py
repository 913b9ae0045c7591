"""What happens in one iteration of the campaign, drawn from its seed alone: commands at once, and what befalls them."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal, NamedTuple

from tests.e2e.campaign.faults import StoreFault

#: ``kill`` ends a command as `kill -9` does, ``kill_all`` with all that it has started, ``interrupt`` as Ctrl-C does.
#: ``connector`` kills the connector, ``server`` cuts the connections of PostgreSQL; ``disk`` is full for a while,
#: ``clock`` jumps, ``stop`` holds a command for a while, as a machine does that sleeps.
Kind = Literal["kill", "kill_all", "interrupt", "connector", "server", "disk", "clock", "stop"]
KINDS: Sequence[Kind] = (*("kill",) * 5, *("kill_all", "disk", "clock") * 2, "interrupt", "connector", "server", "stop")
#: Jumps of the clock in seconds: by a time server, past every lease, by an hour and by days, either way.
JUMPS = (-90_000.0, -3600.0, -7.0, 5.0, 90.0, 3600.0, 200_000.0)
FAR_APART = 0.15
STATEMENTS = 260  # that a run of all gives its store, about


class Command(NamedTuple):
    """A command, so many seconds after the first one, what becomes of statements of its store, and on which machine."""

    words: tuple[str, ...]
    delay: float = 0.0
    faults: tuple[StoreFault, ...] = ()
    host: str = ""

    def __str__(self) -> str:
        faults = "".join(f" [{each.kind} at {each.number} ×{each.times}]" for each in self.faults)
        return f"+{self.delay} {' '.join(self.words)}{faults}{self.host and f' on {self.host}'}"


class Deed(NamedTuple):
    """What is done so many seconds after a command has told so many events; `amount` is how long, or how far."""

    kind: Kind
    command: int
    events: int
    seconds: float
    amount: float = 0.0

    def __str__(self) -> str:
        return f"{self.kind} {self.amount or ''} {self.seconds} s after event {self.events} of command {self.command}"


class Round(NamedTuple):
    """Commands at once, and deeds."""

    commands: tuple[Command, ...]
    deeds: tuple[Deed, ...]

    def __str__(self) -> str:
        return "\n".join(f"    {each}" for each in (*self.commands, *self.deeds))


class Scenario(NamedTuple):
    """One iteration: whether all was made before, then one or two rounds."""

    seed: int
    made: bool
    rounds: tuple[Round, ...]

    @classmethod
    def drawn(cls, seed: int) -> Scenario:
        """Return the scenario of a seed.

        >>> Scenario.drawn(7) == Scenario.drawn(7)
        True
        """
        random = Random(seed)
        made = random.random() < 0.4
        count = random.choice((1, 1, 2))
        found = cls(seed, made, tuple(_round(random, number, made) for number in range(count)))
        return found._far_apart() if Random(f"{seed} far apart").random() < FAR_APART else found

    def _far_apart(self) -> Scenario:
        """Return the scenario on several machines: who is dead there is known by its lease alone.

        No clock jumps and no machine sleeps then: who is taken for gone and is not would work on, for a moment.
        """
        rounds = []
        for each in self.rounds:
            commands = (command._replace(host=f"machine-{number}") for number, command in enumerate(each.commands))
            deeds = (deed for deed in each.deeds if deed.kind not in ("clock", "stop"))
            rounds.append(Round(tuple(commands), tuple(deeds)))
        return self._replace(rounds=tuple(rounds))

    @property
    def is_far_apart(self) -> bool:
        return any(command.host for each in self.rounds for command in each.commands)

    @property
    def fills_disk(self) -> bool:
        return any(deed.kind == "disk" for each in self.rounds for deed in each.deeds)

    @property
    def makes_anew(self) -> bool:
        """Tell whether it asks to make again what is up to date."""
        asked = (command.words for each in self.rounds for command in each.commands)
        return self.made or any(
            words[0] in ("materialize", "backfill") and not {"--stale", "missing", "stale"} & set(words)
            for words in asked
        )

    def __str__(self) -> str:
        rounds = "\n  then\n".join(map(str, self.rounds))
        return f"seed {self.seed}: {'all was made' if self.made else 'nothing was made'}\n{rounds}"


def _round(random: Random, number: int, made: bool) -> Round:
    commands = [_command(random, number) for _ in range(random.choice((1, 2, 2, 3, 4)))]
    if made and number == 0:
        # What is fresh gives little to do: so something above is made anew beside the rest.
        what = random.choice(
            (("site/*",), ("events", "-p", "2026-01-02..2026-01-03"), ("events", "site/*", "-p", "last:2"))
        )
        again = ("materialize", "-s", *what, "--on-conflict", "wait", "--output", "ndjson")
        commands.insert(0, Command(again))
    deeds = tuple(_deed(random, len(commands)) for _ in range(random.choice((0, 1, 1, 2, 2, 3))))
    return Round(tuple(commands), deeds)


def _command(random: Random, number: int) -> Command:
    on_conflict = ("--on-conflict", random.choice(("wait", "wait", "join", "fail")))
    parts = random.choice(("all", "2026-01-01..2026-01-02", "2026-01-03", "last:2"))
    only = ("--only", random.choice(("all", "missing", "missing", "stale")))
    chunks = random.choice(((), ("--max-partitions", "1"), ("--max-partitions", "2")))
    kinds: list[tuple[str, ...]] = [
        ("materialize", "--stale", *on_conflict),
        ("materialize", "--stale", *on_conflict),
        ("materialize", "-p", parts, *on_conflict),
        (
            "materialize",
            "-s",
            random.choice(("events+", "daily", "events daily", "two/batches+")),
            "-p",
            parts,
            *on_conflict,
        ),
        ("materialize", "-s", random.choice(("site/*", "site/*+", "+scores", "one/*")), *on_conflict),
        ("materialize", "--stale", "-s", random.choice(("events+", "site/*+", "+report", "daily")), *on_conflict),
        ("backfill", "-y", "-s", "*", "-p", "all", *only, *chunks),
        ("backfill", "-y", "-s", random.choice(("events+", "events daily", "+daily")), "-p", parts, *only, *chunks),
    ]
    if number:
        kinds += [("retry", *on_conflict)] * 3
    words = random.choice(kinds)
    if random.random() < 0.05:
        words = ("status",)
    delay = random.choice((0.0, 0.0, round(random.uniform(0, 2), 2)))
    faults = (_fault(random),) if random.random() < 0.3 and words[0] != "status" else ()
    return Command((*words, "--output", "ndjson"), delay, faults)


def _fault(random: Random) -> StoreFault:
    kind = random.choice(("kill", "kill_after", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_BUSY"))
    return StoreFault(kind, random.randint(1, STATEMENTS), random.choice((1, 1, 1, 3, 40)))


def _deed(random: Random, commands: int) -> Deed:
    kind = random.choice(KINDS)
    when = random.choice((0, random.randint(1, 40), random.randint(1, 40)))
    seconds = round(random.uniform(0, 3 if when == 0 else 0.3), 3) if random.random() < 0.8 else 0.0
    amount = {
        "clock": random.choice(JUMPS),
        "disk": round(random.uniform(0.3, 3), 2),
        "stop": round(random.uniform(0.3, 2), 2),
    }.get(kind, 0.0)
    return Deed(kind, random.randrange(commands), when, seconds, amount)
