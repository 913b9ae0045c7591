"""What a run starts to tell of its lineage: it is given the path of the spool, the end of its input is the run's."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import IO

from assetry_toolkit.clock import Clock


def main(given: IO[bytes]) -> None:
    """Send what a run tells, then what earlier runs have left."""
    from assetry import Project

    from assetry_openlineage.options import read_options
    from assetry_openlineage.sending import Sender, follow, send_left
    from assetry_openlineage.spool import Spool

    path, ended = Path(given.readline().decode().rstrip("\n")), threading.Event()

    def listen() -> None:
        given.read()
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    with Project.load(".") as project:
        options = read_options(project.settings.tables, str(project.root))
        sender = Sender(options, project.plugins.secret)
        follow(Spool(path), sender, ended, Clock())
        send_left(project.root, sender)
        sender.close()


if __name__ == "__main__":
    main(sys.stdin.buffer)
