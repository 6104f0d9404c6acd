"""The rules of size: files of at most 250 lines, functions of at most 12 parameters."""

from __future__ import annotations

import ast
from pathlib import PurePosixPath

LINES, PARAMETERS = 250, 12


def long_file(path: PurePosixPath, text: str) -> list[str]:
    lines = len(text.splitlines())
    return [f"{path}: {lines} lines"] if lines > LINES else []


def wide_functions(path: PurePosixPath, text: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            given = node.args
            if len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs) > PARAMETERS:
                name = getattr(node, "name", "lambda")
                found.append(f"{path}: {name} has more than {PARAMETERS} parameters")
    return found
