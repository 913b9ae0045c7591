"""What integrations doubt while they load: warnings that are logged below ``assetry``, told by the command line."""

from __future__ import annotations

import logging
from collections.abc import Callable


def tell_doubts(tell: Callable[[str], None]) -> None:
    """Hand what is logged below ``assetry`` as a warning to `tell`, and no longer to what an earlier call named."""
    logger = logging.getLogger("assetry")
    logger.handlers[:] = [*(each for each in logger.handlers if not isinstance(each, _Doubts)), _Doubts(tell)]
    # A tool that is run in this process may have set up the root logger, which would say it once more.
    logger.propagate = False


class _Doubts(logging.Handler):
    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one record."""
        self._tell(record.getMessage())
