"""The files of the repository."""

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
