"""The files of compiled kernels: a damaged one is compiled anew, and a full disk ends no run.

Numba writes a file without `fsync`, so a power loss may leave it empty, short or full of zeros.
Numba then stops, or it runs damaged machine code. And if two processes save a kernel at once, each
for other types of arguments, Numba may find the one's code under the other's types. So here a file
is on the disk before it has its name, a file of code has a hash, and the code must be of the types
asked for.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from numba import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile
from numba.core.sigutils import normalize_signature

HASH = hashlib.sha256().digest_size


def keep(kernel: Any, folder: Path) -> None:
    """Let a kernel keep its compiled code in a folder, and find it there at the next start.

    A file that cannot be read is removed, and one that cannot be written is not kept; one line on
    standard error tells so.
    """
    before = getattr(config, "CACHE_DIR")  # noqa: B009 - made at import, so unknown to type checkers
    setattr(config, "CACHE_DIR", str(folder))  # noqa: B010
    try:
        kernel._cache = _Kept(kernel.py_func, folder)
    except RuntimeError:  # Numba can make no folder there
        _tell_not_kept(folder, "it cannot be written")
    finally:
        setattr(config, "CACHE_DIR", before)  # noqa: B010


def _of_users(locators: list[Any]) -> list[Any]:
    """The one that finds `CACHE_DIR`: no other folder is keyed by all sources."""
    return [one for one in locators if one.__name__.endswith("UserProvidedCacheLocator")]


class _Found(CompileResultCacheImpl):
    """Finds `CACHE_DIR`, or nothing."""

    _locator_classes = _of_users(CompileResultCacheImpl._locator_classes)


class _Durable(IndexDataCacheFile):
    """Numba's files, which end in a hash, and are on the disk before they have their names."""

    def _dump(self, obj: Any) -> bytes:
        content = super()._dump(obj)
        return content + _hash(content)

    def _load_data(self, name: str) -> Any:
        content = Path(self._data_path(name)).read_bytes()
        if _hash(content[:-HASH]) != content[-HASH:]:
            raise ValueError("the file has another hash")
        return super()._load_data(name)

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[BinaryIO]:
        with super()._open_for_write(filepath) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())


def _hash(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


class _Kept(FunctionCache):
    """The files of one kernel."""

    _impl_class = _Found

    def __init__(self, function: Any, folder: Path) -> None:
        super().__init__(function)
        self._folder, locator = folder, self._impl.locator
        self._cache_file = _Durable(self.cache_path, self._impl.filename_base, locator.get_source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
            if found is not None and found.signature.args != normalize_signature(sig)[0]:
                raise ValueError("the code is of other types")
        except MemoryError:
            raise
        except OSError as error:  # another user's file
            _tell_not_kept(self._folder, error.strerror)
            return None
        except Exception:  # a damaged pickle may raise any error
            for file in Path(self.cache_path).glob(f"{self._impl.filename_base}.*nb[ic]"):
                with suppress(OSError):
                    file.unlink()
            _tell(f"delayprop: damaged kernels in {self._folder} are compiled anew")
            return None
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _tell_not_kept(self._folder, error.strerror)


def _tell_not_kept(folder: Path, reason: str | None) -> None:
    remedy = "make room, or set DELAYPROP_CACHE to another folder"
    _tell(f"delayprop: compiled kernels are not kept in {folder} ({reason}); {remedy}")


@cache
def _tell(line: str) -> None:
    """Prints a line on standard error, the first time."""
    if sys.stderr is not None:
        print(line, file=sys.stderr, flush=True)
