"""The pages: programs print the output shown, links lead somewhere, nothing is fetched."""

from __future__ import annotations

import importlib.util
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import fast
from docs import hooks, mathml
from tests import ROOT
from tests.support.house.docs_pages import REMOTE_IMAGE, alike, blocks, elements, fetched_from_afar, nav, run
from tests.tools.make_docs_figure import PATH, draw

DOCS = ROOT / "docs"
SETTINGS = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
NOT_RUN = {"training.md"}  # its block loads a data set
RUN = sorted(name for name, text in PAGES.items() if blocks(text) and name not in NOT_RUN)
needs_mkdocs = pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="needs the group `docs`")


@pytest.mark.parametrize("name", RUN)
def test_every_block_runs_and_prints_what_the_page_shows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert any(block.prints for block in blocks(PAGES[name]))
    run(name, PAGES[name])


@pytest.mark.parametrize("printed", ["print(1)", "x = 1", "print('two')"])
def test_control_a_block_that_prints_something_else_is_found(printed: str) -> None:
    with pytest.raises(AssertionError, match=r"a\.md:2 prints"):
        run("a.md", f"```python\n{printed}\n```\n\n```text\n2\n```\n")


def test_control_a_block_that_fails_is_found_at_its_line() -> None:
    """The second block has the names of the first, and no others."""
    with pytest.raises(NameError, match="y") as caught:
        run("a.md", "```python\nx = 1\n```\nthen\n\n```python\nx += 1\ny\n```\n")
    assert caught.traceback[-1].lineno == 7  # counted from 0


def test_control_words_and_numbers_are_compared() -> None:
    assert alike("loss 0.41, 62%\n", "loss 0.42, 60%\n")
    assert not alike("loss 0.41\n", "loss 0.91\n") and not alike("loss 0.41\n", "cost 0.41\n")
    assert not alike("True 5\n", "False 5\n") and not alike("", "") and not alike("5\n", "-5\n")


@pytest.mark.parametrize("name", PAGES)
def test_every_link_to_the_repository_leads_somewhere(name: str) -> None:
    for link, target in hooks.links(hooks.expanded(PAGES[name], name), name):
        assert hooks.repository_path(target).exists(), link


@pytest.mark.parametrize("link", ["nowhere.md", "../fast/nowhere.py", "../../beyond.md", "tutorials/nowhere.md#a"])
def test_control_a_dead_link_is_found(link: str) -> None:
    with pytest.raises(FileNotFoundError, match=re.escape(link.partition("#")[0])):
        list(hooks.links(f"see [this]({link})", "index.md"))
    assert list(hooks.links(f"`see [this]({link})`, and\n\n    [this]({link})\n", "index.md")) == []


def test_the_nav_names_each_page_once() -> None:
    assert sorted(nav(SETTINGS)) == sorted(PAGES)
    line = "  - Limits: limits.md\n"
    assert SETTINGS.count(line) == 1
    for changed in (SETTINGS.replace(line, ""), SETTINGS.replace(line, 2 * line)):
        assert sorted(nav(changed)) != sorted(PAGES), "the control"


def test_no_page_fetches_anything() -> None:
    """This reads the sources; a test below reads the built site."""
    assert re.search(r"^ +font: false", SETTINGS, re.MULTILINE)
    assert "//" not in SETTINGS and "repo_url" not in SETTINGS
    for name, text in PAGES.items():
        assert fetched_from_afar(name, text) + REMOTE_IMAGE.findall(text) == [], name
    assert fetched_from_afar("extra.css", (DOCS / "extra.css").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script src="https://cdn.example.org/mathjax.js"></script>'),
        ("a.html", '<link rel="stylesheet" href="//fonts.example.org/css">'),
        ("a.html", '<img srcset="a.png 1x, https://example.org/b.png 2x">'),
        ("a.html", "<style>@import 'https://example.org/a.css';</style>"),
        ("a.html", '<p style="background: url(//example.org/a.png)">'),
        ("a.css", '@font-face { src: url("https://example.org/a.woff2"); }'),
    ],
)
def test_control_an_address_that_is_fetched_is_found(name: str, text: str) -> None:
    assert len(fetched_from_afar(name, text)) == 1
    assert fetched_from_afar(name, text.replace("https://", "").replace("//", "")) == []
    assert fetched_from_afar("a.html", '<a href="https://example.org">read</a>') == []


@pytest.mark.parametrize("path", sorted((ROOT / "results").glob("*.jsonl")), ids=lambda path: path.stem)
def test_tables_of_results_show_the_recorded_runs(path: Path) -> None:
    table, entries = hooks.runs(path), [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for kind in {hooks.delays(entry) for entry in entries}:
        test = [100 * entry["test_accuracy"] for entry in entries if hooks.delays(entry) == kind]
        spread = f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{statistics.stdev(test):.1f}" if len(test) > 1 else ""
        assert f"| {kind.replace(' ', chr(160))} | {statistics.mean(test):.1f}{spread}\N{NO-BREAK SPACE}% |" in table
    assert table.count("<tr><td>") == len(entries)
    assert f"<!-- runs results/{path.name} -->" in PAGES["results.md"]


def test_the_page_of_results_takes_its_numbers_from_the_records() -> None:
    assert re.findall(r"\d+\.\d+|\d+ ?%", PAGES["results.md"]) == []


def test_every_formula_is_mathml() -> None:
    pages = "".join(hooks.shown(text, name) for name, text in PAGES.items())
    found = re.findall(r"<math.*?</math>", pages)
    assert found and all(ElementTree.fromstring(one).tag == "math" for one in found)


@pytest.mark.parametrize("text", [r"\unknown x", "{x", "x}", "x__y", "_x", r"\mathrm x", r"\dot{x}", "x_a_b"])
def test_control_half_a_formula_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be TeX that"):
        mathml.of(text, block=False)


def test_a_formula_in_full() -> None:
    text = mathml.of(r"\frac{1}{2} \tau_\text{mem} x^-", block=False)
    expected = (
        "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>"
        "<msub><mi>τ</mi><mtext>mem</mtext></msub><msup><mi>x</mi><mo>−</mo></msup>"
    )
    assert text == f'<span class="formula"><math><mrow>{expected}</mrow></math></span>'


def curves(path: Path) -> list[list[float]]:
    """Coordinates of the curves within the axes of a figure."""
    drawn = re.findall(r'<path d="([^"]+)" clip-path', path.read_text(encoding="utf-8"))
    return [[float(number) for number in re.findall(r"-?[\d.]+", one)] for one in drawn]


def test_the_figure_shows_the_numbers_of_today(tmp_path: Path) -> None:
    """The curves agree within a point, because the drawing library sets the margins."""
    draw(tmp_path / "adjoint.svg")
    stored, now = curves(PATH), curves(tmp_path / "adjoint.svg")
    assert [len(one) for one in stored] == [len(one) for one in now] and sum(map(len, now)) > 500
    apart = [abs(a - b) for one, other in zip(stored, now, strict=True) for a, b in zip(one, other, strict=True)]
    assert max(apart) <= 1.0


@needs_mkdocs
def test_the_site_builds_is_whole_and_fetches_nothing(tmp_path: Path) -> None:
    """As strict as `make docs`: MkDocs finds dead links and anchors."""
    assert re.search(r"^  links:\n    not_found: warn\n    anchors: warn\n", SETTINGS, re.MULTILINE)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html"))
    assert {name.replace(".md", ".html") for name in PAGES} <= set(built)
    for name in built:
        assert fetched_from_afar(name, (tmp_path / name).read_text(encoding="utf-8")) == [], name
    for style in tmp_path.rglob("*.css"):
        assert fetched_from_afar(style.name, style.read_text(encoding="utf-8")) == [], style.name
    api = elements((tmp_path / "api.html").read_text(encoding="utf-8")).ids
    assert set(fast.__all__) <= {name.rpartition(".")[2] for name in api}
