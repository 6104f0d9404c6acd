"""Figures of the record, for wide screens and paper, and for narrow screens."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

NARROW = 4.3  # inches: the width of a figure for a narrow screen
Found = dict[str, list[dict[str, Any]]]
"""The data of the figures, by name."""


@dataclass(frozen=True)
class Picture:
    """A figure that is drawn when a page needs it.

    Attributes:
        draw: makes it from the data, for a narrow screen or not; its docstring is the caption.
        narrow: whether it has a version for narrow screens; one without scrolls there.
    """

    name: str
    draw: Callable[[Found, bool], Figure]
    narrow: bool = True

    @property
    def caption(self) -> str:
        """The caption in one line."""
        return " ".join((self.draw.__doc__ or "").split())

    def drawn(self, found: Found, narrow: bool = False) -> Figure:
        """The figure."""
        figure = self.draw(found, narrow)
        figure.tight_layout()
        return figure
