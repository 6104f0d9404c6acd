"""Hypothesis profiles: `ci` (default, equal examples on every run), `nightly`, `search` (new ones).

    python -m pytest --hypothesis-profile nightly

Agreement of `fast` with `reference` takes four times these examples: 200, 2000 or 8000 networks.
"""

from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import HealthCheck, settings

from tests.support.effort import EFFORT, many
from tests.support.kernels import compile_kernels

pytest_plugins = ["tests.support.report_evidence"]

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]  # some hundred numbers per case

settings.register_profile("ci", max_examples=50, deadline=None, derandomize=True, database=None, print_blob=True,
                          suppress_health_check=_SLOW)
settings.register_profile("nightly", max_examples=500, deadline=None, print_blob=True, suppress_health_check=_SLOW)
# The profile of a report, set by `DELAYPROP_EFFORT` (`effort.py`).
settings.register_profile("report", settings.get_profile("ci"), max_examples=many(50))
settings.register_profile("search", max_examples=2000, deadline=None, print_blob=True, suppress_health_check=_SLOW)
settings.load_profile("ci" if EFFORT == "ordinary" else "report")


@pytest.fixture
def use_threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of torch's threads until the test ends."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Torch's random numbers in a test do not depend on earlier tests."""
    torch.manual_seed(0)


pytest_runtest_call = pytest_runtest_setup  # again: an earlier test may have made the fixtures


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test for a release is no part of the core."""
    for item in items:
        if item.get_closest_marker("release"):
            item.add_marker("full")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    compile_kernels()
