"""Faults of kernels, planted where the readout is an integral: the certificate stops the run."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from delayprop.fast import Spikes
from delayprop.fast.solving.solved import Gradients, Solved
from delayprop.fast.training.gradient_checks import CertificateError, certify, check_certificate
from delayprop.fast.training.model import Classifier
from delayprop.fast.training.settings import Settings

T, TRIALS, CHANNELS = 1000.0, 16, 70
INTEGRALS = ["mean_voltage", "exp_weighted_voltage"]
Backward = Callable[..., Gradients]
BACKWARD: Backward = Solved.backward


def classifier(readout: str, dtype: torch.dtype = torch.float32, **changed: object) -> Classifier:
    settings = Settings(
        tau_mem=20.0, tau_syn=10.0, readout=readout, gain=100.0, w_mean=0.0, w_sd=2.0, rec_sd=0.1,
        inner_sd=2.0, out_sd=0.2, delay=100.0, rec_delay=30.0, **{"hidden": (32,), **changed},  # type: ignore[arg-type]
    )
    made = Classifier(CHANNELS, 10, settings, torch.float64, 1)
    made.out.initialise_(0.0, 0.2, 30.0, torch.Generator().manual_seed(2))
    return made.to(dtype)


def batch(end: float) -> tuple[Spikes, Tensor]:
    """3 spikes per channel and trial, up to the fraction `end` of the trial."""
    random = torch.Generator().manual_seed(3)
    times = torch.rand(TRIALS * CHANNELS * 3, generator=random, dtype=torch.float64) * end * T
    trains = torch.arange(TRIALS * CHANNELS).repeat(3)
    spikes = Spikes.from_events(times, trains % CHANNELS, trains // CHANNELS, size=CHANNELS, duration=T)
    return spikes, torch.randint(0, 10, (TRIALS,), generator=random)


def flipped(solved: Solved, *given: Tensor) -> Gradients:
    found = BACKWARD(solved, *given)
    return found._replace(d=-found.d)


def no_last_jump(solved: Solved, dL_dt_post: Tensor, *given: Tensor) -> Gradients:
    last = solved.offsets[1:][solved.offsets.diff() > 0] - 1
    return BACKWARD(solved, dL_dt_post.index_fill(0, last, 0.0), *given)


def subtracted_late(solved: Solved, *given: Tensor) -> Gradients:
    """`lambda_V` and `lambda_I` summed apart in float32, and subtracted at the end."""
    found, synapses, post = BACKWARD(solved, *given), solved.layer.synapses.w, solved.layer.post
    w = synapses.permute(1, 0, 2).flatten(1)[:, :post].double()
    of_lambda_I = -w * found.w.double() / 10.0
    of_lambda_V = (found.d.double() + of_lambda_I).float()
    return found._replace(d=(of_lambda_V - of_lambda_I.float()).to(found.d.dtype))


def check(network: Classifier, spikes: Spikes, labels: Tensor) -> list[str]:
    return check_certificate(*certify(network, spikes, labels))


@pytest.mark.parametrize("changed", [{}, {"recurrent": True}, {"hidden": (32, 16)}], ids=str)
@pytest.mark.parametrize("readout", INTEGRALS)
def test_delay_gradients_are_checked(readout: str, changed: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    network, given = classifier(readout, **changed), batch(1.0)
    found, usual, _ = certify(network, *given)
    assert found.A is not None and found.B is not None and found.C is not None
    assert max(found.A, found.B, found.C) < usual
    for fault in (flipped, no_last_jump):
        monkeypatch.setattr(Solved, "backward", fault)
        with pytest.raises(CertificateError, match=r"identity [BC] is off"):
            check(network, *given)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums_that_nearly_cancel_are_checked(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """With spikes long before `T`, the gradients by delays are far below those by weights."""
    assert check(classifier("mean_voltage", dtype), *batch(0.7)) == []
    monkeypatch.setattr(Solved, "backward", subtracted_late)
    with pytest.raises(CertificateError, match=r"identity [BC] is off"):
        check(classifier("mean_voltage", dtype), *batch(0.7))
