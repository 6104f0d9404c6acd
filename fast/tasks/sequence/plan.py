"""How the delays of the sequence task are learned: the plan for two inputs, and the one for more.

Two inputs: LEARN presentations of each pattern one by one, then both together, without momentum and with a step that
shrinks: so the delays settle at the optimum instead of circling it.

With more inputs that plan fails: of five seeds with 4, 8 or 16 inputs none learns all classes, nor with ten times the
presentations but for one in ten with 4. At the worst start the wrong pattern arrives at an output all at once, where
every derivative of the maximum is 0; of the right pattern all but one spike arrive at once, and that one `N` gaps
later. A maximum knows nothing of what arrives after it, and of what comes `s` before it only `exp(-s / tau_mem)`:
nothing calls the late spike, and descent ends where some outputs wait for `N - 1` of their spikes. Large steps of
all patterns together jump out of that, but reliably only with 4 or 8 inputs and without noise.

So the membranes start slow: both time constants are `2 N` times theirs in the first presentation, the ratio of the two
as ever, and shrink to their own within the first 0.8 of LEARN. A slow membrane peaks after the whole pattern has
arrived, so every delay counts and the loss is smooth; as it quickens, the delays follow the minimum. Gradients stay
those of the very network that is stepped; the accuracy shown is always that of the network with its own constants. All
patterns are presented in each step, the first of 2.5 ms an input, as the delays have up to `N` gaps to go. While the
membranes are slow, delays are not yet where their own constants want them: 100 % may come, go and come again.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """What happens when.

    Args:
        learn: presentations of each pattern with momentum.
        epochs: presentations in all, by default.
        lr: first step of the delays, ms, by default.
        end: share of the first step that is left after `learn` presentations.
        betas: Adam's in this time.
        one_by_one: whether a step is one pattern in this time, or all.
        slow: what both time constants are multiplied by at first.
        shrink: what a presentation after `learn` leaves of the step.
    """

    learn: int
    epochs: int
    lr: float
    end: float
    betas: tuple[float, float]
    one_by_one: bool
    slow: float
    shrink: float = 0.85

    def share(self, epoch: int) -> float:
        """Of the first step, in a presentation up to `learn`."""
        return self.end ** ((epoch - 1) / self.learn)

    def slowness(self, epoch: int) -> float:
        """What the time constants are multiplied by in a presentation."""
        return self.slow ** max(0.0, 1 - (epoch - 1) / (0.8 * self.learn))


def plan(inputs: int) -> Plan:
    """The plan for so many inputs."""
    if inputs == 2:
        return Plan(learn=10, epochs=40, lr=1.0, end=1.0, betas=(0.9, 0.999), one_by_one=True, slow=1.0)
    lr = 2.5 * inputs
    return Plan(
        learn=200, epochs=230, lr=lr, end=0.5 / lr, betas=(0.9, 0.9), one_by_one=False, slow=2.0 * inputs
    )
