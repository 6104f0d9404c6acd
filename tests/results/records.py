"""The recorded runs, and the page of the project."""

import json
from typing import Any

from tests import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def entries(name: str) -> list[dict[str, Any]]:
    return list(map(json.loads, (ROOT / "results" / name).read_text(encoding="utf-8").splitlines()))
