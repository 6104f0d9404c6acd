"""Who may import whom: planted imports are found, and lawful neighbours are not.

`reference` and `fast` are evidence for each other only while they are independent: they share
`spec` and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

import pytest

from tests.support.house.imports import INSTALLED, MAY_IMPORT, MORE, ROOMS, arrows_up, circle, forbidden_imports
from tests.support.house.sources import FILES, PYTHON_FILES, read

TEXTS = {path: read(path) for path in PYTHON_FILES}


def test_every_package_and_room_is_in_the_tables() -> None:
    folders = {path.parts[0] for path in PYTHON_FILES if len(path.parts) > 1}
    assert set(INSTALLED) <= folders <= set(MAY_IMPORT) | {"tests"}
    assert {path.parts[1] for path in PYTHON_FILES if path.parts[0] == "fast" and len(path.parts) > 2} <= set(ROOMS)
    known = {str(folder) for path in FILES for folder in (path, *path.parents)}
    assert {place for place in MORE if not place.startswith("delayprop")} <= known


def test_reference_and_fast_share_only_the_specification() -> None:
    assert MAY_IMPORT["reference"] & set(MAY_IMPORT) == MAY_IMPORT["fast"] & set(MAY_IMPORT) == {"spec"}


@pytest.mark.parametrize("rule", [forbidden_imports, arrows_up], ids=["packages", "rooms"])
def test_imports_of_every_file(rule: Callable[[PurePosixPath, str], list[str]]) -> None:
    assert [finding for path, text in TEXTS.items() for finding in rule(path, text)] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle({path: text for path, text in TEXTS.items() if path.parts[0] != "tests"}) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("reference/a.py", "import fast"),
        ("reference/a.py", "import numpy, fast.cpu.kernels as k"),
        ("reference/a.py", "from fast.cpu.kernels import advance"),
        ("reference/a.py", "def f():\n    from fast import kernels"),
        ("reference/a.py", "if TYPE_CHECKING:\n    import fast"),
        ("reference/a.py", "from ..fast import kernels"),
        ("reference/a.py", "from .. import fast"),
        ("reference/b/a.py", "from ...fast import kernels"),
        ("reference/a.py", 'import importlib\nimportlib.import_module("fast")'),
        ("reference/a.py", 'from importlib import import_module\nimport_module("fast.cpu.kernels")'),
        ("reference/a.py", 'import_module(f"fast.{name}")'),
        ("reference/a.py", 'import_module(f"{name}.kernels")'),
        ("reference/a.py", 'import_module("..fast", __package__)'),
        ("reference/a.py", 'import_module(f"..{name}", __package__)'),
        ("reference/a.py", 'import_module(".kernels", package="fast")'),
        ("reference/a.py", "import_module(name)"),
        ("reference/a.py", "import_module(name=name)"),
        ("reference/a.py", '__import__("fast")'),
        ("reference/a.py", 'runpy.run_module("fast.run")'),
        ("reference/a.py", "import torch"),
        ("reference/a.py", "import delayprop"),
        ("fast/a.py", "import reference"),
        ("fast/a.py", "import delayprop"),
        ("fast/tasks/a.py", "from reference.events import simulate"),
        ("fast/train.py", "from reports import page"),
        ("fast/tasks/a.py", "import reports"),
        ("fast/training/a.py", "import matplotlib"),
        ("fast/a.py", "import sympy"),
        ("fast/a.py", "from tests import problems"),
        ("spec/a.py", "import reference"),
        ("spec/a.py", "import torch"),
        ("derivations/a.py", "import spec"),
        ("derivations/a.py", "import numpy"),
        ("reports/a.py", "import fast"),
        ("reports/a.py", "from fast.nn import layers"),
        ("reports/a.py", "from fast import run"),
        ("reports/a.py", "import torch"),
        ("benchmarks/a.py", "import reference"),
        ("delayprop/a.py", "import reports"),
        ("setup.py", "import tests"),
    ],
)
def test_control_a_forbidden_import_is_found(path: str, text: str) -> None:
    assert len(forbidden_imports(PurePosixPath(path), text)) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("reference/a.py", "import heapq\nimport numpy as np\nfrom mpmath import mp\nfrom spec import Network"),
        ("reference/a.py", "from . import events\nfrom .events import advance\nfrom reference import jumps"),
        ("reference/b/a.py", "from .. import events"),
        ("fast/a.py", "import torch, h5py\nfrom numba import cuda, njit"),
        ("fast/a.py", 'import_module(f"fast.tasks.{name}")\nimport_module(f".{name}", __package__)'),
        ("fast/drawing/a.py", "from matplotlib.figure import Figure"),
        ("reports/a.py", "from fast.drawing.markup import table\nfrom fast import drawing\nfrom spec import Case"),
        ("delayprop/__init__.py", "from fast import LIF\nfrom spec import Case\nimport reference"),
        ("tests/a.py", "import hypothesis\nimport reference, fast\nfrom tests import problems\nimport_module(name)"),
    ],
)
def test_control_a_lawful_import_is_left_alone(path: str, text: str) -> None:
    assert forbidden_imports(PurePosixPath(path), text) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("fast/physics/a.py", "from fast.cpu import lookup"),
        ("fast/cpu/a.py", "from fast.cuda.lookup import gather"),
        ("fast/nn/a.py", "import fast.training.engine"),
        ("fast/nn/a.py", "from ..drawing import page"),
        ("fast/data/a.py", "def f():\n    from fast.tasks import shd"),
        ("fast/drawing/a.py", "from fast import LIF"),
        ("fast/tasks/a.py", "import fast.train"),
        ("fast/tasks/a.py", 'import_module("fast.run")'),
    ],
)
def test_control_an_arrow_up_is_found(path: str, text: str) -> None:
    assert len(arrows_up(PurePosixPath(path), text)) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("fast/nn/a.py", "from fast.cpu.kernels import advance\nfrom fast.nn import layers\nimport spec"),
        ("fast/tasks/a/b.py", "from ...training import engine\nfrom fast.drawing.page import write"),
        ("fast/train.py", "from fast.tasks import shd\nfrom fast import run"),
        ("benchmarks/a.py", "import fast.train"),
    ],
)
def test_control_an_arrow_down_is_left_alone(path: str, text: str) -> None:
    assert arrows_up(PurePosixPath(path), text) == []


def test_control_a_circle_is_found() -> None:
    texts = {"a/__init__.py": "", "a/b.py": "from a import c", "a/c.py": "def f():\n    import a.d", "a/d.py": ""}
    assert circle({PurePosixPath(path): text for path, text in texts.items()}) == []
    texts["a/d.py"] = "from .b import g"
    assert sorted(circle({PurePosixPath(path): text for path, text in texts.items()})[1:]) == ["a.b", "a.c", "a.d"]
    texts["a/d.py"] = "if TYPE_CHECKING:\n    from a.b import g"
    assert circle({PurePosixPath(path): text for path, text in texts.items()}) == []
