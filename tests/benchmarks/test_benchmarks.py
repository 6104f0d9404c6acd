"""The benchmark of speed counts right, finds planted faults, and then prints no speed."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks import speed
from benchmarks.correctness import BLOCKS, agree
from benchmarks.sizes import DEFAULTS, Sizes
from benchmarks.step import step
from benchmarks.workloads import arrivals, build
from benchmarks.yardstick import Grid
from delayprop.fast import Spikes
from delayprop.fast.nn import layers, spiking_layer
from delayprop.fast.nn.traces import count_arrivals, neurons_of
from tests.support.runs.reading import Capture, refusal

pytestmark = pytest.mark.full

SMALL = ["--batch", "2", "--hidden", "8", "--duration", "200", "--max-delay", "10"]
INPUT = ["--inputs", "20", "--spikes", "400"]


def small(workload: str, **changed: Any) -> Sizes:
    """A few neurons with the spike rate of the default sizes."""
    sizes = replace(DEFAULTS[workload], batch=2, hidden=8, max_delay=10.0)
    if workload != "yin-yang":
        sizes = replace(sizes, inputs=20, spikes=400, duration=200.0, w_mean=None)
    return replace(sizes, **changed)


def test_a_measurement_has_all_its_numbers(capsys: Capture) -> None:
    assert speed.main(["--workload", "shd-like", *SMALL, *INPUT, "--repeats", "2", "--json"]) == 0
    out, err = capsys.readouterr()
    assert out.count("\n") == 1 and err == ""
    found = json.loads(out)
    sizes = {"workload": "shd-like", "batch": 2, "inputs": 20, "spikes": 400, "duration": 200.0, "hidden": 8}
    assert {**sizes, "max_delay": 10.0, "dtype": "float32", "repeats": 2}.items() <= found.items()
    assert found["seconds"] > 0 and found["seconds_forward"] > 0 and found["seconds_backward"] > 0
    per_arrival = 1e9 * found["seconds_forward"] / found["arrivals"]
    assert found["nanoseconds_per_arrival"]["forward"] == pytest.approx(per_arrival)
    assert found["device"] == "cpu" and found["device_name"] and found["threads"] == torch.get_num_threads()
    assert set(found["versions"]) == {"python", "numpy", "numba", "torch"}
    assert 10 < found["hidden_spikes_per_trial"] < 18
    assert 0.5 * found["hidden_spikes_per_trial"] < found["hidden_solved_bins_per_trial"] < 200
    bare, per_arrival = found["bare_loop"], 1e9 * found["seconds"] / found["arrivals"]
    assert bare["ratio"] == pytest.approx(per_arrival / bare["nanoseconds_per_arrival"]) and bare["ratio"] > 1
    other = found["yardstick"]
    assert other["approximate"] is True and other["dt_ms"] == 1.0 and (other["trials_run"], other["trials"]) == (2, 2)
    assert other["ratio"] == pytest.approx(other["seconds"] / found["seconds"])
    assert found["agreement"]["followed"]["spikes"] > 0 and set(found["agreement"]["residuals"]) == {"A", "B", "C"}


def test_a_measurement_as_text(capsys: Capture) -> None:
    assert speed.main(["--workload", "yin-yang", "--batch", "5", "--hidden", "8", "--repeats", "1"]) == 0
    out, _ = capsys.readouterr()
    for words in ("yin-yang: 5-8-3, 5 trials", "ns per arrival forward", "a bare loop on", "0.1 ms in torch"):
        assert words in out


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("workload", "delays"), [*product(DEFAULTS, ["synaptic"]), ("recurrent", "dendritic")])
def test_every_workload_is_right(workload: str, delays: str, dtype: str) -> None:
    """Every check has data: spikes of each population, and the identities."""
    found = agree(build(small(workload, delays=delays, dtype=dtype)))
    assert found["followed"]["spikes"] > 0 and 0 < found["followed"]["spike_time_error_ms"] <= 1e-6
    assert found["residuals"]["A"] is not None and found["residuals"]["B"] is not None
    assert max(found["gradient_error"].values()) < BLOCKS[dtype]


class _Scaled(torch.autograd.Function):
    """The identity with a derivative other than 1: a planted fault of a gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, dL_dx: Tensor) -> Tensor:
        return dL_dx * 1.002


def late(spikes: Spikes, by: float) -> Spikes:
    return replace(spikes, times=(spikes.times + by).clamp(max=spikes.duration))


FAULTS: dict[str, tuple[Callable, str]] = {
    "weights": (lambda run, s, w, d, *c, **k: run(s, _Scaled.apply(w), d, *c, **k), "identity A"),
    "delays": (lambda run, s, w, d, *c, **k: run(s, w, _Scaled.apply(d), *c, **k), "identity B"),
    "float32 alone": (
        lambda run, s, w, d, *c, **k: run(s, _Scaled.apply(w) if w.dtype == torch.float32 else w, d, *c, **k),
        r"gradient of w[0] against float64: error 2.0e-03, allowed 1e-05",
    ),
    "late spikes": (
        lambda run, s, *rest, **k: (lambda found: (late(found[0], 1e-4), *found[1:]))(run(s, *rest, **k)),
        "followed event by event",
    ),
    "other spikes in float32": (
        lambda run, s, w, *rest, **k: run(s, w * 1.05 if w.dtype == torch.float32 else w, *rest, **k),
        "spikes off against float64",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_no_speed_is_printed(fault: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    planted, message = FAULTS[fault]
    right = layers.propagate_neurons
    for module in (layers, spiking_layer):
        monkeypatch.setattr(module, "propagate_neurons", lambda *given, **named: planted(right, *given, **named))
    assert speed.main(["--workload", "shd-like", *SMALL, *INPUT]) == 1
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert message in err and err.endswith("no speed is printed for a wrong result\n")


def test_arrivals_are_counted_one_by_one() -> None:
    """Two trials, sources and targets, `T = 10`: an arrival at `T` counts, a later one does not."""
    spikes = Spikes.from_trains([[[1.0, 9.0], [4.0]], [[], [10.0]]], 10.0)
    d, exists = torch.tensor([[1.5, 1.0], [0.0, 7.0]]), torch.tensor([[True, True], [False, True]])
    assert count_arrivals(spikes, d) == 2 + 1 + 1 + 1
    assert count_arrivals(spikes, d, exists) == 2 + 1
    workload = build(small("recurrent"))
    trains = step(workload).trains
    expected = 0
    for spikes, link in zip((workload.spikes, trains[0], trains[0]), workload.model.links(), strict=True):
        for trial in spikes.to_lists():
            for i, train in enumerate(trial):
                expected += sum(t + d <= 200.0 for t in train for d in link.d[i].double().tolist())
    assert arrivals(workload, trains) == expected > 0


def test_the_yardstick_runs_the_network_of_the_workload() -> None:
    """On a finer grid its spike counts are right within 8 %, and every gradient exists."""
    for name in ("shd-like", "yin-yang"):
        workload = build(small(name))
        exact = len(step(workload).trains[0].times)
        grid = Grid(workload, 0.5)
        trials = torch.arange(2).repeat_interleave(workload.spikes.counts().sum(dim=1))
        y = grid(workload.spikes.times.float(), trials, torch.from_numpy(neurons_of(workload.spikes)), 2)
        y.square().sum().backward()
        assert grid.spikes_seen == pytest.approx(exact, rel=0.08)
        assert all(p.grad is not None and bool(p.grad.any()) for p in [*grid.w, *grid.d])


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "the following arguments are required: --workload"),
    (["--workload", "mnist"], "argument --workload: invalid choice: 'mnist'"),
    (["--workload", "shd-like", "--batch", "0"], "`--batch` must be a whole number from 1"),
    (["--workload", "shd-like", "--duration", "inf"], "`--duration` must be a finite number"),
    (["--workload", "shd-like", "--max-delay", "-1"], "`--max-delay` must be a finite number of"),
    (["--workload", "shd-like", "--threads", "0"], "`--threads` must be a whole number from 1"),
    (["--workload", "shd-like", "--repeats", "0"], "`--repeats` must be a whole number from 1"),
    (["--workload", "recurrent", "--max-delay", "0"],
     "`--max-delay` must be at least 0.1 (ms) for recurrent, got 0.0; a loop must take time"),
    (["--workload", "yin-yang", "--inputs", "7"],
     "`--inputs` must be left out for yin-yang, got 7; four coordinates and a bias are the task"),
    (["--workload", "shd-like", "--spikes", "1", "--batch", "1", "--inputs", "1", "--hidden", "1",
      "--max-delay", "5000"],
     "`--spikes` must be enough to make hidden neurons spike 14 times per trial, got 1; give more input spikes"),
])
def test_a_refusal_is_one_line_and_exit_code_2(arguments: list[str], message: str, capsys: Capture) -> None:
    assert message in refusal(capsys, speed.main, *arguments)
