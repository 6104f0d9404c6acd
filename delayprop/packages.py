"""Refuses a user's module that hides a package of delayprop, such as their own `spec.py`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

OURS = {"spec": "SPECIFICATION.md", "derivations": "proof.py", "reference": "jumps.py", "fast": "nn/layers.py"}
"""The packages beside `delayprop`, each with a file by which it is recognised."""


def foreign(packages: Mapping[str, str] = OURS) -> str | None:
    """The refusal of the first package that Python finds elsewhere; None if all are ours.

    No package is imported: a user's module might do anything.
    """
    for name, file in packages.items():
        found = find_spec(name)
        place = None if found is None else found.origin or next(iter(found.submodule_search_locations or ()), None)
        if place is None:
            return f"`{name}` must be the package of delayprop, got nothing; install delayprop again"
        if not (Path(place).parent / file).exists():
            remedy = "rename that file or folder, or start in another folder"
            return f"`{name}` must be the package of delayprop, got {place}; {remedy}"
    return None


def check_packages() -> None:
    """Stop if a package is not ours: with exit code 2 where the command starts, else by an error.

    Raises:
        ImportError: a package of `OURS` is hidden or missing.
    """
    line = foreign()
    if line is None:
        return
    # Python imports this package before `python -m delayprop` or the console command has begun.
    if sys.argv and Path(sys.argv[0]).stem in ("-m", "delayprop"):
        print(f"delayprop: {line}", file=sys.stderr)
        sys.exit(2)
    raise ImportError(line)
