"""`fast` does not depend on bin width, threads and other trials."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from delayprop.fast import Spikes, propagate
from delayprop.spec import VOLTAGE_READOUTS
from tests.support.report_evidence import Measured
from tests.support.tolerances import SAME_SUM, WELL_CONDITIONED

T, PRE, POST, TRIALS = 40.0, 12, 20, 5
Outcome = dict[str, np.ndarray]


class Kind(NamedTuple):
    """A kind of layer."""

    readout: str | None = None
    spiking: bool = True
    recurrent: bool = False

    def __str__(self) -> str:
        return f"{self.readout}-{'recurrent' if self.recurrent else 'lif' if self.spiking else 'li'}"


LIFS = [Kind(), *(Kind(name) for name in VOLTAGE_READOUTS)]
LIS = [Kind(name, spiking=False) for name in VOLTAGE_READOUTS]
RECURRENT = [Kind(recurrent=True), Kind("mean_voltage", recurrent=True)]


def layer(recurrent: bool = False, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Weights, delays (some beyond the trial) and constants of a layer with many spikes; recurrent
    excitation and inhibition, with some tiny delays."""
    rng = np.random.default_rng(0)
    w = rng.normal(1.0, 1.2, (PRE, POST))
    d = rng.uniform(0.0, 12.0, (PRE, POST)) + np.where(rng.random((PRE, POST)) < 0.1, T, 0.0)
    constants = (rng.uniform(8.0, 20.0, POST), rng.uniform(3.0, 9.0, POST), rng.uniform(0.8, 1.2, POST), np.zeros(POST))
    if recurrent:
        rng = np.random.default_rng(50)
        own_w, own_d = rng.normal(0.0, 0.5, (POST, POST)), rng.uniform(0.0, 12.0, (POST, POST))
        w, d = np.vstack([w, own_w]), np.vstack([d, np.where(rng.random((POST, POST)) < 0.2, 1e-3, own_d)])
    return [torch.tensor(values, dtype=dtype) for values in (w, d, *constants)]


def trials() -> list[list[list[float]]]:
    """Spike trains of a batch, the second trial silent."""
    rng = np.random.default_rng(100)
    drawn = [[np.sort(rng.uniform(0.0, T, rng.integers(0, 6))).tolist() for _ in range(PRE)] for _ in range(TRIALS)]
    drawn[1] = [[] for _ in range(PRE)]
    return drawn


def outcome(batch: list[list[list[float]]], parameters: list[Tensor], kind: Kind, **options: float) -> Outcome:
    """Spikes, readout, kappa, ties, and the gradient of a loss with one weight per readout."""
    leaves = [p.clone().requires_grad_() for p in (parameters if kind.spiking else parameters[:4])]
    given = Spikes.from_trains(batch, T)
    given.times.requires_grad_()
    emitted, y, record = propagate(
        given, *leaves, readout=kind.readout, recurrent=kind.recurrent, **options  # type: ignore[arg-type]
    )
    loss = (emitted.times.square() * 1e-2).sum()
    if y is not None:
        loss = loss + (y * torch.linspace(0.5, 1.5, POST)).square().sum()
    loss.backward()
    found = {"offsets": emitted.offsets, "times": emitted.times, "y": emitted.times[:0] if y is None else y}
    named = zip(("w", "d", "tau_mem", "tau_syn", "v_th", "v_reset"), leaves, strict=False)
    gradients = {f"dL_d{name}": leaf.grad for name, leaf in named} | {"dL_dt_in": given.times.grad}
    arrays = {name: tensor.detach().numpy() for name, tensor in (found | gradients).items()}
    return arrays | {"kappa": record.kappa, "ties": record.ties}


def assert_near(found: Outcome, true: Outcome, limit: float) -> None:
    for name, values in true.items():
        if name in ("offsets", "ties"):
            assert np.array_equal(found[name], values), name
            continue
        error = np.linalg.norm(found[name].astype(float) - values)
        assert error <= limit * np.linalg.norm(values), f"{name}: {error:.1e} of {np.linalg.norm(values):.3g}"


def assert_bitwise(found: Outcome, true: Outcome) -> None:
    for name, values in true.items():
        assert np.array_equal(found[name], values), name


every_layer = pytest.mark.parametrize("kind", LIFS + LIS + RECURRENT, ids=str)
every_dtype = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


@every_layer
@pytest.mark.parametrize("width", [0.5, 0.3, 0.0625, 0.7])
def test_the_width_of_bins(kind: Kind, width: float) -> None:
    """Another bin width, also one that is no power of 2, changes rounding alone."""
    true, found = (outcome(trials(), layer(kind.recurrent), kind, **given) for given in ({}, {"bin_width": width}))
    assert not kind.spiking or len(true["times"]) > 3 * POST
    assert_near(found, true, WELL_CONDITIONED)


@every_layer
@every_dtype
def test_threads(kind: Kind, dtype: torch.dtype, use_threads: Callable[[int], None]) -> None:
    found = []
    for number in (1, 2, 3):
        use_threads(number)
        found.append(outcome(trials(), layer(kind.recurrent, dtype), kind))
    assert_bitwise(found[1], found[0])
    assert_bitwise(found[2], found[0])


@pytest.mark.check(16)
@every_layer
@every_dtype
def test_a_trial_is_as_if_alone(kind: Kind, dtype: torch.dtype, measured: Measured) -> None:
    """No bit depends on other trials, although some delays are longer than a trial."""
    batch, parameters = trials(), layer(kind.recurrent, dtype)
    together = outcome(batch, parameters, kind)
    spikes, inputs = 0, 0
    for b, trial in enumerate(batch):
        alone = outcome([trial], parameters, kind)
        counts = np.diff(together["offsets"])[b * POST : (b + 1) * POST]
        assert np.array_equal(counts, np.diff(alone["offsets"]))
        for name in ("times", "kappa"):
            assert np.array_equal(together[name][spikes : spikes + counts.sum()], alone[name]), name
        assert np.array_equal(together["ties"][b], alone["ties"][0])
        assert kind.readout is None or np.array_equal(together["y"][b], alone["y"][0])
        given = sum(map(len, trial))
        assert np.array_equal(together["dL_dt_in"][inputs : inputs + given], alone["dL_dt_in"])
        spikes, inputs = spikes + counts.sum(), inputs + given
    assert spikes == len(together["times"]) and (spikes > 0) == kind.spiking
    measured(0, 0, len(batch), "0")


@pytest.mark.check(16, control=True)
def test_control_a_trial_with_a_spike_of_another_is_seen() -> None:
    batch, parameters = trials(), layer()
    leaked = [sorted([*batch[2][0], batch[0][0][0] if batch[0][0] else 0.5]), *batch[2][1:]]
    with pytest.raises(AssertionError):
        assert_bitwise(outcome([leaked], parameters, Kind()), outcome([batch[2]], parameters, Kind()))


@pytest.mark.check(16)
@every_layer
def test_a_batch_is_the_sum_of_its_trials(kind: Kind, measured: Measured) -> None:
    batch, parameters = trials(), layer(kind.recurrent)
    alone = [outcome([trial], parameters, kind) for trial in batch]
    errors = []
    for order in (batch, batch[::-1]):
        together = outcome(order, parameters, kind)
        for name in ("w", "d", "tau_mem", "tau_syn", "v_th", "v_reset")[: 6 if kind.spiking else 4]:
            parts = [one[f"dL_d{name}"] for one in alone]
            error = np.linalg.norm(together[f"dL_d{name}"] - sum(parts)) / np.linalg.norm(np.abs(parts).sum(0))
            assert error <= SAME_SUM, name
            errors.append(float(error))
    measured(max(errors), SAME_SUM, 2, "0")
