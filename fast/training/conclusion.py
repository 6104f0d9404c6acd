"""The end of a classification: its record, what it prints, and its pictures."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import Tensor

from delayprop.fast.training.evaluation import Evaluation
from delayprop.fast.training.run_folder import RESULT, Folder


def network_bytes(parameters: dict[str, Tensor]) -> bytes:
    """The content of `network.pt`; made in memory, since torch reports a full disk by errors of its
    own."""
    content = io.BytesIO()
    torch.save(parameters, content)
    return content.getvalue()


def conclude(
    folder: Folder, given: dict[str, object], how: str, test: Evaluation, baseline: float, arrays: bytes
) -> int:
    """Records and prints the result of a run.

    Args:
        given: the task, the network, the epoch that was tested, the SHA-256 of the test trials;
            for the record.
        how: the choice of that epoch, in words.
        baseline: accuracy of spike counts alone.
        arrays: content of `page.npz`.

    Returns:
        0 if the lower end of the test accuracy's interval is above the baseline, else 1.

    Raises:
        NotWrittenError: a file cannot be written.
    """
    (low, high), accuracy = test.interval, test.accuracy
    folder.write(RESULT, {
        **given, "test_accuracy": accuracy, "interval": (low, high), "count_baseline": baseline,
        "answers": test.confusion, "wrong": test.wrong,
    })
    folder.write_bytes("page.npz", arrays)
    print(
        f"\ntest accuracy {accuracy:.1%} ({how}; 95 %: {low:.1%} to {high:.1%}); spike counts alone give {baseline:.1%}"
    )
    if low > baseline:
        return 0
    remedy = "do the delays reach across the pauses that matter (--delay, --max-delay)? then try --lr, --delay-lr"
    print(f"the network is not above spike counts: it has learned nothing from time; {remedy}")
    return 1


def draw(folder: Path) -> list[str]:
    """Draws the pictures of a classification; see `fast.drawing.classification`."""
    from delayprop.fast.drawing import (
        classification,  # with matplotlib, which a training loop of one's own does not need
    )

    return classification.draw(folder)
