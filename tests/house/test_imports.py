"""Who may import whom: planted imports are found, and lawful neighbours are not.

`reference` and `fast` are evidence for each other only while they are independent: they share
`spec` and nothing else.
"""

from collections.abc import Callable
from pathlib import PurePosixPath

import pytest

from tests.support.house.imports import MAY_IMPORT, MORE, ONLY, ROOMS, arrows_up, circle, forbidden_imports
from tests.support.house.sources import FILES, PYTHON_FILES, read

SPEC = "delayprop.spec"
TEXTS = {path: read(path) for path in PYTHON_FILES}
Rule = Callable[[PurePosixPath, str], list[str]]


def test_every_package_and_room_is_in_the_tables() -> None:
    assert {path.parts[0] for path in PYTHON_FILES if len(path.parts) > 1} == set(MAY_IMPORT) | {"tests"}
    assert {path.parts[1] for path in PYTHON_FILES if path.parts[0] == "fast" and len(path.parts) > 2} <= set(ROOMS)
    known = {str(folder) for path in FILES for folder in (path, *path.parents)}
    assert MORE.keys() | ONLY.keys() <= known


def test_reference_and_fast_share_only_the_specification() -> None:
    assert {name for each in ("reference", "fast") for name in MAY_IMPORT[each] if "delayprop" in name} == {SPEC}


@pytest.mark.parametrize("rule", [forbidden_imports, arrows_up], ids=["packages", "rooms"])
def test_imports_of_every_file(rule: Rule) -> None:
    assert [finding for path, text in TEXTS.items() for finding in rule(path, text)] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle({path: text for path, text in TEXTS.items() if path.parts[0] != "tests"}) == []


FORBIDDEN = {
    "reference/a.py": (
        "import delayprop.fast", "import torch", "import delayprop", "import numpy, delayprop.fast.cpu.kernels as k",
        "from delayprop.fast.cpu.kernels import advance", "def f():\n    from delayprop.fast import kernels",
        "if TYPE_CHECKING:\n    import delayprop.fast", "from ..fast import kernels", "from .. import fast",
        "from delayprop import fast", 'import importlib\nimportlib.import_module("delayprop.fast")',
        '__import__("delayprop.fast")', 'runpy.run_module("fast.run")',
        'from importlib import import_module\nimport_module("delayprop.fast.cpu.kernels")',
        'import_module(f"delayprop.fast.{name}")', 'import_module(f"{name}.kernels")',
        'import_module("..fast", __package__)', 'import_module(f"..{name}", __package__)',
        'import_module(".kernels", package="fast")', "import_module(name)", "import_module(name=name)",
        "from reference import jumps", "from . import events", "from .events import advance",
    ),
    "reference/b/a.py": ("from ...fast import kernels",),
    "fast/a.py": (
        "import delayprop.reference", "import delayprop", "from delayprop import LIF", "import sympy",
        "from tests import problems", "from fast import run", 'import_module(f".{name}", __package__)',
    ),
    "fast/tasks/a.py": ("from delayprop.reference.events import simulate", "import reports"),
    "fast/train.py": ("from reports import page",),
    "fast/plain/a.py": (
        "import numba", "import torch", "from delayprop.fast.physics import jump", "import delayprop.reference",
        "from delayprop.fast.solving.tables import tables", "from delayprop.fast import LIF",
    ),
    "fast/training/a.py": ("import matplotlib",),
    "spec/a.py": ("import delayprop.reference", "import torch"),
    "derivations/a.py": ("import delayprop.reference", "import numpy"),
    "reports/a.py": (
        "import delayprop.fast", "from delayprop.fast.nn import layers", "from delayprop.fast import run",
        "import torch",
    ),
    "benchmarks/a.py": ("import delayprop.reference",),
    "delayprop/a.py": ("import reports", "from fast import LIF"),
    "tests/a.py": ("import fast", "from spec.case import Case"),
    "setup.py": ("import tests",),
}
LAWFUL = {
    "reference/a.py": (
        "import heapq\nimport numpy as np\nfrom mpmath import mp\nfrom delayprop.spec import Network",
        "from delayprop.reference import jumps",
    ),
    "fast/a.py": ("import torch, h5py\nfrom numba import cuda, njit", 'import_module(f"delayprop.fast.tasks.{name}")'),
    "fast/drawing/a.py": ("from matplotlib.figure import Figure",),
    "fast/plain/a.py": (
        "import math\nimport numpy as np\nfrom delayprop.spec import Population",
        "from delayprop.fast.plain.forward import flow\nfrom delayprop.fast.solving.matrices import matrices",
    ),
    "reports/a.py": (
        "from delayprop.fast.drawing.pages import page\nfrom delayprop.fast import drawing",
        "from delayprop.spec import Case\nfrom . import page",
    ),
    "delayprop/__init__.py": ("from delayprop.fast import LIF\nimport delayprop.reference\nfrom . import spec",),
    "tests/a.py": ("import hypothesis\nimport delayprop.fast\nfrom tests import problems\nimport_module(name)",),
}
UP = {
    "fast/physics/a.py": ("from delayprop.fast.cpu import lookup",),
    "fast/cpu/a.py": ("from delayprop.fast.cuda.lookup import gather", "from delayprop.fast.plain import forward"),
    "fast/nn/a.py": ("import delayprop.fast.training.engine",),
    "fast/data/a.py": ("def f():\n    from delayprop.fast.tasks import shd",),
    "fast/drawing/a.py": ("from delayprop.fast import LIF",),
    "fast/tasks/a.py": ("import delayprop.fast.train", 'import_module("delayprop.fast.run")'),
}
DOWN = {
    "fast/nn/a.py": (
        "from delayprop.fast.cpu.kernels import advance\nfrom delayprop.fast.nn import layers\nimport delayprop.spec",
    ),
    "fast/tasks/a/b.py": ("from delayprop.fast.drawing.pages import page",),
    "fast/train.py": ("from delayprop.fast.tasks import shd\nfrom delayprop.fast import run",),
    "benchmarks/a.py": ("import delayprop.fast.train",),
}


@pytest.mark.parametrize(("rule", "path", "text", "findings"), [
    (rule, path, text, findings)
    for rule, table, findings in (
        (forbidden_imports, FORBIDDEN, 1), (forbidden_imports, LAWFUL, 0), (arrows_up, UP, 1), (arrows_up, DOWN, 0)
    )
    for path, texts in table.items()
    for text in texts
])
def test_control_planted_and_lawful_imports(rule: Rule, path: str, text: str, findings: int) -> None:
    assert len(rule(PurePosixPath(path), text)) == findings


def test_control_a_circle_is_found() -> None:
    texts = {"a/__init__.py": "", "a/b.py": "from a import c", "a/c.py": "def f():\n    import a.d", "a/d.py": ""}
    assert circle({PurePosixPath(path): text for path, text in texts.items()}) == []
    texts["a/d.py"] = "from .b import g"
    assert sorted(circle({PurePosixPath(path): text for path, text in texts.items()})[1:]) == ["a.b", "a.c", "a.d"]
    texts["a/d.py"] = "if TYPE_CHECKING:\n    from a.b import g"
    assert circle({PurePosixPath(path): text for path, text in texts.items()}) == []
