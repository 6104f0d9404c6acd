"""Cases on which a test has failed are kept, and tried again ever after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis.errors import UnsatisfiedAssumption

from spec import Case, case_to_dict, save_case
from tests import ROOT

FOLDER = ROOT / "tests" / "agreement" / "failures"
_stored: dict[tuple[Path, str], Path] = {}


@contextmanager
def stored_on_failure(case: Case, name: str, folder: Path = FOLDER) -> Iterator[None]:
    """Write the case to `folder/NAME-HASH.json` if the body raises.

    One file a name and run of the tests: Hypothesis shrinks a failing case from one to the next,
    and the last, which is the smallest, stays.

    Args:
        name: of the test, with its parameter if it has one.
    """
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
        if not known:  # a file that was there before this run is not ours to remove
            _stored[folder, name] = path
        raise
