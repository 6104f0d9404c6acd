"""`from delayprop import ...`: every public name, imported when it is used."""

import re
import subprocess
import sys

import pytest

import delayprop
import delayprop.fast as fast
import delayprop.spec as spec
from delayprop import public
from delayprop.fast.nn.other_tools import NAMES
from tests import ROOT
from tests.support.house.imports import LINKED


def test_the_public_names_are_those_of_fast_and_of_the_specification() -> None:
    """`Network` alone is in both: the torch module, and as `NetworkSpec` that of a case."""
    assert {*fast.__all__, *spec.__all__} < {*public.__all__}
    assert len(public.__all__) == len({*public.__all__})
    assert delayprop.Network is fast.Network and delayprop.NetworkSpec is spec.Network


@pytest.mark.parametrize("name", public.__all__)
def test_a_name_is_the_object_of_its_package(name: str) -> None:
    assert getattr(delayprop, name) is getattr(public, name)
    assert name in dir(delayprop)


def test_a_star_import_brings_the_public_names_and_no_other() -> None:
    found: dict[str, object] = {}
    exec("from delayprop import *", found)
    assert {*found} - {"__builtins__"} == {*public.__all__}


def test_a_name_that_is_not_there_is_named() -> None:
    with pytest.raises(AttributeError, match="module 'delayprop' has no attribute 'LIFE'"):
        _ = delayprop.LIFE  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'LIFE' from 'delayprop'"):
        exec("from delayprop import LIFE")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_another_tool_is_answered(name: str) -> None:
    answer = f"delayprop has no `{name}`: {NAMES[name]} (docs/from-other-tools.md)"
    with pytest.raises(ImportError, match=f"^{re.escape(answer)}$"):
        exec(f"from delayprop import {name}")
    assert name not in public.__all__


MAIN = "import delayprop.__main__ as m; m.main"


def imported(program: str) -> set[str]:
    line = [sys.executable, "-c", f"import sys; {program}; print(*sys.modules, file=sys.stderr)"]
    return {*subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stderr.split()}


@pytest.mark.parametrize(
    ("program", "used", "unused"),
    [
        ("import delayprop; delayprop.__version__", "delayprop", {"numpy", "torch"}),
        ("from delayprop import LIF, train", "delayprop.fast.train", {"matplotlib"}),
        (f"{MAIN}(['--help'])", "delayprop.spec", {"torch", "delayprop.fast"}),
        (f"{MAIN}(['conformance', '--list'])", "delayprop.spec.conformance", {"torch", "delayprop.fast"}),
        (f"{MAIN}(['run', '--help'])", "delayprop.fast.run", {"delayprop.fast.tasks", "matplotlib"}),
        ("import delayprop.public, delayprop.fast.train", "delayprop.fast.tasks.yin_yang", {"matplotlib", "sympy"}),
        ("import delayprop.fast.drawing.comparison", "matplotlib", set()),  # control
    ],
)
def test_only_the_packages_in_use_are_imported(program: str, used: str, unused: set[str]) -> None:
    found = imported(program)
    assert used in found and not unused & found


@pytest.mark.parametrize("name", ["fast.train", "fast.drawing", "reference", "derivations", "reports"])
def test_a_command_of_the_checkout_imports_no_module_twice(name: str) -> None:
    """`python -m fast.train` imports `fast`, as Python must, and all else within `delayprop`."""
    line = [sys.executable, "-X", "importtime", "-m", name, "--help"]
    log = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    found = re.findall(r"^import time:.*\| +(\S+)$", log, re.MULTILINE)
    assert any(each.startswith("delayprop.") for each in found)
    assert [each for each in found if each.split(".")[0] in LINKED and not f"{name}.".startswith(f"{each}.")] == []


def test_the_version_is_that_of_the_citation() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [delayprop.__version__]
