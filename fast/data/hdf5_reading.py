"""Reads datasets of an HDF5 file that a stranger may have sent.

HDF5 opens any other file that a file names, by links or as the storage of a dataset. On some
damage its library does not return; on other damage it fills the memory. Such files are refused
before the library reads them.
"""

import math
import mmap
import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from delayprop.spec.errors import SpecError, Verbatim

COPY = "copy it into this file: its SHA-256 covers no other"
HEAP, HEADER = re.compile(rb"GCOL\x01"), 16  # how a collection begins; bytes before it, and before each of its objects
REFERENCE = np.dtype([("length", "<u4"), ("place", "<u8"), ("number", "<u4")])  # of a row of variable length
POINTER = struct.calcsize("P")
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE}  # gzip; other ways to store references are refused
WIDEST = 64  # bytes of an entry of a dataset
LONGEST = 1024  # bytes of a text in an attribute
LENGTHS = (8, 8)  # bytes of an address and of a length; the library writes no others unless it is asked to


class DamagedFileError(Exception):
    """The library would not return from reading this file, or would fill the memory."""


def datasets(path: Path, names: Sequence[str], optional: Sequence[str], attribute: str) -> tuple[dict, bytes | None]:
    """The contents of the datasets, by name, and an attribute of the file or None (`_stated`).

    A TypeError says that entries are of another kind; any other error that the file is damaged, or
    cannot be read: h5py has no single type for it.
    """
    if not path.is_file():
        raise OSError  # a pipe would wait for a writer
    with path.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as content:
        heaps = {heap.start(): _lengths(content, heap.start()) for heap in HEAP.finditer(content)}
        with h5py.File(path, "r") as file:
            if file.id.get_create_plist().get_sizes() != LENGTHS or file.userblock_size:
                raise TypeError
            found = {}
            for name in [*names, *optional]:
                rows = _dataset(file, path, name)
                if rows is None and name in optional:
                    continue
                if rows is None:
                    got = Verbatim(f"one without `{name}`")
                    raise SpecError(str(path), "a complete file of spikes", got, "get the file again, or write it anew")
                entry = np.dtype(h5py.check_vlen_dtype(rows.dtype) or rows.dtype)
                if name in optional and entry.itemsize > WIDEST:
                    expected, got = f"of entries of at most {WIDEST} bytes", Verbatim(f"{entry.itemsize} bytes")
                    raise SpecError(f"{path.name} {name}", expected, got, "shorten them, or leave the dataset out")
                if entry.kind in ("OV" if name in optional else "OVU") or entry.itemsize > WIDEST:
                    raise TypeError
                if math.prod(rows.shape) > len(content):  # a row takes more than a byte
                    raise DamagedFileError
                if rows.dtype.kind == "O":
                    _check_references(rows, content, heaps)
                found[name] = np.asarray(rows[:])
            return found, _stated(file, attribute)


def _stated(file: h5py.File, attribute: str) -> bytes | None:
    """A text in an attribute of the file; None: there is none; empty: of another kind. A text
    of variable length counts as such: the library would trust the length that the file states."""
    if attribute not in file.attrs:
        return None
    kept = h5py.h5a.open(file.id, attribute.encode())
    kind = kept.get_type()
    if kept.shape != () or kind.get_class() != h5py.h5t.STRING or kind.is_variable_str() or kind.get_size() > LONGEST:
        return b""
    return bytes(file.attrs[attribute])


def _dataset(file: h5py.File, path: Path, name: str) -> h5py.Dataset | None:
    """The dataset of this name; None: there is none. No link is followed to find it."""
    found: Any = file
    for part in name.split("/"):
        if not isinstance(found, h5py.Group) or not found.id.links.exists(part.encode()):
            return None
        if not isinstance(found.get(part, getlink=True), h5py.HardLink):
            raise SpecError(f"{path.name} {name}", "stored in this file", Verbatim("a link"), COPY)
        found = found[part]
    if not isinstance(found, h5py.Dataset):
        raise TypeError
    if found.external or found.is_virtual:
        raise SpecError(f"{path.name} {name}", "stored in this file", Verbatim("data of another file"), COPY)
    return found


def _check_references(rows: h5py.Dataset, content: mmap.mmap, heaps: dict[int, dict[int, int]]) -> None:
    """Refuses a reference whose length is not that of its row: the library writes beyond the row;
    and rows that exceed the file together, as some refer to one row. `heaps`: the lengths in bytes
    of the rows of each collection, by place and number."""
    kind, total = rows.id.get_type(), 0
    entry = kind.get_super().get_size() if kind.get_class() == h5py.h5t.VLEN else 1  # a letter
    for part in _references(rows, content):
        for length, place, number in np.frombuffer(part, REFERENCE).tolist():
            if length and heaps.get(place, {}).get(number) != entry * length:
                raise DamagedFileError
            total += entry * length
    if total > len(content):
        raise DamagedFileError


def _references(found: h5py.Dataset, content: mmap.mmap) -> Iterator[bytes]:
    """The references to rows of variable length that a dataset consists of, as bytes."""
    kept = found.id.get_create_plist()
    size, layout, kind = REFERENCE.itemsize, kept.get_layout(), found.id.get_type()
    in_memory = POINTER if kind.get_class() == h5py.h5t.STRING else size  # of a text the library states this size
    filters = [kept.get_filter(n)[0] for n in range(kept.get_nfilters())]
    if kind.get_size() != in_memory or layout == h5py.h5d.COMPACT or not FILTERS.issuperset(filters):
        raise TypeError
    if layout == h5py.h5d.CONTIGUOUS:
        start = found.id.get_offset()
        if start is not None:  # None: all rows are empty
            yield content[start : start + size * math.prod(found.shape)]
        return
    whole = size * math.prod(found.chunks)
    chunks: list[h5py.h5d.StoreInfo] = []
    found.id.chunk_iter(lambda one: chunks.append(one))
    for one in chunks:
        part = content[one.byte_offset : one.byte_offset + one.size]
        for n, used in reversed([*enumerate(filters)]):
            if one.filter_mask >> n & 1:
                continue
            if used == h5py.h5z.FILTER_DEFLATE:
                part = zlib.decompressobj().decompress(part, whole)
            else:
                part = np.frombuffer(part, np.uint8).reshape(size, -1).T.tobytes()
        yield part


def _lengths(content: mmap.mmap, start: int) -> dict[int, int]:
    """The length in bytes of each row of a collection (HDF5's global heap), by number. The library
    goes from row to row by the length that each states; a row of length 0 would keep it forever."""
    found = dict[int, int]()
    end, place = start + int.from_bytes(content[start + 8 : start + HEADER], "little"), start + HEADER
    while place + HEADER <= min(end, len(content)):
        number, _, _, length = struct.unpack_from("<HHIQ", content, place)  # number 0: the rest is free
        step = ((length + 7) // 8 * 8 % 2**64 + HEADER) % 2**64 if number else length  # in 64 bits, as the library
        if not step:
            raise DamagedFileError
        found[number] = length
        place += step
    return found
