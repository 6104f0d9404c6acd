"""Refuses a package of the user's that hides one of delayprop's, such as a `spec.py` of their own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

OURS = {"spec": "SPECIFICATION.md", "derivations": "proof.py", "reference": "jumps.py", "fast": "nn/layers.py"}
"""The packages that delayprop imports, and one file of each by which it is recognised."""


def check_packages(files: Mapping[str, str] = OURS) -> None:
    """Stop if Python finds another package than ours; import none of them.

    The line goes to standard error with exit code 2 where a command starts.

    Raises:
        ImportError: the first package of `files` that is not ours, elsewhere.
    """
    for name, file in files.items():
        found = find_spec(name)
        place = None if found is None else found.origin or next(iter(found.submodule_search_locations or ()), None)
        if place is not None and (Path(place).parent / file).exists():
            continue
        line = (
            f"`{name}` must be the package of delayprop, got {place or 'nothing'}; "
            + ("rename that file or folder, or start in another folder" if place else "install delayprop again")
        )
        command = Path(sys.argv[0]).stem if sys.argv else ""  # "-m": Python looks for the module of `python -m`
        if command in ("-m", "delayprop"):
            print(f"delayprop: {line}", file=sys.stderr)
            sys.exit(2)
        raise ImportError(line)
