"""Who may import what; planted imports must be found, and lawful neighbours must not.

`reference` and `fast` are evidence for one another only while neither knows the other: they share `spec` and nothing
else.
"""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from tests.support.house.imports import INSTALLED, MAY_IMPORT, PYTHON_FILES, forbidden_imports, read


def test_every_package_is_there_and_in_the_table() -> None:
    folders = {path.parts[0] for path in PYTHON_FILES if len(path.parts) > 1}
    assert set(INSTALLED) <= folders <= set(MAY_IMPORT) | {"tests"}


def test_reference_and_fast_share_only_the_specification() -> None:
    ours = set(MAY_IMPORT)
    assert MAY_IMPORT["reference"] & ours == {"spec"}
    assert MAY_IMPORT["fast"] & ours == {"spec"}


def test_imports_of_every_file() -> None:
    found = [line for path in PYTHON_FILES for line in forbidden_imports(path, read(path).decode())]
    assert not found, "\n".join(found)


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
        ("fast/a.py", "import reference"),
        ("fast/tasks/a.py", "from reference.events import simulate"),
        ("fast/a.py", "import reports"),
        ("fast/kernels/train.py", "import reports"),
        ("fast/a.py", "import sympy"),
        ("spec/a.py", "import reference"),
        ("spec/a.py", "import torch"),
        ("derivations/a.py", "import spec"),
        ("derivations/a.py", "import numpy"),
        ("reports/a.py", "import fast"),
        ("reports/a.py", "import torch"),
        ("benchmarks/a.py", "import reference"),
        ("fast/a.py", "from tests import problems"),
        ("setup.py", "import tests"),
    ],
)
def test_control_forbidden_import_is_found(path: str, text: str) -> None:
    assert len(forbidden_imports(PurePosixPath(path), text)) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("reference/a.py", "import heapq\nimport numpy as np\nfrom mpmath import mp\nfrom spec import Network"),
        ("reference/a.py", "from . import events\nfrom .events import advance\nfrom reference import jumps"),
        ("reference/b/a.py", "from .. import events"),
        ("fast/a.py", "import torch, h5py\nfrom numba import cuda, njit"),
        ("fast/a.py", 'import_module(f"fast.tasks.{name}")\nimport_module(f".{name}", __package__)'),
        ("fast/train.py", "from reports import training"),
        ("fast/tasks/a.py", "import reports"),
        ("reports/a.py", "import matplotlib.pyplot as plt"),
        ("tests/a.py", "import hypothesis\nimport reference, fast\nfrom tests import problems\nimport_module(name)"),
    ],
)
def test_control_lawful_import_is_left_alone(path: str, text: str) -> None:
    assert forbidden_imports(PurePosixPath(path), text) == []
