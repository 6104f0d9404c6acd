"""`delayprop evaluate --grid`: delays and spike times on the clock of hardware."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from delayprop.fast import LI, LIF
from delayprop.fast.evaluate import main as evaluate
from delayprop.fast.training.evaluation import Evaluation
from delayprop.fast.training.gridded import Gridded, lines, on_grids
from tests.support.runs.reading import Capture, printed, refusal
from tests.support.runs.short_runs import busy, busy_spikes

network = partial(busy, recurrent=True, rec_sd=0.4, rec_delay=3.0, delay=4.0)
given = partial(busy_spikes, 5)


def rounded(times: Tensor, step: float) -> Tensor:
    return torch.from_numpy(np.round(times.detach().double().numpy() / step) * step)


@pytest.mark.parametrize("times", [False, True])
@pytest.mark.parametrize("step", [0.5, 2.0])
@torch.no_grad()
def test_it_is_the_network_with_rounded_numbers(step: float, times: bool) -> None:
    made, by_hand = network(), network()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    for layer in by_hand.layers:
        layer.d.copy_(rounded(layer.d, step))
        if layer.d_rec is not None:  # a loop takes a step at least
            layer.d_rec.copy_(rounded(layer.d_rec, step).clamp_(min=step))
    spikes, hidden = given(), []
    for layer in by_hand.hidden_layers:
        spikes = layer(replace(spikes, times=rounded(spikes.times, step)) if times else spikes)
        hidden.append(spikes)
    expected = by_hand.out(replace(spikes, times=rounded(spikes.times, step)) if times else spikes)
    y, found = Gridded(made, step, times)(given())
    assert torch.equal(y, expected) and all(torch.equal(a.times, b.times) for a, b in zip(found, hidden, strict=True))
    assert not torch.equal(y, made(given())[0]) and len(hidden[-1].times) > 5
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


@torch.no_grad()
def test_delays_beyond_the_steps_of_a_chip_are_cut_and_counted() -> None:
    made, step, most = network(), 0.5, 3
    delays = torch.cat([d.flatten() for layer in made.layers for d in (layer.d, layer.d_rec) if d is not None])
    gridded = Gridded(made, step, True, most)
    for layer, own in zip(gridded.network.layers, made.layers, strict=True):
        assert torch.equal(layer.d, rounded(own.d, step).clamp(max=most * step))
        if layer.d_rec is not None:
            assert torch.equal(layer.d_rec, rounded(own.d_rec, step).clamp(step, most * step))
    wanted = int((rounded(delays, step) > most * step).sum())
    assert 0 < wanted < gridded.delays == len(delays) and gridded.cut == wanted
    assert not torch.equal(gridded(given())[0], Gridded(made, step, True)(given())[0])
    seen: list[Gridded] = []

    def evaluated(one: Gridded) -> Evaluation:
        seen.append(one)
        return Evaluation([[len(seen), 0]], 0.1)

    short, long = (on_grids([step], made, evaluated, bound)[0] for bound in (most, 100))
    assert short.found["cut_delays"] is not short.found["delays_and_times"] and short.share == wanted / len(delays)
    assert long.found["cut_delays"] is long.found["delays_and_times"] and long.share == 0 and len(seen) == 5


@pytest.mark.parametrize(("delays", "d", "d_rec", "d_out", "share"), [
    ("synaptic", [[5, 9, 9], [9, 9, 2]], [[9, 4, 9], [9, 9, 9], [1, 9, 9]], [[0], [7], [3]], 3 / 7),
    ("axonal", [[5], [2]], [[4], [9], [1]], [[0], [7], [3]], 3 / 7),
    ("dendritic", [[5, 9, 2]], [[1, 4, 9]], [[7]], 3 / 5),
])
def test_delays_that_no_synapse_has_are_not_counted(
    delays: str, d: list, d_rec: list, d_out: list, share: float
) -> None:
    """Each 9 is of no synapse; of the others 4, 5 and 7 ms exceed 3 steps."""
    masks: dict[str, Any] = {
        "mask": [[True, False, False], [False, False, True]],
        "mask_rec": [[False, True, False], [False, False, False], [True, False, False]],
    }
    layers: Any = [LIF(2, 3, recurrent=True, delays=delays, **masks), LI(3, 1, readout="max_voltage", delays=delays)]
    for parameter, values in ((layers[0].d, d), (layers[0].d_rec, d_rec), (layers[1].d, d_out)):
        parameter.data.copy_(torch.tensor(values))
    made: Any = SimpleNamespace(layers=layers, loss=None)
    (found,) = on_grids([1.0], made, lambda one: Evaluation([[1, 0]], 0.1), most_steps=3)
    assert found.share == share


def evaluated_json(capsys: Capture, run: Path, *words: str) -> dict[str, Any]:
    return json.loads(printed(capsys, evaluate, run, "--split", "test", *words, "--json"))["test"]


def test_the_command_prints_a_table_and_draws_it(copy: Path, capsys: Capture) -> None:
    assert "grid" not in evaluated_json(capsys, copy)
    said = printed(capsys, evaluate, copy, "--split", "test", "--grid", "0.5", "20").splitlines()
    head = next(n for n, line in enumerate(said) if line.split()[:4] == ["grid,", "ms", "delays", "rounded"])
    assert [line.split()[0] for line in said[head + 1 : head + 4]] == ["exact", "0.5", "20"]
    assert said[head + 4] == f"picture: {copy / 'grid-test.png'}" and (copy / "grid-test.png").stat().st_size > 5000
    found = evaluated_json(capsys, copy, "--grid", "1e-6", "20")
    assert [one["step"] for one in found["grid"]] == [1e-6, 20.0]
    losses = [found["loss"], *(one["delays"]["loss"] for one in found["grid"])]
    assert len(set(losses)) == 3 and abs(losses[1] - losses[0]) < abs(losses[2] - losses[0])
    assert found["grid"][1]["delays_and_times"]["loss"] != losses[2]


def test_the_command_shows_what_few_steps_cost(copy: Path, capsys: Capture) -> None:
    words = ["--grid", "0.5", "--max-steps", "2"]
    said = printed(capsys, evaluate, copy, "--split", "test", *words)
    assert "delays up to 2 steps" in said and "% of the delays exceed 2 steps of 0.5 ms and are cut" in said
    (found,) = evaluated_json(capsys, copy, *words)["grid"]
    assert 0 < found["share_cut"] <= 1 and found["cut_delays"]["loss"] != found["delays_and_times"]["loss"]


@pytest.mark.parametrize(("words", "expected"), [
    (["--max-steps", "62"], "`--max-steps` must be given with --grid"),
    (["--grid", "1", "--max-steps", "0"], "`--max-steps` must be a whole number from 1"),
    *((["--grid", step], "`--grid` must be a finite number above 0 (ms)") for step in ("0", "-1", "nan", "inf")),
])
def test_a_grid_that_is_none_is_refused(words: list[str], expected: str, copy: Path, capsys: Capture) -> None:
    assert expected in refusal(capsys, evaluate, copy, *words)


def test_differences_are_in_points() -> None:
    """4 trials are right on one side only, 1 of them on the grid: p = 2 (1 + 4) / 2^4."""
    exact = Evaluation([[8, 2, 0], [0, 10, 0]], 0.1, wrong=[(0, 1), (1, 1)])
    worse = Evaluation([[6, 4, 0], [0, 10, 0]], 0.2, wrong=[(1, 1), (2, 1), (3, 1), (4, 1)])
    found = on_grids([1.0], network(), lambda gridded: worse if gridded.times else exact)
    assert lines(exact, found)[1:] == [f"{'exact':>10}  {'90.0%':>11}",
                                       f"{'1':>10}  {'90.0% (+0.0, p 1)':>26}  {'80.0% (-10.0, p 0.62)':>26}"]


def test_a_grid_may_round_a_delay_above_the_bound_of_the_run() -> None:
    bounded = network()
    for layer in bounded.layers:
        layer.max_delay = 3.0
        layer.d.data.fill_(3.0)
        if layer.d_rec is not None:
            layer.d_rec.data.fill_(3.0)
    gridded = Gridded(bounded, 0.8, times=False)
    assert float(gridded.network.layers[0].d.detach().max()) > 3.0
    gridded(given())
