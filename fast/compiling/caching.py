"""The folder that keeps compiled kernels: the first of some places that can be written.

A container often has a user without a home, or a home that is not writable, and packages that root
has installed. A cached kernel is a pickle, which runs code when it is read. So a folder under the
shared folder of temporary files must belong to this user alone.
"""

import os
import stat
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path

from delayprop.spec import SpecError
from delayprop.spec.command import report

PACKAGE = Path(__file__).parents[1]
VARIABLE = "DELAYPROP_CACHE"
OTHERS = ("MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR")
"""Variables of Matplotlib and torch, which look for a home as well; some versions stop without."""


@cache
def writable_folder() -> Path | None:
    """`$DELAYPROP_CACHE`; or the package, the user's cache, or a private temporary folder.

    Warns, once, if only the last one can be written, or none (None: nothing is cached). Matplotlib
    and torch then keep their files in the last one too.

    Raises:
        SpecError: `DELAYPROP_CACHE` names a folder that cannot be written.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if os.path.isabs(named) and _is_usable(Path(named)):
            return Path(named)
        expected = "an absolute path of a folder that can be made and written"
        error = SpecError(VARIABLE, expected, named, "name another folder, or unset it")
        if sys.argv[:1] == ["-m"]:  # Python imports this package before `python -m fast.train` has begun
            sys.exit(report("delayprop", error))
        raise error
    if _is_usable(PACKAGE / "__pycache__"):
        return PACKAGE / "__pycache__"
    home = _home()
    if home is not None and _is_usable(home / ".cache" / "delayprop"):
        return home / ".cache" / "delayprop"
    folder = _private_folder()
    kept = "are not kept, so that each start compiles them anew"
    if folder is not None:
        kept = f"are kept in {folder}"
        for variable in OTHERS:
            os.environ.setdefault(variable, str(folder / variable.lower()))
    warnings.warn(
        f"neither {PACKAGE} nor a home can be written: compiled kernels {kept}; set {VARIABLE} to a folder of yours",
        stacklevel=2,
    )
    return folder


def _is_usable(folder: Path) -> bool:
    """Whether a file can be made in a folder, which is made first."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # HOME is not set, and the system has no entry for this user
        return None


def _private_folder() -> Path | None:
    """A folder of temporary files that no other user can write, named by the user's number."""
    if not hasattr(os, "geteuid"):  # Windows
        return None
    try:
        folder = Path(tempfile.gettempdir()) / f"delayprop-{os.geteuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()  # not of what a symbolic link leads to
    except OSError:
        return None
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o077
    return folder if private and _is_usable(folder) else None
