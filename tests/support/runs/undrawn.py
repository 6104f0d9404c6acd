"""`python -m tests.support.runs.undrawn OPTIONS`: `fast.train` without its slow pictures."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from delayprop.fast import train


@contextmanager
def without_pictures() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("delayprop.fast.training.engine.draw", lambda folder: [])
        yield


def main(*options: str) -> int:
    with without_pictures():
        return train.main(options)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
