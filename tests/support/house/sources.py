"""The files of the repository, and how the names in a Python file resolve."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from tests import ROOT


def repository_files() -> list[PurePosixPath]:
    """All files that `.gitignore` does not exclude; found without git, for a bare source tree."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line] + [".git"]

    def is_ignored(path: PurePosixPath) -> bool:
        return any(fnmatch(f"/{path}" if pattern.startswith("/") else path.name, pattern) for pattern in ignored)

    def walk(folder: Path) -> Iterator[PurePosixPath]:
        for entry in sorted(folder.iterdir()):
            path = PurePosixPath(entry.relative_to(ROOT).as_posix())
            if is_ignored(path) or entry.is_symlink():  # of `delayprop`, to folders at the root
                continue
            if entry.is_dir():
                yield from walk(entry)
            else:
                yield path

    return list(walk(ROOT))


def read(path: PurePosixPath) -> str:
    """The text of a file; a byte that is no UTF-8 becomes a replacement character."""
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


FILES = repository_files()
PYTHON_FILES = [path for path in FILES if path.suffix == ".py"]

Located = ast.expr | ast.stmt | ast.alias | ast.excepthandler


def located(tree: ast.AST) -> Iterator[Located]:
    """All nodes that have a line."""
    return (node for node in ast.walk(tree) if isinstance(node, Located))


def absolute(path: PurePosixPath, level: int, module: str) -> str:
    """The absolute name of `module`, imported in the file `path` with `level` leading dots."""
    if level == 0:
        return module
    folders = path.parent.parts[: len(path.parent.parts) - level + 1]
    return ".".join([*folders, module])


def imported_names(tree: ast.AST) -> dict[str, str]:
    """The full name behind each imported name: `np` is `numpy`, `load` is `torch.load`."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                for alias in names:
                    name = alias.name if alias.asname else alias.name.split(".")[0]
                    found[alias.asname or name] = name
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found |= {alias.asname or alias.name: f"{module}.{alias.name}" for alias in names}
    return found


def full_name(node: ast.AST, names: dict[str, str]) -> str:
    """The full name of the object an expression refers to, by the imports; "" if unknown."""
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(value=value, attr=name) | ast.Call(
            func=ast.Name(id="getattr"), args=[value, ast.Constant(value=str(name)), *_]
        ):
            before = full_name(value, names)
            return f"{before}.{name}" if before else ""
    return ""
