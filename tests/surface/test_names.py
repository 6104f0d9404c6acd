"""`from delayprop import ...`: each public name, imported when used, beside modules of the user.

The command `delayprop`: all commands under one name, each named in messages as typed.
"""

import re
from pathlib import Path

import pytest

import delayprop
import delayprop.__main__ as command
import delayprop.fast as fast
import delayprop.fast.run
import delayprop.reference
import delayprop.spec as spec
from delayprop import public
from delayprop.fast.compiling.announcing import TOLD
from delayprop.fast.nn.other_tools import NAMES
from tests import ROOT
from tests.support.commands import python, refusal_of, run
from tests.support.house.imports import LINKED, MAY_IMPORT
from tests.support.runs.reading import Capture, Patch, printed, refusal


def test_the_public_names_are_those_of_fast_and_of_the_specification_and_of_a_star_import() -> None:
    """`Network` alone is in both: the torch module, and as `NetworkSpec` that of a case."""
    assert {*fast.__all__, *spec.__all__} < {*public.__all__}
    assert len(public.__all__) == len({*public.__all__})
    assert delayprop.Network is fast.Network and delayprop.NetworkSpec is spec.Network
    found: dict[str, object] = {}
    exec("from delayprop import *", found)
    assert {*found} - {"__builtins__"} == {*public.__all__}


@pytest.mark.parametrize("name", public.__all__)
def test_a_name_is_the_object_of_its_package(name: str) -> None:
    assert getattr(delayprop, name) is getattr(public, name)
    assert name in dir(delayprop)


def test_a_name_that_is_not_there_is_named() -> None:
    with pytest.raises(AttributeError, match="module 'delayprop' has no attribute 'LIFE'"):
        _ = delayprop.LIFE  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'LIFE' from 'delayprop'"):
        exec("from delayprop import LIFE")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_another_tool_is_answered(name: str) -> None:
    answer = f"delayprop has no `{name}`: {NAMES[name]}"
    with pytest.raises(ImportError, match=f"^{re.escape(answer)}$"):
        exec(f"from delayprop import {name}")
    assert name not in public.__all__


DELAYPROP = ("-m", "delayprop")
MAIN = "import delayprop.__main__ as m; m.main"


@pytest.mark.full
def test_a_wrong_name_of_a_gradient_is_answered_by_those_that_are_there() -> None:
    """Connections have attributes `dL_dw` and `dL_dd`, populations keys such as `tau_mem`."""
    gradients = delayprop.reference.run(spec.load_case(CASE)).gradients
    by_constant = gradients.populations["out"]
    assert set(by_constant) == {"tau_mem", "tau_syn", "v_th", "v_reset"}
    with pytest.raises(AttributeError, match="ConnectionGradient has no 'w'; its gradients are `dL_dw` and `dL_dd`"):
        _ = gradients.connections[0].w  # type: ignore[attr-defined]
    with pytest.raises(KeyError, match="there is no 'dL_dtau_mem'; the keys are tau_mem, tau_syn, v_th, v_reset"):
        by_constant["dL_dtau_mem"]
    with pytest.raises(KeyError, match="there is no 'hidden'; the keys are out"):
        gradients.populations["hidden"]


@pytest.mark.parametrize(("program", "used", "unused"), [
    ("import delayprop; delayprop.__version__", "delayprop", {"numpy", "torch"}),
    ("from delayprop import LIF, train", "delayprop.fast.train", {"matplotlib"}),
    (f"{MAIN}(['--help'])", "delayprop.spec", {"torch", "delayprop.fast"}),
    (f"{MAIN}(['conformance', '--list'])", "delayprop.spec.conformance", {"torch", "delayprop.fast"}),
    (f"{MAIN}(['derivations', '--errata'])", "delayprop.derivations", {"torch", "delayprop.fast"}),
    (f"{MAIN}(['run', '--help'])", "delayprop.fast.run", {"delayprop.fast.tasks", "matplotlib"}),
    ("import delayprop.public, delayprop.fast.train", "delayprop.fast.tasks.yin_yang", {"matplotlib", "sympy"}),
    # the plain decorator `torch.compiler.disable` would cost every start a second
    ("from tests.support.networks.layers import *; found_by(reader())", "delayprop.fast.cpu.solver", {"torch._dynamo"}),
    ("import delayprop.fast.drawing.comparison", "matplotlib", set()),  # control
])
def test_only_the_packages_in_use_are_imported(program: str, used: str, unused: set[str]) -> None:
    found = {*python("-c", f"import sys; {program}; print(*sys.modules, file=sys.stderr)").stderr.split()}
    assert used in found and not unused & found


def test_the_version_is_that_of_the_citation() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [delayprop.__version__]


MARK = "a module of the user runs"
SCRIPT = """
import spec, fast, reference, derivations
import delayprop.reference, delayprop.derivations.proof
from delayprop import LIF, Case, Network
print(LIF(3, 2), Case.__module__, Network.__module__)
"""


def own(folder: Path, name: str, package: bool) -> None:
    path = folder / name / "__init__.py" if package else folder / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"print({MARK!r})\n", encoding="utf-8")


@pytest.mark.full
@pytest.mark.parametrize("package", [False, pytest.param(True, marks=pytest.mark.full)], ids=["file", "folder"])
def test_a_script_has_its_own_modules_and_ours(package: bool, tmp_path: Path) -> None:
    for name in LINKED:
        own(tmp_path, name, package)
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    done = python("script.py", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    *marks, last = done.stdout.splitlines()
    assert marks == [MARK] * len(LINKED)
    assert last.startswith("LIF(3 -> 2, ") and last.endswith(" delayprop.spec.case delayprop.fast.nn.network")


@pytest.mark.full
@pytest.mark.parametrize("package", [False, True], ids=["file", "folder"])
def test_a_command_runs_none_of_the_modules_of_the_user(package: bool, tmp_path: Path) -> None:
    """Nor one named like a folder of the checkout, from which `report` imports `reports`."""
    for name in ({*MAY_IMPORT} | {"tests"}) - {"delayprop"}:
        own(tmp_path, name, package)
    done = python(*DELAYPROP, "train", "--task", "sequence", "--epochs", "1", "--out", "run", folder=tmp_path)
    assert done.returncode in (0, 1) and MARK not in done.stdout
    assert re.fullmatch(f"({TOLD}\n)?".replace("{}", "[0-9]+"), done.stderr)
    picture = tmp_path / "run" / "voltages.png"
    picture.unlink()
    drawn = python(*DELAYPROP, "report", "run", folder=tmp_path)
    assert (drawn.returncode, drawn.stderr) == (0, "") and MARK not in drawn.stdout and picture.exists()


CASE = str(ROOT / "spec" / "conformance" / "cases" / "one-neuron.json")
NOWHERE = "there-is-no-such-run"


def test_help_has_a_line_for_each_command_and_the_version_is_printed(capsys: Capture) -> None:
    said = printed(capsys, command.main, "--help")
    listed = said.partition("commands, each with its own --help:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(command.COMMANDS)
    assert all(len(line) <= 100 for line in listed)
    assert printed(capsys, command.main, "--version") == f"delayprop {delayprop.__version__}\n"


@pytest.mark.parametrize("name", command.COMMANDS)
def test_help_of_a_command_shows_the_name_that_was_typed(name: str, capsys: Capture) -> None:
    assert printed(capsys, command.main, name, "--help").startswith(f"usage: delayprop {name} ")


REFUSED: dict[str, tuple[list[str], str]] = {
    "no command": ([], "delayprop: the following arguments are required: COMMAND (see --help)\n"),
    "unknown command": (["learn"], "delayprop: argument COMMAND: invalid choice: 'learn' "),
    "train without a task": (["train"], "delayprop train: the following arguments are required: --task (see --help)\n"),
    "derivations nowhere": (["derivations", "--neuron", NOWHERE],
                            f"delayprop derivations: `{NOWHERE}` must be a readable neuron file, got No such"),
    "run nowhere": (["run", NOWHERE], f"delayprop run: `{NOWHERE}` must be a readable case file, got "),
    "evaluate nowhere": (["evaluate", NOWHERE], f"delayprop evaluate: `{NOWHERE}` must be the folder of a finished"),
    "compare nowhere": (["compare", NOWHERE], f"delayprop compare: `{NOWHERE}` must be the folder of a finished"),
    "export nothing": (["export", NOWHERE], "delayprop export: `--case` is missing, and so is --nir; "),
    "report nowhere": (["report", NOWHERE], f"delayprop report: `{NOWHERE}` must be the folder of a finished"),
    "report of both": (["report", "--quick", NOWHERE], "delayprop report: --quick, --record and --out are for "),
}


@pytest.mark.parametrize(("words", "line"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_one_line_that_names_the_command_as_typed(words: list[str], line: str, capsys: Capture) -> None:
    assert refusal(capsys, command.main, *words).startswith(line)


@pytest.mark.parametrize(("words", "said"), [
    ((), "RUN` must be given outside a checkout of delayprop, got nothing; "),
    (("--quick",), "RUN` must be given outside a checkout of delayprop, got nothing; "),
    ((NOWHERE,), f"{NOWHERE}` must be the folder of a finished run, "),
])
def test_outside_a_checkout_only_runs_are_reported(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: Patch, capsys: Capture
) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)
    assert refusal(capsys, command.main, "report", *words).startswith(f"delayprop report: `{said}")


def test_a_command_prints_what_its_module_prints(capsys: Capture) -> None:
    found = printed(capsys, command.main, "run", CASE)
    assert found == printed(capsys, delayprop.fast.run.main, CASE) and found.startswith("{")


@pytest.mark.full
def test_python_m_delayprop_is_the_same_command() -> None:
    said = refusal_of(run("delayprop", "conformance"), "delayprop conformance")
    assert said == "give one of --command, --list and --save (see --help)"
