"""Work in a process of its own: ``python -m assetry.testing.child FILE``.

What is to be done travels as a pickle, as it would to a worker on another machine; what comes of it travels back.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module, util
from pathlib import Path
from typing import Any

from assetry.errors import error_words
from assetry.io.values import ValueRouter
from assetry.run.context import Context, RunFacts
from assetry.testing.loading import called, load, own_info
from assetry.types.codec import to_json

#: Seconds after which a child is taken for hung.
LONGEST = 300


class ChildError(Exception):
    """The work failed in the other process; the text is that of its error."""


def elsewhere(
    work: Callable[..., Any], *arguments: Any, folder: Path, modules: Sequence[str] = (), seconds: float = LONGEST
) -> Any:
    """Call `work` in a new process and return what it returns; raise `ChildError` with what it raised.

    After `seconds` the process is killed, and what it has started with it.

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
    # Files, not pipes: what the process leaves behind may hold its ends of pipes for ever.
    said = file.with_suffix(".said")
    with said.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ChildError(f"the process has not ended after {seconds:.0f} seconds") from None
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    answer = file.with_suffix(".out")
    if not answer.exists():
        raise ChildError(f"the process ended with {code}: {said.read_text(errors='replace').strip()[-2000:]}")
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


def run_invocation(subject: Mapping[str, Any], invocation: Any, assets: Sequence[Any]) -> Mapping[str, Any]:
    """Do with a plugin, in a process that has loaded nothing, what a worker may do; return what came of it as JSON.

    `subject` has the `plugin`, those `beside` it, and the `folder` that the values stand in. The answer has the groups
    of `assets`, the `events` of the invocation, and last what the integration's `definitions` are when loaded here.
    """
    plugins = load(subject["plugin"], subject["beside"])
    info = own_info(plugins)
    own = plugins.plugin(info.name)
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
    # Asked of the plugin itself: the core would load the integration to find out whose it is.
    group = getattr(own, "assetry_invocation_group", None)
    groups = [None if group is None else to_json(called(group, {"asset": asset})) for asset in assets]
    events = called(own.assetry_invoke, {"invocation": invocation, "context": context})
    told = [to_json(event) for event in events]
    return {
        "groups": groups,
        "events": told,
        "definitions": [to_json(each) for each in plugins.load_assets(invocation.integration)],
    }


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
