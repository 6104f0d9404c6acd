"""Runs of these tests draw no pictures, unless a test is marked `pictures`."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.support.runs.finished_runs import make_runs
from tests.support.runs.undrawn import without_pictures


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests of training read records; the pictures have tests of their own."""
    with nullcontext() if request.node.get_closest_marker("pictures") else without_pictures():
        yield


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `make_runs`; tests add to it, and change nothing."""
    return make_runs(tmp_path_factory.mktemp("runs"))
