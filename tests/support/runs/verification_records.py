"""Records of the verification report, made up for tests of its page."""

import json
from pathlib import Path
from typing import Any

from reports.record import FORMAT, seal
from tests.support.report_checks import CHECKS

FAILED = {"status": "red", "wrong": {"tests/test_x.py::test_y[z]": "error 1e-3 > 1e-11 <tag>"}, "caught": 1}
SKIPPED = {"status": "not run", "wrong": {"tests/cuda/test_gpu.py::test_y": "Skipped: no GPU"}, "worst": None}


def record(folder: Path, figures: dict | None = None, about: dict | None = None, **changes: dict[str, Any]) -> Path:
    """Writes a record with all checks green, except for the changes `check_N` of check N."""
    path = folder / "verification.json"
    found = {"tests": 3, "controls": 2, "caught": 2, "cases": 7, "seeds": ["0 to 6"], "worst": 3.21e-13, "limit": 1e-11}
    green = {**found, "status": "green", "headroom": 31.2, "fault": 2e-9, "fault_limit": 1e-11, "wrong": {}}
    content = {
        "format": FORMAT, "made": "2026-01-01T00:00:00+00:00", "effort": "full", "commit": "c0ffee", "changed": False,
        "environment": {"python": "3.11.7", "machine": "x86_64", "packages": {"numpy": "2.0"}},
        "checks": [{**vars(check), **green, **changes.get(f"check_{check.number}", {})} for check in CHECKS],
        "figures": figures or {}, **(about or {}),
    }
    path.write_text(json.dumps({**content, "seal": seal(content)}))
    return path
