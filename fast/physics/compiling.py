"""Numba's compiler, with a cache that no edit outdates.

Numba keys a cached kernel by the file of the kernel alone, not by the files of the functions that
it calls: after an edit of such a file the old machine code would run on. So the name of the cache
folder carries the hash of all of them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import config, njit
from numba.core.compiler import Compiler
from numba.extending import intrinsic

PACKAGE = Path(__file__).parents[1]
KERNELS = (PACKAGE / "physics", PACKAGE / "cpu")  # any kernel may call their functions


@cache
def cache_folder(of: Path) -> Path:
    """Folder for kernels compiled from exactly the sources in `KERNELS` and in the folder `of`.

    It lies in the package, or in the user's cache where the package is not writable.
    """
    folders = sorted({*KERNELS, of})
    sources = b"".join(path.read_bytes() for folder in folders for path in sorted(folder.glob("*.py")))
    name = "kernels-" + hashlib.sha256(sources).hexdigest()[:16]
    if os.access(PACKAGE, os.W_OK):
        return PACKAGE / "__pycache__" / name
    return Path.home() / ".cache" / "delayprop" / name


def _cached(function: Callable, **options: Any) -> Callable:
    """Compile on first use, without the GIL; divide as NumPy does.

    Numba reads `CACHE_DIR` when `njit` is called.
    """
    before = getattr(config, "CACHE_DIR")  # noqa: B009 - made at import, so unknown to type checkers
    setattr(config, "CACHE_DIR", str(cache_folder(Path(function.__code__.co_filename).parent)))  # noqa: B010
    try:
        return njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    finally:
        setattr(config, "CACHE_DIR", before)  # noqa: B010


def compiled(function: Callable) -> Callable:
    """A function of a kernel. It cannot allocate: without Numba's runtime that does not compile.

    Nor may it return an array to an `allocating` function: it counts no references, so its caller
    would count one too few. The compiler may fuse a product and a sum, here and in all variants
    below but `allocating`.
    """
    return _cached(function, _nrt=False, fastmath={"contract"})


class _Apart(Compiler):
    """Numba's compiler, with the promise that arguments of a function do not alias."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()


def vectorised(function: Callable) -> Callable:
    """Like `compiled`, and assumes that arguments do not alias, so that lane loops vectorise."""
    return _cached(function, _nrt=False, fastmath={"contract"}, pipeline_class=_Apart)


def summing(function: Callable) -> Callable:
    """Like `vectorised`, and sums may be reordered; the order is fixed for one machine."""
    return _cached(function, _nrt=False, fastmath={"contract", "reassoc"}, pipeline_class=_Apart)


def allocating(function: Callable) -> Callable:
    """The outermost function of a kernel, which may allocate its arrays."""
    return _cached(function)


def inlined(function: Callable) -> Callable:
    """A small function of a kernel, inlined into its callers."""
    return _cached(function, _nrt=False, fastmath={"contract"}, forceinline=True)


def built(instructions: Callable, meaning: Callable) -> Any:
    """A function in LLVM's instructions; its Python `meaning` runs where nothing is compiled."""
    return meaning if getattr(config, "DISABLE_JIT", False) else intrinsic(instructions)
