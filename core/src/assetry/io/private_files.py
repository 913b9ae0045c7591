"""Who may read what assetry keeps: below a folder ``.assetry`` its user alone, elsewhere whom the umask lets.

Records, values and what tools have sent may hold what others must not see, whatever the umask is. A folder that was
named elsewhere, as with ``io = "parquet:/shared/data"``, may be there to be shared.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

#: The folder of a project that holds what assetry keeps.
STATE = ".assetry"

_FOLDER = 0o700
_FILE = 0o600


def private_folder(path: Path) -> Path:
    """Make a folder and those above it, and return it; below ``.assetry`` only this user can enter it.

    A folder ``.assetry`` is left out of Git. What is there already with more rights is brought to the same, where it
    belongs to this user. Elsewhere the umask decides. Raises `OSError`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     oct(private_folder(Path(root, ".assetry", "mill")).stat().st_mode)[-3:]
    '700'
    """
    inner = _inner(path)
    if not inner:
        path.mkdir(parents=True, exist_ok=True)
        return path
    inner[0].parent.mkdir(parents=True, exist_ok=True)
    for folder in inner:
        folder.mkdir(mode=_FOLDER, exist_ok=True)
        _tighten(folder)
    _leave_out_of_git(inner[0])
    return path


def private_file(path: Path) -> Path:
    """Make a file's folder, and below ``.assetry`` the file, empty and for this user alone, where it is not; return it.

    For files that a library writes: it finds the file, and keeps its mode. One that is there already keeps its content.
    Elsewhere than below ``.assetry`` the library makes it as the umask says. Raises `OSError`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     oct(private_file(Path(root, ".assetry", "mill.json")).stat().st_mode)[-3:]
    '600'
    """
    private_folder(path.parent)
    if _inner(path):
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE))
        except FileExistsError:
            _tighten(path)
    return path


def file_mode(path: Path) -> int:
    """Return the mode of a file that is made: below ``.assetry`` for this user alone, elsewhere for the umask to say.

    >>> oct(file_mode(Path(".assetry", "mill.json"))), oct(file_mode(Path("mill.json")))
    ('0o600', '0o666')
    """
    return _FILE if STATE in path.absolute().parts else 0o666


def tighten(path: Path) -> None:
    """Take the rights of others on a file or folder below ``.assetry``, where it is there and this user's."""
    if _inner(path):
        _tighten(path)


def _inner(path: Path) -> list[Path]:
    """Return the folder ``.assetry`` that a path lies in, and what is below that on the way to the path.

    >>> [each.as_posix() for each in _inner(Path("/shop/.assetry/data/a"))]
    ['/shop/.assetry', '/shop/.assetry/data', '/shop/.assetry/data/a']
    >>> _inner(Path("/shared/data"))
    []
    """
    whole = path.absolute()
    way = [whole, *whole.parents]
    depth = next((number for number, each in enumerate(way) if each.name == STATE), None)
    return [] if depth is None else way[depth::-1]


def _leave_out_of_git(folder: Path) -> None:
    if folder.is_symlink():
        return  # it leads to what somebody keeps elsewhere
    with suppress(FileExistsError):
        file = os.open(folder / ".gitignore", os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE)
        try:
            os.write(file, b"*\n")
        finally:
            os.close(file)


def _tighten(path: Path) -> None:
    if os.name != "posix":
        return
    with suppress(OSError):  # a file system without modes, or a file that is gone
        found = path.lstat()
        # A link leads to what somebody keeps elsewhere.
        if not stat.S_ISLNK(found.st_mode) and found.st_mode & 0o077 and found.st_uid == os.geteuid():
            path.chmod(stat.S_IMODE(found.st_mode) & ~0o077)
