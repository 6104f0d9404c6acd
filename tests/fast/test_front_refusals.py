"""Refusals of the torch front: each names the argument, the value and a remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from delayprop.fast import LI, LIF, Spikes, cross_entropy, first_spike_time, joined, propagate, spike_time_mse
from delayprop.fast.nn.devices import check_device
from delayprop.fast.run import run_case
from delayprop.spec import SpecError, UnsupportedError
from tests.support.networks.layers import DURATION, first_layer, given_spikes, trains
from tests.support.networks.strategies import seeded_case

NAN, INF = float("nan"), float("inf")


def spread(change: Mapping[str, object]) -> Callable[[], object]:
    """`propagate` with some of its arguments replaced."""
    layer = first_layer()
    good = {name: getattr(layer, name).detach() for name in ("w", "d", "tau_mem", "tau_syn", "v_th", "v_reset")}
    return lambda: propagate(given_spikes(), **{**good, **change})


def full(*shape: int, value: float = 1.0, dtype: torch.dtype = torch.float64, device: str = "cpu") -> Tensor:
    return torch.full(shape, value, dtype=dtype, device=device)


def one_bad(value: float) -> Tensor:
    matrix = full(3, 2)
    matrix[2, 1] = value
    return matrix


PROPAGATE: dict[str, tuple[dict[str, object], str]] = {
    "readout unknown": ({"readout": "first_spike_time"}, "`readout` must be one of max_voltage, .* choose one"),
    "w for other sources": (
        {"w": full(2, 2)},
        r"`w` must be of shape \[pre, post\] with pre = 3, .* got \[2, 2\]; one row per source neuron",
    ),
    "w no matrix": ({"w": full(3)}, r"`w` must be of shape \[pre, post\] .* got \[3\]"),
    "d of another shape": ({"d": full(2, 3)}, r"`d` must be of shape \[3, 2\], got \[2, 3\]; `w` is \[pre, post\]"),
    "constant of another shape": ({"tau_mem": full(3)}, r"`tau_mem` must be of shape \[2\], got \[3\]"),
    "constant a number": ({"tau_syn": full()}, r"`tau_syn` must be of shape \[2\], got \[\]"),
    "threshold without reset": ({"v_reset": None}, "`v_reset` must be given together with `v_th`, .* give both"),
    "reset without threshold": ({"v_th": None}, "`v_reset` must be given together with `v_th`, .* give both"),
    "half": ({"w": full(3, 2, dtype=torch.float16)}, "`w` must be float32 or float64, got torch.float16; convert it"),
    "whole numbers": ({"d": torch.ones(3, 2, dtype=torch.int64)}, "`d` must be float32 or float64, got torch.int64"),
    "two dtypes": (
        {"d": full(3, 2, dtype=torch.float32)},
        "`d` must be of the dtype of `w`, torch.float64, got torch.float32; convert it",
    ),
    "NaN weight": ({"w": one_bad(NAN)}, "`w` must be finite, got 1 NaN or infinite entries; look for the step"),
    "infinite delay": ({"d": one_bad(INF)}, "`d` must be finite, got 1 NaN or infinite entries"),
    "NaN constant": ({"v_reset": full(2, value=NAN)}, "`v_reset` must be finite, got 2 NaN or infinite entries"),
    "negative delay": ({"d": one_bad(-0.25)}, r"`d` must be at least 0 \(ms\), got -0.25; .*`layer.project_\(\)`"),
    "time constant 0": ({"tau_syn": full(2, value=0.0)}, "`tau_syn` must be above 0, got 0.0; constants are positive"),
    "time constant below 0": ({"tau_mem": full(2, value=-3.0)}, "`tau_mem` must be above 0, got -3.0"),
    "threshold 0": ({"v_th": full(2, value=0.0)}, "`v_th` must be above 0, got 0.0"),
    "reset at threshold": ({"v_reset": full(2)}, r"`v_reset\[0\]` must be below `v_th`, 1.0, got 1.0; lower it"),
    "mask of numbers": ({"exists": full(3, 2)}, r"`exists` must be boolean, of shape \[3, 2\], got torch.float64"),
    "mask of another shape": ({"exists": torch.ones(2, 3, dtype=torch.bool)}, r"`exists` .* got torch.bool \[2, 3\]"),
}


@pytest.mark.parametrize("name", PROPAGATE)
def test_propagate_refuses(name: str) -> None:
    change, message = PROPAGATE[name]
    with pytest.raises(SpecError, match=message):
        spread(change)()


@pytest.mark.parametrize("name", ["w", "d", "tau_mem", "tau_syn", "v_th", "v_reset"])
def test_a_tensor_that_is_not_on_the_cpu_is_unsupported(name: str) -> None:
    """No silent copy and no fallback. torch's `meta` device stands for any other device."""
    shape = (3, 2) if name in ("w", "d") else (2,)
    elsewhere = {name: full(*shape, device="meta")}
    with pytest.raises(UnsupportedError, match=f"`{name}` must be on the CPU or on a GPU of CUDA, got meta; use `.to"):
        spread(elsewhere)()


def test_a_neuron_that_spikes_faster_than_resolved_is_an_error() -> None:
    with pytest.raises(ArithmeticError, match="spikes too fast, or without end; lower its weights"):
        spread({"w": full(3, 2, value=1e18)})()


def test_a_trial_of_too_many_bins_is_unsupported() -> None:
    """Bins are counted in 32 bits; the reference has no bins."""
    layer = LI(3, 2, readout="max_voltage", tau_mem=20.0, tau_syn=0.5)
    with pytest.raises(UnsupportedError, match=r"`duration` must be at most \d+ bins long, .* `python -m reference`"):
        layer(replace(given_spikes(), duration=1e9))


def test_a_delay_of_too_many_bins_is_unsupported() -> None:
    """Places in the ring are counted in 32 bits."""
    layer = LI(3, 2, readout="max_voltage", tau_mem=20.0, tau_syn=0.5)
    torch.nn.init.constant_(layer.d, 2e6)
    with pytest.raises(UnsupportedError, match=r"`d` must be at most \d+ bins long, .* `python -m reference`"):
        layer(replace(given_spikes(), duration=3e6))


def cases_refused() -> dict[str, tuple[Callable[[], object], str]]:
    spikes, y = given_spikes(), full(3, 2)
    index = torch.tensor
    three = [trains([1.0], [], [])] * 3
    return {
        "no trial": (lambda: Spikes.from_trains([], 9.0), "`trials` must be a list of at least one trial, got none"),
        "trials of two sizes": (
            lambda: Spikes.from_trains([[[1.0]], [[1.0], []]], 9.0),
            r"`trials\[1\]` must be 1 trains, as in trials\[0\], got 2; give \[\] for a silent neuron",
        ),
        "times out of order": (
            lambda: Spikes.from_trains([[[1.0]], [[2.0, 1.0]]], 9.0),
            r"`trials\[1\]\[0\]\[1\]` must be at least the time before it, 2.0, got 1.0; sort the times",
        ),
        "time below 0": (lambda: Spikes.from_trains([[[-1.0]]], 9.0), r"`trials\[0\]\[0\]\[0\]` .* got -1.0"),
        "NaN time": (lambda: Spikes.from_trains([[[NAN]]], 9.0), r"`trials\[0\]\[0\]\[0\]` .* got nan"),
        "one train for all": (lambda: Spikes.from_trains([[1.0]], 9.0), r"`trials\[0\]\[0\]` .* got 1.0; give a list"),
        "duration": (lambda: Spikes.from_trains([[[1.0]]], 0.0), "`duration` must be a finite number above 0"),
        "joined trials": (
            lambda: joined([spikes, given_spikes([[[1.0]]])]),
            r"`parts\[1\]` must be 3 trials of 16.0 ms, as in parts\[0\], got 1 trials of 16.0 ms; join",
        ),
        "joined durations": (lambda: joined([spikes, replace(spikes, duration=9.0)]), "got 3 trials of 9.0 ms"),
        "labels a trial": (lambda: cross_entropy(y, index([0])), r"`labels` must be integers of shape \[3\], got"),
        "labels no integers": (lambda: cross_entropy(y, full(3)), r"`labels` .* got torch.float64 \[3\]"),
        "labels a mask": (lambda: cross_entropy(y, full(3) > 0), r"`labels` .* got torch.bool \[3\]"),
        "labels without a readout": (
            lambda: cross_entropy(spikes, index([0, 1, 1])),  # type: ignore[arg-type]
            r"`y` must be a readout, .* got Spikes; read spikes by an `LI` layer, or by `first_spike_time",
        ),
        "labels for a scale": (
            lambda: first_spike_time(spikes, index([0, 1, 1])),  # type: ignore[arg-type]
            r"`time_scale` must be a finite number above 0 \(ms\), got a tensor; labels come later: `cross_entropy",
        ),
        "label too large": (lambda: cross_entropy(y, index([0, 1, 2])), "`labels` must be from 0 to 1, got 0 to 2"),
        "label below 0": (lambda: cross_entropy(y, index([-1, 1, 0])), "`labels` must be from 0 to 1, got -1 to 1"),
        "targets of fewer trials": (
            lambda: spike_time_mse(spikes, three[:1]),
            r"`targets` must be 3 entries \(trials\) of 3 trains \(neurons\), got \[3\]; give \[\] for a free neuron",
        ),
        "targets of fewer neurons": (
            lambda: spike_time_mse(spikes, [trains([1.0])] * 3),
            r"`targets` .* got \[1, 1, 1\]",
        ),
        "no source": (lambda: LIF(0, 2), "`pre` must be a whole number from 1 .* got 0; give the number of source"),
        "half a target": (lambda: LIF(3, 2.5), "`post` must be a whole number .* got 2.5"),  # type: ignore[arg-type]
        "bound below 0": (lambda: LIF(3, 2, max_delay=-1.0), "`max_delay` must be a finite number of at least 0"),
        "layer readout": (lambda: LI(3, 2, readout="max"), "`readout` must be one of max_voltage, .* got 'max'"),
    }


@pytest.mark.parametrize("name", cases_refused())
def test_spikes_losses_and_layers_refuse(name: str) -> None:
    call, message = cases_refused()[name]
    with pytest.raises(SpecError, match=message):
        call()


def by_hand(times: list[float], offsets: list[int]) -> Spikes:
    return Spikes(torch.tensor(times, dtype=torch.float64), torch.tensor(offsets), 1, 3, DURATION)


BAD_SPIKES: dict[str, tuple[Callable[[], Spikes], str]] = {
    "NaN time": (lambda: by_hand([NAN, 3.0], [0, 2, 2, 2]), r"`times\[0\]` must be finite and at least 0 \(ms\)"),
    "time below 0": (lambda: by_hand([-1.0, 3.0], [0, 2, 2, 2]), r"`times\[0\]` must be finite and at least 0 \(ms\)"),
    "times out of order": (lambda: by_hand([3.0, 1.0], [0, 2, 2, 2]), r"`times\[1\]` must be at least .* got 1.0"),
    "times in float32": (
        lambda: replace(given_spikes(), times=given_spikes().times.float()),
        r"`times` must be a float64 tensor .*, got torch.float32 \[7\]; give times as `.double\(\)`",
    ),
    "offsets beyond the times": (lambda: by_hand([1.0, 3.0], [0, 2, 2, 5]), "`offsets` must be ascending from 0 to 2"),
    "offsets that go back": (lambda: by_hand([1.0, 3.0], [0, 2, 1, 2]), "`offsets` must be ascending from 0 to 2"),
    "too few offsets": (lambda: by_hand([1.0, 3.0], [0, 2]), r"`offsets` must be int64 of shape \[4\]"),
}


@pytest.mark.parametrize("name", BAD_SPIKES)
def test_spikes_built_by_hand_are_checked_too(name: str) -> None:
    """Learned times need not come from `from_trains`, and the kernels index with the offsets."""
    build, message = BAD_SPIKES[name]
    with pytest.raises(SpecError, match=message):
        build()


@pytest.mark.parametrize("moved", [-0.5, 5.0, 25.0], ids=["below 0", "past the next", "past the end"])
def test_times_that_an_optimiser_has_moved_are_checked_again(moved: float) -> None:
    """A step in place on `spikes.times` bypasses the constructor; unchecked, a spike is lost."""
    spikes = given_spikes()
    spikes.times[0] = moved
    with pytest.raises(SpecError, match=r"`times\[\d\]` must be"):
        first_layer()(spikes)


@pytest.mark.parametrize(
    ("missing", "absent", "got"),
    [
        ("delayprop.fast.nn.devices.find_spec", lambda name: None, "cuda needs numba-cuda; install it by"),
        ("torch.version.cuda", None, "cuda needs a torch that is built for CUDA; install one of CUDA 13"),
        ("torch.cuda.is_available", lambda: False, "cuda needs a GPU, and torch finds none; run where"),
    ],
)
def test_cuda_is_refused_where_a_part_of_it_is_missing(
    missing: str, absent: object, got: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All three parts are simulated as present, then one as missing, so no GPU is needed."""
    monkeypatch.setattr("delayprop.fast.nn.devices.find_spec", lambda name: name)
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    check_device("cuda")
    monkeypatch.setattr(missing, absent)
    with pytest.raises(UnsupportedError, match=f"`device` {got}.*, or use the CPU"):
        run_case(seeded_case(0, "layers"), device="cuda")


def test_a_precision_that_is_not_offered_is_refused() -> None:
    with pytest.raises(SpecError, match="`dtype` must be one of float64, float32, got 'float16'"):
        run_case(seeded_case(0, "layers"), dtype="float16")


def test_every_refusal_is_one_sentence_with_a_remedy() -> None:
    """"`name` must be ..., got ...; remedy": the form of the specification, section 8."""
    calls = [spread(change) for change, _ in PROPAGATE.values()] + [call for call, _ in cases_refused().values()]
    for call in calls:
        with pytest.raises(SpecError) as refusal:
            call()
        assert re.fullmatch(r"`[^`]+` (must be .+, got|is|has) .+; .+", str(refusal.value)), refusal.value
