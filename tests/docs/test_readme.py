"""Programs of README and first page run; links and commands of the papers of the root exist."""

import json
import re
from importlib.util import find_spec

import pytest

from tests import ROOT
from tests.support.faults.catalogue import AT_EDGES, CALLERS, CORE, FAULTS, ON_CUDA
from tests.support.house.docs_pages import blocks, run
from tests.support.tolerances import TRUTH, U64, WELL_CONDITIONED, identity

PAPERS = ("README", "CONTRIBUTING", "docs/dev/adding")
TEXTS = {name: (ROOT / f"{name}.md").read_text(encoding="utf-8") for name in PAPERS}
PROGRAM = blocks((ROOT / "docs" / "index.md").read_text(encoding="utf-8"))[1].program


def test_the_programs_of_the_readme_print_what_it_shows() -> None:
    assert [bool(block.prints) for block in blocks(TEXTS["README"])] == [True, True]
    run("README.md", TEXTS["README"])


def test_the_readme_is_a_page() -> None:
    lines = TEXTS["README"].splitlines()
    assert len(lines) <= 110
    assert max(len(line) for line in lines if not line.startswith("|")) <= 100


def test_the_readme_counts_the_planted_faults() -> None:
    count = sum(map(len, (FAULTS, CALLERS, ON_CUDA, AT_EDGES)))
    said = f"plants {count} faults in spikes, ties and gradients, and finds each (`make test`: {2 * len(CORE)})"
    assert said in " ".join(TEXTS["README"].split())


def test_the_readme_has_the_tolerances_of_the_tests() -> None:
    limits = [WELL_CONDITIONED, TRUTH, identity(U64)]
    _, table = TEXTS["README"].split("| compared | error allowed |")
    rows = table.split("\n\n")[0].splitlines()[2:]
    assert [float(row.split("|")[2].removesuffix("of the sum of absolute terms ")) for row in rows] == limits


def test_the_speeds_of_the_readme_and_of_the_benchmarks_are_recorded() -> None:
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    runs = [json.loads(line) for line in (ROOT / "results" / "speed.jsonl").read_text(encoding="utf-8").splitlines()]
    for one in runs:
        name = one["workload"] + (" --hidden 512" if one["hidden"] == 512 else "")
        grid = f"{one['yardstick']['ratio']:.0f} times as long" if one["yardstick"] else ""
        assert " ".join(f"| `{name}` | {one['seconds']:.3g} | {grid} |".split()) in " ".join(page.split())
        assert (one["threads"], one["dtype"], one["device_name"]) == (1, "float32", "AMD EPYC")
    prose, (shd, wide, *_) = " ".join(TEXTS["README"].split()), runs
    own = f"step of {shd['arrivals'] / 1e7:.1f}e7 arrivals (`shd-like`, 700-256-20) takes {shd['seconds']:.2f} s on one"
    assert own in prose
    assert f"with a surrogate gradient, takes {shd['yardstick']['ratio']:.0f} times as long." in prose
    assert "took 2.1 times as long" in prose and "| 2.1 times as long |" in page
    few, fewer = (one["yardstick"]["trials_run"] for one in (shd, wide))
    assert f"{few} of 32 trials (`--hidden 512`: {fewer})" in " ".join(page.split())


def learned(program: str, capsys: pytest.CaptureFixture[str]) -> list[float]:
    exec(compile(program, "index.md", "exec"), {})
    printed = capsys.readouterr().out
    found = re.findall(r"^step +\d+: +(\S+) ms off, smallest conditioning (\S+)$", printed, re.MULTILINE)
    assert len(found) == len(printed.splitlines()) > 1
    assert all(float(kappa) > 0 for _, kappa in found)
    return [float(off) for off, _ in found]


def test_the_program_of_the_first_page_learns(capsys: pytest.CaptureFixture[str]) -> None:
    off = learned(PROGRAM, capsys)
    assert off[0] > 5.0 and off[-1] < 0.05 and off == sorted(off, reverse=True)


def test_control_with_frozen_delays_it_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    frozen = PROGRAM.replace("delay_lr=0.2", "delay_lr=1e-12")  # ms
    assert frozen != PROGRAM
    assert min(learned(frozen, capsys)) > 5.0


@pytest.mark.parametrize("name", PAPERS)
def test_links_and_commands_exist(name: str) -> None:
    text, makefile = TEXTS[name], (ROOT / "Makefile").read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", text):
        assert (ROOT / name).parent.joinpath(link).exists(), link
    targets = re.findall(r"(?:^    |`)make ([a-z-]+)", text, re.MULTILINE)
    modules = re.findall(r"python -m ([a-z_]+(?:\.[a-z_]+)*)", text)
    assert targets and (modules or name == "CONTRIBUTING")
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for module in modules:
        found = find_spec(module)
        assert found and (not found.submodule_search_locations or find_spec(f"{module}.__main__")), module
