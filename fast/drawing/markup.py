"""An HTML page in a single file: pictures are embedded, and there is no script."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from matplotlib.figure import Figure

DPI = 150  # of rasterised parts

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f23; --paper: #fff; --line: #d0d7de; --faint: #57606a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0d1117; --line: #30363d; --faint: #9da7b1; } }
@media print { :root { --ink: #000; --paper: #fff; --line: #ccc; --faint: #333; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 44rem; padding: 1rem; font: 16px/1.5 system-ui, sans-serif; color: var(--ink);
       background: var(--paper); overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0.5rem 0; }
.lead { font-size: 1.15rem; font-weight: 600; margin: 0.5rem 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 0.5rem; border-bottom: 1px solid var(--line); break-after: avoid; }
figure { margin: 1rem 0 1.5rem; break-inside: avoid; }
img { display: block; width: 100%; height: auto; background: #fff; border-radius: 4px; }
@media print { body { max-width: none; } img { width: 12cm; }
               details::details-content { content-visibility: visible; } }
figcaption, .note { font-size: 0.9rem; color: var(--faint); margin-top: 0.4rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.85rem; }
th, td { text-align: left; vertical-align: top; padding: 0.15rem 0.4rem 0.15rem 0;
         border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
tr, dl div { break-inside: avoid; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
summary { cursor: pointer; }
dl { margin: 0.5rem 0; columns: 10rem; column-gap: 1rem; font-size: 0.8rem; }
dl div { display: flex; justify-content: space-between; gap: 0.5rem; border-bottom: 1px solid var(--line); }
dt { color: var(--faint); }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
""".strip()


@dataclass(frozen=True)
class Picture:
    """A figure, its name for readers who cannot see it, and a caption of one sentence."""

    name: str
    figure: Figure
    caption: str


def text(content: str) -> str:
    """A paragraph."""
    return f"<p>{escape(content)}</p>"


def lead(content: str) -> str:
    """The main result."""
    return f'<p class="lead">{escape(content)}</p>'


def note(content: str) -> str:
    """A remark on the element above it."""
    return f'<p class="note">{escape(content)}</p>'


def heading(content: str) -> str:
    """The heading of a section."""
    return f"<h2>{escape(content)}</h2>"


def section(title: str, parts: Sequence[str]) -> str:
    """A section, and its address."""
    return f'<section id="{_address(title)}">{heading(title)}' + "\n".join(parts) + "</section>"


def contents(titles: Sequence[str]) -> str:
    """Links to the sections of a page."""
    links = (f'<a href="#{_address(title)}">{escape(title)}</a>' for title in titles)
    return "<nav>" + "\n".join(links) + "</nav>"


def _address(title: str) -> str:
    return title.lower().replace(" ", "-")


def together(*parts: str) -> str:
    """Elements that stand in one column."""
    return "<div>" + "\n".join(parts) + "</div>"


def folded(title: str, content: str, is_open: bool = True) -> str:
    """A section that can be folded. Printed pages show it in any case."""
    return f"<details{' open' if is_open else ''}><summary>{escape(title)}</summary>{content}</details>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table.

    Args:
        head: names of the columns; empty: no head.
        rows: cells.
        numbers: columns of numbers.
    """

    def row(cells: Sequence[str], tag: str) -> str:
        kinds = [' class="number"' if n in numbers else "" for n in range(len(cells))]
        return "<tr>" + "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(cells, kinds)) + "</tr>"

    top = f"<thead>{row(head, 'th')}</thead>" if head else ""
    return f"<table>{top}<tbody>" + "\n".join(row(cells, "td") for cells in rows) + "</tbody></table>"


def named_values(entries: Sequence[tuple[str, str]]) -> str:
    """Names and values, in as many columns as fit."""
    rows = (f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in entries)
    return "<dl>" + "\n".join(rows) + "</dl>"


def percent(share: float) -> str:
    """A fraction as a percentage."""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def captioned(picture: Picture) -> str:
    """A picture and its caption."""
    caption = f"<figcaption>{escape(picture.caption)}</figcaption>"
    return f'<figure><img alt="{escape(picture.name)}" src="{embedded(picture.figure)}">{caption}</figure>'


def embedded(figure: Figure) -> str:
    """The address of a figure within the page: an SVG."""
    content = io.BytesIO()
    figure.savefig(content, format="svg", dpi=DPI, metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(content.getvalue()).decode()}"


def document(title: str, parts: Sequence[str], style: str = "") -> str:
    """The page; `style` is appended to the common style."""
    return "\n".join([
        "<!DOCTYPE html>", '<html lang="en">', "<head>", '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>", f"<style>\n{STYLE}\n{style}</style>", "</head>", "<body>",
        f"<h1>{escape(title)}</h1>", *parts, "</body>", "</html>", "",
    ])
