"""Keeps the cases that failed a test; later runs repeat them."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis.errors import UnsatisfiedAssumption

from delayprop.spec import Case, case_to_dict, save_case
from tests import ROOT

FOLDER = ROOT / "tests" / "agreement" / "failures"
_stored: dict[tuple[Path, str], Path] = {}


@contextmanager
def stored_on_failure(case: Case, name: str, folder: Path = FOLDER) -> Iterator[None]:
    """Writes the case to `folder/NAME-HASH.json` if the body raises. One file stays per name and
    run: the last case, which is the smallest, since Hypothesis shrinks it step by step."""
    try:
        yield
    except UnsatisfiedAssumption:
        raise
    except Exception:
        digest = hashlib.sha256(json.dumps(case_to_dict(case)).encode()).hexdigest()[:12]
        path = folder / f"{name}-{digest}.json"
        previous = _stored.get((folder, name))
        if previous is not None and previous != path:
            previous.unlink(missing_ok=True)
        known = path.exists()
        folder.mkdir(parents=True, exist_ok=True)
        save_case(case, path)
        if not known:  # files from before this run stay
            _stored[folder, name] = path
        raise
