"""The rule of loading: no shipped package runs code from a file or text it reads.

A file that is unpickled, or a text that is evaluated, can run any code. So checkpoints are read
with `weights_only=True`, arrays without pickles, and no package uses another reader of objects.
"""

import ast
from pathlib import PurePosixPath

from tests.support.house.imports import imported
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


def literally(keyword: ast.keyword, value: bool) -> bool:
    return isinstance(keyword.value, ast.Constant) and keyword.value.value is value


def is_safe(call: ast.Call, called: str) -> bool:
    """Whether a call reads weights with `weights_only=True`, or arrays without pickles."""
    if called in WEIGHTS:
        return any(given.arg == "weights_only" and literally(given, True) for given in call.keywords)
    risky = [given for given in call.keywords if given.arg in ("allow_pickle", None)]  # None: `**options`
    return called in ARRAYS and len(call.args) <= 2 and all(literally(given, False) for given in risky)


def code_that_is_read(path: PurePosixPath, text: str) -> list[str]:
    """Places that run, or may run, code from a file or text."""
    tree = ast.parse(text)
    names, nodes = imported_names(tree), list(located(tree))
    found = {
        line: f"{path}:{line}: imports {module}"
        for line, module in imported(path, tree) if module.split(".")[0] in MODULES
    }
    safe = {node.func for node in nodes if isinstance(node, ast.Call) and is_safe(node, full_name(node.func, names))}
    for node in nodes:
        name = full_name(node, names)
        if name in RUN or (name in WEIGHTS | ARRAYS and node not in safe):
            found.setdefault(node.lineno, f"{path}:{node.lineno}: {name}")
    return [found[line] for line in sorted(found)]
