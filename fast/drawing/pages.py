"""HTML pages from templates, each in one file: pictures are embedded, and there is no script."""

import base64
import io
from pathlib import Path
from typing import Any

import matplotlib
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

DPI = 150  # of rasterised parts


def templates(*folders: Path) -> Environment:
    """The templates of these folders, and of this package."""
    loader = FileSystemLoader([*folders, Path(__file__).with_name("templates")])
    found = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    found.filters |= {"embedded": embedded, "percent": percent}
    return found


def page(environment: Environment, name: str, **values: Any) -> str:
    """The page of a template; equal values give equal bytes."""
    # With a fixed salt, Matplotlib gives the parts of a picture fixed names.
    with matplotlib.rc_context({"svg.hashsalt": "delayprop", "svg.fonttype": "path", "font.size": 9.0}):
        return environment.get_template(name).render(values)


def embedded(figure: Figure) -> str:
    """The address of a figure within a page: an SVG."""
    content = io.BytesIO()
    figure.savefig(content, format="svg", dpi=DPI, metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(content.getvalue()).decode()}"


def percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"
