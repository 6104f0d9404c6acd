"""Figures of the record."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

Found = dict[str, list[dict[str, Any]]]
"""The data of the figures, by name."""


@dataclass(frozen=True)
class Picture:
    """A figure that is drawn when a page needs it.

    Attributes:
        draw: makes it from the data; its docstring is the caption.
    """

    name: str
    draw: Callable[[Found], Figure]

    @property
    def caption(self) -> str:
        """The caption in one line."""
        return " ".join((self.draw.__doc__ or "").split())

    def drawn(self, found: Found) -> Figure:
        """The figure."""
        figure = self.draw(found)
        figure.tight_layout()
        return figure
