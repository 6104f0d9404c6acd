"""Pages and README: programs print the output shown, links lead somewhere, nothing is fetched."""

import ast
import re
import statistics
from pathlib import Path, PurePosixPath

import pytest

from benchmarks.correctness import BLOCKS
from delayprop import public as public_names
from delayprop import reference
from delayprop.fast.training.settings import kind_of_delays
from docs import hooks
from results.tables import lines as entries
from tests import ROOT
from tests.support.faults.catalogue import AT_EDGES, CALLERS, CORE, FAULTS, ON_CUDA
from tests.support.house.docs_pages import PAGES, REMOTE_IMAGE, SETTINGS, alike, blocks, fetched_from_afar, nav, run
from tests.support.house.imports import imported
from tests.support.runs.reading import Capture, Patch
from tests.support.tolerances import TRUTH, U64, WELL_CONDITIONED, identity
from tests.tools.make_docs_figure import PATH, draw

PAPERS = ("README", "CONTRIBUTING", "benchmarks/README", "results/README")
TEXTS = {name: (ROOT / f"{name}.md").read_text(encoding="utf-8") for name in PAPERS}
NOT_RUN = "training.md"  # its block loads a data set
RUN = {"README.md": TEXTS["README"]} | {name: text for name, text in PAGES.items() if blocks(text) and name != NOT_RUN}
PUBLIC = {f"delayprop.{name}" for name in [*public_names.__all__, *(f"reference.{name}" for name in reference.__all__)]}


def private_names(program: str) -> list[str]:
    """The names that a program imports from this package, but those in `__all__`."""
    names = [name for _, name in imported(PurePosixPath("page.md"), ast.parse(program))]
    return [name for name in names if name.startswith("delayprop.") and name not in PUBLIC]


@pytest.mark.parametrize("name", PAGES)
def test_programs_import_public_names(name: str) -> None:
    assert [found for block in blocks(PAGES[name]) for found in private_names(block.program)] == []


def test_control_a_private_import_is_found() -> None:
    for line in ("import delayprop.fast.run", "from delayprop.fast import run", "from delayprop import nothing"):
        assert len(private_names(f"if True:\n    {line}  # planted")) == 1


@pytest.mark.full
@pytest.mark.parametrize("name", RUN)
def test_every_block_runs_and_prints_what_the_page_shows(name: str, tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.chdir(tmp_path)
    assert any(block.prints for block in blocks(RUN[name]))
    run(name, RUN[name])


def test_control_a_block_that_prints_something_else_or_fails_is_found_at_its_line() -> None:
    for printed in ("print(1)", "x = 1", "print('two')"):
        with pytest.raises(AssertionError, match=r"a\.md:2 prints"):
            run("a.md", f"```python\n{printed}\n```\n\n```text\n2\n```\n")
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


@pytest.mark.parametrize(("name", "text"), [
    ("a.html", '<script src="https://cdn.example.org/mathjax.js"></script>'),
    ("a.html", '<img srcset="a.png 1x, https://example.org/b.png 2x">'),
    ("a.html", "<style>@import 'https://example.org/a.css';</style>"),
    ("a.css", '@font-face { src: url("//example.org/a.woff2"); }'),
])
def test_control_an_address_that_is_fetched_is_found(name: str, text: str) -> None:
    assert len(fetched_from_afar(name, text)) == 1
    assert fetched_from_afar(name, text.replace("https://", "").replace("//", "")) == []
    assert fetched_from_afar("a.html", '<a href="https://example.org">read</a>') == []


OTHERS = ("baselines", "delays", "evaluations", "gaps", "paper", "sizes", "speed")
TESTED = [path for path in sorted((ROOT / "results").glob("*.jsonl")) if path.stem not in OTHERS]


@pytest.mark.parametrize("path", TESTED, ids=lambda path: path.stem)
def test_tables_of_results_show_the_recorded_runs(path: Path) -> None:
    table, runs = hooks.runs(path), entries(path.name)
    for kind, network in {(kind_of_delays(entry), entry["network"]) for entry in runs}:
        test = [
            100 * entry["test_accuracy"] for entry in runs
            if (kind_of_delays(entry), entry["network"]) == (kind, network)
        ]
        spread = f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{statistics.stdev(test):.1f}" if len(test) > 1 else ""
        assert f"| {kind.replace(' ', chr(160))} | {statistics.mean(test):.1f}{spread}\N{NO-BREAK SPACE}% |" in table
    assert table.count("<tr><td>") == len(runs)
    assert f"<!-- runs results/{path.name} -->" in PAGES["results.md"]


def test_the_page_of_results_takes_its_numbers_from_the_records() -> None:
    assert re.findall(r"\d+\.\d+|\d+ ?%", PAGES["results.md"]) == []


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


def test_the_readme_is_a_page_and_has_the_output_of_its_programs() -> None:
    assert [bool(block.prints) for block in blocks(TEXTS["README"])] == [True, True]
    lines = TEXTS["README"].splitlines()
    assert len(lines) <= 110
    assert max(len(line) for line in lines if not line.startswith("|")) <= 100


def test_the_readme_counts_the_planted_faults() -> None:
    count = sum(map(len, (FAULTS, CALLERS, ON_CUDA, AT_EDGES)))
    said = f"plant {count} faults in spikes, ties and gradients, and find each (`make test`: {2 * len(CORE)})"
    assert said in " ".join(TEXTS["README"].split())


def test_the_readme_has_the_tolerances_of_the_tests() -> None:
    limits = [WELL_CONDITIONED, TRUTH, identity(U64), BLOCKS["float32"]]
    _, table = TEXTS["README"].split("| compared | error allowed |")
    rows = table.split("\n\n")[0].splitlines()[2:]
    assert [float(row.split("|")[2].removesuffix("of the sum of absolute terms ")) for row in rows] == limits


def test_the_readme_has_the_recorded_speeds() -> None:
    """Against the rivals: of the network in the picture, at the longest delay of its caption."""
    shd = entries("speed.jsonl")[0]
    of_picture = {"layers": 1, "hidden": 256, "dtype": "float32", "threads": 1, "max_delay": 128.0, "spikes": 8000}
    own = {one["system"]: one for one in entries("delays.jsonl") if of_picture.items() <= one.items()}
    (slower, larger), (line_slower, line_larger) = (
        [f"{own[system][name] / own['fast'][name]:.0f}" for name in ("seconds", "mib_above_imports")]
        for system in ("dcls", "line")
    )
    prose = " ".join(TEXTS["README"].split())
    for said in (
        f"step of {shd['arrivals'] / 1e7:.1f}e7 arrivals (`shd-like`, 700-256-20) takes {shd['seconds']:.2f} s on one",
        f"with a surrogate gradient, takes {shd['yardstick']['ratio']:.0f} times as long.",
        f"at 1 ms takes {slower} times as long as `fast`, and {larger} times its memory above imports; a compiled "
        f"delay line {line_slower} and {line_larger} times.*",
    ):
        assert said in prose


PROGRAM = blocks(PAGES["index.md"])[1].program


def learned(program: str, capsys: Capture) -> list[float]:
    exec(compile(program, "index.md", "exec"), {})
    printed = capsys.readouterr().out
    found = re.findall(r"^step +\d+: +(\S+) ms off, smallest conditioning (\S+)$", printed, re.MULTILINE)
    assert len(found) == len(printed.splitlines()) > 1
    assert all(float(kappa) > 0 for _, kappa in found)
    return [float(off) for off, _ in found]


def test_the_program_of_the_first_page_learns(capsys: Capture) -> None:
    off = learned(PROGRAM, capsys)
    assert off[0] > 5.0 and off[-1] < 0.05 and off == sorted(off, reverse=True)


def test_control_with_frozen_delays_it_does_not(capsys: Capture) -> None:
    frozen = PROGRAM.replace("delay_lr=0.2", "delay_lr=1e-12")  # ms
    assert frozen != PROGRAM
    assert min(learned(frozen, capsys)) > 5.0


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", TEXTS[name]):
        assert (ROOT / name).parent.joinpath(link).exists(), link
