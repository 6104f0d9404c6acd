"""The built site: whole, fetches nothing, has narrow code, drawn formulas and a search."""

import re
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest

import delayprop.fast as fast
from docs import hooks
from docs.formulas import formula, picture
from tests.support.commands import python
from tests.support.house.docs_pages import PAGES, SETTINGS, Outline, after_scripts, browser, fetched_from_afar

WIDEST = 96  # characters of code that fit the column where the window is 1280 px wide
CODE = re.compile(r"^```\w*\n(.*?)^```$|^((?: {4}[^\n]*\n)+)", re.MULTILINE | re.DOTALL)
pytestmark = pytest.mark.filterwarnings("ignore:path is deprecated:DeprecationWarning")  # in the import of ziafont
needs_ziamath = pytest.mark.skipif(find_spec("ziamath") is None, reason="needs the group `docs`")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as strictly as by `make docs`: MkDocs finds dead links and anchors."""
    if not (find_spec("mkdocs") and find_spec("ziamath")):
        pytest.skip("needs the group `docs`")
    folder = tmp_path_factory.mktemp("site")
    done = python("-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_is_whole_and_fetches_nothing(site: Path) -> None:
    assert re.search(r"^  links:\n    not_found: warn\n    anchors: warn\n", SETTINGS, re.MULTILINE)
    built = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    assert {name.replace(".md", ".html") for name in PAGES} <= set(built)
    for name in built:
        assert fetched_from_afar(name, (site / name).read_text(encoding="utf-8")) == [], name
    for style in site.rglob("*.css"):
        assert fetched_from_afar(style.name, style.read_text(encoding="utf-8")) == [], style.name
    api = Outline((site / "api.html").read_text(encoding="utf-8")).of("id")
    assert set(fast.__all__) <= {name.rpartition(".")[2] for name in api}


@pytest.mark.skipif(browser() is None, reason="needs a browser without a window, such as chromium")
@pytest.mark.parametrize("page", ["index.html", "tutorials/certificate.html"])
def test_the_search_works_in_a_folder(site: Path, tmp_path: Path, page: str) -> None:
    html = after_scripts(f"{(site / page).as_uri()}?q=grazing", tmp_path)
    results = re.findall(r'<a href="([^"]+)" class="md-search-result__link"', html)
    assert any("limits.html" in address for address in results), results
    assert all(address.startswith(site.as_uri()) for address in results)


def long_lines(text: str) -> list[str]:
    found = [line for fenced, indented in CODE.findall(text) for line in (fenced or dedent(indented)).splitlines()]
    return [line for line in found if len(line) > WIDEST]


@pytest.mark.parametrize("name", PAGES)
def test_code_is_as_narrow_as_its_column(name: str) -> None:
    assert long_lines(hooks.expanded(PAGES[name], name)) == []


@pytest.mark.parametrize("code", ["```python\n{}\n```\n", "text\n\n    {}\n"])
def test_control_a_long_line_of_code_is_found(code: str) -> None:
    assert long_lines(code.format("x" * (WIDEST + 1))) and not long_lines(code.format("x" * WIDEST))
    assert long_lines("x " * WIDEST) == []


@needs_ziamath
def test_every_formula_is_drawn_in_the_colour_of_the_text() -> None:
    pages = "".join(hooks.shown(text, name) for name, text in PAGES.items())
    found = [ElementTree.fromstring(one) for one in re.findall(r"<svg role=.*?</svg>", pages)]
    assert len(found) > 30 and "$" not in re.sub(r"`[^`]*`", "", hooks.CODE.sub("", pages))
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
