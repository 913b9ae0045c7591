"""Commits of the repository that a project is in, and their files in a folder of their own for a while."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from assetry.errors import UsageError, near_names

#: Hooks of a repository are for those who work in it.
_QUIETLY = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: its hash, when it was made, and the top folder of the repository."""

    sha: str
    at: datetime
    top: Path


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a commit: their top folder, that of the project, and what of now was put there besides."""

    top: Path
    folder: Path
    besides: tuple[Path, ...]


def commit_of(folder: Path, name: str) -> Commit | None:
    """Return the commit that a branch, tag, hash or the like means in the repository of a folder; None for none.

    ``main...`` is where the commit that is checked out has left ``main``.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None or name.startswith("-"):
        return None
    if name.endswith("..."):
        name = _git(folder, "merge-base", name.removesuffix("...") or "HEAD", "HEAD") or name
    sha = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if not sha:
        return None
    at = _git(folder, "show", "--no-patch", "--format=%cI", sha)
    return Commit(sha, datetime.fromisoformat((at or "1970-01-01T00:00:00+00:00").replace("Z", "+00:00")), Path(top))


def near_commits(folder: Path, name: str) -> tuple[str, ...]:
    """Return the branches and tags that a name comes near to; none outside a repository."""
    listed = _git(folder, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes")
    return near_names(name, (listed or "").split())


@contextmanager
def checked_out(commit: Commit, folder: Path, besides: Iterable[Path] = ()) -> Iterator[Files]:
    """Give the files of a commit, in a place that is gone afterwards; `folder` is where the project is now.

    `besides` are files and folders of now that version control leaves out: files are copied, folders linked, where the
    commit has none of its own. Raises `UsageError` where the commit cannot be checked out, or has no such folder.
    """
    top = commit.top.resolve()
    with tempfile.TemporaryDirectory(prefix="assetry-") as temporary:
        tree = Path(temporary).resolve() / "tree"
        try:
            problem = _problem(top, *_QUIETLY, "worktree", "add", "--detach", "--force", str(tree), commit.sha)
            if problem is not None:
                raise UsageError(f"{commit.sha[:12]} cannot be checked out: {problem}", where=str(top))
            there = tree / folder.resolve().relative_to(top)
            if not there.is_dir():
                inside = folder.resolve().relative_to(top)
                raise UsageError(f"{commit.sha[:12]} has no folder {inside}.", hint="Name a later commit.")
            yield Files(tree, there, tuple(path for path in besides if _put(path, top, tree)))
        finally:
            _problem(top, "worktree", "remove", "--force", str(tree))


def _put(path: Path, top: Path, tree: Path) -> bool:
    """Put a file or folder of now where it belongs among the files of a commit, if none is there."""
    place = path.absolute()
    if not place.exists() or not place.is_relative_to(top):
        return False
    there = tree / place.relative_to(top)
    if there.exists() or there.is_symlink():
        return False
    there.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        there.symlink_to(place, target_is_directory=True)
    else:
        shutil.copy2(place, there)
    return True


def _git(folder: Path, *arguments: str) -> str | None:
    """Return what git says, None when it refuses or is not there."""
    try:
        done = _called(folder, arguments)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _problem(folder: Path, *arguments: str) -> str | None:
    """Call git for what it does; return what it says is wrong."""
    done = _called(folder, arguments)
    return None if done.returncode == 0 else " ".join(done.stderr.split()) or f"git ended with {done.returncode}"


def _called(folder: Path, arguments: Iterable[str]) -> subprocess.CompletedProcess[str]:
    # Where git calls us, as in a hook, it has told where it is at work: that is not where we ask.
    environment = {name: value for name, value in os.environ.items() if name not in _OF_GIT}
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


_OF_GIT = frozenset(
    f"GIT_{name}"
    for name in ("DIR", "WORK_TREE", "INDEX_FILE", "PREFIX", "OBJECT_DIRECTORY", "COMMON_DIR", "NAMESPACE")
)
