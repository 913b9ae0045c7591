"""Tell people what failed, is overdue, is held, or has recovered: each root cause once.

>>> from assetry_notify import Held
>>> Held("shop/orders", "3,000 assets from macro `cents`").assets
('shop/orders',)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assetry_notify.problems import Held
    from assetry_notify.sending import Sent, send

__all__ = ["Held", "Sent", "send"]

#: Every command imports this for the hooks; what tells is imported once it is asked for.
_LATER = {"Held": "assetry_notify.problems", "Sent": "assetry_notify.sending", "send": "assetry_notify.sending"}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'assetry_notify' has no attribute {name!r}")
