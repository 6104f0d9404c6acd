"""The largest voltages between the events of a run of eventax."""

import numpy as np


def maxima(seen, read, tau_mem, tau_syn):
    """Per neuron, the moment of its maximum, and the event whose state is the maximum.

    An infinite moment means no extra stop; None means the initial 0. The state after event k flows
    back in closed form to event k - 1, and the sign of the slope brackets the turning point.
    """
    ends = [0.0, *(t for t, _ in seen)]
    moments, at = [], []
    for j in read:
        best = (0.0, None, np.inf)
        for k, (end, state) in enumerate(seen):

            def flow(t, end=end, V=state[j, 0], I=state[j, 1], j=j):
                """V, and I - V, which has the sign of the slope."""
                h = t - end
                x = h / tau_mem[j] - h / tau_syn[j]
                gain = h / tau_mem[j] * np.exp(-h / tau_mem[j]) * (np.expm1(x) / x if x else 1.0)
                V = V * np.exp(-h / tau_mem[j]) + I * gain
                return V, I * np.exp(-h / tau_syn[j]) - V

            best = max(best, (flow(end)[0], k, np.inf), key=lambda one: one[0])
            low, high = ends[k], end
            if flow(low)[1] > 0 > flow(high)[1]:
                while low < (middle := (low + high) / 2) < high:
                    low, high = (middle, high) if flow(middle)[1] > 0 else (low, middle)
                best = max(best, (flow(low)[0], k, low), key=lambda one: one[0])
        moments, at = [*moments, best[2]], [*at, best[1]]
    # Each moment is one more event, directly before its own event, and shifts the number of later
    # events.
    earlier = [[other for other in moments if other < (own if own < np.inf else ends[k + 1] if k is not None else 0.0)]
               for own, k in zip(moments, at)]
    return moments, [None if k is None else k + len(before) for k, before in zip(at, earlier)]
