"""How shells ask for completions, and are told: click's way, with scripts for Bash and Zsh that know selections.

Bash ends words at colons and other signs of its own, and both put a blank behind each word: of ``tag:daily`` they would
make nothing. Here Bash hands over the line as it is, and is told what comes after such a sign.
"""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from typing import Any

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    get_completion_class,
    split_arg_string,
)

from assetry.cli.completion.program import PART, completions

_NAME, _VARIABLE = "assetry", "_ASSETRY_COMPLETE"

_BASH = """\
%(complete_func)s() {
    local completion type value
    COMPREPLY=()
    while IFS= read -r completion; do
        type=${completion%%,*} value=${completion#*,}
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            part) compopt -o nospace; COMPREPLY+=("$value") ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(env COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        %(complete_var)s=bash_complete "$1" 2> /dev/null)
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

_ZSH_DIRECTORIES = """        elif [[ "$type" == "dir" ]]; then
"""
_ZSH_PARTS = """        elif [[ "$type" == "part" ]]; then
            compadd -U -S '' -V unsorted -- "$key"
"""


class Bash(BashComplete):
    """Bash, which tells the whole line and the signs at which it ends words."""

    source_template = _BASH.replace("%%", "%%%%")
    #: What of the word Bash keeps, and puts before what it is told.
    _kept = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is typed, and that; by the words alone where the line is not told."""
        if "COMP_LINE" not in os.environ:
            return super().get_completion_args()
        line = os.environ["COMP_LINE"].encode()[: int(os.environ["COMP_POINT"])].decode("utf-8", "ignore")
        words, typed, quoted = typed_words(line)
        self._kept = "" if quoted else kept_by_bash(typed, os.environ.get("COMP_WORDBREAKS", ""))
        return words, typed

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """Return a completion as the script reads it, without what Bash keeps."""
        return f"{item.type},{str(item.value).removeprefix(self._kept)}"


class Zsh(ZshComplete):
    """Zsh, with words that are not complete."""

    source_template = ZshComplete.source_template.replace(_ZSH_DIRECTORIES, _ZSH_PARTS + _ZSH_DIRECTORIES)


class Fish(FishComplete):
    """Fish, which is told words that have commas in them, and puts no blank behind a colon or a slash by itself."""

    source_template = FishComplete.source_template.replace('split ","', 'split -m 1 ","')


#: The shells that are asked and told otherwise than click does it; those that know of words that are not complete.
_SHELLS = {"bash": Bash, "zsh": Zsh, "fish": Fish}
_KNOW_PARTS = (Bash, Zsh)


def kept_by_bash(typed: str, breaks: str) -> str:
    """Return what Bash keeps of a word when it completes it: all up to the last of the signs at which it ends words.

    An ``@`` there is part of what it completes (Readline's special prefixes).

    >>> kept_by_bash("tag:dai", ":=@"), kept_by_bash("owner:ana@ex", ":=@"), kept_by_bash("orders", ":=@")
    ('tag:', 'owner:ana', '')
    """
    kept = typed[: max(map(typed.rfind, breaks), default=-1) + 1]
    return kept[:-1] if kept.endswith("@") else kept


def typed_words(line: str) -> tuple[list[str], str, bool]:
    """Return the words of a command line after the program's name, the one that is being typed, and whether in quotes.

    >>> typed_words("assetry list -s +tag:d"), typed_words("assetry show ")
    ((['list', '-s'], '+tag:d', False), (['show'], '', False))
    >>> typed_words('assetry list -s "a tag:')
    (['list', '-s'], 'a tag:', True)
    """
    words = split_arg_string(line)
    try:
        shlex.split(line)
        quoted = False
    except ValueError:
        quoted = True
    typed = words.pop() if words and (quoted or not line[-1:].isspace()) else ""
    return words[1:], typed, quoted


def answer_shell(instruction: str) -> None:
    """Answer what a shell asks in the variable of click's protocol: for its script, or for what may come next.

    Whatever goes wrong while the words are looked for, there are none, and nothing else is said.
    """
    name, _, asked = instruction.partition("_")
    kind = _SHELLS.get(name) or get_completion_class(name)
    if kind is None or asked not in ("source", "complete"):
        sys.exit(1)
    shell = kind(click.Group(_NAME), {}, _NAME, _VARIABLE)
    text = f"{shell.source()}\n" if asked == "source" else _completed(shell)
    with suppress(OSError):
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.flush()


def _completed(shell: Any) -> str:
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        try:
            words, typed = shell.get_completion_args()
            found = _completions(words, typed)
            told = found if isinstance(shell, _KNOW_PARTS) else map(_plain, found)
            return "".join(f"{shell.format_completion(each)}\n" for each in told)
        except (Exception, SystemExit):
            return ""


def _completions(words: list[str], typed: str) -> list[CompletionItem[Any]]:
    # Some shells hand over an option and its value as one word; click splits them in the same way.
    if typed.startswith("--") and "=" in typed:
        option, _, value = typed.partition("=")
        return [_joined(f"{option}=", each) for each in completions([*words, option], value)]
    return completions(words, typed)


def _joined(before: str, item: CompletionItem[Any]) -> CompletionItem[Any]:
    return CompletionItem(f"{before}{item.value}", item.type, item.help)


def _plain(item: CompletionItem[Any]) -> CompletionItem[Any]:
    return CompletionItem(item.value, "plain", item.help) if item.type == PART else item
