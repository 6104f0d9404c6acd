"""Runs of these tests draw no pictures, unless a test is marked `pictures`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest

from tests.support.runs.undrawn import without_pictures


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests of training read records; the pictures have tests of their own."""
    with nullcontext() if request.node.get_closest_marker("pictures") else without_pictures():
        yield
