"""The rules of size: files of at most 250 lines, functions of at most 12 parameters.

`benchmarks/PARAMETERS.md` lists the functions that need more, each with its reason.
"""

from __future__ import annotations

import ast
import re
from pathlib import PurePosixPath

from tests.support.house.sources import read

LINES, PARAMETERS = 250, 12
LISTED = PurePosixPath("benchmarks/PARAMETERS.md")
WIDE_FOR_NOW = ("fast/cpu/recurrent_backward.py",)
LONG_FOR_NOW = {
    "benchmarks/grid/figures.py", "examples/conformance/eventax_adapter.py", "tests/invariances/test_invariances.py",
    "tests/reference/test_taylor.py", "tests/support/faults/catalogue.py", "tests/training/test_survival.py",
    "tests/training/test_training.py",
}


def long_file(path: PurePosixPath, text: str) -> list[str]:
    """A finding if the file has more lines than allowed."""
    lines = len(text.splitlines())
    return [f"{path}: {lines} lines"] if lines > LINES and str(path) not in LONG_FOR_NOW else []


def wide(path: PurePosixPath, text: str) -> list[str]:
    """Functions of the file with more parameters than allowed, by their full names."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            given = node.args
            if len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs) > PARAMETERS:
                module = ".".join(path.with_suffix("").parts)
                found.append(f"{module}.{getattr(node, 'name', 'lambda')}")
    return found


def listed() -> dict[str, str]:
    """The functions that the benchmarks justify, with their reasons."""
    return dict(re.findall(r"^\| `([\w.]+)` \| (.*\S) +\|$", read(LISTED), re.MULTILINE))


def wide_functions(path: PurePosixPath, text: str) -> list[str]:
    """Functions with more parameters than allowed that are not listed."""
    lawful = {*listed()} | {name for name in wide(path, text) if any(map(path.is_relative_to, WIDE_FOR_NOW))}
    return [f"{path}: {name} has more than {PARAMETERS} parameters" for name in wide(path, text) if name not in lawful]
