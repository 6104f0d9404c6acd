"""The form of a refusal: "`name` must be ..., got ...; remedy" (specification, section 8)."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from delayprop.spec import SpecError

Refusals = list[tuple[Callable[[], Any], str]]
"""Calls, and words of their refusals."""


def assert_refused(call: Callable[[], Any], words: str, error: type[Exception] = SpecError) -> None:
    with pytest.raises(error, match=words) as refusal:
        call()
    assert re.fullmatch(r"`[^`]+` (must be .+, got|is|has|cannot|cuda needs) .+; .+", str(refusal.value)), refusal.value
