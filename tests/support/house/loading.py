"""Where something that is read could run code: a function of (path, text) that returns its findings.

What unpickles, or evaluates a text, does whatever the file says. So checkpoints are read with `weights_only=True`,
arrays without pickles, and no package that is shipped knows another reader of objects.
"""

from __future__ import annotations

import ast
from pathlib import PurePosixPath

PACKAGES = ("spec", "derivations", "reference", "fast", "benchmarks", "reports", "results", "docs", "examples")

MODULES = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve"}
RUN = {
    "eval", "exec", "compile", "builtins.eval", "builtins.exec", "builtins.compile", "runpy.run_path",
    "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.full_load_all", "yaml.unsafe_load", "yaml.unsafe_load_all",
    "pandas.read_pickle", "torch.hub.load", "torch.jit.load", "torch.package.PackageImporter",
    "torch.serialization.add_safe_globals",
}
WEIGHTS = {"torch.load", "torch.serialization.load"}
ARRAYS = {"numpy.load", "numpy.lib.format.read_array"}
IMPORTERS = {"importlib.import_module", "__import__"}


def imported_names(tree: ast.AST) -> dict[str, str]:
    """What each imported name of a file stands for: `np` for `numpy`, `load` for `torch.load`."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    name = alias.name if alias.asname else alias.name.split(".")[0]
                    found[alias.asname or name] = name
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for alias in names:
                    found[alias.asname or alias.name] = f"{module}.{alias.name}"
    return found


def full_name(node: ast.AST, names: dict[str, str]) -> str:
    """The absolute name that an expression stands for, as far as imports tell; "" if it is none."""
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(value=value, attr=name):
            before = full_name(value, names)
            return f"{before}.{name}" if before else ""
        case ast.Call(func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(name)), *_]):
            before = full_name(value, names)
            return f"{before}.{name}" if before else ""
    return ""


def said(call: ast.Call, keyword: str, value: bool) -> bool:
    """Whether a call gives a keyword just this value, in so many words."""
    return any(
        given.arg == keyword and isinstance(given.value, ast.Constant) and given.value.value is value
        for given in call.keywords
    )


def without_pickles(call: ast.Call) -> bool:
    """Whether a call of `numpy.load` leaves `allow_pickle` as it is, or says False."""
    names = {given.arg for given in call.keywords}  # None: a dictionary of them
    silent = "allow_pickle" not in names and None not in names
    return len(call.args) <= 2 and (silent or said(call, "allow_pickle", False))


def modules_of(node: ast.AST, names: dict[str, str]) -> list[str]:
    """Modules that a statement or a call imports."""
    match node:
        case ast.Import(names=aliases):
            return [alias.name for alias in aliases]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
        case ast.Call(func=func, args=[ast.Constant(value=str(module)), *_]) if full_name(func, names) in IMPORTERS:
            return [module]
    return []


def code_that_is_read(path: PurePosixPath, text: str) -> list[str]:
    """Places in the file that run what they read, or could."""
    tree = ast.parse(text)
    names, lawful, found = imported_names(tree), set[ast.AST](), dict[int, str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = full_name(node.func, names)
            if (called in WEIGHTS and said(node, "weights_only", True)) or (called in ARRAYS and without_pickles(node)):
                lawful.add(node.func)
    for node in ast.walk(tree):
        if not isinstance(node, ast.expr | ast.stmt):
            continue
        for module in modules_of(node, names):
            if module.split(".")[0] in MODULES:
                found.setdefault(node.lineno, f"{path}:{node.lineno}: imports {module}")
        name = full_name(node, names)
        if name in RUN or (name in WEIGHTS | ARRAYS and node not in lawful):
            found.setdefault(node.lineno, f"{path}:{node.lineno}: {name}")
    return [found[line] for line in sorted(found)]
