"""Trials that go on: a recording in windows has the spikes, samples and gradients of the whole."""

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import delayprop.reference as reference
from delayprop.fast.run import run_case
from delayprop.reference.__main__ import main as reference_command
from delayprop.spec import (
    Case,
    Result,
    SpecError,
    SpikeTrains,
    State,
    StateGradient,
    UnderWay,
    UnsupportedError,
    VoltageMSE,
    case_from_text,
    case_to_dict,
    save_case,
)
from tests.support.comparison import assert_bitwise, assert_same
from tests.support.effort import many
from tests.support.networks.neurons import ALL, network, readouts
from tests.support.networks.strategies import families, seeded_case
from tests.support.parameters import arrivals, blocks, changed

EACH = [
    pytest.param(name, seed, marks=[] if name in families() and not seed else pytest.mark.full)
    for name in (*families(), *ALL) for seed in range(many(2))
]


def sampled_case(name: str, seed: int) -> Case:
    """A network whose outputs are read at 8 instants, from a family or of a neuron."""
    case = network(name, seed, "samples") if name in ALL else seeded_case(seed, name)
    rng = np.random.default_rng(seed)
    size = case.network.population("out").size
    times = (np.arange(8) + rng.uniform(size=8)) * case.duration / 8
    return replace(case, loss=VoltageMSE("out", times, rng.normal(size=(size, 8))))


def cuts_of(case: Case, whole: Result, seed: int) -> list[float]:
    """Two instants, a spike and an arrival (if there is one), and a window of 1e-6 ms."""
    rng = np.random.default_rng([seed, 1])
    emitted = np.concatenate([train for trains in whole.spikes.values() for train in trains])
    arriving = [t + d for j in range(case.network.populations[1].size)
                for _, t, d in arrivals(case, case.inputs, case.network.populations[1].name, j)]
    instants = [*rng.uniform(0, case.duration, 2), *rng.permutation(emitted)[:1], *rng.permutation(arriving)[:1]]
    return sorted({t for t in (*instants, instants[0] + 1e-6) if 0 < t < case.duration})


def window(case: Case, start: float, end: float, state: State) -> Case:
    """A part of a recording; the spikes and samples at its start belong to the part before."""

    def within(times: np.ndarray) -> np.ndarray:
        return (times > start if start else times >= 0) & (times <= end)

    inputs = {"in": SpikeTrains(tuple(train[within(train)] - start for train in case.inputs["in"]))}
    loss = case.loss
    assert isinstance(loss, VoltageMSE)
    here = within(loss.times)
    read = VoltageMSE(loss.population, np.minimum(loss.times[here] - start, end - start), loss.targets[:, here])
    return Case(case.network, end - start, inputs, read, state=state)


def in_windows(case: Case, cuts: Sequence[float]) -> list[Result]:
    """The results of the parts, each with the gradients of all that comes from its start on."""
    cases, state = [], State()
    for start, end in pairwise([0.0, *cuts, case.duration]):
        cases.append(window(case, start, end, state))
        state = reference.run(cases[-1]).state
    found: list[Result] = []
    for one in reversed(cases):
        found.insert(0, reference.run(one, dL_dstate=found[0].gradients.state if found else None))
    return found


def added(case: Case, parts: Sequence[Result], cuts: Sequence[float]) -> Result:
    """The result of a recording from those of its parts."""
    starts, first = [0.0, *cuts], parts[0]

    def joined(name: str, times: bool) -> dict[str, list[np.ndarray]]:
        trains = [{of: [train + start * times for train in own] for of, own in getattr(part, name).items()}
                  for part, start in zip(parts, starts, strict=True)]
        return {of: [*map(np.concatenate, zip(*(one[of] for one in trains), strict=True))] for of in trains[0]}

    without_inputs = [[*blocks(replace(part.gradients, inputs={}))] for part in parts]
    sums = iter([sum(values for _, values in same) for same in zip(*without_inputs, strict=True)])
    inputs = {"in": [*map(np.concatenate, zip(*(part.gradients.inputs["in"] for part in parts), strict=True))]}
    shared = changed(replace(first.gradients, inputs={}), lambda _, values: next(sums))
    return replace(
        first, loss=sum(part.loss for part in parts), spikes=joined("spikes", True), kappa=joined("kappa", False),
        readout=np.concatenate([part.readout for part in parts if part.readout is not None], axis=1),
        gradients=replace(shared, inputs=inputs),
    )


@pytest.mark.parametrize(("name", "seed"), EACH)
def test_a_recording_in_windows_is_the_whole_recording(name: str, seed: int) -> None:
    case = sampled_case(name, seed)
    whole = reference.run(case)
    cuts = cuts_of(case, whole, seed)
    parts = in_windows(case, cuts)
    assert len(parts) > 2
    assert_same(case, added(case, parts, cuts), whole)


def _lost(state: State) -> State:
    return State(state.x, [UnderWay(*(part[1:] for part in vars(one).values())) for one in state.under_way])


def _of_the_next_neuron(state: State) -> State:
    return State({name: np.roll(rows, 1, axis=0) for name, rows in state.x.items()}, state.under_way)


def _late(state: State) -> State:
    return State(state.x, [UnderWay(one.pre, one.post, one.t_arr + 1e-6) for one in state.under_way])


@pytest.mark.parametrize("wrong", [_lost, _of_the_next_neuron, _late])
def test_a_wrong_state_is_found(wrong: Callable[[State], State]) -> None:
    case = sampled_case("alif", 1)
    whole = reference.run(case)
    cut = case.duration / 2
    first = window(case, 0.0, cut, State())
    state = reference.run(first).state
    assert state is not None and all(map(len, state.under_way[:1]))
    results = [reference.run(first), reference.run(window(case, cut, case.duration, wrong(state)))]
    assert abs(sum(one.loss for one in results) - whole.loss) > 1e-9
    right = [results[0], reference.run(window(case, cut, case.duration, state))]
    assert abs(sum(one.loss for one in right) - whole.loss) < 1e-12


STEP = 2.0**-30


def by_state_is_off(case: Case, seed: int) -> tuple[float, float]:
    """The distance of a central difference of the loss, along the state after 6 ms, from gradient
    times step, and this product; both over the step."""
    start = reference.run(replace(case, duration=6.0, state=State(), loss=VoltageMSE("out", [], [[], []]))).state
    assert start is not None
    loss, rng = case.loss, np.random.default_rng(seed)
    if isinstance(loss, VoltageMSE):
        loss = replace(loss, times=loss.times * 20 / case.duration)
    dx = {name: rng.normal(size=rows.shape) for name, rows in start.x.items()}
    dt = [rng.normal(size=len(one)) for one in start.under_way]

    def moved(step: float) -> State:
        x = {name: rows + step * dx[name] for name, rows in start.x.items()}
        parts = zip(start.under_way, dt, strict=True)
        return State(x, [UnderWay(one.pre, one.post, one.t_arr + step * by) for one, by in parts])

    def result(state: State) -> Result:
        return reference.run(replace(case, duration=20.0, state=state, loss=loss), 30)

    late, early, gradient = moved(STEP), moved(-STEP), result(start).gradients.state
    assert gradient is not None
    terms = [np.sum(gradient.x[name] * (late.x[name] - early.x[name])) for name in dx]
    steps = [a.t_arr - b.t_arr for a, b in zip(late.under_way, early.under_way, strict=True)]
    terms += [np.sum(by * step) for by, step in zip(gradient.t_arr, steps, strict=True)]
    off = float(abs(sum(terms) - (result(late).loss - result(early).loss)))
    return off / STEP, float(abs(sum(terms))) / STEP


@pytest.mark.parametrize("name", ["li", *(pytest.param(name, marks=pytest.mark.full) for name in ("lif", "adlif"))])
def test_gradient_by_the_state_is_the_difference_quotient(name: str) -> None:
    for readout in readouts(name):
        if name == "li" or readout != "max_voltage":  # that of a neuron that spikes is a constant
            found = [by_state_is_off(network(name, seed, readout), seed) for seed in (0, 1)]
            assert max(off for off, _ in found) < 1e-11 and max(size for _, size in found) > 1e-3, (readout, found)


def test_input_after_the_trial_belongs_to_the_next_one() -> None:
    case = sampled_case("alif", 1)
    first = window(case, 0.0, 10.0, State())
    uncut = replace(first, inputs=case.inputs)
    late = [t for train in case.inputs["in"] for t in train if t > 10.0]
    found, true = reference.run(uncut), reference.run(first)
    assert late and found.state is not None and true.state is not None
    assert found.state.to_dict() == true.state.to_dict() and found.loss == true.loss


def test_a_state_is_no_event_of_a_tie() -> None:
    """A sample at 0, and a voltage that rises from the state by less than rounding tells apart."""
    case = replace(network("li", 0, "max_voltage"), inputs={"in": SpikeTrains((np.empty(0),) * 3)})
    rising = State({"out": [[0.5, 0.5 + 1e-10], [-0.3, 0.0]]})
    assert reference.run(replace(case, state=rising)).ties == ()
    assert reference.run(replace(case, state=rising, loss=VoltageMSE("out", [0.0], [[0.0]] * 2))).ties == ()


def test_the_largest_voltage_may_be_that_of_the_state() -> None:
    case = replace(network("li", 0, "max_voltage"), inputs={"in": SpikeTrains((np.empty(0),) * 3)})
    result = reference.run(replace(case, state=State({"out": [[0.9, 0.1], [-0.3, 0.0]]})))
    assert result.readout is not None and result.gradients.state is not None
    assert result.readout[0] == 0.9 and -0.3 < result.readout[1] < 0
    by_V, by_I = result.gradients.state.x["out"].T
    share = 1 / (1 + np.exp(result.readout[1] - 0.9))
    assert np.allclose(by_V[0], share - 1) and not np.any(by_I[:1]) and abs(by_V[1]) < 1 - share


def test_a_state_survives_its_file_and_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = sampled_case("recurrent", 0)
    first = window(case, 0.0, 9.0, State())
    path = tmp_path / "window.json"
    save_case(first, path)
    assert reference_command([str(path)]) == 0
    printed = json.loads(capsys.readouterr().out)
    document = case_to_dict(window(case, 9.0, 15.0, State())) | {"state": printed["state"]}
    read = case_from_text(json.dumps(document))
    direct = reference.run(window(case, 9.0, 15.0, reference.run(first).state))
    assert_bitwise(read, reference.run(read), direct)
    assert set(printed["gradients"]["state"]) == {"x", "under_way"}


def _state(**changes: Any) -> State:
    return State(**({"x": {"hid": [[0.1, 0.2]] * 3}, "under_way": [[[0, 1, 2.5]], [], []]} | changes))


@pytest.mark.parametrize(("state", "words"), [
    (_state(x={"hid": [[0.1, 0.2]] * 2}), "state.x.hid must be a list of 3, one for each neuron"),
    (_state(x={"hid": [[0.1]] * 3}), "state.x.hid[0] must be a list of 2, one for each state, V, I"),
    (_state(x={"hid": [[9.0, 0.2]] * 3}), "state.x.hid[0] must be of a level of at most 1.13108, its threshold"),
    (_state(x={"hid": [[math.nan, 0.2]] * 3}), "state.x.hid[0][0] must be a finite number"),
    (_state(x={"in": [[0.1, 0.2]] * 3}), "state.x must be one of hid, out"),
    (_state(under_way=[[]]), "state.under_way must be a list of 3, one for each connection"),
    (_state(under_way=[[[0, 3, 2.5]], [], []]), "state.under_way[0][0] must be a whole number from 0 to 2"),
    (_state(under_way=[[[0, 1, -2.5]], [], []]), "state.under_way[0][0][2] must be a finite number of at least 0"),
    ({"x": {}}, "state must be a State"),
    (_state(x=None), "state.x must be a dictionary"),
    (_state(under_way=5), "state.under_way must be a list of lists of arrivals"),
    (_state(under_way=[UnderWay(*map(np.ones, (1, 2, 1))), [], []]), "state.under_way[0].post must be a list of 1"),
])
def test_a_state_that_does_not_fit_is_refused(state: Any, words: str) -> None:
    case = network("lif", 1, "samples")
    with pytest.raises(SpecError) as error:
        replace(case, state=state)
    assert str(error.value).replace("`", "").startswith(words)


def test_sensitivities_that_do_not_fit_the_state_are_refused() -> None:
    case = network("lif", 1, "samples")
    with pytest.raises(SpecError, match="`dL_dstate` must be absent for a case without a state"):
        reference.run(case, dL_dstate=StateGradient({}, ()))
    case = replace(case, state=State())
    right = reference.run(case)
    assert right.state is not None
    x = {name: np.zeros(rows.shape) for name, rows in right.state.x.items()}
    t_arr = [np.zeros(len(one)) for one in right.state.under_way]
    assert_bitwise(case, reference.run(case, dL_dstate=StateGradient(x, t_arr)), right)
    wrongs: list[tuple[Any, str]] = [
        (5, "`dL_dstate` must be a `StateGradient`, got int"),
        (StateGradient({}, ()), "`dL_dstate` must be of the shapes {'hid': (3, 2), 'out': (2, 2)} and"),
        (StateGradient(x | {"out": np.array([[1.0], [1.0, 2.0]], object)}, t_arr), "`dL_dstate` must be numbers by"),
        (StateGradient(x | {"out": np.full((2, 2), np.nan)}, t_arr), "`dL_dstate` must be finite"),
    ]
    for wrong, words in wrongs:
        with pytest.raises(SpecError, match=re.escape(words)):
            reference.run(case, dL_dstate=wrong)


def test_fast_refuses_a_state() -> None:
    with pytest.raises(UnsupportedError, match="`state` must be left out, got one; `python -m reference` runs"):
        run_case(replace(network("lif", 1, "samples"), state=State()))
