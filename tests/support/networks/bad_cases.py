"""Cases that must be refused, each with its message."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.networks.bad_changes import ABSENT, CHANGES

LIF: dict = {"kind": "lif", "size": 3, "tau_mem": 20.0, "tau_syn": 5.0, "threshold": 1.0, "reset": 0.0}
GOOD: dict = {
    "format": "eventprop-case/1",
    "duration": 40.0,
    "populations": [
        {"name": "in", "kind": "input", "size": 2}, {"name": "hid", **LIF},
        {"name": "out", "kind": "li", "size": 2, "tau_mem": 20.0, "tau_syn": [5.0, 6.0]},
    ],
    "connections": [
        {
            "source": "in", "target": "hid", "weights": [[8.0, 6.0, None], [-2.0, 7.0, 9.0]],
            "delays": [[0.0, 1.5, None], [2.0, 3.0, 50.0]],
        },
        {"source": "hid", "target": "out", "weights": [[1.0, -1.0], [0.5, 2.0], [0.0, 1.0]], "delays": 1.0},
    ],
    "inputs": {"in": [[0.5, 7.25], [3.0]]},
    "loss": {"kind": "cross_entropy", "readout": "max_voltage", "population": "out", "label": 0},
}
_TEXT = json.dumps(GOOD).encode()

_THREE_POPULATIONS = {
    **GOOD,
    "populations": [GOOD["populations"][0], *({"name": name, **LIF, "size": 1} for name in ("a", "b", "c"))],
    "connections": [
        {"source": source, "target": target, "weights": [[1.0]], "delays": delay}
        for source, target, delay in (
            ("a", "c", 0.0), ("a", "b", 0.0), ("b", "b", 1.0), ("b", "c", 0.0), ("c", "a", 0.0),
        )
    ],
}

_DAMAGED = "`case` must be one whole JSON object, got "
_FILES: tuple[tuple[str, bytes, str], ...] = (
    ("empty file", b"", _DAMAGED + "Expecting value at line 1 column 1"),
    ("blank file", b" \n", _DAMAGED + "Expecting value at line 2 column 1"),
    ("truncated file", _TEXT[:-30], _DAMAGED + "Unterminated string"),
    ("trailing text", _TEXT + b"}", _DAMAGED + "Extra data at line 1"),
    ("single quotes", b"{'format': 1}", _DAMAGED + "Expecting property name"),
    ("comment", b'{"format": "eventprop-case/1" // 1\n}', _DAMAGED + "Expecting ',' delimiter"),
    ("byte order mark", b"\xef\xbb\xbf" + _TEXT, _DAMAGED + "Unexpected UTF-8 BOM"),
    ("binary file", bytes(range(128, 256)), "` must be a JSON file in UTF-8, got binary data"),
    ("utf-16", _TEXT.decode().encode("utf-16"), "` must be a JSON file in UTF-8, got binary data"),
    ("list", b"[1, 2]", "`case` must be an object, got a list of 2"),
    ("number", b"3", "`case` must be an object, got 3"),
    ("null", b"null", "`case` must be an object, got null"),
    ("duplicate key", _TEXT.replace(b'"size": 2}', b'"size": 2, "size": 2}', 1),
     "`size` must be given once in its object"),
    ("number beyond float64", _TEXT.replace(b"40.0", b"1e999"),
     "`duration` must be a finite number above 0 (ms), got inf"),
    ("endless integer", _TEXT.replace(b"40.0", b"1" * 5000), "`case` must be one JSON object, got Exceeds the limit"),
    ("deep nesting", b"[" * 100_000, "`case` must be one JSON object, got too deep a nesting"),
    ("deep nesting inside", _TEXT.replace(b"40.0", b"[" * 100_000), "`case` must be one JSON object, got too deep"),
    ("loop of three populations", json.dumps(_THREE_POPULATIONS).encode(),
     "without a loop of zero total delay, got a[0] ->"),
)


@dataclass(frozen=True)
class BadCase:
    name: str
    content: bytes
    message: str


def bad_cases() -> Iterator[BadCase]:
    for name, path, value, phrase, *place in CHANGES:
        where = place[0] if place else path
        yield BadCase(name, json.dumps(changed(path, value)).encode(), f"`{where}` must be {phrase}")
    for entry in _FILES:
        yield BadCase(*entry)


def changed(path: str, value: object) -> dict:
    """The good case with one entry replaced or left out."""
    document = json.loads(json.dumps(GOOD))
    *parents, last = [int(key) if key.isdigit() else key for key in re.findall(r"[^.\[\]]+", path)]
    inner = document
    for key in parents:
        if not isinstance(inner[key], dict | list):  # one number for all neurons becomes one per neuron
            inner[key] = [inner[key]] * 3
        inner = inner[key]
    if value is ABSENT:
        del inner[last]
    else:
        inner[last] = value
    return document
