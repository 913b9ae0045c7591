"""What a terminal may be shown of texts that tools and plugins write."""

from __future__ import annotations

import re

#: What commands a terminal: strings (OSC, DCS, APC, PM, SOS) with their content, CSI, other escapes, single characters.
_COMMANDS = re.compile(
    r"\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"
    r"|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def plain(text: str) -> str:
    r"""Return a text without what would command a terminal: colours, titles, clipboards and other control characters.

    Line breaks and tabs stay. The sequences are those of ECMA-48, and of xterm where they end with BEL. The command
    line shows all texts like this; a plugin calls it where it looks at a text before, or takes secrets out of it.

    >>> plain("\x1b[31mred\x1b[0m \x1b]52;c;cHduZWQ=\x07\x1b]8;;http://x\x1b\\link\r\x00")
    'red link'
    """
    return _COMMANDS.sub("", text)
