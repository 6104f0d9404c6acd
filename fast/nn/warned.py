"""Warnings that name the line of the user, not one of this package or of torch."""

from __future__ import annotations

import sys
import warnings

INSIDE = ("delayprop.", "torch.")


def warn(words: str, category: type[Warning] = UserWarning) -> None:
    """Warn, at the nearest caller outside of `INSIDE`."""
    depth, frame = 1, sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith(INSIDE):
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(words, category, stacklevel=depth)
