"""Two tasks in which times decide, as cases: intervals of two inputs, and Yin-Yang.

`interval`: input 1 fires after input 0, in class 0 by `base` ms, in class 1 by `base + apart`.
`base` is drawn by seed between 4 and 5 ms and the onset of every trial between 0 and 5, so that no
phase of a grid is preferred. Two LI (leaky integrator) outputs are read by their largest voltage;
weights are fixed, delays learn. Output `j` responds most to the interval `x_j = d[0][j] - d[1][j]`,
and both outputs respond alike to `(x_0 + x_1) / 2`. This boundary must come to lie within `apart`
above `base`, and is best in the middle.

`yin-yang`: the task of `fast/tasks/yin_yang.py` with its preset, but fewer points and epochs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from delayprop.fast import LI, LIF, Spikes
from delayprop.fast.tasks import yin_yang
from delayprop.fast.training.model import Classifier
from delayprop.spec import Case, Connection, CrossEntropy, Network, Population, SpikeTrains

APARTS = (4.0, 2.0, 1.0, 0.5, 0.25)  # ms
LEAST_BASE, MOST_BASE, ONSET = 4.0, 5.0, 5.0
FIRST_DELAYS, MAX_DELAY, INTERVAL_T = (5.0, 10.0), 30.0, 70.0
INTERVAL_TAU_MEM, INTERVAL_TAU_SYN, INTERVAL_W = 10.0, 5.0, 10.0
INTERVAL_LR, INTERVAL_STEPS, INTERVAL_BATCH, INTERVAL_TEST = 0.5, 250, 20, 400
YIN_YANG_TRAIN, YIN_YANG_TEST, YIN_YANG_EPOCHS = 500, 1000, 30


@dataclass(frozen=True, eq=False)
class Task:
    """Data, an untrained network, and its optimiser's settings.

    Attributes:
        layers: LIF layers, and an LI layer at the end; float64.
        train, test: cases that share one network, with the untrained parameters.
        batches: indices of training cases, one batch per step.
        lr_w, lr_d: initial rates of Adam, decayed to 0 by half a cosine; None: weights are fixed.
    """

    layers: list[LIF | LI]
    train: list[Case]
    test: list[Case]
    batches: list[np.ndarray]
    lr_w: float | None
    lr_d: float


def interval_task(apart: float, seed: int, steps: int = INTERVAL_STEPS) -> Task:
    """The interval task with classes `apart` ms apart."""
    random = np.random.default_rng([seed, round(1000 * apart)])
    layer = LI(2, 2, readout="max_voltage", tau_mem=INTERVAL_TAU_MEM, tau_syn=INTERVAL_TAU_SYN, max_delay=MAX_DELAY,
               dtype=torch.float64)
    with torch.no_grad():
        layer.w.fill_(INTERVAL_W)
        layer.d.copy_(torch.from_numpy(random.uniform(*FIRST_DELAYS, (2, 2))))
    network, base = network_of([layer]), interval_base(apart, seed)

    def presentations(count: int) -> list[Case]:
        labels, onsets = np.arange(count) % 2, random.uniform(0.0, ONSET, count)
        return [_case(network, INTERVAL_T, [[onset], [onset + base + apart * label]], label)
                for label, onset in zip(labels.tolist(), onsets.tolist(), strict=True)]

    train, test = presentations(steps * INTERVAL_BATCH), presentations(INTERVAL_TEST)
    return Task([layer], train, test, np.split(np.arange(len(train)), steps), None, INTERVAL_LR)


def interval_base(apart: float, seed: int) -> float:
    """The interval of class 0, ms."""
    return float(np.random.default_rng([seed, round(1000 * apart), 1]).uniform(LEAST_BASE, MOST_BASE))


def yin_yang_task(seed: int, epochs: int = YIN_YANG_EPOCHS, train: int = YIN_YANG_TRAIN) -> Task:
    """Yin-Yang with the preset of `fast.train`, on fewer points."""
    settings = yin_yang.PRESETS["best"]
    reader = Classifier(yin_yang.CHANNELS, yin_yang.CLASSES, settings, torch.float64, seed)
    network = network_of(reader.layers)

    def split(count: int, number: int) -> list[Case]:
        points, labels = yin_yang.points(count, [seed, number])
        times = yin_yang.EARLY + (yin_yang.LATE - yin_yang.EARLY) * np.concatenate([points, 1 - points], axis=1)
        return [_case(network, yin_yang.DURATION, [[t] for t in row.tolist()], label)
                for row, label in zip(times, labels.tolist(), strict=True)]

    random = np.random.default_rng([seed, 3])
    batches = [part for _ in range(epochs) for part in np.split(random.permutation(train), train // settings.batch)]
    return Task(reader.layers, split(train, 0), split(YIN_YANG_TEST, 2), batches, settings.lr, settings.delay_lr)


def network_of(layers: Sequence[LIF | LI]) -> Network:
    """The layers as a network of the specification: `in`, `hid0`, ..., `out`."""
    names = ["in", *(f"hid{n}" for n in range(len(layers) - 1)), "out"]
    populations, connections = [Population("in", "input", layers[0].pre)], []
    for source, name, layer in zip(names, names[1:], layers, strict=False):
        constants = [getattr(layer, constant) for constant in ("tau_mem", "tau_syn", "v_th", "v_reset")]
        values = [None if value is None else value.detach().numpy() for value in constants]
        populations.append(Population(name, "li" if values[2] is None else "lif", layer.post, *values))
        connections.append(Connection(source, name, layer.w.detach().numpy(), layer.d.detach().numpy()))
    return Network(tuple(populations), tuple(connections))


def spikes_of(cases: Sequence[Case]) -> tuple[Spikes, torch.Tensor]:
    """Input spikes and labels of some cases, for `fast`."""
    labels = [case.loss.label for case in cases if isinstance(case.loss, CrossEntropy)]
    return Spikes.from_trains([case.inputs["in"] for case in cases], cases[0].duration), torch.tensor(labels)


def _case(network: Network, duration: float, trains: list[list[float]], label: int) -> Case:
    given = SpikeTrains(tuple(np.array(train) for train in trains))
    return Case(network, duration, {"in": given}, CrossEntropy("max_voltage", "out", label))
