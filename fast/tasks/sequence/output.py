"""What a run of the sequence task shows: a line a step, what the outputs see, and the end."""

from __future__ import annotations

import argparse

import numpy as np

from fast.drawing.traces import arrivals, voltage
from fast.nn.certificate import Residuals
from fast.nn.layers import LI
from fast.tasks.sequence.patterns import NAMES, Ring

ALLOWED, UNSEEN = 6, 500


def traces(layer: LI, ring: Ring) -> list[dict]:
    """What the first two outputs see of the first two patterns: voltages and arrivals, for the picture."""
    times = np.linspace(0.0, ring.length + ring.max_delay + 20.0, 451)
    found = []
    for label in (0, 1):
        spikes = ring.clean.spikes([label], np.random.default_rng(0))
        for neuron in (0, 1):
            V = voltage(layer, spikes, neuron, times)
            found.append({
                "pattern": NAMES[label], "output": neuron, "t": times.tolist(), "V": V.tolist(),
                "arrivals": [t for t, _ in arrivals(layer, spikes, neuron)],
            })
    return found


def line(epoch: int, patterns: str, loss: float, accuracy: float, layer: LI, ring: Ring, found: Residuals) -> str:
    """One step: all delays of two inputs, how far the delays have come from more."""
    if ring.inputs == 2:
        d = layer.d.tolist()
        shown = "  ".join(f"d[{i}][{j}] {d[i][j]:6.3f}" for i in range(2) for j in range(2))
    else:
        patterns = "all"
        shown = f"right {right(accuracy, ring):2d}/{ring.inputs}  moved up to {moved(layer, ring):7.3f} ms"
    return f"{epoch:4d} {patterns:3}  loss {loss:.4f}  accuracy {accuracy:4.0%}  {shown}  {found}"


def right(accuracy: float, ring: Ring) -> int:
    """How many of the classes are right, where each is shown once."""
    return round(accuracy * ring.inputs)


def moved(layer: LI, ring: Ring) -> float:
    """The longest way of a delay from its start, ms."""
    return float(np.abs(layer.d.detach().cpu().numpy() - ring.worst_delays()).max())


def apart(d: np.ndarray, ring: Ring) -> float:
    """Time from the first to the last arrival of its own pattern at an output, ms: the median over outputs."""
    own = np.stack([ring.times(output) for output in range(ring.inputs)], axis=1) + d
    return float(np.median(np.ptp(own, axis=0)))


def kept_from(history: list[dict]) -> int | None:
    """The presentation from which on the accuracy has been 100 % to the end; None: it is not at the end."""
    wrong = [n for n, entry in enumerate(history) if entry["accuracy"] < 1.0]
    if wrong and wrong[-1] == len(history) - 1:
        return None
    return int(history[wrong[-1] + 1 if wrong else 0]["presentation"])


def say_end(layer: LI, ring: Ring, result: dict, options: argparse.Namespace, pictures: list[str], folder: str) -> None:
    """Print where the delays have come to, and what that is worth."""
    if ring.inputs == 2:
        _optimum_reached(layer, result["optimum"])
    else:
        before, after = (apart(np.array(result[name]), ring) for name in ("d_start", "d"))
        print(
            f"\narrivals of its own pattern at an output (median): {before:.1f} ms apart at the start, {after:.1f} ms "
            f"at the end; delays moved up to {moved(layer, ring):.1f} ms"
        )
    when = f"after {result['presentations']} presentations of each pattern" if result["learned"] else "never"
    if ring.inputs > 2 and result["presentations"] is not None:
        kept = "but not kept" if result["kept_from"] is None else f"kept from presentation {result['kept_from']} on"
        when = f"after {result['presentations']} presentations of each pattern, {kept}"
    count = UNSEEN // ring.inputs * ring.inputs
    noise = [f"jitter {options.jitter:g} ms"] + [f"{ring.distractors} distractors"] * bool(ring.distractors)
    clean = not (ring.jitter or ring.distractors)
    kind = "the patterns (no jitter)" if clean else f"{count} unseen samples with {' and '.join(noise)}"
    print(f"\n100 % reached: {when}; accuracy on {kind}: {result['unseen_accuracy']:.1%}")
    if ring.inputs == 2 and result["learned"] and result["presentations"] > ALLOWED:
        print(f"slower than the {ALLOWED} presentations of each pattern that the paper reports")
    print(f"pictures: {', '.join(pictures)}; record: {folder}")


def _optimum_reached(layer: LI, best: float) -> None:
    d = layer.d.detach().double()
    print("\noutput   d[right input]   d[other input]   difference   closed-form optimum   apart by")
    for j in (0, 1):
        difference = float(d[j, j] - d[1 - j, j])
        row = (float(d[j, j]), float(d[1 - j, j]), difference, best, difference - best)
        print("{:6d} {:13.4f} ms {:13.4f} ms {:9.4f} ms {:18.4f} ms {:+9.1e} ms".format(j, *row))
