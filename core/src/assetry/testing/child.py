"""Work in a process of its own: ``python -m assetry.testing.child FILE``.

What is to be done travels as a pickle, as it would to a worker on another machine; what comes of it travels back.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module, util
from pathlib import Path
from typing import Any

from assetry.errors import error_words
from assetry.io.values import ValueRouter
from assetry.run.context import Context, RunFacts
from assetry.testing.loading import load
from assetry.types.codec import to_json

#: Seconds after which a child is taken for hung.
LONGEST = 300


class ChildError(Exception):
    """The work failed in the other process; the text is that of its error."""


def elsewhere(work: Callable[..., Any], *arguments: Any, folder: Path, modules: Sequence[str] = ()) -> Any:
    """Call `work` in a new process and return what it returns; raise `ChildError` with what it raised.

    `modules` are those that the arguments need to be unpickled; the process is told their files, because those of
    tests can often not be imported by name.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     elsewhere(pow, 2, 5, folder=Path(folder))
    32
    """
    files = {name: getattr(sys.modules.get(name), "__file__", None) for name in modules}
    try:
        body = pickle.dumps((work, arguments))
    except Exception as error:
        raise ChildError(f"what is to be run there cannot be pickled: {error}") from error
    file = folder / f"work-{os.getpid()}-{len(list(folder.glob('work-*')))}"
    file.write_bytes(pickle.dumps({"path": sys.path, "files": files, "body": body}))
    command = [sys.executable, "-m", "assetry.testing.child", str(file)]
    path = os.pathsep.join(each for each in sys.path if each)
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST, env=environment)
    answer = file.with_suffix(".out")
    if not answer.exists():
        raise ChildError(f"the process ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    failed, result = pickle.loads(answer.read_bytes())
    if failed:
        raise ChildError(result)
    return result


def heavy_imports(module: str, heavy: Sequence[str]) -> list[str]:
    """Import `module` in this process and return which of `heavy` came with it.

    >>> heavy_imports("json", ["email.mime.audio"])
    []
    """
    before = set(sys.modules)
    import_module(module)
    return sorted(name for name in heavy if name in sys.modules and name not in before)


def run_invocation(subject: Mapping[str, Any], invocation: Any) -> list[Any]:
    """Run an invocation with a plugin loaded here; return its events as JSON.

    `subject` has the `plugin`, those `beside` it, and the `folder` that the values stand in.
    """
    plugins = load(subject["plugin"], subject["beside"])
    known = {asset.key: asset for asset in (*invocation.assets, *invocation.also, *invocation.inputs)}
    files = f"parquet:{subject['folder']}"
    values = ValueRouter(
        plugins.open_io,
        files,
        files=files,
        io_url=plugins.io_url,
        last_metadata=lambda _key, _partition: {},
        describe=lambda _value: {},
    )
    context = Context(RunFacts("elsewhere", {}, values, known.__getitem__), lambda _event: None)
    return [to_json(event) for event in plugins.invoke(invocation, context)]


def _provide(files: Mapping[str, str | None]) -> None:
    """Import modules by name, or else from their files."""
    for name, file in files.items():
        try:
            import_module(name)
        except ImportError:
            spec = util.spec_from_file_location(name, file) if file else None
            if spec is None or spec.loader is None:
                raise
            module = sys.modules[name] = util.module_from_spec(spec)
            spec.loader.exec_module(module)


def main(name: str) -> None:
    """Do the work in file `name`, and write the answer beside it."""
    file = Path(name)
    asked = pickle.loads(file.read_bytes())
    sys.path[:] = asked["path"]
    try:
        _provide(asked["files"])
        work, arguments = pickle.loads(asked["body"])
        answer = (False, work(*arguments))
    except BaseException as error:
        answer = (True, error_words(error))
    beside = file.with_suffix(".part")
    beside.write_bytes(pickle.dumps(answer))
    beside.replace(file.with_suffix(".out"))


if __name__ == "__main__":
    main(sys.argv[1])
