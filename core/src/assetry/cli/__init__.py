"""The command line: one module per command, loaded only when it is called.

Results go to stdout, everything else to stderr. What every command shares is in `command` (options), `session` (what
was asked, and the project) and `program` (the table of commands, errors, exit codes).
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit; `arguments` are those of the process when None."""
    try:
        given = sys.argv[1:] if arguments is None else arguments
        if "_ASSETRY_COMPLETE" in os.environ:
            from assetry.cli.completion.shells import answer_shell

            answer_shell(os.environ["_ASSETRY_COMPLETE"])
            _leave(0)
        if given in ([], ["--help"], ["-h"]):
            from assetry.cli.overview import print_overview

            print_overview(given)
        from assetry.cli.program import Program

        # A command is a short process: it ends before there is garbage worth looking for. A run turns it on again.
        gc.disable()
        try:
            Program().main(given)
        except SystemExit as end:
            if arguments is None:
                _leave(end.code)
            raise
    except KeyboardInterrupt:  # before or after the part of the program that says more
        os._exit(130)


def _leave(code: str | int | None) -> None:
    """End the process without freeing the graph asset by asset, which costs half as much as listing it."""
    if code is not None and not isinstance(code, int):
        return  # Python itself prints what it is
    if any(thread is not threading.main_thread() and not thread.daemon for thread in threading.enumerate()):
        return  # a thread is still at work: Python waits for it
    atexit._run_exitfuncs()
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code or 0)
