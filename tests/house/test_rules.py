"""The rules of the house: planted faults are found, lawful neighbours are not.

Who may import whom is one of them: `reference` and `fast` are evidence for each other only while
they are independent, so they share `spec` and nothing else. Rules that a linter has are ruff's.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import pytest

from tests import ROOT
from tests.support.house.imports import MAY_IMPORT, MORE, ONLY, ROOMS, arrows_up, circle, forbidden_imports
from tests.support.house.rules import LINES, hidden_faults, hidden_nan, long_file, machine_paths
from tests.support.house.sources import FILES, PYTHON_FILES, read

Texts = Mapping[str, Sequence[str]]


class Rule(NamedTuple):
    """A function of (path, text) that returns findings; texts by path, with one finding or none."""

    findings: Callable[[PurePosixPath, str], list[str]]
    files: Sequence[PurePosixPath]
    faults: Texts
    lawful: Texts


FORBIDDEN = {
    "reference/a.py": (
        "import delayprop.fast", "import torch", "import delayprop", "import numpy, delayprop.fast.cpu.kernels as k",
        "def f():\n    from delayprop.fast import kernels", "if TYPE_CHECKING:\n    import delayprop.fast",
        "from ..fast import kernels", "from .. import fast", "from delayprop import fast",
        "from reference import jumps",
        'import importlib\nimportlib.import_module("delayprop.fast")', '__import__("delayprop.fast")',
        'runpy.run_module("fast.run")', 'import_module(f"delayprop.fast.{name}")', 'import_module(f"{name}.kernels")',
        'import_module("..fast", __package__)', "import_module(name)", "from .events import advance",
    ),
    "reference/b/a.py": ("from ...fast import kernels",),
    "fast/a.py": ("import delayprop.reference", "from delayprop import LIF", "import sympy", "from tests import a"),
    "fast/plain/a.py": ("import numba", "import torch", "from delayprop.fast.physics import jump"),
    "fast/training/a.py": ("import matplotlib", "import reports"),
    "spec/a.py": ("import delayprop.reference", "import torch"),
    "derivations/a.py": ("import delayprop.reference", "import numpy"),
    "reports/a.py": ("import delayprop.fast", "from delayprop.fast.nn import layers", "import torch"),
    "delayprop/a.py": ("import reports", "from fast import LIF"),
    "tests/a.py": ("import fast", "from spec.case import Case"),
    "setup.py": ("import tests",),
}
LAWFUL = {
    "reference/a.py": ("import heapq\nimport numpy as np\nfrom mpmath import mp\nfrom delayprop.spec import Network",),
    "fast/a.py": ("import torch, h5py\nfrom numba import cuda, njit", 'import_module(f"delayprop.fast.tasks.{name}")'),
    "fast/drawing/a.py": ("from matplotlib.figure import Figure",),
    "fast/plain/a.py": ("from delayprop.fast.plain.forward import flow\nfrom delayprop.spec import Population",),
    "reports/a.py": ("from delayprop.fast.drawing.pages import page\nfrom . import page",),
    "tests/a.py": ("import hypothesis\nimport delayprop.fast\nfrom tests import problems\nimport_module(name)",),
}
UP = {
    "fast/physics/a.py": ("from delayprop.fast.cpu import lookup",),
    "fast/cpu/a.py": ("from delayprop.fast.cuda.lookup import gather", "from delayprop.fast.plain import forward"),
    "fast/data/a.py": ("def f():\n    from delayprop.fast.tasks import shd",),
    "fast/drawing/a.py": ("from delayprop.fast import LIF",),
    "fast/tasks/a.py": ("import delayprop.fast.train", 'import_module("delayprop.fast.run")'),
}
DOWN = {
    "fast/nn/a.py": ("from delayprop.fast.cpu.kernels import advance\nfrom delayprop.fast.nn import layers",),
    "fast/train.py": ("from delayprop.fast.tasks import shd\nfrom delayprop.fast import run",),
    "benchmarks/a.py": ("import delayprop.fast.train",),
}
NAN = [
    "g = np.nan_to_num(g)", "g.nan_to_num_()", "from numpy import nanmean", "worst = np.nanargmax(g)",
    "g = np.fmax(g, 0.0)", "scaler = torch.amp.GradScaler()", "a.x[a.x != a.x] = 0", "y = x[x[0] == x[0]].sum()",
    "mask = ~isfinite(x)\nx[mask] = 0", "g.masked_fill_(g.isnan(), 0.0)", "y = torch.where(g == g, g, 0)",
    "y = 0.0 if math.isnan(g) else g", "if not torch.isfinite(g).all():\n    g = torch.zeros_like(g)",
    "with np.errstate(invalid='ignore'):\n    f()", "np.seterr(all='ignore')",
    "y = x[x == x]  # nan-ok:", "y = x[x == x]  # nan-fine: counted",
]
NO_NAN = [
    "if not torch.isfinite(g).all():\n    raise NotFiniteError(name)", "raise refuse(times[~np.isfinite(times)][0])",
    "ring[slot] = math.nan", "y = g if want else None", "y = g[g != h]", "if a == b:\n    y = 0.0", "y = x.a == x.ab",
    'with np.errstate(over="ignore"):\n    f()', "nanoseconds = 1e9 * seconds", 'said = "x != x"',
    "y = x[x == x]  # nan-ok: absent entries are marked by NaN",
    "# nan-ok: absent entries are marked by NaN\ny = x[x == x]",
]
HIDDEN = [
    "with contextlib.suppress(Exception):\n    f()", "y = a / (b + 1e-12)", "y = a / (1e-6 + b)",
    "y = a / (b + c + eps)", "y = a / max(b, EPSILON)", "y = a / b.clamp(min=1e-9)",
]
OPEN = [
    "with suppress(OSError):\n    f()", "y = a / (b + 1.0)", "y = a / max(b, c)",
    "y = (f(x + 1e-5) - f(x - 1e-5)) / (2 * 1e-5)",
]
HOMES = [f"see /{folder}/ann/data" for folder in ("home", "root", "Users", "work")]
ELSEWHERE = ["https://example.org/home/x", "docs/home/x and ~/home/x"]
PATH = "fast/a.py"
RULES = {
    "imports": Rule(forbidden_imports, PYTHON_FILES, FORBIDDEN, LAWFUL),
    "rooms": Rule(arrows_up, PYTHON_FILES, UP, DOWN),
    "hidden NaN": Rule(hidden_nan, PYTHON_FILES, {PATH: NAN}, {PATH: NO_NAN}),
    "hidden faults": Rule(hidden_faults, PYTHON_FILES, {PATH: HIDDEN}, {PATH: OPEN}),
    "machine paths": Rule(machine_paths, FILES, {PATH: HOMES}, {PATH: ELSEWHERE}),
    "long files": Rule(long_file, PYTHON_FILES, {PATH: ["x\n" * (LINES + 1)]}, {PATH: ["x\n" * LINES]}),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_file_follows_the_rule(rule: Rule) -> None:
    assert rule.files
    assert [finding for path in rule.files for finding in rule.findings(path, read(path))] == []


@pytest.mark.parametrize(("rule", "findings"), [(rule, findings) for rule in RULES for findings in (1, 0)])
def test_control_planted_faults_and_lawful_texts(rule: str, findings: int) -> None:
    table = RULES[rule].faults if findings else RULES[rule].lawful
    texts = [(PurePosixPath(path), text) for path, texts in table.items() for text in texts]
    assert texts and [text for path, text in texts if len(RULES[rule].findings(path, text)) != findings] == []


RUFF = {
    "ok = x != x": "PLR0124", "import pickle": "TID251", "from _pickle import Unpickler": "TID251",
    "import yaml": "TID251", "import runpy": "TID251", "y = eval(text)": "S307", "exec(text)": "S102",
    "y = torch.load(path)": "TID251", "read = torch.load": "TID251", 'y = getattr(torch, "load")(path)': "B009",
    "y = np.load(path, allow_pickle=True)": "TID251", "y = pd.read_pickle(path)": "TID251",
    "torch.serialization.add_safe_globals([x])": "TID251", "torch.hub.load(x, y)": "TID251",
    "try: f()\nexcept Exception: pass": "S110", "while y:\n    try: f()\n    except Exception: continue": "S112",
}
"""Lines of a shipped package, and the rule of ruff that refuses each, in its last line."""


def test_control_the_linter_refuses_swallowed_errors_and_code_that_is_read() -> None:
    text, expected = "import numpy as np\nimport pandas as pd\nimport torch\n", {}
    for planted, rule in RUFF.items():
        text += f"{planted}\n"
        expected[text.count("\n")] = rule
    words = ["check", "--output-format", "json", "--no-cache", "--stdin-filename", PATH, "-"]
    done = subprocess.run([sys.executable, "-m", "ruff", *words], input=text, cwd=ROOT, capture_output=True, text=True)
    found = {(one["end_location"]["row"], one["code"]) for one in json.loads(done.stdout)}
    assert {*expected.items()} <= found


def test_every_exception_for_a_reader_says_what_it_does_not_run() -> None:
    lines = [line for path in PYTHON_FILES if path.parts[0] in MAY_IMPORT for line in read(path).splitlines()]
    allowed = [line for line in lines if "noqa: TID251" in line]
    assert allowed and all("weights_only=True" in line or "allow_pickle=False" in line for line in allowed)


def test_every_package_and_room_is_in_the_tables() -> None:
    assert {path.parts[0] for path in PYTHON_FILES if len(path.parts) > 1} == set(MAY_IMPORT) | {"tests"}
    assert {path.parts[1] for path in PYTHON_FILES if path.parts[0] == "fast" and len(path.parts) > 2} <= set(ROOMS)
    known = {str(folder) for path in FILES for folder in (path, *path.parents)}
    assert MORE.keys() | ONLY.keys() <= known
    together = MAY_IMPORT["reference"] | MAY_IMPORT["fast"]
    assert {name for name in together if "delayprop" in name} == {"delayprop.spec"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle({path: read(path) for path in PYTHON_FILES if path.parts[0] != "tests"}) == []
    planted = {"a/b.py": "from a import c", "a/c.py": "def f():\n    import a.d", "a/d.py": "from .b import g"}
    texts = {PurePosixPath(path): text for path, text in {"a/__init__.py": "", **planted}.items()}
    assert sorted(circle(texts)[1:]) == ["a.b", "a.c", "a.d"], "the control"
    texts[PurePosixPath("a/d.py")] = "if TYPE_CHECKING:\n    from a.b import g"
    assert circle(texts) == []
