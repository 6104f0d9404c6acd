"""Checks of documentation pages: functions of texts that return findings; pages in a browser."""

import contextlib
import io
import math
import re
import shutil
import subprocess
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests import ROOT

DOCS = ROOT / "docs"
SETTINGS = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"\d+(?:\.\d+)?")
NEARLY = 0.25  # relative tolerance of printed numbers: many training steps amplify rounding

FETCHING = {
    "script": "src", "img": "src", "iframe": "src", "audio": "src", "video": "src", "source": "src", "embed": "src",
    "object": "data", "link": "href", "image": "href", "use": "href",
}
VOID = {"meta", "img", "source"}
ABROAD = re.compile(r"(?:[a-z]+:)?//", re.IGNORECASE)
IN_STYLE = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND",
)
TIME = 20_000  # ms, of the page's own clock, for its scripts
REMOTE_IMAGE = re.compile(r"!\[[^\]]*\]\(((?:https?:)?//[^)\s]+)")


@dataclass(frozen=True)
class Block:
    """A Python block of a page: its first line there, and the output the page shows, if any."""

    line: int
    program: str
    prints: str | None


def blocks(text: str) -> list[Block]:
    return [Block(text.count("\n", 0, m.start(1)) + 1, m[1], m[2]) for m in BLOCK.finditer(text)]


def run(name: str, text: str) -> dict[str, Any]:
    """Run every block of a page in one namespace, which is returned; asserts the output shown."""
    namespace: dict[str, Any] = {"__name__": name}
    for block in blocks(text):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):  # an error names the line of the page
            exec(compile("\n" * (block.line - 1) + block.program, name, "exec"), namespace)
        if block.prints is not None:
            assert alike(printed.getvalue(), block.prints), (
                f"{name}:{block.line} prints\n{printed.getvalue()}and the page shows\n{block.prints}"
            )
    return namespace


def alike(found: str, shown: str) -> bool:
    """Whether two texts have equal words and nearly equal numbers."""
    if not found.strip() or NUMBER.sub("#", found).split() != NUMBER.sub("#", shown).split():
        return False
    pairs = zip(map(float, NUMBER.findall(found)), map(float, NUMBER.findall(shown)), strict=True)
    return all(math.isclose(a, b, rel_tol=NEARLY, abs_tol=0.03) for a, b in pairs)


def nav(settings: str) -> list[str]:
    """The pages in the `nav` of `mkdocs.yml`, in order; read without YAML, which is optional."""
    found = re.search(r"^nav:\n((?: +.*\n)+)", settings, re.MULTILINE)
    return re.findall(r"^ +- (?:[^:\n]+: )?(\S+\.md)$", found[1], re.MULTILINE) if found else []


class Outline(HTMLParser):
    """The content of a page, as a browser reads it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.in_order = True  # each element is closed before those around it
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.style = ""
        self.feed(page)
        self.close()
        self.in_order &= not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        self.style += given.get("style", "") + "\n"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.in_order &= bool(self.open) and self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "style":
            self.style += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace("\N{NO-BREAK SPACE}", " ").split())

    def of(self, name: str, tag: str = "") -> list[str]:
        """The values of an attribute of all elements, or of those of one tag."""
        return [given[name] for each, given in self.elements if name in given and tag in ("", each)]


def fetched_from_afar(name: str, text: str) -> list[str]:
    """Addresses elsewhere that a browser fetches for a page or a style; links do not count. Scripts
    are not read: the theme's scripts fetch only for diagrams or a named repository."""
    if name.endswith(".css"):
        return IN_STYLE.findall(text)
    page = Outline(text)
    fetched = [given[FETCHING[tag]] for tag, given in page.elements if FETCHING.get(tag) in given]
    fetched += [part.split()[0] for several in page.of("srcset") for part in several.split(",") if part.strip()]
    return [address for address in fetched if ABROAD.match(address)] + IN_STYLE.findall(page.style)


def browser() -> str | None:
    """A browser without a window, which reaches no network; None where this machine has none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def after_scripts(address: str, profile: Path, *flags: str) -> str:
    """The HTML of a page after its scripts have run; `profile`: an empty folder for the browser."""
    program = browser()
    assert program is not None
    command = [program, *FLAGS, *flags, f"--user-data-dir={profile}", f"--virtual-time-budget={TIME}", "--dump-dom"]
    done = subprocess.run([*command, address], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
