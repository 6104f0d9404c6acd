"""Every proof holds, every chapter is proved and listed, and the command prints the proofs."""

import importlib
import pkgutil
import re

import pytest

import delayprop.derivations as derivations
from delayprop.derivations import __main__ as command
from delayprop.derivations import linear_neuron
from delayprop.derivations.chapters import CHAPTERS, theorems
from delayprop.derivations.paper import ERRATA
from delayprop.derivations.proof import Theorem
from tests import ROOT
from tests.support.commands import refusal_of, run
from tests.support.house.sources import FILES, read
from tests.support.report_evidence import Measured

THEOREMS = {each.tag: each for each in theorems()}
LONG = ("example-network", "example-explicit", "example-identities")
"""Whole networks, solved with symbols."""


@pytest.mark.full
@pytest.mark.check(1)
@pytest.mark.parametrize("tag", [pytest.param(tag, marks=pytest.mark.full) if tag in LONG else tag for tag in THEOREMS])
def test_proved(tag: str, measured: Measured) -> None:
    proof = THEOREMS[tag].prove()
    assert proof.residuals
    failures = proof.failures()
    measured(len(failures), 0, len(proof.residuals))
    assert failures == {}
    measured.keep("proofs", {"tag": tag, "residuals": len(proof.residuals)})


def test_every_module_with_a_theorem_is_a_chapter_and_in_the_readme() -> None:
    readme = (ROOT / "derivations" / "README.md").read_text(encoding="utf-8")
    names = [one.name for one in pkgutil.iter_modules(derivations.__path__)]
    modules = [importlib.import_module(f"delayprop.derivations.{name}") for name in names]
    proving = [module for module in modules if any(isinstance(value, Theorem) for value in vars(module).values())]
    assert set(proving) == set(CHAPTERS) and len(THEOREMS) == len(theorems()), "tags are unique"
    assert [chapter.__name__ for chapter in CHAPTERS if f"`{chapter.__name__.split('.')[-1]}.py`" not in readme] == []


def test_command_proves(capsys: pytest.CaptureFixture[str]) -> None:
    tags = ["arrival", "spike-grazing"]
    assert command.main(tags) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    for line, tag in zip(lines, tags, strict=True):
        assert line.startswith(tag) and THEOREMS[tag].statement in line and line.endswith("  proved")
    assert last.startswith("2 of 2 proved in ")


@pytest.mark.parametrize(("arguments", "words"), [
    (("--tag",), "see --help"), (("--err",), "see --help"), (("arrival", "--quiet"), "see --help"),
    (("arival",), "got 'arival'; the nearest are arrival, "),
])
def test_command_refuses_in_one_line(arguments: tuple[str, ...], words: str) -> None:
    assert words in refusal_of(run("derivations", *arguments), "derivations")


def test_command_exits_1_on_a_fault(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    right = linear_neuron.at_arrival
    monkeypatch.setattr(linear_neuron, "at_arrival", lambda n, state: (right(n, state)[0], -right(n, state)[1]))
    assert command.main(["adjoint", "arrival"]) == 1
    first, second, *left, last = capsys.readouterr().out.splitlines()
    assert first.endswith("  proved") and second.endswith("  NOT PROVED")
    assert "dL/dt_arr at x_0: " in left[0] and len(left) == 3 and all(line.endswith(" is left") for line in left)
    assert last.startswith("1 of 2 proved in ")


def test_errata_name_theorems_and_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert {erratum.shown for erratum in ERRATA if erratum.shown} <= THEOREMS.keys()
    assert command.main(["--errata"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{erratum.where}: " in printed for erratum in ERRATA)


ALONE = "neuron-", "example-", "paper-", "erratum-", "symmetry"
"""Cases of other theorems, whole networks, the words of the paper: no code is theirs."""
TAGGED = re.compile(r'("""|# )?\[([a-zA-Z][\w-]*(?:, [a-zA-Z][\w-]*)*)\](?!\[)')


def test_all_that_is_proved_is_computed_and_the_other_way_round() -> None:
    """Code names the theorem of its formula, as in `[spike]`, where a docstring or comment begins;
    elsewhere a name without a hyphen may be anything."""
    found = set()
    for path in FILES:
        if path.parts[0] in ("reference", "fast") and path.suffix == ".py":
            for begins, tags in TAGGED.findall(read(path)):
                own = set(tags.split(", "))
                assert own <= THEOREMS.keys() or not begins, f"{path}: no theorem {sorted(own - THEOREMS.keys())}"
                found |= own if begins else {tag for tag in own if "-" in tag}
    left = {tag for tag in THEOREMS if not tag.startswith(ALONE)} - found
    assert not left, f"nothing computes: {sorted(left)}"
