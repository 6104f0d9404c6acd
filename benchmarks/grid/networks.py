"""Small networks by seed: two kinds, each loss, and delays on the grid or off it.

Four inputs drive four LIF neurons, and these drive two outputs, in a trial of 40 ms. In `recurrent`
networks the hidden neurons also drive each other and themselves. This makes them chaotic: one spike
a little later soon changes all others. A network counts only if it has a gradient: hidden neurons
that spike, and, if spikes are read, outputs that spike. Others are drawn again (`redrawn`).
"""

from dataclasses import dataclass

import numpy as np

from delayprop.reference.run import run
from delayprop.spec import Case, Connection, CrossEntropy, Network, Population, Result, SpikeTimeMSE, SpikeTrains

KINDS = ("recurrent", "feed-forward")
LOSSES = ("mean_voltage", "exp_weighted_voltage", "max_voltage", "spike_time_mse", "first_spike_time")
WHERE = ("off", "delays on", "all on")  # the grid of 1 ms: delays and inputs are off it, delays on it, both on it

INPUTS, HIDDEN, OUTPUTS, T = 4, 4, 2, 40.0
TAU_MEM, TAU_SYN = 20.0, 5.0
LEAST_DELAY, MOST_DELAY, LAST_INPUT, SPIKES = 0.1, 12.0, 25.0, 3
W_IN, W_OWN, W_OUT = (1.6, 0.8), (0.3, 0.8), (0.6, 0.6)  # mean and sd
OUT_LIF = 3.0  # factor of the weights onto outputs that spike
TIME_SCALE = 5.0


@dataclass(frozen=True, eq=False)
class Drawn:
    seed: int
    redrawn: int  # the network is this draw of the seed
    case: Case
    exact: Result


def drawn(kind: str, loss: str, where: str, seed: int) -> Drawn:
    """The network of a seed; `ArithmeticError`: a hundred draws in a row have no gradient."""
    for number in range(100):
        case = placed(_case(kind, loss, np.random.default_rng([seed, number])), where)
        exact = run(case)
        if all(norm(exact, which) > 0 for which in ("w", "d")):
            return Drawn(seed, number, case, exact)
    raise ArithmeticError(f"no network of seed {seed} ({kind}, {loss}) has a gradient")


def vector(found: Result, which: str) -> np.ndarray:
    """The gradient by all weights (`w`) or delays (`d`) of a network with all synapses."""
    return np.concatenate([getattr(part, f"dL_d{which}").ravel() for part in found.gradients.connections])


def norm(found: Result, which: str) -> float:
    """Euclidean norm of this gradient."""
    return float(np.linalg.norm(vector(found, which)))


def placed(case: Case, where: str) -> Case:
    """The case with delays (at least 1), or delays and inputs, rounded to whole ms."""
    if where == "off":
        return case
    network = case.network
    moved = tuple(Connection(c.source, c.target, c.w, np.maximum(1.0, np.floor(c.d + 0.5)))
                  for c in network.connections)
    inputs = {name: SpikeTrains(tuple(np.floor(train + 0.5) for train in trains)) if where == "all on" else trains
              for name, trains in case.inputs.items()}
    return Case(Network(network.populations, moved), case.duration, inputs, case.loss)


def _case(kind: str, loss: str, random: np.random.Generator) -> Case:
    spiking = loss in ("spike_time_mse", "first_spike_time")
    lif = (TAU_MEM, TAU_SYN, 1.0, 0.0)
    out = Population("out", "lif", OUTPUTS, *lif) if spiking else Population("out", "li", OUTPUTS, TAU_MEM, TAU_SYN)
    populations = (Population("in", "input", INPUTS), Population("hid", "lif", HIDDEN, *lif), out)
    size = {"in": INPUTS, "hid": HIDDEN, "out": OUTPUTS}

    def connection(source: str, target: str, w: tuple[float, float], scale: float = 1.0) -> Connection:
        weights = scale * random.normal(*w, (size[source], size[target]))
        return Connection(source, target, weights, random.uniform(LEAST_DELAY, MOST_DELAY, weights.shape))

    connections = [connection("in", "hid", W_IN), connection("hid", "out", W_OUT, OUT_LIF if spiking else 1.0)]
    own = connection("hid", "hid", W_OWN)
    if kind == "recurrent":
        connections.append(own)
    trains = SpikeTrains(tuple(np.sort(random.uniform(0.0, LAST_INPUT, SPIKES)) for _ in range(INPUTS)))
    label, targets = int(random.integers(OUTPUTS)), np.sort(random.uniform(10.0, 35.0, (OUTPUTS, 2)), axis=1)
    if loss == "spike_time_mse":
        wanted: CrossEntropy | SpikeTimeMSE = SpikeTimeMSE("out", SpikeTrains(tuple(targets)))
    else:
        wanted = CrossEntropy(loss, "out", label, TIME_SCALE if loss == "first_spike_time" else None)
    return Case(Network(populations, tuple(connections)), T, {"in": trains}, wanted)
