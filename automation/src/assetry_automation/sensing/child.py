"""The process in which sensors are called, and integrations are asked what they see: one at a time, when it is told.

``python -m assetry_automation.sensing.child FOLDER`` answers each line on stdin, the name of what to ask, by one of
JSON on stdout. It is ended when something takes longer than it may: of that nothing is recorded.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, TextIO

from assetry import Project
from assetry.plugin import AssetryError

from assetry_automation.asked import answers, tell, words
from assetry_automation.sensing.senses import ask

#: Seconds between two looks at whether who asks is still there.
_LOOK = 1.0


def end_with_parent() -> None:
    """End this process, and all that it has started, once the one that asks is gone: it could stop nothing more."""
    parent = os.getppid()

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=look, name="parent", daemon=True).start()


def main(folder: str, asked: TextIO, told: TextIO) -> int:
    """Load a project, say so, and answer until there is no more to answer."""
    try:
        project = Project.load(folder)
        tell(told, {"ready": len(project.graph)})
    except AssetryError as error:
        tell(told, {"problem": words(error)})
        return 1
    with project:
        for line in asked:
            tell(told, _answer(project, line.rstrip("\n")))
    return 0


def _answer(project: Project, name: str) -> Mapping[str, Any]:
    try:
        return ask(project, name)._asdict()
    except AssetryError as error:
        return {"failed": project.plugins.secrets.mask(words(error))}


if __name__ == "__main__":
    end_with_parent()
    written = answers()
    sys.exit(main(sys.argv[1], sys.stdin, written))
