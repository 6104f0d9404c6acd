"""Faults that gradients have had, or might have, from `catalogue.toml`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """`text` of `package/file` becomes `wrong`; `name` describes the effect. `blind`: the
    identities that cannot see it. `source`: a published system that had this fault, or one of its
    kind; "" if we know of none."""

    name: str
    package: str
    file: str
    text: str
    wrong: str
    blind: str = ""
    source: str = ""

    def __str__(self) -> str:
        return f"{self.package}: {self.name}"


def _fault(entry: dict, package: str) -> Fault:
    assert entry.keys() <= {"name", "reference", "fast", "core", "tests", "blind", "source"}, entry
    file, text, wrong = entry[package]
    return Fault(entry["name"], package, file, text, wrong, entry.get("blind", ""), entry.get("source", ""))


_LISTED = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
FAULTS = tuple(_fault(entry, package) for entry in _LISTED["both"] for package in ("reference", "fast"))
CORE = tuple(entry["name"] for entry in _LISTED["both"] if entry.get("core"))
"""Those of `FAULTS` that `make test` plants, in either implementation."""
CALLERS = tuple(_fault(entry, "fast") for entry in _LISTED["caller"])
"""Faults in the CPU callers of the shared physics, and on the way of an arrival."""
ON_CUDA = tuple(_fault(entry, "fast") for entry in _LISTED["on_cuda"])
"""Faults in the CUDA callers of the shared physics."""
AT_EDGES = tuple((_fault(entry, "fast"), *entry["tests"]) for entry in _LISTED["at_edge"])
"""Faults that show at an edge alone, and the file and the name of the tests of this edge."""
