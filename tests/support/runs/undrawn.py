"""`python -m tests.support.runs.undrawn OPTIONS`: `fast.train` without its slow pictures."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from delayprop.fast import train

DRAWING = ("delayprop.fast.tasks.sequence.task", "delayprop.fast.training.classify")


@contextmanager
def without_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in DRAWING:
            patch.setattr(f"{module}.draw", lambda folder: [])
        yield


def main(*options: str) -> int:
    with without_pictures():
        return train.main(options)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
