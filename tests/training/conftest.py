"""Runs of these tests draw no pictures, unless a test is marked `pictures`."""

from __future__ import annotations

import pytest

from tests.support.runs.undrawn import without_pictures


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of training look at records; the pictures have tests of their own."""
    if request.node.get_closest_marker("pictures") is None:
        without_pictures(monkeypatch.setattr)
