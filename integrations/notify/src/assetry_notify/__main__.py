"""What a run starts to tell people: ``python -m assetry_notify``, with what it is to know on its standard input."""

from __future__ import annotations

import sys

from assetry_notify.telling import main

if __name__ == "__main__":
    sys.exit(main(sys.stdin.buffer))
