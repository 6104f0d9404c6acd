"""`from delayprop import ...`: every public name, imported when it is used."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

import delayprop
import fast
import spec
from delayprop import public
from tests import ROOT


def test_the_public_names_are_those_of_fast_and_of_the_specification() -> None:
    """`Network` alone is in both: it is the torch module, and `NetworkSpec` that of a case."""
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


@pytest.mark.parametrize(
    ("program", "absent"),
    [
        ("import delayprop; delayprop.__version__", "numpy"),
        ("import delayprop.__main__ as m; m.main(['--help'])", "torch"),
        ("import delayprop.__main__ as m; m.main(['conformance', '--list'])", "torch"),
        ("import delayprop.__main__ as m; m.main(['run', '--help'])", "fast.tasks"),
        ("import delayprop.__main__ as m; m.main(['run', '--help'])", "matplotlib"),
    ],
)
def test_a_package_without_use_is_not_imported(program: str, absent: str) -> None:
    line = [sys.executable, "-c", f"import sys; {program}; sys.exit({absent!r} in sys.modules)"]
    assert subprocess.run(line, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode == 0


def test_control_a_package_in_use_is_found() -> None:
    line = [sys.executable, "-c", "import sys, delayprop; delayprop.LIF; sys.exit('torch' in sys.modules)"]
    assert subprocess.run(line, cwd=ROOT, check=False).returncode == 1


def test_the_version_is_that_of_the_citation() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [delayprop.__version__]
