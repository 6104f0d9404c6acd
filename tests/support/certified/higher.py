"""Certified set, higher difficulty: near grazing, near ties, near equality, chains, cancellation.

Each network is near a singular point and not at it, so its derivative is defined at any precision.
"""

from __future__ import annotations

from tests.support.certified.parts import Certified, Numbers
from tests.support.networks.documents import case, cross_entropy, li, lif, mse, wire

_TWO = [lif("out", 2, tau_mem=16.0, tau_syn=6.0, reset=-0.25)]


_GRAZES = lif("hid", 1, tau_mem=16.0, tau_syn=8.0, reset=-8.0)
"""At `tau_mem = 2 tau_syn` an arrival peaks at a quarter of its weight; `kappa` is 4 * excess."""


def _grazing(excess: float, out: dict, weights: list, loss: dict) -> dict:
    """The voltage of the hidden neuron peaks at `1 + excess`."""
    wires = [
        wire("in", "hid", [[4 * (1 + excess)], [None]], 1.75),
        wire("hid", "out", weights, [[2.0, 0.5]]),
        wire("in", "out", [[0.5, None], [0.75, 1.5]], [[4.0, None], [3.0, 1.0]]),
    ]
    return case(60.0, [[0.5], [3.0]], [_GRAZES, out], wires, loss)


def _grazing_first_spike() -> dict:
    weights, delays = [[4 * (1 + 2.5e-5), None], [None, 5.0]], [[1.75, None], [None, 3.0]]
    out = {**_GRAZES, "name": "out", "size": 2}
    loss = cross_entropy("first_spike_time", time_scale=5.0)
    return case(60.0, [[0.5], [1.25]], [out], [wire("in", "out", weights, delays)], loss)


def _below() -> dict:
    """After two arrivals the first neuron peaks 1e-9 below threshold; the second neuron spikes."""
    weights, delays = [[3.0, None], [1.0125233140080814, 5.0]], [[1.75, None], [2.75, 1.5]]
    out = lif("out", 2, tau_mem=16.0, tau_syn=8.0)
    return case(60.0, [[0.5], [1.5]], [out], [wire("in", "out", weights, delays)], cross_entropy("max_voltage", 1))


def _maxima() -> dict:
    """Equal arrivals 400 ms apart: the rest of the first raises the second maximum by 1e-9."""
    wires = [wire("in", "out", [[3.0, 1.5], [1.0, 2.0]], [[0.5, 1.0], [0.75, 1.25]])]
    return case(600.0, [[1.0, 401.0], [2.5, 402.5]], [li("out", 2)], wires, cross_entropy("max_voltage"))


def _near_equal_time_constants() -> dict:
    draw = Numbers(2000)
    return case(
        40.0,
        [[0.5, 7.25, 18.0], [3.0, 11.5]],
        [
            lif("hid", 4, tau_mem=10.0, tau_syn=[10.000001, 9.9999999999, 10.0000000000001, 10.000000000000002]),
            li("out", 2, tau_mem=10.0, tau_syn=[10.00000001, 9.999999999999998]),
        ],
        [
            wire("in", "hid", draw.matrix(2, 4, 1.0, 3.0), draw.matrix(2, 4, 0.0, 4.0)),
            wire("hid", "out", draw.matrix(4, 2, -1.0, 2.0), draw.matrix(4, 2, 0.0, 4.0)),
        ],
        cross_entropy("exp_weighted_voltage"),
    )


def _chain() -> dict:
    """Neuron k drives only neuron k + 1; each voltage peaks 2 % above threshold."""
    size = 30
    draw = Numbers(2100)
    weights = [[draw.one(6.48, 6.5) if j == i + 1 else None for j in range(size)] for i in range(size)]
    delays = [[draw.one(0.5, 2.0) if j == i + 1 else None for j in range(size)] for i in range(size)]
    first = [[6.5 if j == 0 else None for j in range(size)]]
    return case(
        400.0,
        [[1.0]],
        [lif("out", size, reset=-1.0)],
        [wire("in", "out", first, 1.0), wire("out", "out", weights, delays)],
        mse(*[[] for _ in range(size - 1)], [250.0]),
    )


def _long_train() -> dict:
    return case(
        60.0,
        [[0.5, 20.0], [7.0]],
        [lif("out", 1, threshold=[0.9], reset=-0.1)],
        [wire("in", "out", [[900.0], [300.0]], [[1.5], [2.5]])],
        mse([1.6 + 0.02 * k for k in range(300)]),
    )


def _amplifying_chain() -> dict:
    """Neuron k spikes 40 ms after neuron k - 1, with 3.1 times its error.

    The rest of a clock arrival, 15 ms old, decays; the arrival from neuron k - 1 just lifts the
    voltage over the threshold, less so the later it comes.
    """
    size, period, old, t_post = 12, 40.0, 15.0, 18.443506569911698
    onward = period + old - t_post
    delays = [[onward if j == i + 1 else None for j in range(size)] for i in range(size)]
    clock = [period * k for k in range(size)]
    weights = [[2.25 if j == i + 1 else None for j in range(size)] for i in range(size)]
    first = [2.25, *[None] * (size - 1)]
    return case(
        500.0,
        [[1.0], [1.0]],
        [lif("out", size, reset=-2.0)],
        [wire("in", "out", [[6.0] * size, first], [clock, [old] * size]), wire("out", "out", weights, delays)],
        mse(*[[] for _ in range(size - 1)], [450.0]),
    )


def _nearly_met() -> dict:
    """Targets equal the spike times to 1e-7 ms, so most digits of the loss cancel."""
    wires = [wire("in", "out", [[14.0, 13.0]], [[1.25, 3.0]])]
    targets = [3.5799197, 5.8192697, 9.6331645], [5.4522076, 7.9887303]
    return case(40.0, [[1.0, 9.0]], _TWO, wires, mse(*targets))


def _almost_alike() -> dict:
    """Two outputs differ by 1e-8 in a weight; a hidden neuron's gradient cancels to that share."""
    return case(
        40.0,
        [[1.0, 9.0], [3.0]],
        [lif("hid", 2), lif("out", 2)],
        [
            wire("in", "hid", [[9.0, 7.0], [5.0, 8.0]], [[1.0, 2.0], [0.5, 3.0]]),
            wire("hid", "out", [[5.0, 5.00000001], [4.0, 4.0]], 1.5),
        ],
        cross_entropy("first_spike_time", time_scale=3.0),
    )


def _balanced() -> dict:
    """Inhibition of 999, then excitation of 1000, at almost one instant."""
    delays = [[2.0001, 3.0], [2.0, 2.9999], [1.0, 0.5]]
    return case(
        40.0,
        [[1.0], [1.0], [6.0]],
        [lif("hid", 2, reset=-0.5), li("out", 2)],
        [
            wire("in", "hid", [[1000.0, 1000.0], [-999.0, -998.0], [9.0, 12.0]], delays),
            wire("hid", "out", [[1.0, -0.5], [0.5, 2.0]], 1.0),
        ],
        cross_entropy("mean_voltage"),
    )


def _far_apart() -> dict:
    hidden = lif("hid", 2, tau_mem=[1000.0, 0.5], tau_syn=[0.01, 100.0])
    return case(
        60.0,
        [[0.5, 3.3], [1.1]],
        [hidden, li("out", 2, tau_mem=0.5, tau_syn=800.0)],
        [
            wire("in", "hid", [[1.6e5, 0.3], [9e4, 0.75]], [[1.75, 2.5], [0.25, 0.0]]),
            wire("hid", "out", [[0.5, -0.25], [0.125, 0.03]], [[1.0, 2.0], [30.0, 10.0]]),
        ],
        cross_entropy("mean_voltage"),
    )


def _long_trial() -> dict:
    inputs = [[0.5, 99970.1], [5.0, 49990.7, 99971.0]]
    wires = [wire("in", "out", [[15.0, 4.0], [3.0, 9.0]], [[1.75, 2.5], [3.0, 0.0]])]
    return case(1e5, inputs, [lif("out", 2)], wires, mse([10.0, 20.0, 99990.0], [30.0, 5e4]))


NETWORKS: dict[str, Certified] = {
    "grazing-4": Certified("a spike with kappa 1e-4, its time read", _grazing_first_spike()),
    "grazing-6": Certified(
        "a spike with kappa 1e-6, before an interior maximum",
        _grazing(2.5e-7, li("out", 2), [[3.0, -1.0]], cross_entropy("max_voltage")),
    ),
    "grazing-8": Certified(
        "a spike with kappa 1e-8, that drives spikes",
        _grazing(2.5e-9, lif("out", 2), [[9.0, 12.0]], mse([20.0], [15.0])),
    ),
    "grazing-10": Certified(
        "a spike with kappa 1e-10, before an integral",
        _grazing(2.5e-11, li("out", 2), [[3.0, -1.0]], cross_entropy("exp_weighted_voltage")),
    ),
    "peak-below-threshold": Certified("a peak that misses its threshold by 1e-9, and is read", _below()),
    "spike-just-before-the-end": Certified(
        "T is the first number of float64 after a spike",
        case(
            18.997497107224692,
            [[1.0, 9.0]],
            _TWO,
            [wire("in", "out", [[14.0, 13.0]], [[1.25, 3.0]])],
            mse([4.0, 6.0, 9.0, 11.0, 13.0, 15.0, 18.0], [5.0, 8.0]),
        ),
    ),
    "inhibition-just-after-a-crossing": Certified(
        "strong inhibition arrives at the first number of float64 after a crossing",
        case(
            40.0,
            [[1.0, 9.0], [9.633164406671309]],
            _TWO,
            [wire("in", "out", [[14.0, 13.0], [-20.0, None]], [[1.25, 3.0], [0.0, None]])],
            mse([4.0, 6.0, 9.0, 12.0], [5.0, 8.0]),
        ),
    ),
    "maxima-almost-alike": Certified("the later of two maxima is larger by some 1e-9", _maxima()),
    "near-equal-time-constants": Certified(
        "tau_syn = tau_mem to between 1e-7 and 1 ulp", _near_equal_time_constants()
    ),
    "far-apart-time-constants": Certified("tau_mem/tau_syn from 6e-4 to 1e5", _far_apart()),
    "chain": Certified("30 neurons, one drives the next", _chain()),
    "long-train": Certified("one neuron, hundreds of spikes", _long_train()),
    "amplifying-chain": Certified("12 neurons, each spike moves the next by 3.1 times as much", _amplifying_chain()),
    "targets-nearly-met": Certified("spikes 1e-8 to 1e-7 ms from their targets", _nearly_met()),
    "outputs-almost-alike": Certified("gradients that cancel between two outputs", _almost_alike()),
    "balanced": Certified("excitation of 1000 against inhibition of 999", _balanced()),
    "long-trial": Certified("100 s, spikes at both ends", _long_trial()),
}
