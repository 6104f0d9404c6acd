"""The rules of the house: planted faults are found, lawful neighbours are not.

Who may import whom is one of them: `reference` and `fast` are evidence for each other only while
they are independent, so they share `spec` and nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import pytest

from tests.support.house.imports import MAY_IMPORT, MORE, ONLY, ROOMS, arrows_up, circle, forbidden_imports
from tests.support.house.rules import LINES, code_that_is_read, hidden_faults, hidden_nan, long_file, machine_paths
from tests.support.house.sources import FILES, PYTHON_FILES, read

Finder = Callable[[PurePosixPath, str], list[str]]
Texts = Mapping[str, Sequence[str]]


class Rule(NamedTuple):
    """A function of (path, text) that returns findings; texts by path, with one finding or none."""

    findings: Finder
    files: Sequence[PurePosixPath]
    faults: Texts
    lawful: Texts


PATH = "fast/a.py"


def in_fast(findings: Finder, files: Sequence[PurePosixPath], faults: Sequence[str], lawful: Sequence[str]) -> Rule:
    """A rule that is the same for all packages."""
    return Rule(findings, files, {PATH: faults}, {PATH: lawful})


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
SHIPPED = [path for path in PYTHON_FILES if path.parts[0] in MAY_IMPORT]

NAN = in_fast(hidden_nan, PYTHON_FILES, [
    # functions that skip NaN
    "g = np.nan_to_num(g)", "g.nan_to_num_()", "from numpy import nanmean", 'total = getattr(np, "nanmax")(g)',
    "worst = np.nanargmax(g)", "g = np.fmax(g, 0.0)", "scaler = torch.amp.GradScaler()",
    # masks
    "a.x[a.x != a.x] = 0", "x[~torch.isfinite(x)] = 0", "mask = ~isfinite(x)\nx[mask] = 0",
    "bad = x.isnan()\ny = x.masked_fill(bad, 0.0)", "y = x[x == x].sum()", "g.masked_fill_(g.isnan(), 0.0)",
    "np.putmask(g, np.isnan(g), 0)", "np.copyto(g, 0.0, where=np.isnan(g))",
    # choices and branches
    "y = torch.where(torch.isnan(g), 0, g)", "y = torch.where(g == g, g, 0)", "y = g.where(~g.isnan(), g, other=0)",
    "y = 0.0 if math.isnan(g) else g", "y = sum(g for g in gs if g == g)",
    "is_nan = g != g\ny = 0.0 if is_nan else g", "if (nan := x != x):\n    x = 0.0",
    "if not torch.isfinite(g).all():\n    g = torch.zeros_like(g)",
    "for g in grads:\n    if g != g:\n        continue\n    total += g",
    'with np.errstate(invalid="ignore"):\n    f()', 'np.seterr(all="ignore")',
    # marks
    "y = x[x == x]  # nan-ok:", "y = x[x == x]  # nan-fine: counted", '"# nan-ok: in a text"; y = x[x == x]',
    "y = x[order]  # nan-ok: nothing is hidden here",
], [
    "if not torch.isfinite(g).all():\n    raise NotFiniteError(name)",
    "if isfinite(g):\n    use(g)\nelse:\n    raise ValueError",
    "wrong = [~torch.isfinite(g).all()]\nif any(wrong):\n    raise ValueError",
    "raise refuse(times[~np.isfinite(times)][0])", "ring[slot] = math.nan", "y = where(exists, g, 0.0)",
    "y = g.masked_fill(~exists, 0.0)", "y = g[order]", "y = g if want else None", "y = g[g != h]",
    "if a == b:\n    y = 0.0", 'with np.errstate(over="ignore"):\n    f()', "nanoseconds = 1e9 * seconds",
    '"""A NaN is never hidden: no nan_to_num."""', "y = torch.nanny", "y = max(a, b)",
    "y = x[x == x]  # nan-ok: absent entries are marked by NaN",
    "# nan-ok: absent entries are marked by NaN\ny = x[x == x]",
    "is_nan = V != V  # nan-ok: a NaN marks a lane\ny = 0.0 if is_nan else V",
])
FAULTS = in_fast(hidden_faults, PYTHON_FILES, [
    "try:\n    f()\nexcept Exception:\n    pass",
    'try:\n    f()\nexcept BaseException as error:\n    "never mind"',
    "for x in xs:\n    try:\n        f(x)\n    except Exception:\n        continue",
    "with contextlib.suppress(Exception):\n    f()", "y = a / (b + 1e-12)", "y = a / (1e-6 + b)",
    "y = a / (b + c + eps)", "y = a / max(b, EPSILON)", "y = a / b.clamp(min=1e-9)",
], [
    "try:\n    f()\nexcept ValueError:\n    pass", "y = a / (b + 1.0)", "y = a / max(b, c)",
    "try:\n    f()\nexcept Exception as error:\n    raise CaseError from error",
    "y = (f(x + 1e-5) - f(x - 1e-5)) / (2 * 1e-5)",
])
LOADING = in_fast(code_that_is_read, SHIPPED, [
    # pickles
    "import pickle", "import cloudpickle as p", "from pickle import loads", "from _pickle import Unpickler",
    'import importlib\np = importlib.import_module("pickle")', 'p = __import__("dill")', "import shelve",
    "import pandas as pd\npd.read_pickle(path)",
    # texts
    "import yaml\nyaml.load(text)", "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)",
    "from yaml import unsafe_load\nunsafe_load(text)", "x = eval(text)", "exec(text)", "run = eval",
    "import builtins\nbuiltins.eval(text)", 'code = compile(text, "x", "exec")',
    "import runpy\nrunpy.run_path(path)",
    # weights
    "import torch\ntorch.load(path)", "import torch\ntorch.load(path, weights_only=False)",
    "import torch\ntorch.load(path, weights_only=safe)", "import torch\ntorch.load(path, None, pickle)",
    "import torch\ntorch.load(path, **options)", "import torch as t\nt.load(path)",
    "from torch import load as read\nread(path)", "from torch.serialization import load\nload(path)",
    "import torch\nread = torch.load", 'import torch\ngetattr(torch, "load")(path)',
    "import torch\ntorch.hub.load(repo, model)", "import torch\ntorch.serialization.add_safe_globals([Thing])",
    # arrays
    "import numpy as np\nnp.load(path, allow_pickle=True)", "import numpy as np\nnp.load(path, allow_pickle=flag)",
    "import numpy as np\nnp.load(path, None, True)", "from numpy import load\nload(path, **options)",
], [
    "import torch\ntorch.load(path, weights_only=True)", "import torch\ntorch.compile(model)",
    'import torch\ntorch.load(io.BytesIO(body), map_location="cpu", weights_only=True)',
    "import numpy as np\nnp.load(path)", "import numpy as np\nnp.load(path, mmap_mode='r', allow_pickle=False)",
    "import yaml\nyaml.safe_load(text)", "import json\njson.loads(text)", "import re\nre.compile(text)",
    "from ast import literal_eval\nliteral_eval(text)", "model.eval()", "kept = checkpoints.load()",
    "before = builder.load(at)", "def load(path):\n    return read(path)\nload(path)", "from a import pickles",
])
HOMES = [f"see /{folder}/ann/data" for folder in ("home", "root", "Users", "work")]
ELSEWHERE = ["https://example.org/home/x", "docs/home/x and ~/home/x"]
MACHINES = in_fast(machine_paths, FILES, HOMES, ELSEWHERE)
LONG = in_fast(long_file, PYTHON_FILES, ["x\n" * (LINES + 1)], ["x\n" * LINES])
RULES = {
    "imports": Rule(forbidden_imports, PYTHON_FILES, FORBIDDEN, LAWFUL),
    "rooms": Rule(arrows_up, PYTHON_FILES, UP, DOWN),
    "hidden NaN": NAN, "hidden faults": FAULTS, "loading": LOADING, "machine paths": MACHINES, "long files": LONG,
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_file_follows_the_rule(rule: Rule) -> None:
    assert rule.files
    assert [finding for path in rule.files for finding in rule.findings(path, read(path))] == []


@pytest.mark.parametrize(("rule", "path", "text", "findings"), [
    (name, path, text, findings)
    for name, rule in RULES.items() for findings, table in ((1, rule.faults), (0, rule.lawful))
    for path, texts in table.items() for text in texts
])
def test_control_planted_faults_and_lawful_texts(rule: str, path: str, text: str, findings: int) -> None:
    assert len(RULES[rule].findings(PurePosixPath(path), text)) == findings


def test_every_package_and_room_is_in_the_tables() -> None:
    assert {path.parts[0] for path in PYTHON_FILES if len(path.parts) > 1} == set(MAY_IMPORT) | {"tests"}
    assert {path.parts[1] for path in PYTHON_FILES if path.parts[0] == "fast" and len(path.parts) > 2} <= set(ROOMS)
    known = {str(folder) for path in FILES for folder in (path, *path.parents)}
    assert MORE.keys() | ONLY.keys() <= known


def test_reference_and_fast_share_only_the_specification() -> None:
    together = MAY_IMPORT["reference"] | MAY_IMPORT["fast"]
    assert {name for name in together if "delayprop" in name} == {"delayprop.spec"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circle({path: read(path) for path in PYTHON_FILES if path.parts[0] != "tests"}) == []


def test_control_a_circle_is_found() -> None:
    texts = {"a/__init__.py": "", "a/b.py": "from a import c", "a/c.py": "def f():\n    import a.d", "a/d.py": ""}
    assert circle({PurePosixPath(path): text for path, text in texts.items()}) == []
    texts["a/d.py"] = "from .b import g"
    assert sorted(circle({PurePosixPath(path): text for path, text in texts.items()})[1:]) == ["a.b", "a.c", "a.d"]
    texts["a/d.py"] = "if TYPE_CHECKING:\n    from a.b import g"
    assert circle({PurePosixPath(path): text for path, text in texts.items()}) == []


def test_checkpoints_are_read_as_the_rule_allows() -> None:
    """Without such a line the rule of loading would test nothing."""
    text, word = read(PurePosixPath("fast/training/checkpoints.py")), "weights_only=True"
    assert text.count(word) == 1
    assert len(code_that_is_read(PurePosixPath(PATH), text.replace(word, "weights_only=False"))) == 1
