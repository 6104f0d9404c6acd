"""Hypothesis profiles: `ci` (the default, the same examples on every run), `nightly` and `search`
(new ones, many).

python -m pytest --hypothesis-profile nightly

The agreement of `fast` with `reference` is tested on four times as many networks as a profile says:
200, 2000, 8000.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.support.effort import EFFORT, many
from tests.support.kernels import compile_kernels

pytest_plugins = ["tests.support.report_evidence"]

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]  # a case is some hundred numbers, each drawn

settings.register_profile(
    "ci", max_examples=50, deadline=None, derandomize=True, database=None, print_blob=True, suppress_health_check=_SLOW
)
settings.register_profile("nightly", max_examples=500, deadline=None, print_blob=True, suppress_health_check=_SLOW)
# Those of a report, by `DELAYPROP_EFFORT` (`effort.py`).
settings.register_profile("report", settings.get_profile("ci"), max_examples=many(50))
settings.register_profile("search", max_examples=2000, deadline=None, print_blob=True, suppress_health_check=_SLOW)
settings.load_profile("ci" if EFFORT == "ordinary" else "report")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Before workers start."""
    compile_kernels()
