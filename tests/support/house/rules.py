"""Rules of single files, each a function of (path, text) that returns its findings.

Hidden faults: NaN lost, denominators softened, exceptions swallowed. A line that has to test for
NaN carries the comment `# nan-ok: reason`, or follows a line with this comment alone; at an
assignment the comment covers the name.

Machine paths, and long files.

Loading: no shipped package runs code from a file or text it reads. A file that is unpickled, or a
text that is evaluated, can run any code. So checkpoints are read with `weights_only=True`, arrays
without pickles, and no package uses another reader of objects.
"""

import ast
import io
import re
import tokenize
from pathlib import PurePosixPath

from tests.support.house.imports import imported
from tests.support.house.sources import full_name, imported_names, located

SKIPPING = re.compile(r"nan(_to_num|sum|mean|median|max|min|prod|std|var|cumsum|cumprod|quantile|percentile|arg\w+)_?")
SKIPS = {"fmax", "fmin", "GradScaler"}  # nan-ok: the names to look for
FILLS = {"masked_fill", "masked_fill_", "masked_scatter", "masked_scatter_", "index_put", "index_put_", "putmask",
         "place", "copyto", "compress", "masked_invalid", "fix_invalid"}
MARK = re.compile(r"# nan-ok:(.*)")


def skips(name: str) -> bool:
    """Whether a function of this name skips NaN, or replaces it by a number."""
    return name in SKIPS or SKIPPING.fullmatch(name) is not None


def asks(node: ast.AST, known: set[str]) -> bool:
    """Whether an expression tests for NaN or finiteness, itself or by a name in `known`."""
    for part in ast.walk(node):
        match part:
            case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq()], comparators=[right]) if (
                ast.dump(left) == ast.dump(right)
            ):
                return True
            case ast.Call(func=ast.Name(id="isnan" | "isfinite") | ast.Attribute(attr="isnan" | "isfinite")):
                return True
            case ast.Name(id=name, ctx=ast.Load()) if name in known:
                return True
    return False


def names_of_tests(tree: ast.AST) -> dict[int, str]:
    """Names that are assigned the result of a test for NaN, by line."""
    found: dict[int, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=(ast.Compare() | ast.Call() | ast.UnaryOp() | ast.BoolOp() | ast.BinOp()) as value,
            ) if asks(value, set()):
                found[node.lineno] = name
    return found


def raises(body: list[ast.stmt]) -> bool:
    return any(isinstance(part, ast.Raise) for statement in body for part in ast.walk(statement))


def uses_of_nan(tree: ast.AST, known: set[str]) -> dict[int, str]:
    """Lines where a NaN could vanish without an error; names in `known` hold tests for NaN."""
    in_errors = {part for node in ast.walk(tree) if isinstance(node, ast.Raise) for part in ast.walk(node)}
    found: dict[int, str] = {}
    for node in located(tree):
        what = ""
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name) if skips(name):
                what = f"{name} skips NaN"
            case ast.Constant(value=str(name)) if skips(name):  # an attribute looked up by name
                what = f"{name} skips NaN"
            case ast.IfExp(test=test) | ast.NamedExpr(value=test) if asks(test, known):
                what = "a choice by NaN"
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp() if any(
                asks(test, known) for loop in node.generators for test in loop.ifs
            ):
                what = "a choice by NaN"
            case ast.If(test=test, body=body, orelse=orelse) if asks(test, known):
                what = "" if raises(body) or raises(orelse) else "a branch by NaN that does not raise"
            case ast.Subscript(slice=index) if node not in in_errors and asks(index, known):
                what = "a mask by NaN"
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=args, keywords=keywords):
                given = [*args, *(keyword.value for keyword in keywords)]
                silent = [k.arg for k in keywords if isinstance(k.value, ast.Constant) and k.value.value == "ignore"]
                if called == "where" and len(given) == 3 and asks(given[0], known):
                    what = "a choice by NaN"
                elif called in FILLS and any(asks(value, known) for value in given):
                    what = f"{called} by NaN"
                elif called in ("errstate", "seterr") and {"invalid", "all"} & {*silent}:
                    what = "NumPy told to be silent about NaN"
        if what:
            found.setdefault(node.lineno, what)
    return found


def marks(text: str) -> dict[int, str]:
    """The reason of each `# nan-ok:`, by the line that it covers."""
    found: dict[int, str] = {}
    if MARK.search(text) is None:
        return found
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        mark = MARK.fullmatch(token.string) if token.type == tokenize.COMMENT else None
        if mark is not None:
            alone = not token.line[: token.start[1]].strip()
            found[token.start[0] + alone] = mark[1].strip()
    return found


def hidden_nan(path: PurePosixPath, text: str) -> list[str]:
    """Lines that hide a NaN without a reason, and reasons at lines that hide none."""
    tree, reasons = ast.parse(text), marks(text)
    names = names_of_tests(tree)
    uses = uses_of_nan(tree, {name for line, name in names.items() if not reasons.get(line)})
    found = {line: what for line, what in uses.items() if not reasons.get(line)}
    found |= {line: "`# nan-ok:` where no NaN is hidden" for line in reasons.keys() - uses.keys() - names.keys()}
    return [f"{path}:{line}: {what}" for line, what in sorted(found.items())]


def is_tiny(node: ast.AST) -> bool:
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
            limits = {"max", "maximum", "fmax", "clamp", "clamp_min", "clip"}  # nan-ok: the names to look for
            return called in limits and any(map(is_tiny, [*args, *(keyword.value for keyword in keywords)]))
    return False


def does_nothing(body: list[ast.stmt]) -> bool:
    return all(
        isinstance(statement, ast.Pass | ast.Continue)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in body
    )


def hidden_faults(path: PurePosixPath, text: str) -> list[str]:
    """Places where a vanishing denominator or an exception disappears."""
    found = []
    for node in located(ast.parse(text)):
        what = ""
        match node:
            case ast.ExceptHandler(type=ast.Name(id="Exception" | "BaseException"), body=body) if does_nothing(body):
                what = "exception swallowed"
            case ast.Call(
                func=ast.Name(id="suppress") | ast.Attribute(attr="suppress"),
                args=[ast.Name(id="Exception" | "BaseException"), *_],
            ):
                what = "exception swallowed"
            case ast.BinOp(op=ast.Div() | ast.FloorDiv(), right=denominator) if (
                path.parts[0] != "tests" and softened(denominator)  # tests plant this fault
            ):
                what = "epsilon in a denominator"
        if what:
            found.append(f"{path}:{node.lineno}: {what}")
    return found


MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:home|root|Users|work)/[\w.]")


def machine_paths(path: PurePosixPath, text: str) -> list[str]:
    """Absolute paths of one machine."""
    lines = enumerate(text.split("\n"), start=1)
    return [f"{path}:{number}: machine path" for number, line in lines if MACHINE_PATH.search(line)]


LINES = 400


def long_file(path: PurePosixPath, text: str) -> list[str]:
    lines = len(text.splitlines())
    return [f"{path}: {lines} lines"] if lines > LINES else []


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
