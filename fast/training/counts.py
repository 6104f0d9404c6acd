"""What spike counts alone tell: logistic regression, the baseline that a trained network is held against."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fast.data.spike_files import SpikeData
from fast.training.shared import right_answers


def count_baseline(fit: SpikeData, test: SpikeData) -> float:
    """Test accuracy of logistic regression on spike counts: what there is to know without time."""
    counts = torch.from_numpy(fit.counts()).double()
    mean, sd = counts.mean(0), counts.std(0, correction=0)  # of these trials, one trial included
    sd = torch.where(sd > 0, sd, 1.0)  # a channel whose count never varies is 0 after `- mean`, on any scale
    coefficients = torch.zeros(fit.channels + 1, fit.classes, dtype=torch.float64, requires_grad=True)
    labels = torch.from_numpy(fit.labels)

    def scores(x: Tensor) -> Tensor:
        return ((x - mean) / sd) @ coefficients[1:] + coefficients[0]

    def closure() -> Tensor:
        fitter.zero_grad()
        penalty = coefficients[1:].square().sum() / (20 * len(fit))  # C = 10
        loss = nn.functional.cross_entropy(scores(counts), labels) + penalty
        loss.backward()
        return loss

    fitter = torch.optim.LBFGS([coefficients], max_iter=500, line_search_fn="strong_wolfe")
    fitter.step(closure)
    y = scores(torch.from_numpy(test.counts()).double())
    return float(right_answers(y, torch.from_numpy(test.labels)).double().mean())
