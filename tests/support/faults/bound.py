"""Whether the bound of a bin excludes no spike: against the level at many instants of the bin."""

import numpy as np

from tests.support.networks.neurons import ALL, FAST, RANGES

STATES, INSTANTS = 150, np.linspace(0.0, 1.0, 65)
NEAR = 1e-9  # how far below the highest level a neuron must already be solved


def excluded() -> int:
    """How often the bound of `fast` excludes that a level is passed, which passes it."""
    from delayprop.fast.layout.arrays import Others
    from delayprop.fast.physics.bin_step import level_may_pass, state_across_bin
    from delayprop.fast.solving.matrices import matrices
    from delayprop.fast.solving.tables import tables

    found, post, width, random = 0, 3, 0.5, np.random.default_rng(7)
    for name in FAST:
        neuron = ALL[name]
        constants = np.array([random.uniform(*RANGES[each], post) for each in neuron.constants])
        flow, n = tables(neuron, constants.tobytes(), post, width, -1.0, np.float64)[1][0], matrices(neuron, constants)
        others = Others((0,) * len(n.c), (0,) * len(n.c) if n.reached else ())
        for lane in range(post):
            A, c = n.A[..., lane] * width, np.array([1.0, 0.0, *n.c[:, lane]])
            levels = np.stack([c @ _flow(A, x) for x in INSTANTS])
            for state in random.normal(size=(STATES, len(A))):
                V, I, O = state[0], state[1], (*state[2:], 0.0, 0.0)[:2]
                end = state_across_bin(V, I, O, lane, flow, others)
                start, most = (levels @ state)[0], (levels @ state).max() - NEAR
                for up in (0.0, 3.0):  # a level that is passed lies above the start
                    may = level_may_pass((V, I, O), end, up, lane, flow, others, most + up, 0.0)
                    passed = most > start and not may
                    found += int(passed)
    return found


def _flow(A: np.ndarray, x: float) -> np.ndarray:
    found = term = np.eye(len(A))
    for m in range(1, 19):
        term = term @ A * (x / m)
        found = found + term
    return found
