"""The laws of the house that a program can check, each a function of (path, text) that returns its findings."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from tests import ROOT

MAY_IMPORT = {
    "spec": {"numpy"},
    "derivations": {"sympy"},
    "reference": {"spec", "numpy", "mpmath"},
    "fast": {"spec", "torch", "numpy", "numba", "llvmlite", "h5py", "tqdm"},
    "benchmarks": {"fast", "spec", "torch", "numpy", "numba"},
    "reports": {"matplotlib", "numpy"},
    "results": {"fast", "spec"},
    "docs": {"fast", "optuna"},
    "examples": {
        "benchmarks", "spec", "numpy", "torch", "snntorch", "eventax", "jax", "equinox", "optimistix", "diffrax",
    },
}
INSTALLED = ("spec", "derivations", "reference", "fast", "reports")


def may_import(path: PurePosixPath) -> set[str]:
    """The top-level modules that the file may import beside the standard library and its own package."""
    package = path.parts[0]
    allowed = MAY_IMPORT[package] | {package}
    if path == PurePosixPath("fast/train.py") or path.parts[:2] == ("fast", "tasks"):
        allowed = allowed | {"reports"}  # a finished run is drawn
    if path == PurePosixPath("spec/nir_nodes.py"):
        allowed = allowed | {"nir"}  # optional, imported when it is used
    if path.parts[:2] == ("benchmarks", "grid"):
        allowed = allowed | {"reference", "reports"}  # a grid is held against the exact gradient, and drawn
    if path == PurePosixPath("benchmarks/without_kernels.py"):
        allowed = allowed | {"reference"}  # which follows single neurons before anything is timed
    if path in (PurePosixPath("benchmarks/drawing.py"), PurePosixPath("benchmarks/grid/figures.py")):
        allowed = allowed | {"matplotlib"}
    if path.parts[:2] == ("reports", "verification"):
        allowed = allowed | {"derivations", "sympy", "benchmarks"}  # the derivation is shown, and the study of grids
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
