"""Formulas of the pages: `$...$` and `$$...$$` as pictures (SVG), drawn by ziamath.

A picture is made of outlines. It needs no font and no script, and is equal in every browser.
ziamath leaves out TeX that it cannot draw, or prints it as it stands; `picture` refuses it.
"""

from typing import Any
from xml.etree import ElementTree

EM = 20.0  # units of the drawing per em of the text
TOKENS = {"mi", "mo", "mn", "mtext"}


def formula(tex: str, block: bool) -> str:
    r"""An HTML element. Parts of a block between `\qquad` wrap where the page is narrow.
    `ValueError`: TeX that ziamath would not draw, or draw in part."""
    if block:
        pictures = "".join(picture(part) for part in tex.split(r"\qquad"))
        return f'<div class="formula">{pictures}</div>'
    return f'<span class="formula">{picture(tex, inline=True)}</span>'


def picture(tex: str, inline: bool = False) -> str:
    """One `svg` element, sized in em and in the colour of the text; its label is the TeX."""
    import ziamath  # here, since only the build of the site has it

    ziamath.config.svg2 = False  # as SVG 2 it refers to glyphs by ids, which formulas would share
    ziamath.config.precision = 2
    tex = " ".join(tex.split())
    refuse_half(tex, ziamath)
    drawn = ziamath.Latex(tex, size=EM, color="currentColor", inline=inline)
    svg = drawn.svgxml()
    width, height = (float(svg.attrib.pop(side)) / EM for side in ("width", "height"))
    below = (drawn.getyofst() - drawn.margin) / EM
    svg.attrib["style"] = f"width:{width:.3f}em;height:{height:.3f}em;vertical-align:{below:.3f}em"
    text = ElementTree.tostring(svg, encoding="unicode")
    label = "".join(f"&#{ord(sign)};" for sign in tex)  # as numbers, for Markdown would read signs
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def refuse_half(tex: str, ziamath: Any) -> None:
    """Refuse TeX of which something would be missing or shown as source."""
    try:
        read = ElementTree.fromstring(ziamath.Latex(tex).mathmlstr())
    except Exception as error:  # the parser raises types of its own, without a common base
        raise ValueError(f"a formula must be TeX that ziamath draws, got {tex!r}: {error!r}") from error
    nested = [element for element in read.iter() if element.tag in TOKENS and len(element)]
    signs = "".join(element.text or "" for element in read.iter())
    if nested or set(signs) & set("\\{}") or tex.count("{") != tex.count("}"):
        raise ValueError(f"a formula must be TeX that ziamath draws in full, got {tex!r}; write it in other commands")
