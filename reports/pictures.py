"""Figures of the page for wide and narrow screens.

A figure with several panels has a second version for narrow screens, with fewer panels side by
side. A figure without one keeps its size there, and scrolls in its own box.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from matplotlib.figure import Figure

from delayprop.fast.drawing.markup import Picture, embedded

NARROW = 4.3  # inches: the width of a figure for a narrow screen
PIXELS = 82  # per inch of a figure that scrolls: a font of 8 points is 9 pixels high
STYLE = """
.drawn { overflow-x: auto; }
@media screen and (max-width: 600px) {
  .drawn .fixed { width: var(--drawn); max-width: none; }
  table { display: block; overflow-x: auto; }
}
""".strip()


@dataclass(frozen=True)
class Drawing(Picture):
    """A picture with a version for narrow screens, which is drawn when the page needs it."""

    narrow: Callable[[], Figure] | None = None


def drawing(name: str, draw: Callable[[bool], Figure], caption: str) -> Drawing:
    """A picture in both versions.

    Args:
        draw: makes the figure; its argument: whether it is for a narrow screen.
    """

    def finished(narrow: bool) -> Figure:
        figure = draw(narrow)
        figure.tight_layout()
        return figure

    return Drawing(name, finished(False), caption, lambda: finished(True))


def shown(picture: Picture) -> str:
    """A picture and its caption, as HTML."""
    narrow = picture.narrow if isinstance(picture, Drawing) else None
    wide, name = embedded(picture.figure), escape(picture.name)
    if narrow is None:
        pixels = round(PIXELS * float(picture.figure.get_figwidth()))
        image = f'<img class="fixed" style="--drawn:{pixels}px" alt="{name}" src="{wide}">'
    else:
        source = f'<source media="screen and (max-width: 600px)" srcset="{embedded(narrow())}">'
        image = f'<picture>{source}<img alt="{name}" src="{wide}"></picture>'
    return f'<figure><div class="drawn">{image}</div><figcaption>{escape(picture.caption)}</figcaption></figure>'
