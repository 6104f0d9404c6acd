"""The laws of the house that an `ast` can check: who may import what, and how nothing is hidden.

`reference` and `fast` are evidence for one another only while neither knows the other: they share `spec` and nothing
else. Every check is a function of (path, text) that returns its findings, and each has controls: planted faults that
must be found, and lawful neighbours that must not.
"""

import ast
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT = {
    "spec": {"numpy"},
    "derivations": {"sympy"},
    "reference": {"spec", "numpy", "mpmath"},
    "fast": {"spec", "torch", "numpy", "numba", "h5py"},
    "benchmarks": {"fast", "spec", "torch", "numpy", "numba"},
    "reports": {"matplotlib", "numpy"},
}
INSTALLED = ("spec", "derivations", "reference", "fast", "reports")


def may_import(path: PurePosixPath) -> set[str]:
    """The top-level modules that the file may import beside the standard library and its own package."""
    package = path.parts[0]
    allowed = MAY_IMPORT[package] | {package}
    if path == PurePosixPath("fast/train.py") or path.parts[:2] == ("fast", "tasks"):
        allowed = allowed | {"reports"}  # a finished run is drawn
    return allowed


def resolve(path: PurePosixPath, level: int, module: str) -> str:
    """The absolute name of `module` imported from the file `path` with `level` leading dots."""
    if level == 0:
        return module
    kept = path.parent.parts[: len(path.parent.parts) - level + 1]
    return ".".join([*kept, module])


def imported(path: PurePosixPath, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, absolute module name) of every import; the name is "?" where it is computed and cannot be known."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    yield node.lineno, alias.name
            case ast.ImportFrom(module=None, names=names, level=level):
                for alias in names:
                    yield node.lineno, resolve(path, level, alias.name)
            case ast.ImportFrom(module=str(module), level=level):
                yield node.lineno, resolve(path, level, module)
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)) if called in DYNAMIC:
                yield node.lineno, dynamic_name(path, node)


DYNAMIC = {"import_module", "__import__", "run_module"}


def dynamic_name(path: PurePosixPath, call: ast.Call) -> str:
    """The module that an importing call names, as far as its top level can be read off: "?" where it cannot."""
    match call.args[:1]:
        case [ast.Constant(value=str(name))]:
            pass
        case [ast.JoinedStr(values=[ast.Constant(value=str(name)), *_])] if "." in name:
            pass
        case _:
            return "?"
    level = len(name) - len(name.lstrip("."))
    anchors = [*call.args[1:], *(keyword.value for keyword in call.keywords)]
    if level and not all(isinstance(anchor, ast.Name) and anchor.id == "__package__" for anchor in anchors):
        return "?"
    return resolve(path, level, name.lstrip("."))


def forbidden_imports(path: PurePosixPath, text: str) -> list[str]:
    """Imports of the file that the table does not allow."""
    package = path.parts[0]
    found = []
    for line, module in imported(path, ast.parse(text)):
        top = module.split(".")[0]
        if package in MAY_IMPORT:
            lawful = top in sys.stdlib_module_names or top in may_import(path)
        else:
            lawful = top != "tests" or package == "tests"
        if not lawful:
            found.append(f"{path}:{line}: imports {module}")
    return found


def is_nan_test(node: ast.AST) -> bool:
    """`x != x`, or a call of an isnan."""
    match node:
        case ast.Compare(left=left, ops=[ast.NotEq()], comparators=[right]):
            return ast.dump(left) == ast.dump(right)
        case ast.Call(func=ast.Name(id="isnan") | ast.Attribute(attr="isnan")):
            return True
    return False


def has_nan_test(node: ast.AST) -> bool:
    return any(is_nan_test(part) for part in ast.walk(node))


def is_tiny(node: ast.AST) -> bool:
    """A small constant, or a name that says it is one."""
    match node:
        case ast.Constant(value=float(value)):
            return 0.0 < value < 1e-2
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return re.fullmatch(r"_?(eps|epsilon|tiny)(_\w+)?", name.lower()) is not None
    return False


def softened(denominator: ast.AST) -> bool:
    """Whether a small number keeps the denominator away from 0."""
    match denominator:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
            return is_tiny(left) or is_tiny(right) or softened(left) or softened(right)
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=args, keywords=keywords):
            limits = {"max", "maximum", "fmax", "clamp", "clamp_min", "clip"}
            return called in limits and any(map(is_tiny, [*args, *(keyword.value for keyword in keywords)]))
    return False


def hidden_faults(path: PurePosixPath, text: str) -> list[str]:
    """Places where a NaN, a vanishing denominator or an exception would disappear without a word."""
    found = []

    def report(node: ast.expr | ast.stmt | ast.excepthandler | ast.alias, what: str) -> None:
        found.append(f"{path}:{node.lineno}: {what}")

    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Name(id="nan_to_num") | ast.Attribute(attr="nan_to_num") | ast.alias(name="nan_to_num"):
                report(node, "nan_to_num")
            case ast.Subscript(slice=ast.Compare() as index) if is_nan_test(index):
                report(node, "x[x != x]")
            case ast.Subscript(ctx=ast.Store(), slice=index) if has_nan_test(index):
                report(node, "NaN overwritten")
            case ast.Call(func=ast.Name(id="where") | ast.Attribute(attr="where"), args=[condition, _, _]) if (
                has_nan_test(condition)
            ):
                report(node, "NaN replaced")
            case ast.ExceptHandler(type=None):
                report(node, "bare except")
            case ast.ExceptHandler(type=ast.Name(id="Exception" | "BaseException"), body=body) if all(
                isinstance(statement, ast.Pass | ast.Continue)
                or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
                for statement in body
            ):
                report(node, "exception swallowed")
            case ast.Call(
                func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"),
                args=[ast.Name(id="Exception" | "BaseException"), *_],
            ):
                report(node, "exception swallowed")
            case ast.BinOp(op=ast.Div() | ast.FloorDiv(), right=denominator) if (
                path.parts[0] != "tests" and softened(denominator)  # tests plant this very fault
            ):
                report(node, "epsilon in a denominator")
    return found


MACHINE_PATH = re.compile(rb"(?<![\w.~-])/(?:home|root|Users|work)/[\w.]")


def machine_paths(path: PurePosixPath, content: bytes) -> list[str]:
    """Absolute paths of somebody's machine."""
    lines = enumerate(content.splitlines(), start=1)
    return [f"{path}:{number}: machine path" for number, line in lines if MACHINE_PATH.search(line)]


def repository_files() -> list[PurePosixPath]:
    """All files that `.gitignore` does not exclude, found without git so that a bare source tree can be tested."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line] + [".git"]

    def is_ignored(path: PurePosixPath) -> bool:
        return any(fnmatch(f"/{path}" if pattern.startswith("/") else path.name, pattern) for pattern in ignored)

    def walk(folder: Path) -> Iterator[PurePosixPath]:
        for entry in sorted(folder.iterdir()):
            path = PurePosixPath(entry.relative_to(ROOT).as_posix())
            if is_ignored(path):
                continue
            if entry.is_dir():
                yield from walk(entry)
            else:
                yield path

    return list(walk(ROOT))


def read(path: PurePosixPath) -> bytes:
    return (ROOT / path).read_bytes()


FILES = repository_files()
PYTHON_FILES = [path for path in FILES if path.suffix == ".py"]


def test_every_package_is_there_and_in_the_table():
    folders = {path.parts[0] for path in PYTHON_FILES if len(path.parts) > 1}
    assert set(INSTALLED) <= folders <= set(MAY_IMPORT) | {"tests"}


def test_reference_and_fast_share_only_the_specification():
    ours = set(MAY_IMPORT)
    assert MAY_IMPORT["reference"] & ours == {"spec"}
    assert MAY_IMPORT["fast"] & ours == {"spec"}


def test_imports_of_every_file():
    found = [line for path in PYTHON_FILES for line in forbidden_imports(path, read(path).decode())]
    assert not found, "\n".join(found)


def test_nothing_is_hidden_in_any_file():
    found = [line for path in PYTHON_FILES for line in hidden_faults(path, read(path).decode())]
    assert not found, "\n".join(found)


def test_no_machine_path_in_any_file():
    found = [line for path in FILES for line in machine_paths(path, read(path))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("reference/a.py", "import fast"),
        ("reference/a.py", "import numpy, fast.kernels as k"),
        ("reference/a.py", "from fast.kernels import advance"),
        ("reference/a.py", "def f():\n    from fast import kernels"),
        ("reference/a.py", "if TYPE_CHECKING:\n    import fast"),
        ("reference/a.py", "from ..fast import kernels"),
        ("reference/a.py", "from .. import fast"),
        ("reference/b/a.py", "from ...fast import kernels"),
        ("reference/a.py", 'import importlib\nimportlib.import_module("fast")'),
        ("reference/a.py", 'from importlib import import_module\nimport_module("fast.kernels")'),
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
def test_control_forbidden_import_is_found(path, text):
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
def test_control_lawful_import_is_left_alone(path, text):
    assert forbidden_imports(PurePosixPath(path), text) == []


@pytest.mark.parametrize(
    "text",
    [
        "np.nan_to_num(g)",
        "from numpy import nan_to_num",
        "g[g != g] = 0",
        "y = g[g != g]",
        "a.g[a.g != a.g] = 0",
        "g[np.isnan(g)] = 0",
        "g = torch.where(torch.isnan(g), 0, g)",
        "try:\n    f()\nexcept:\n    raise",
        "try:\n    f()\nexcept Exception:\n    pass",
        'try:\n    f()\nexcept BaseException as error:\n    "never mind"',
        "with contextlib.suppress(Exception):\n    f()",
        "y = a / (b + 1e-12)",
        "y = a / (1e-6 + b)",
        "y = a / (b + c + eps)",
        "y = a / max(b, EPSILON)",
        "y = a / b.clamp(min=1e-9)",
    ],
)
def test_control_hidden_fault_is_found(text):
    assert len(hidden_faults(PurePosixPath("fast/a.py"), text)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "if math.isnan(t):\n    raise ValueError",
        "y = g[g != h]",
        "y = where(isfinite(t), t, T)",
        "try:\n    f()\nexcept ValueError:\n    pass",
        "try:\n    f()\nexcept Exception as error:\n    raise CaseError from error",
        "y = a / (b + 1.0)",
        "y = (f(x + 1e-5) - f(x - 1e-5)) / (2 * 1e-5)",
        "y = a / max(b, c)",
    ],
)
def test_control_open_handling_is_left_alone(text):
    assert hidden_faults(PurePosixPath("fast/a.py"), text) == []


def test_control_machine_path_is_found():
    for folder in (b"home", b"root", b"Users", b"work"):
        assert machine_paths(PurePosixPath("a.md"), b"ok\nsee /" + folder + b"/ann/data") == ["a.md:2: machine path"]
    assert machine_paths(PurePosixPath("a.md"), b"https://example.org/home/x and docs/home/x and ~/home/x") == []
