"""The pages: programs print the output shown, links lead somewhere, nothing is fetched."""

import ast
import importlib.util
import json
import re
import statistics
from html import unescape
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree

import pytest

from delayprop import public as public_names
from delayprop import reference
from delayprop.fast.training.settings import kind_of_delays
from docs import hooks
from docs.formulas import formula, picture
from tests import ROOT
from tests.support.house.docs_pages import PAGES, REMOTE_IMAGE, SETTINGS, alike, blocks, fetched_from_afar, nav, run
from tests.support.house.imports import imported
from tests.support.runs.reading import Patch
from tests.tools.make_docs_figure import PATH, draw

NOT_RUN = {"training.md"}  # its block loads a data set
RUN = sorted(name for name, text in PAGES.items() if blocks(text) and name not in NOT_RUN)
pytestmark = pytest.mark.filterwarnings("ignore:path is deprecated:DeprecationWarning")  # in the import of ziafont
needs_ziamath = pytest.mark.skipif(importlib.util.find_spec("ziamath") is None, reason="needs the group `docs`")


PUBLIC = {f"delayprop.{name}" for name in [*public_names.__all__, *(f"reference.{name}" for name in reference.__all__)]}


def private_names(program: str) -> list[str]:
    """The names that a program imports from this package, but those in `__all__`."""
    names = [name for _, name in imported(PurePosixPath("page.md"), ast.parse(program))]
    return [name for name in names if name.startswith("delayprop.") and name not in PUBLIC]


@pytest.mark.parametrize("name", PAGES)
def test_programs_import_public_names(name: str) -> None:
    assert [found for block in blocks(PAGES[name]) for found in private_names(block.program)] == []


@pytest.mark.parametrize("line", ["import delayprop.fast.run", "from delayprop.fast import run",
                                  "from delayprop import nothing"])
def test_control_a_private_import_is_found(line: str) -> None:
    assert len(private_names(f"if True:\n    {line}  # planted")) == 1


@pytest.mark.parametrize("name", RUN)
def test_every_block_runs_and_prints_what_the_page_shows(name: str, tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    assert any(block.prints for block in blocks(PAGES[name]))
    run(name, PAGES[name])


@pytest.mark.parametrize("printed", ["print(1)", "x = 1", "print('two')"])
def test_control_a_block_that_prints_something_else_is_found(printed: str) -> None:
    with pytest.raises(AssertionError, match=r"a\.md:2 prints"):
        run("a.md", f"```python\n{printed}\n```\n\n```text\n2\n```\n")


def test_control_a_block_that_fails_is_found_at_its_line() -> None:
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
    """This reads the sources; `test_site.py` reads the built site."""
    assert re.search(r"^ +font: false", SETTINGS, re.MULTILINE)
    assert "//" not in SETTINGS and "repo_url" not in SETTINGS
    for name, text in PAGES.items():
        assert fetched_from_afar(name, text) + REMOTE_IMAGE.findall(text) == [], name
    assert fetched_from_afar("extra.css", (ROOT / "docs" / "extra.css").read_text(encoding="utf-8")) == []


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


OTHERS = ("baselines", "evaluations", "sizes", "speed")
TESTED = [path for path in sorted((ROOT / "results").glob("*.jsonl")) if path.stem not in OTHERS]


@pytest.mark.parametrize("path", TESTED, ids=lambda path: path.stem)
def test_tables_of_results_show_the_recorded_runs(path: Path) -> None:
    table, entries = hooks.runs(path), list(map(json.loads, path.read_text(encoding="utf-8").splitlines()))
    for kind, network in {(kind_of_delays(entry), entry["network"]) for entry in entries}:
        test = [
            100 * entry["test_accuracy"] for entry in entries
            if (kind_of_delays(entry), entry["network"]) == (kind, network)
        ]
        spread = f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{statistics.stdev(test):.1f}" if len(test) > 1 else ""
        assert f"| {kind.replace(' ', chr(160))} | {statistics.mean(test):.1f}{spread}\N{NO-BREAK SPACE}% |" in table
    assert table.count("<tr><td>") == len(entries)
    assert f"<!-- runs results/{path.name} -->" in PAGES["results.md"]


def test_the_page_of_results_takes_its_numbers_from_the_records() -> None:
    assert re.findall(r"\d+\.\d+|\d+ ?%", PAGES["results.md"]) == []


@needs_ziamath
def test_every_formula_is_drawn_in_the_colour_of_the_text() -> None:
    pages = "".join(hooks.shown(text, name) for name, text in PAGES.items())
    found = [ElementTree.fromstring(one) for one in re.findall(r"<svg role=.*?</svg>", pages)]
    assert len(found) > 30 and "$" not in re.sub(r"```.*?```|`[^`]*`", "", pages, flags=re.DOTALL)
    for one in found:
        marks = [child.attrib.get("fill", "currentColor") for child in one.iter() if child is not one]
        assert marks and set(marks) <= {"currentColor", "none"}, one.attrib["aria-label"]


@needs_ziamath
@pytest.mark.parametrize("name", ["V", r"\lambda"])
def test_the_dot_of_a_derivative_is_one_more_outline(name: str) -> None:
    plain, dotted = (picture(tex) for tex in (name, rf"\dot {name}"))
    assert dotted.count("<path") == plain.count("<path") + 1
    top, higher = (float(re.findall(r'viewBox="\S+ (\S+)', one)[0]) for one in (plain, dotted))
    assert higher < top - 1.0, "above the letter"


@needs_ziamath
@pytest.mark.parametrize("text", [r"\unknown x", "{x", "x}", "x^", "x_a_b", r"a \mathrel{+=} b"])
def test_control_half_a_formula_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be TeX that"):
        picture(text)


@needs_ziamath
def test_a_formula_in_full() -> None:
    text = formula(r"\frac{1}{2} \tau_\text{mem} \qquad x^-", block=True)
    assert text.startswith('<div class="formula"><svg role="img"') and text.count("<svg") == 2
    assert unescape(re.findall('aria-label="([^"]+)"', text)[0]) == r"\frac{1}{2} \tau_\text{mem}"
    assert formula("x", block=False).startswith('<span class="formula"><svg')


def curves(path: Path) -> list[list[float]]:
    drawn = re.findall(r'<path d="([^"]+)" clip-path', path.read_text(encoding="utf-8"))
    return [[float(number) for number in re.findall(r"-?[\d.]+", one)] for one in drawn]


def test_the_figure_shows_the_numbers_of_today(tmp_path: Path) -> None:
    """The curves agree within a point, because the drawing library sets the margins."""
    draw(tmp_path / "adjoint.svg")
    stored, now = curves(PATH), curves(tmp_path / "adjoint.svg")
    assert [len(one) for one in stored] == [len(one) for one in now] and sum(map(len, now)) > 500
    apart = [abs(a - b) for one, other in zip(stored, now, strict=True) for a, b in zip(one, other, strict=True)]
    assert max(apart) <= 1.0
