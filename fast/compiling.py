"""Numba's compiler, with a cache that no edit outdates.

Numba keys a cached kernel by the file of the kernel alone, not by the files of the functions that it calls: after an
edit of one of these it would go on running what was compiled before. So the cache folder carries the hash of all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, njit

PACKAGE = Path(__file__).parent


def cache_folder() -> Path:
    """Where kernels of just these sources are kept: beside them, or in the user's cache if that is not writable."""
    sources = b"".join(path.read_bytes() for path in sorted(PACKAGE.glob("*.py")))
    name = "kernels-" + hashlib.sha256(sources).hexdigest()[:16]
    if os.access(PACKAGE, os.W_OK):
        return PACKAGE / "__pycache__" / name
    return Path.home() / ".cache" / "delayprop" / name


FOLDER = str(cache_folder())


def _cached(function: Callable, **options: Any) -> Callable:
    """Compile on first use, release the GIL while running, follow IEEE rules; Numba reads the folder right here."""
    before = getattr(config, "CACHE_DIR")  # noqa: B009 - made at import, so unknown to type checkers
    setattr(config, "CACHE_DIR", FOLDER)  # noqa: B010
    try:
        return njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    finally:
        setattr(config, "CACHE_DIR", before)  # noqa: B010


def compiled(function: Callable) -> Callable:
    """A function of a kernel. It cannot allocate: without Numba's runtime that does not compile."""
    return _cached(function, _nrt=False)


def vectorised(function: Callable) -> Callable:
    """The same, with loops over lanes that are computed at once; a product and a sum may be rounded together."""
    return _cached(function, _nrt=False, fastmath={"contract"})


def allocating(function: Callable) -> Callable:
    """A function that allocates: a kernel's outermost, which makes the scratch arrays."""
    return _cached(function)


def inlined(function: Callable) -> Callable:
    """A small function of a kernel, written into its callers."""
    return _cached(function, inline="always")
