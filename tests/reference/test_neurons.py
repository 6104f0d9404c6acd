"""Any neuron of the specification in the reference: states, spikes, gradients, refusals."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

import delayprop.reference as reference
from delayprop.reference.arithmetic import FLOAT64
from delayprop.reference.events import Crossing
from delayprop.reference.simulate import simulate
from delayprop.spec import (
    NEURONS,
    Case,
    Connection,
    CrossEntropy,
    Network,
    Neuron,
    Population,
    SpecError,
    SpikeTrains,
    load_case,
    save_case,
)
from tests.support.comparison import assert_bitwise
from tests.support.effort import many
from tests.support.networks.neurons import ALL, as_equations, network, readouts
from tests.support.networks.rewriting import in_units
from tests.support.networks.strategies import families, seeded_case
from tests.support.parameters import blocks, changed, moved, parameters, with_parameters
from tests.support.report_evidence import Measured
from tests.support.tangent import dot_product, exponential, random_direction
from tests.support.tolerances import DOT_PRODUCT, U64, relative

EACH = [(name, readout) for name in NEURONS for readout in readouts(name)]
OWN = [(name, "mean_voltage") for name in ALL if name not in NEURONS]
CORE = [pytest.param(*one, marks=[] if one[1] == "mean_voltage" else pytest.mark.full) for one in EACH + OWN]
SEEDS = many(3)


@pytest.mark.check(7)
@pytest.mark.parametrize(("name", "readout"), CORE)
def test_tangent_is_adjoint_times_direction(name: str, readout: str, measured: Measured) -> None:
    found = []
    for seed in range(SEEDS):
        case = network(name, seed, readout)
        gradient = reference.run(case).gradients
        off, size = dot_product(case, gradient, random_direction(gradient, seed))
        found += [off / size] if size else []
    measured(max(found), DOT_PRODUCT, len(found), f"from 0, {SEEDS} of `{name}`")
    measured.keep("neurons", {"neuron": name, "tangent": max(found)})
    assert max(found) <= DOT_PRODUCT and len(found) >= SEEDS / 2


DIGITS, STEP = 30, 2.0**-30
BENT = 1e-12  # share of a central difference that its third derivative makes


def difference_is_off(case: Case, seed: int) -> float | None:
    """A central difference of the loss along all parameters, against gradient times step."""
    result = reference.run(case, DIGITS)
    direction = random_direction(parameters(case), seed)
    late, early = (moved(case, direction, sign * STEP) for sign in (1.0, -1.0))
    found = reference.run(late, DIGITS).loss - reference.run(early, DIGITS).loss
    before = iter([values for _, values in blocks(parameters(early))])
    steps = changed(parameters(late), lambda _, values: values - next(before))
    off, size = dot_product(case, result.gradients, steps, float(found))
    return off / size if size else None


@pytest.mark.check(3)
@pytest.mark.full
@pytest.mark.parametrize("name", NEURONS)
def test_gradient_is_the_difference_of_the_loss(name: str, measured: Measured) -> None:
    found = [difference_is_off(network(name, 1, readout), 0) for readout in (readouts(name)[0], readouts(name)[-1])]
    offs = [off for off in found if off is not None]
    measured(max(offs), BENT, len(offs), f"from 0 of `{name}`")
    measured.keep("neurons", {"neuron": name, "differences": max(offs)})
    assert max(offs) <= BENT


@pytest.mark.parametrize("name", NEURONS)
def test_states_follow_the_matrix_exponential_and_no_crossing_is_missed(name: str) -> None:
    samples, spikes = 300, 0
    for seed in range(SEEDS):
        trial = simulate(FLOAT64, network(name, seed, readouts(name)[0]))
        for neuron in (neuron for population in trial.neurons.values() for neuron in population):
            A, c = (np.array(part, float) for part in (neuron.equations.A, neuron.equations.c))
            for event, end in zip(neuron.events, [*neuron.events[1:], None], strict=True):
                h = (end.t if end else trial.T) - event.t
                x, step = np.array(event.x_plus), exponential(A * h / samples)
                for _ in range(samples - 1):
                    x = step @ x
                    assert c @ x <= neuron.equations.v_th or not neuron.equations.can_spike
                if end:
                    assert np.abs(step @ x - end.x_minus).max() <= 1e-12 * (1 + np.abs(x).max())
                if isinstance(end, Crossing):
                    spikes += 1
                    assert end.slope > 0
    assert spikes > 5 * SEEDS


@pytest.mark.parametrize("family", families())
def test_lif_given_by_equations_is_lif(family: str) -> None:
    case = seeded_case(0, family)
    lif, given = reference.run(case), reference.run(as_equations(case))
    assert_bitwise(case, given, lif)
    assert lif.ties == given.ties


@pytest.mark.parametrize("name", NEURONS)
def test_a_case_file_holds_any_neuron(name: str, tmp_path: Path) -> None:
    case = network(name, 1, readouts(name)[0])
    save_case(case, tmp_path / "case.json")
    again, path = load_case(tmp_path / "case.json"), tmp_path / "own.json"
    assert reference.run(again).to_dict(again.network) == reference.run(case).to_dict(case.network)
    document = json.loads((tmp_path / "case.json").read_text(encoding="utf-8"))
    assert document["populations"][2]["neuron"] == name
    equations = NEURONS[name]
    document["populations"][2]["neuron"] = asdict(equations)
    path.write_text(json.dumps(document), encoding="utf-8")
    assert load_case(path).network.population("out").neuron == equations


@pytest.mark.full
@pytest.mark.parametrize(("name", "slow", "far"), [
    ("alif", "tau_a", 1e6), ("adlif", "tau_a", 1e-3), *(pytest.param(*far, marks=pytest.mark.full) for far in (
        ("rise", "tau_rise", 1e-3), ("coupled", "tau_syn", 1e-2), ("alif", "tau_a", 1e-3), ("adlif", "tau_a", 1e6),
    )),
])
def test_time_constants_far_apart(name: str, slow: str, far: float) -> None:
    """Float64 agrees with 40 digits: nothing is stepped."""
    scales = {slow: far, "w": 1.0 if slow == "tau_a" else 1 / far}  # an arrival keeps its charge
    case = network(name, 1, "mean_voltage")
    case = with_parameters(case, changed(parameters(case), lambda kind, values: values * scales.get(kind, 1.0)))
    plain, exact = reference.run(case), reference.run(case, 40)
    assert sum(len(train) for trains in exact.spikes.values() for train in trains) > 3
    allowed = relative(U64, float(exact.kappa_min or 1.0))
    pairs = list(zip(blocks(plain.gradients), blocks(exact.gradients), strict=True))
    values = [values for _, values in blocks(parameters(case))]
    effects = [np.abs(true.astype(float) * value).max(initial=0.0) for (_, (_, true)), value in zip(pairs, values)]
    for ((kind, a), (_, true)), value, effect in zip(pairs, values, effects, strict=True):
        off = np.abs((a - true.astype(float)) * value).max(initial=0.0)
        assert off <= allowed * max(effect, 1e-3 * max(effects)), kind


def after_one_spike(neuron: object, w: float, readout: str, T: float, **constants: float) -> Case:
    """One neuron, at which an input spike arrives at 6 ms."""
    populations = (Population("in", "input", 1), Population("out", "neuron", 1, neuron=neuron, constants=constants))
    one = Network(populations, (Connection("in", "out", [[w]], 1.0),))
    return Case(one, T, {"in": SpikeTrains((np.array([5.0]),))}, CrossEntropy(readout, "out", 0))


@pytest.mark.parametrize("g", [5.0, 50.0])
def test_a_long_trial_of_a_neuron_that_swings(g: float) -> None:
    """Its turns end where no later one can matter: a year has the spikes of a minute."""
    constants = dict(tau_mem=20.0, tau_syn=5.0, tau_a=30.0, g=g, b=0.1, v_th=1.0, v_reset=0.0)
    cases = (after_one_spike("coupled", -12.0, "max_voltage", T, **constants) for T in (1e9, 1e3))
    long, short = map(reference.run, cases)
    assert np.array_equal(long.spikes["out"][0], short.spikes["out"][0]) and np.array_equal(long.readout, short.readout)
    assert float(long.readout[0]) > 0.1


def test_spikes_without_end_of_states_that_do_not_decay() -> None:
    own = {"rates": {"V": "I - V", "I": "0 * I"}}
    case = after_one_spike(own, 3.0, "mean_voltage", 40.0, v_th=1.0, v_reset=0.0)
    assert len(reference.run(case).spikes["out"][0]) == int(34 / np.log(1.5))
    with pytest.raises(ArithmeticError, match="spikes too fast, or without end; lower its weights"):
        reference.run(replace(case, duration=1e9))


@pytest.mark.parametrize("unit", [1e-200, 1e200])
def test_the_unit_of_voltage_may_be_tiny(unit: float) -> None:
    case = seeded_case(1, "layers")
    scaled, _ = in_units(case, 1.0, unit)
    for name, trains in reference.run(case).spikes.items():
        for train, other in zip(trains, reference.run(scaled).spikes[name], strict=True):
            assert np.abs(train - other).max(initial=0.0) < 1e-9


def test_a_level_in_another_unit_is_the_same_level() -> None:
    case = network("adlif", 2, "spike_time_mse")
    equations = NEURONS["adlif"]
    doubled = Neuron(equations.rates, spike="2 * V - 2 * v_th", reset=equations.reset)
    populations = [p if p.kind == "input" else replace(p, neuron=doubled) for p in case.network.populations]
    ours = reference.run(replace(case, network=Network(tuple(populations), case.network.connections)))
    theirs = reference.run(case)
    for name in ("hid", "out"):
        np.testing.assert_allclose(np.concatenate(ours.kappa[name]), np.concatenate(theirs.kappa[name]), rtol=1e-12)


def test_what_a_neuron_cannot_do_is_refused() -> None:
    case = network("alif", 0, "mean_voltage")
    maximum = CrossEntropy("max_voltage", "out", 0)
    with pytest.raises(SpecError, match=r"`loss.readout` cannot be a maximum of `V`, since the level of a spike has"):
        replace(case, loss=maximum)
    jumping = Population("out", "neuron", 2, neuron={
        "rates": {"V": "-V"}, "arrivals": ["V"], "spike": None, "reset": {}}, constants={})
    onto = replace(case.network.connections[1], into="V")
    network_ = replace(case.network, populations=(*case.network.populations[:2], jumping),
                       connections=(case.network.connections[0], onto))
    with pytest.raises(SpecError, match=r"`loss.readout` cannot be a maximum of `V`, which jumps at arrivals"):
        replace(case, network=network_, loss=maximum)
    with pytest.raises(SpecError, match=r"`connections\[1\].into` must be one of I, got 'V'"):
        replace(case.network, connections=(case.network.connections[0], onto))
    high = changed(parameters(case), lambda kind, values: values + 2.0 * (kind == "v_reset"))
    with pytest.raises(ArithmeticError, match=r"`hid\[.\]` at .* ms is at its threshold again after its spike; lower"):
        reference.run(with_parameters(case, high))
