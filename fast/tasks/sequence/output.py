"""Printed lines of a sequence run, and the voltage traces that it records."""

import numpy as np

from delayprop.fast.nn.layers import LI
from delayprop.fast.nn.traces import arrivals, membrane_traces
from delayprop.fast.tasks.sequence.patterns import NAMES, Ring

PAPER, UNSEEN = 6, 500  # presentations that the paper needs; unseen samples


def traces(layer: LI, ring: Ring) -> list[dict]:
    """Voltages and arrivals at the first two outputs for the first two patterns, to be drawn."""
    times = np.linspace(0.0, ring.length + ring.max_delay + 20.0, 451)
    found = []
    for label in (0, 1):
        spikes = ring.clean.spikes([label], np.random.default_rng(0))
        V = membrane_traces(layer, spikes, times).tolist()
        for neuron in (0, 1):
            found.append({
                "pattern": NAMES[label], "output": neuron, "t": times.tolist(), "V": V[neuron],
                "arrivals": arrivals(layer.w, layer.d, spikes, neuron)[:, 0].tolist(),
            })
    return found


def step_numbers(loss: float, accuracy: float, layer: LI, ring: Ring) -> str:
    """Numbers of a step: the delays of two inputs, or correct classes and the longest move."""
    if ring.inputs == 2:
        d = layer.d.tolist()
        details = "  ".join(f"d[{i}][{j}] {d[i][j]:6.3f}" for i in range(2) for j in range(2))
    else:
        correct, moved = round(accuracy * ring.inputs), longest_move(layer, ring)
        details = f"correct {correct:2d}/{ring.inputs}  moved up to {moved:7.3f} ms"
    return f"loss {loss:.4f}  accuracy {accuracy:4.0%}  {details}"


def longest_move(layer: LI, ring: Ring) -> float:
    """The largest distance of a delay from its start, ms."""
    return float(np.abs(layer.d.detach().cpu().numpy() - ring.worst_delays()).max())


def arrival_span(d: np.ndarray, ring: Ring) -> float:
    """Time from first to last arrival of an output's own pattern, ms, median over outputs."""
    own = np.stack([ring.times(output) for output in range(ring.inputs)], axis=1) + d
    return float(np.median(np.ptp(own, axis=0)))


def kept_from(history: list[dict]) -> int | None:
    """The presentation from which the accuracy stays 100 %; None: it is lower at the end."""
    first = max((n for n, entry in enumerate(history, start=1) if entry["accuracy"] < 1.0), default=0)
    return int(history[first]["presentation"]) if first < len(history) else None


def print_end(layer: LI, ring: Ring, result: dict) -> None:
    if ring.inputs == 2:
        _print_difference(layer, result["optimum"])
    else:
        before, after = (arrival_span(np.array(result[name]), ring) for name in ("d_start", "d"))
        print(
            f"\narrivals of an output's own pattern span {before:.1f} ms at the start, {after:.1f} ms at the end "
            f"(median); delays moved up to {longest_move(layer, ring):.1f} ms"
        )
    when = f"after {result['presentations']} presentations of each pattern"
    if result["presentations"] is None or (ring.inputs == 2 and not result["learned"]):
        when = "never"
    elif ring.inputs > 2:
        kept = result["kept_from"]
        when += ", but not kept" if kept is None else f", kept from presentation {kept} on"
    samples = "the patterns (no jitter)"
    if ring.jitter or ring.distractors:
        noise = f"jitter {ring.jitter:g} ms" + (f" and {ring.distractors} distractors" if ring.distractors else "")
        samples = f"{UNSEEN // ring.inputs * ring.inputs} unseen samples with {noise}"
    print(f"\n100 % reached: {when}; accuracy on {samples}: {result['unseen_accuracy']:.1%}")
    if ring.inputs == 2 and result["learned"] and result["presentations"] > PAPER:
        print(f"slower than the {PAPER} presentations of each pattern that the paper reports")


def _print_difference(layer: LI, optimum: float) -> None:
    d = layer.d.detach().double()
    print("\noutput   d[right input]   d[other input]   difference   closed-form optimum        error")
    for j in (0, 1):
        difference = float(d[j, j] - d[1 - j, j])
        row = (float(d[j, j]), float(d[1 - j, j]), difference, optimum, difference - optimum)
        print("{:6d} {:13.4f} ms {:13.4f} ms {:9.4f} ms {:18.4f} ms {:+9.1e} ms".format(j, *row))
