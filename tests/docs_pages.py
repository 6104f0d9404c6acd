"""What can be asked of the pages of documentation, as functions of texts that return what is not as it should be."""

from __future__ import annotations

import contextlib
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
NEARLY = 0.25
"""What is measured in a tutorial depends on rounding after many steps: its digits may differ by so much, its words not."""

FETCHING = {
    "script": "src", "img": "src", "iframe": "src", "audio": "src", "video": "src", "source": "src", "embed": "src",
    "object": "data", "link": "href", "image": "href", "use": "href",
}  # fmt: skip
ABROAD = re.compile(r"(?:[a-z]+:)?//", re.IGNORECASE)
IN_STYLE = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)
IN_SCRIPT = re.compile(
    r"""(?:fetch|import|importScripts|Worker|EventSource|WebSocket|open|sendBeacon)\(\s*["'`](?:[^"'`]*["'`]\s*,\s*["'`])?"""
    r"""((?:https?:|wss?:)?//[^"'`\s]+)"""
)


@dataclass(frozen=True)
class Block:
    """A block of Python of a page: its first line there, and what the page says that it prints (None: nothing said)."""

    line: int
    program: str
    prints: str | None


def blocks(text: str) -> list[Block]:
    """The blocks of a page, in order."""
    return [Block(text.count("\n", 0, m.start(1)) + 1, m[1], m[2]) for m in BLOCK.finditer(text)]


def run(name: str, text: str) -> dict[str, Any]:
    """Run every block of a page in one namespace; the namespace.

    Raises:
        AssertionError: a block prints something else than the page says.
    """
    namespace: dict[str, Any] = {"__name__": name}
    for block in blocks(text):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):  # the line numbers of an error are those of the page
            exec(compile("\n" * (block.line - 1) + block.program, name, "exec"), namespace)
        if block.prints is not None:
            assert alike(printed.getvalue(), block.prints), (
                f"{name}:{block.line} prints\n{printed.getvalue()}and the page says\n{block.prints}"
            )
    return namespace


def alike(found: str, said: str) -> bool:
    """Whether two texts have the same words, and numbers that are nearly the same."""
    if not found.strip() or NUMBER.sub("#", found).split() != NUMBER.sub("#", said).split():
        return False
    pairs = zip(map(float, NUMBER.findall(found)), map(float, NUMBER.findall(said)), strict=True)
    return all(math.isclose(a, b, rel_tol=NEARLY, abs_tol=0.03) for a, b in pairs)


def pages_of(nav: object) -> Iterator[str]:
    """The pages that the `nav` of `mkdocs.yml` names."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict):
        for value in nav.values():
            yield from pages_of(value)
    elif isinstance(nav, list):
        for value in nav:
            yield from pages_of(value)


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.style = ""
        self.script = ""
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.inside = tag if tag in ("style", "script") else ""
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        self.style += given.get("style", "") + "\n"
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag in FETCHING and FETCHING[tag] in given:
            self.fetched.append(given[FETCHING[tag]])
        self.fetched += [part.split()[0] for part in given.get("srcset", "").split(",") if part.strip()]

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "style":
            self.style += data
        if self.inside == "script":
            self.script += data


def elements(html: str) -> _Elements:
    """What a built page fetches, links to and can be linked to at."""
    parser = _Elements()
    parser.feed(html)
    parser.close()
    return parser


def fetched_from_afar(name: str, text: str) -> list[str]:
    """What a file of the site makes a browser fetch from elsewhere. Links that a reader follows are none of it."""
    if name.endswith(".css"):
        return IN_STYLE.findall(text)
    if name.endswith(".js"):
        return IN_SCRIPT.findall(text)
    page = elements(text)
    afar = [address for address in page.fetched if ABROAD.match(address)]
    return afar + IN_STYLE.findall(page.style) + IN_SCRIPT.findall(page.script)


def dead_links(site: Path, name: str) -> list[str]:
    """Links of a built page to places within the site that are not there."""
    page = elements((site / name).read_text(encoding="utf-8"))
    found = []
    for link in page.links + page.fetched:
        address, _, anchor = link.partition("#")
        if ABROAD.match(link) or re.match(r"(?:mailto|data|https?):", link):
            continue
        target = (site / name).parent / address if address else site / name
        target = target / "index.html" if target.is_dir() else target
        if not target.is_file():
            found.append(f"{name}: {link}")
        elif anchor and target.suffix == ".html" and anchor not in elements(target.read_text(encoding="utf-8")).ids:
            found.append(f"{name}: {link}")
    return found
