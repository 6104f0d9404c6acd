"""One mutated module of `fast`, beside the compiled kernels, against the tests of its file."""

import os
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from tests import ROOT

SEEDED = "agreement/test_agreement.py::test_float64_on_seeded_networks"
TESTS = {
    "fast/nn/autograd.py": (
        "fast/test_gradients.py", "fast/test_gradcheck.py", "fast/test_refusals_layers.py", "fast/test_propagate.py",
    ),
    "fast/nn/losses.py": ("fast/test_losses.py",),
    "fast/nn/graph.py": ("fast/test_networks.py", SEEDED),
    "fast/nn/network.py": ("fast/test_networks.py", "fast/test_modules.py", SEEDED),
    "fast/nn/synaptic_layer.py": (
        "fast/test_parameters.py", "fast/test_networks.py", "fast/test_refusals_layers.py", "fast/test_modules.py",
        "fast/test_gradients.py", "fast/test_wiring.py", "fast/test_starting.py",
    ),
    "fast/training/activity.py": ("training/test_activity.py",),
    "fast/training/epoch.py": ("training/test_epoch.py",),
    "fast/training/optimiser.py": ("training/test_optimiser.py",),
    "fast/training/model.py": ("training/test_model.py", "training/test_classify.py"),
    "fast/training/evaluation.py": ("training/test_evaluation.py",),
}
"""The tests that a mutant of a file meets, in this order."""


class _Planted(SourceFileLoader):
    """Finds and loads the module of a file with another text."""

    def __init__(self, file: str, text: str) -> None:
        super().__init__("delayprop." + file.removesuffix(".py").replace("/", "."), str(ROOT / file))
        self.text = text

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        return spec_from_file_location(fullname, self.path, loader=self) if fullname == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.text, self.path, "exec")


class _First:
    """The first failure: of an assertion, or of anything else, which counts as broken off."""

    name, broke = "", False

    def pytest_exception_interact(self, node: Any, call: Any) -> None:
        if not self.name:
            self.name = node.nodeid
            self.broke = not isinstance(call.excinfo.value, AssertionError | pytest.fail.Exception)


def failing_test(file: str, text: str) -> str:
    """The test that fails with this text in place of a file's, or ""; `RuntimeError`: the first
    failure is an exception of another kind, so the mutant broke off."""
    planted, first = _Planted(file, text), _First()
    assert planted.name not in sys.modules
    sys.meta_path.insert(0, planted)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    words = [
        "-q", "-x", "-m", "not full and not gpu", "-p", "no:cacheprovider", "-p", "no:xdist",
        "-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning",  # by the parent process
    ]
    code = pytest.main([*words, *(str(Path(ROOT, "tests", name)) for name in TESTS[file])], plugins=[first])
    assert planted.name in sys.modules
    if first.broke or code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise RuntimeError(f"{first.name}: {code}")
    return first.name
