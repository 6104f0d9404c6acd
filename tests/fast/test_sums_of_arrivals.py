"""The gradient of a synapse sums over its arrivals, right to rounding however many there are."""

import numpy as np
import pytest
import torch

from delayprop.fast import LI, Spikes
from tests.support.tolerances import U32, U64, sum_of_arrivals

TAU_MEM, TAU_SYN, D, W, T = 20.0, 5.0, 3.25, 0.5, 1000.0
INTEGRALS = ["mean_voltage", "exp_weighted_voltage"]
READOUTS = [*INTEGRALS, "max_voltage"]


def convolved(rates: tuple[np.longdouble, ...], s: np.ndarray) -> np.ndarray:
    """The convolution of exponentials of different rates, by partial fractions."""
    others = [np.prod([q - p for q in rates if q != p]) for p in rates]
    return sum((np.exp(-p * s) / of for p, of in zip(rates, others, strict=True)), np.zeros_like(s))


def terms_of(readout: str, arrivals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`lambda_I`, `lambda_V - lambda_I` and `lambda_V` at arrivals, in 64 binary digits, of one
    readout neuron without input but these; the largest voltage is that at `T`."""
    pm, ps, s = 1 / np.longdouble(TAU_MEM), 1 / np.longdouble(TAU_SYN), T - arrivals.astype(np.longdouble)
    if readout == "max_voltage":
        lambda_V, lambda_I = -pm * np.exp(-pm * s), -ps * pm * convolved((pm, ps), s)
        return lambda_I, lambda_V - lambda_I, lambda_V
    r = np.longdouble(0.0 if readout == "mean_voltage" else 1 / T)
    g, follows = np.exp(-r * T) / T, pm / (pm + r)  # the driving term at T; the part of it that lambda_V follows
    difference = -follows * g * (pm * convolved((pm, ps), s) + r * convolved((-r, ps), s))
    lambda_I = -g * ps * pm * convolved((-r, pm, ps), s)
    return lambda_I, difference, lambda_I + difference


def spikes_of(until: float, count: int, trials: int, readout: str) -> Spikes:
    """Trains of one neuron whose arrivals end at `until`; those of a maximum all arrive while the
    voltage still rises at `T`."""
    rng = np.random.default_rng(count)
    first, last = (T - 8.0, T - 1.0) if readout == "max_voltage" else (D, until * T)
    # On ticks of float32, so both precisions read one network.
    times = np.round(np.sort(rng.uniform(first, last, (trials, count)), axis=1) * 2**12) / 2**12 - D
    offsets = torch.arange(trials + 1) * count
    return Spikes(torch.from_numpy(times.ravel()), offsets, trials, 1, T)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize(
    ("count", "trials", "until"),
    [(1, 1, 0.9), (1, 256, 0.1), (33, 7, 0.7), (1000, 32, 0.9), (1000, 256, 0.7), (10**6, 1, 0.9)],
)
def test_errors_of_many_arrivals(count: int, trials: int, until: float, readout: str, dtype: torch.dtype) -> None:
    spikes = spikes_of(until, count, trials, readout)
    layer = LI(1, 1, readout=readout, tau_mem=TAU_MEM, tau_syn=TAU_SYN).to(dtype)
    with torch.no_grad():
        layer.w.fill_(W)
        layer.d.fill_(D)
    times = spikes.times.requires_grad_()
    layer(spikes).sum().backward()
    assert layer.w.grad is not None and layer.d.grad is not None and times.grad is not None
    lambda_I, difference, lambda_V = terms_of(readout, times.detach().numpy() + D)
    u = U32 if dtype == torch.float32 else U64
    # A maximum adds lambda_V and lambda_I apart; an integral, their difference.
    of_d = W * (abs(lambda_V) + abs(lambda_I) if readout == "max_voltage" else abs(difference))
    allowed = sum_of_arrivals(u, count * trials, T)  # bins of 1 ms
    assert abs(float(layer.w.grad) + TAU_SYN * lambda_I.sum()) <= allowed * TAU_SYN * abs(lambda_I).sum()
    assert abs(float(layer.d.grad) - W * difference.sum()) <= allowed * of_d.sum()
    assert (abs(times.grad.numpy() - W * difference) <= sum_of_arrivals(u, 1, T) * of_d).all()
