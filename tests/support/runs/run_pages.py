"""Reads the page of a run as a browser would."""

from html.parser import HTMLParser
from pathlib import Path

from reports.__main__ import main

VOID = {"meta", "img", "source"}
NO_BREAK = "\N{NO-BREAK SPACE}"


class Outline(HTMLParser):
    """The content of a page; refuses elements that are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).replace(NO_BREAK, " ").split())

    def names(self) -> list[str]:
        return [str(attributes["alt"]) for tag, attributes in self.elements if tag == "img"]


def drawn(folder: Path) -> Outline:
    assert main([str(folder)]) == 0
    return Outline((folder / "run.html").read_text(encoding="utf-8"))
