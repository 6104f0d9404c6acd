"""A seal: one line of JSON with the format, the length and the SHA-256 of the bytes after it."""

import hashlib
import json


class DamagedError(ValueError):
    """The content of a file is not the content that was written."""


def sealed(kind: str, body: bytes) -> bytes:
    """The content of a file of this format."""
    head = {"format": kind, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    return json.dumps(head).encode() + b"\n" + body


def unsealed(kind: str, content: bytes) -> bytes:
    """The bytes under the seal of a file; `DamagedError`: they are not as written, or of another
    format than `kind`."""
    line, _, body = content.partition(b"\n")
    try:
        head = json.loads(line)
        length, digest, found = int(head["bytes"]), str(head["sha256"]), str(head["format"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):  # the last two: Infinity, deep nesting
        raise DamagedError("no file of this project, or its first line is damaged") from None
    if found != kind:
        raise DamagedError(f"of format {found}; this version reads {kind}: go on with the version that wrote it")
    if len(body) != length:
        raise DamagedError(f"{len(body)} of {length} bytes")
    if hashlib.sha256(body).hexdigest() != digest:
        raise DamagedError("its checksum is wrong")
    return body
