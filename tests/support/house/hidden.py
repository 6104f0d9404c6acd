"""Where a NaN would disappear without a word: a function of (path, text) that returns its findings.

`tests/support/house/rules.py` finds the plain forms in every file. In the packages that compute gradients the net is finer: any
function that skips NaN, any choice, mask or branch that asks for NaN or for finite numbers and does not raise.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tests.support.house.imports import is_nan_test

PACKAGES = ("fast", "reference")

SKIPPING = re.compile(r"nan(_to_num|sum|mean|median|max|min|prod|std|var|cumsum|cumprod|quantile|percentile|arg\w+)_?")
SKIPS = {"fmax", "fmin", "GradScaler"}  # the other of two numbers; whole steps
FILLS = {"masked_fill", "masked_fill_", "masked_scatter", "masked_scatter_", "index_put", "index_put_", "putmask",
         "place", "copyto", "compress", "masked_invalid", "fix_invalid"}

MARKED = "a NaN in the ring marks a lane; its arrivals are looked up exactly, and `test_nan_shows.py` follows them"
LAWFUL = {
    ("fast/cpu/lookup.py", "V, I = at.zero if is_nan else V, at.zero if is_nan else I"): MARKED,
    ("fast/cpu/lookup.py", "g_of[lane] = whole_ring[p * (ADJOINT + 1) + DRIVE] if ring[2 * p] == ring[2 * p] else 0.0"):
        MARKED,
    ("fast/cpu/lookup.py", "if ring[2 * p] != ring[2 * p] or row[lane] == at.zero:"): MARKED,
    ("fast/cuda/lookup.py", "if V == V and not want_tau and rate < 0.0:"): MARKED,
    ("fast/cuda/lookup.py", "if V == V:"): MARKED,
    (
        "fast/nn/spikes.py",
        "if not bool(torch.stack([ends_wrong, bad.any(), back.any()]).any()):  # a GPU is waited for once",
    ): "the way out of a check that has found nothing",
}
"""Lines that ask for NaN and do not raise, and why each hides nothing."""


def skips(name: str) -> bool:
    """Whether a function of this name leaves NaN out, or makes a number of it."""
    return name in SKIPS or SKIPPING.fullmatch(name) is not None


def asks(node: ast.AST, known: set[str]) -> bool:
    """Whether an expression asks for NaN, or for finite numbers: by a test, or by a name that holds one."""
    for part in ast.walk(node):
        match part:
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]) if ast.dump(left) == ast.dump(right):
                return True
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)) if called == "isfinite":
                return True
            case ast.Name(id=name, ctx=ast.Load()) if name in known:
                return True
        if is_nan_test(part):
            return True
    return False


def names_that_hold_a_test(tree: ast.AST) -> set[str]:
    """Names that are given what a test for NaN has found."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=(ast.Compare() | ast.Call() | ast.UnaryOp() | ast.BoolOp() | ast.BinOp()) as value,
            ) if asks(value, set()):
                found.add(name)
    return found


def within(node: ast.AST, kind: type[ast.AST]) -> Iterator[ast.AST]:
    """All nodes below the nodes of a kind."""
    for part in ast.walk(node):
        if isinstance(part, kind):
            yield from ast.walk(part)


def raises(body: list[ast.stmt]) -> bool:
    return any(isinstance(part, ast.Raise) for statement in body for part in ast.walk(statement))


def hidden_numbers(path: PurePosixPath, text: str) -> list[str]:
    """Places in the file where a NaN could become a number, or a step without a word."""
    tree, lines = ast.parse(text), text.splitlines()
    known, told = names_that_hold_a_test(tree), set(within(tree, ast.Raise))
    found: dict[int, str] = {}

    def report(line: int, what: str) -> None:
        if (str(path), lines[line - 1].strip()) not in LAWFUL:
            found.setdefault(line, f"{path}:{line}: {what}")

    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) if skips(name):
                report(node.lineno, f"{name} skips NaN")
            case ast.Constant(value=str(name)) if skips(name):  # to be looked up by its name
                report(node.lineno, f"{name} skips NaN")
            case ast.IfExp(test=test) if asks(test, known):
                report(node.lineno, "a choice by NaN")
            case ast.NamedExpr(value=value) if asks(value, known):
                report(node.lineno, "a choice by NaN")
            case ast.If(test=test, body=body, orelse=orelse) if (
                asks(test, known) and not raises(body) and not raises(orelse)
            ):
                report(node.lineno, "a branch by NaN that does not raise")
            case ast.Subscript(slice=index) if node not in told and asks(index, known):
                report(node.lineno, "a mask by NaN")
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=args, keywords=keywords):
                given = [*args, *(keyword.value for keyword in keywords)]
                if called == "where" and len(given) == 3 and asks(given[0], known):
                    report(node.lineno, "a choice by NaN")
                if called in FILLS and any(asks(value, known) for value in given):
                    report(node.lineno, f"{called} by NaN")
                silenced = {"invalid", "all"} & {
                    keyword.arg for keyword in keywords
                    if isinstance(keyword.value, ast.Constant) and keyword.value.value == "ignore"
                }
                if called in ("errstate", "seterr") and silenced:
                    report(node.lineno, "NumPy told to be silent about NaN")
    return [found[line] for line in sorted(found)]
