"""The rules of imports: who may import whom, the order of the rooms of `fast`, no circles."""

import ast
import sys
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath

MAY_IMPORT = {
    "spec": {"numpy"},
    "derivations": {"delayprop.spec", "sympy"},
    "reference": {"delayprop.spec", "numpy", "mpmath"},
    "fast": {"delayprop.spec", "torch", "numpy", "numba", "llvmlite", "h5py", "tqdm", "filelock"},
    "delayprop": set(),
    "benchmarks": {"delayprop.fast", "delayprop.spec", "torch", "numpy", "numba"},
    "reports": {
        "delayprop.spec", "delayprop.derivations", "delayprop.fast.data.records", "delayprop.fast.drawing",
        "matplotlib", "numpy", "sympy",
    },
    "results": {"delayprop.fast", "delayprop.spec"},
    "docs": {"delayprop", "optuna"},
    "examples": {"delayprop", "numpy", "torch", "snntorch"},
}
"""Imports of a package beside the standard library and itself; `tests` may import all."""

MORE = {
    "spec/nir_nodes.py": {"nir"},  # optional, imported when used
    "fast/drawing": {"jinja2", "matplotlib", "PIL"},
    "fast/nn/conversion.py": {"matplotlib"},  # imported when drawn
    "fast/nn/spikes.py": {"matplotlib"},  # a type alone
    "fast/training/evaluation.py": {"matplotlib"},  # a type alone
    "fast/training/intervals.py": {"mpmath"},
    "docs/formulas.py": {"ziamath"},  # the build of the site alone has it
    "benchmarks/correctness.py": {"delayprop.reference"},  # follows single neurons before anything is timed
    "benchmarks/delay_lines.py": {"DCLS"},  # optional, imported when used
    "delayprop/__main__.py": {"reports", "results"},  # the two commands that need a checkout
    "results/reproduce.py": {"benchmarks", "filelock"},  # the row that measures time and memory
    "docs/hooks.py": {"results"},  # the page of the paper
}
"""Further imports of one file or folder."""

ONLY = {"fast/plain": {"delayprop.spec", "delayprop.fast.plain", "delayprop.fast.solving.matrices", "numpy"}}
"""All imports of one folder: the plain rung runs no kernel, since kernels are tested against it."""

LINKED = ("spec", "derivations", "reference", "fast")
"""Packages of `delayprop`. A bare name would import a module twice; so might a relative one, from a
command."""

ROOMS = {
    "compiling": 0, "layout": 1, "physics": 2, "solving": 3, "plain": 4, "cpu": 4, "cuda": 4, "nn": 5, "data": 6,
    "drawing": 7, "training": 8, "tasks": 9, "runs": 10, "commands": 11,
}
"""The rooms of `fast` and their levels: a room imports itself and rooms of lower levels only."""

DYNAMIC = {"import_module", "__import__", "run_module"}


def imported(path: PurePosixPath, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, full name) of every import; "?" for a name that is computed."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                before = f"{module}." if module else ""
                yield from ((node.lineno, absolute(path, level, before + alias.name)) for alias in names)
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)) if called in DYNAMIC:
                yield node.lineno, dynamic_name(node)


def dynamic_name(call: ast.Call) -> str:
    """The module an importing call names, as far as its first part is written out; else "?"."""
    match call.args[:1]:
        case [ast.Constant(value=str(name)) | ast.JoinedStr(values=[ast.Constant(value=str(name)), *_])]:
            return name if not name.startswith(".") else "?"
    return "?"


def absolute(path: PurePosixPath, level: int, module: str) -> str:
    """The absolute name of `module`, imported in the file `path` with `level` leading dots."""
    folders = path.parent.parts[: len(path.parent.parts) - level + 1] if level else ()
    return ".".join([*folders, module])


def within(name: str, packages: Iterable[str]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def within_delayprop(name: str) -> str:
    """The full name of a package or module, given its place at the root."""
    return f"delayprop.{name}" if within(name, LINKED) else name


def forbidden_imports(path: PurePosixPath, text: str) -> list[str]:
    package = path.parts[0]
    allowed = {*MAY_IMPORT.get(package, ()), within_delayprop(package), *sys.stdlib_module_names}
    for place, more in MORE.items():
        if path.is_relative_to(place):
            allowed |= more
    for place, only in ONLY.items():
        if path.is_relative_to(place):
            allowed = {*only, *sys.stdlib_module_names}
    found = {}
    for line, name in imported(path, ast.parse(text)):
        lawful = within(name, allowed) if package in MAY_IMPORT else package == "tests" or not within(name, ["tests"])
        if not lawful or within(name, LINKED):
            found[line] = f"{path}:{line}: imports {name}"
    return list(found.values())


def room(parts: tuple[str, ...]) -> str:
    """The room of a file or module of `fast`, given the parts of its name."""
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else "commands"


def arrows_up(path: PurePosixPath, text: str) -> list[str]:
    """Imports within `fast` from a room that is not below."""
    if path.parts[0] != "fast":
        return []
    own, found = room(path.parts), {}
    for line, name in imported(path, ast.parse(text)):
        other = room(tuple(name.split(".")[1:]))
        if within(name, ["delayprop.fast"]) and own != other and ROOMS[other] >= ROOMS[own]:
            found[line] = f"{path}:{line}: {own} imports {name} of {other}"
    return list(found.values())


def runtime(tree: ast.Module) -> ast.Module:
    """The file without the blocks that only a type checker reads."""
    body = [node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))]
    return ast.Module(body, [])


def circle(texts: dict[PurePosixPath, str]) -> list[str]:
    """The modules of one circle of imports, the first again at the end; empty if none exists."""
    names = {path: ".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in texts}
    modules = {within_delayprop(name): path for path, name in names.items()}
    graph: dict[str, set[str]] = {}
    for module, path in modules.items():
        found = {name for _, name in imported(path, runtime(ast.parse(texts[path])))}
        known = {name if name in modules else name.rpartition(".")[0] for name in found}
        graph[module] = known & modules.keys() - {module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []
