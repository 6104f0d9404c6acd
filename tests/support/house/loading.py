"""The rule of loading: no shipped package runs code from a file or text it reads.

A file that is unpickled, or a text that is evaluated, can run any code. So checkpoints are read
with `weights_only=True`, arrays without pickles, and no package uses another reader of objects.
"""

import ast
from pathlib import PurePosixPath

from tests.support.house.sources import full_name, imported_names, located

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


def literally(keyword: ast.keyword, value: bool) -> bool:
    return isinstance(keyword.value, ast.Constant) and keyword.value.value is value


def is_safe(call: ast.Call, called: str) -> bool:
    """Whether a call reads weights with `weights_only=True`, or arrays without pickles."""
    if called in WEIGHTS:
        return any(given.arg == "weights_only" and literally(given, True) for given in call.keywords)
    risky = [given for given in call.keywords if given.arg in ("allow_pickle", None)]  # None: `**options`
    return called in ARRAYS and len(call.args) <= 2 and all(literally(given, False) for given in risky)


def modules_of(node: ast.AST, names: dict[str, str]) -> list[str]:
    match node:
        case ast.Import(names=aliases):
            return [alias.name for alias in aliases]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
        case ast.Call(func=func, args=[ast.Constant(value=str(module)), *_]) if full_name(func, names) in IMPORTERS:
            return [module]
    return []


def code_that_is_read(path: PurePosixPath, text: str) -> list[str]:
    """Places that run, or may run, code from a file or text."""
    tree = ast.parse(text)
    names, found = imported_names(tree), dict[int, str]()
    nodes = list(located(tree))
    safe = {node.func for node in nodes if isinstance(node, ast.Call) and is_safe(node, full_name(node.func, names))}
    for node in nodes:
        for module in modules_of(node, names):
            if module.split(".")[0] in MODULES:
                found.setdefault(node.lineno, f"{path}:{node.lineno}: imports {module}")
        name = full_name(node, names)
        if name in RUN or (name in WEIGHTS | ARRAYS and node not in safe):
            found.setdefault(node.lineno, f"{path}:{node.lineno}: {name}")
    return [found[line] for line in sorted(found)]
