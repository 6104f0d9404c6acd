"""How the delays of the sequence task are learned: one plan for two inputs, another for more.

Two inputs: `learn` presentations of each pattern one by one, then both together, without momentum
and with a shrinking step, so that the delays settle at the optimum instead of circling it.

With more inputs that plan fails: of five seeds with 4, 8 or 16 inputs none learns all classes; with
ten times the presentations one in ten does, with 4 inputs. The worst start is a trap. The wrong
pattern arrives at an output at once, where every derivative of the maximum voltage is 0. All spikes
of the right pattern but one arrive at once, and that one arrives `N` gaps later. A maximum does not
depend on later arrivals, and depends on one that came `s` earlier only by `exp(-s / tau_mem)`. So
no gradient moves the late spike, and descent ends where some outputs wait for `N - 1` of their
spikes. Large steps of all patterns together jump out of the trap, but reliably only with 4 or 8
inputs and no noise.

So the membranes start slow: both time constants are `2 N` times their final values in the first
presentation, and shrink to them within the first 0.8 of `learn`; their ratio stays. A slow membrane
peaks after the whole pattern has arrived, so every delay matters and the loss is smooth; as the
membrane quickens, the delays follow the minimum. Each gradient is exact for the network that takes
the step. The accuracy shown is always that of the network with its final constants. Each step
presents all patterns; the first is 2.5 ms per input, as the delays have up to `N` gaps to go. While
the membranes are slow, the delays are not yet optimal for the final constants: 100 % may be lost.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """A schedule over presentations, counted from 1."""

    learn: int  # presentations of each pattern with momentum
    epochs: int  # default of all presentations
    lr: float  # default of the first step of the delays, ms
    end: float  # factor on the first step after `learn` presentations
    betas: tuple[float, float]  # of Adam, up to `learn`
    one_by_one: bool  # whether a step up to `learn` presents one pattern, or all
    slow: float  # factor on both time constants at first
    shrink: float = 0.85  # factor on the step per presentation after `learn`

    def step_factor(self, epoch: int) -> float:
        """Factor on the first step in a presentation up to `learn`."""
        return self.end ** ((epoch - 1) / self.learn)

    def slowness(self, epoch: int) -> float:
        """Factor on the time constants in a presentation."""
        return self.slow ** max(0.0, 1 - (epoch - 1) / (0.8 * self.learn))


def plan(inputs: int) -> Plan:
    if inputs == 2:
        return Plan(learn=10, epochs=40, lr=1.0, end=1.0, betas=(0.9, 0.999), one_by_one=True, slow=1.0)
    lr = 2.5 * inputs
    return Plan(learn=200, epochs=230, lr=lr, end=0.5 / lr, betas=(0.9, 0.9), one_by_one=False, slow=2.0 * inputs)
