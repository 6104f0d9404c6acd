"""The end of a classification: the kept network on the test split, the record and the pictures."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from fast.training.evaluation import count_baseline
from fast.training.page_arrays import page_arrays
from fast.training.run_folder import RESULT, Folder

if TYPE_CHECKING:
    from fast.training.classify import Classification


def conclude(training: Classification, folder: Folder, check: Callable[[], None]) -> int:
    """Evaluates the kept network on the test split, records and draws the run.

    Args:
        check: is called before each batch of the test split, and may raise.

    Returns:
        0 if the lower end of the test accuracy's interval is above the baseline of spike counts,
        else 1. With `--no-test` the test split stays untouched, and the code is 0.
    """
    settings, best, network, data = training.settings, training.best, training.evaluated, training.data
    how = f"epoch {best['epoch']}, {'the last' if settings.choose == 'last' else 'chosen on valid'}"
    content = io.BytesIO()  # in memory first: torch reports a full disk by errors of its own
    torch.save(best["network"], content)
    folder.write_bytes("network.pt", content.getvalue())
    if not settings.test:
        print(f"\nvalid accuracy {best['accuracy']:.1%} ({how}); --resume --test evaluates the test split")
        return 0
    last = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(best["network"])
    try:
        test = training.evaluate("test", check=check)
        if not training.processes.is_first:
            return 0
        arrays = page_arrays(network, training.initial_parameters, data["test"], training.duration)
    finally:
        network.load_state_dict(last)
    baseline = count_baseline(data["train"], data["test"])
    folder.write(RESULT, {
        "task": training.task, "network": network.name, "best_epoch": best["epoch"], "test_accuracy": test.accuracy,
        "interval": test.interval, "count_baseline": baseline, "answers": test.confusion,
    })
    folder.write_bytes("page.npz", arrays)
    low, high = test.interval
    print(
        f"\ntest accuracy {test.accuracy:.1%} ({how}; 95 %: {low:.1%} to {high:.1%}); "
        f"spike counts alone give {baseline:.1%}"
    )
    with folder.writing():
        pictures = training.draw(folder.path)
    print(f"pictures: {', '.join(pictures)}; record and network: {folder.path}")
    return 0 if low > baseline else 1
