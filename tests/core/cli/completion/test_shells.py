"""Shells ask by click's protocol, and are told in their own words; Bash itself is tried at a terminal."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from assetry.cli.completion.shells import typed_words

pytest.importorskip("pty")
import pty  # there is none on Windows
import select

PROGRAM = Path(sys.executable).with_name("assetry")
ASSETS = """
from assetry import asset

@asset(tags=["daily"], owners=["ana@example.com"])
def orders() -> int: return 1

@asset(key="shop/total")
def total(orders: int) -> int: return orders
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shop")
    (root / "models").mkdir()
    (root / "assetry.toml").write_text('modules = ["shop_assets"]\nio = "parquet:.assetry/data"\n')
    (root / "shop_assets.py").write_text(ASSETS)
    subprocess.run([PROGRAM, "materialize", "-q"], cwd=root, check=True, capture_output=True)
    # From now on the project cannot be loaded: nothing of it is.
    (root / "shop_assets.py").write_text("raise SystemExit('loaded')")
    return root


def told(folder: Path, shell: str, **asked: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("COMP_")}
    env |= {"_ASSETRY_COMPLETE": f"{shell}_complete", **asked}
    done = subprocess.run([PROGRAM], cwd=folder, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def in_bash(folder: Path, *words: str) -> list[str]:
    return told(folder, "bash", COMP_WORDS=" ".join(("assetry", *words)), COMP_CWORD=str(len(words))).split()


def test_bash_is_told_types_and_words(shop: Path) -> None:
    assert in_bash(shop, "show", "") == ["plain,orders", "plain,shop/total"]
    assert in_bash(shop, "list", "-s", "+shop") == ["plain,+shop/total"]
    assert in_bash(shop, "list", "-s", "ta") == ["part,tag:"]
    assert in_bash(shop, "list", "-s", "tag:") == ["plain,tag:daily"]
    assert in_bash(shop, "list", "-s", "orders", "own") == ["part,owner:"]
    assert in_bash(shop, "mat") == ["plain,materialize"]
    (run,) = in_bash(shop, "logs", "")
    assert re.fullmatch(r"plain,\d{8}-\d{6}-\w{6}", run)


def test_zsh_and_fish_are_told_in_their_own_way(shop: Path) -> None:
    asked = {"COMP_WORDS": "assetry list -s ta", "COMP_CWORD": "3"}
    assert told(shop, "zsh", **asked) == "part\ntag:\n_\n"
    assert told(shop, "fish", **{**asked, "COMP_CWORD": "ta"}) == "plain,tag:\n"
    assert told(shop, "powershell", **asked) == "plain\ntag:\n_\n"


def test_it_works_in_a_folder_below_and_with_a_folder_that_is_named(shop: Path) -> None:
    assert in_bash(shop / "models", "show", "or") == ["plain,orders"]
    assert in_bash(shop.parent, "-C", str(shop), "show", "or") == ["plain,orders"]
    assert in_bash(shop.parent, "show", "-C", shop.name, "or") == ["plain,orders"]


@pytest.mark.parametrize("words", [["nonsense", "x"], ["-C", "/nowhere", "show", "o"], ["list", "--nonsense", "x"]])
def test_what_goes_wrong_is_not_told(words: list[str], shop: Path) -> None:
    assert in_bash(shop, *words) == []


def test_a_broken_project_file_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "assetry.toml").write_text("modules = [")
    assert in_bash(tmp_path, "show", "o") == []
    assert in_bash(tmp_path, "materi") == ["plain,materialize"]


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell", "bash"])
def test_the_script_of_a_shell_asks_the_program(shell: str) -> None:
    env = {**os.environ, "_ASSETRY_COMPLETE": f"{shell}_source"}
    done = subprocess.run([PROGRAM], env=env, capture_output=True, text=True)
    assert done.returncode == 0
    assert f"{shell}_complete" in done.stdout
    # What is changed of click's own scripts.
    changed = {"zsh": '[[ "$type" == "part" ]]', "fish": 'string split -m 1 ","', "bash": "part) compopt -o nospace"}
    assert changed.get(shell, "") in done.stdout


def test_another_shell_is_refused() -> None:
    done = subprocess.run([PROGRAM], env={**os.environ, "_ASSETRY_COMPLETE": "csh_source"}, capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"")


@pytest.mark.parametrize(
    ("line", "words", "typed", "quoted"),
    [
        ("assetry ", [], "", False),
        ("assetry", [], "assetry", False),
        ("assetry -s tag:", ["-s"], "tag:", False),
        ("assetry -s 'a b' ", ["-s", "a b"], "", False),
        ("assetry -s 'a b", ["-s"], "a b", True),
        ("assetry -s 'a ", ["-s"], "a ", True),
        ("assetry -s a\\ b", ["-s"], "a b", False),
    ],
)
def test_a_line_is_taken_apart_as_the_shell_does(line: str, words: list[str], typed: str, quoted: bool) -> None:
    assert typed_words(line) == (words, typed, quoted)


# -- Bash itself -----------------------------------------------------------------------------------------------------


class Terminal:
    """Bash at a terminal of its own, in a folder, with completion switched on as the README says."""

    def __init__(self, folder: Path) -> None:
        self._terminal, other = pty.openpty()
        env = {**os.environ, "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}", "TERM": "dumb"}
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), other)
        bash = ["bash", "--norc", "-i"]
        self._bash = subprocess.Popen(bash, cwd=folder, env=env, start_new_session=True, **streams)
        os.close(other)
        # What is typed is shown, too: the words of the answers stand in no command as they are.
        self.type("bind 'set enable-bracketed-paste off'; PS1='re''ady> '\n")
        self.read_to("ready> ")
        self.type('eval "$(_ASSETRY_COMPLETE=bash_source assetry)"\n')
        self.read_to("ready> ")

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def read_to(self, text: str, seconds: float = 60) -> str:
        """Return what is shown up to `text`."""
        shown, deadline = "", time.monotonic() + seconds
        while text not in shown:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} is not shown, but {shown!r}"
            if select.select([self._terminal], [], [], left)[0]:
                shown += os.read(self._terminal, 4096).decode(errors="replace")
        return shown

    def close(self) -> None:
        self._bash.kill()
        self._bash.wait()
        os.close(self._terminal)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no Bash")
@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("assetry list -s tag:d\t", "assetry list -s tag:daily "),
        ("assetry list -s ta\td\t", "assetry list -s tag:daily "),
        ("assetry list -s owner:ana@ex\t", "owner:ana@example.com "),
        ("assetry show sh\t", "assetry show shop/total "),
        ("assetry list --select=+or\t", "--select=+orders "),
        ("assetry list -s 'shop/total ta\t", "'shop/total tag:"),
        ("assetry mat\t", "assetry materialize "),
    ],
)
def test_bash_completes_at_a_terminal(typed: str, shown: str, shop: Path) -> None:
    terminal = Terminal(shop)
    try:
        terminal.type(typed)
        terminal.read_to(shown)
    finally:
        terminal.close()
