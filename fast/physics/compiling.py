"""Numba's compiler, with a cache that no edit outdates.

Numba keys a cached kernel by the file of the kernel alone, not by the files of the functions that it calls: after an
edit of one of these it would go on running what was compiled before. So the cache folder carries the hash of all.
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
KERNELS = (PACKAGE / "physics", PACKAGE / "cpu")  # whatever these compile may be called by any kernel


@cache
def cache_folder(of: Path) -> Path:
    """Folder for kernels compiled from exactly these sources: those of `KERNELS` and of the folder `of`.

    It lies in the package, or in the user's cache where the package is not writable.
    """
    folders = sorted({*KERNELS, of})
    sources = b"".join(path.read_bytes() for folder in folders for path in sorted(folder.glob("*.py")))
    name = "kernels-" + hashlib.sha256(sources).hexdigest()[:16]
    if os.access(PACKAGE, os.W_OK):
        return PACKAGE / "__pycache__" / name
    return Path.home() / ".cache" / "delayprop" / name


def _cached(function: Callable, **options: Any) -> Callable:
    """Compile on first use, release the GIL while running, divide as NumPy does; Numba reads the folder right here."""
    before = getattr(config, "CACHE_DIR")  # noqa: B009 - made at import, so unknown to type checkers
    setattr(config, "CACHE_DIR", str(cache_folder(Path(function.__code__.co_filename).parent)))  # noqa: B010
    try:
        return njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    finally:
        setattr(config, "CACHE_DIR", before)  # noqa: B010


def compiled(function: Callable) -> Callable:
    """A function of a kernel. It cannot allocate: without Numba's runtime that does not compile.

    Nor may it return an array to an `allocating` function: it counts no references, and its caller would count one
    too few. A product and a sum may be rounded together, here and in all that follow but `allocating`.
    """
    return _cached(function, _nrt=False, fastmath={"contract"})


class _Apart(Compiler):
    """Numba's compiler, told that no two arrays or pointers that a function is given overlap."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()


def vectorised(function: Callable) -> Callable:
    """The same, with loops over lanes that are computed at once.

    What it is given must not overlap, since with a dozen arrays the compiler gives up looking whether they do.
    """
    return _cached(function, _nrt=False, fastmath={"contract"}, pipeline_class=_Apart)


def summing(function: Callable) -> Callable:
    """The same, where sums may be taken in any order, always the same on one machine."""
    return _cached(function, _nrt=False, fastmath={"contract", "reassoc"}, pipeline_class=_Apart)


def allocating(function: Callable) -> Callable:
    """A function that allocates: a kernel's outermost, which makes the scratch arrays."""
    return _cached(function)


def inlined(function: Callable) -> Callable:
    """A small function of a kernel, written into its callers."""
    return _cached(function, _nrt=False, fastmath={"contract"}, forceinline=True)


def built(instructions: Callable, meaning: Callable) -> Any:
    """A function that is written in LLVM's instructions, and what it means, which runs where nothing is compiled."""
    return meaning if getattr(config, "DISABLE_JIT", False) else intrinsic(instructions)
