"""Pictures of a sequence-detection run: the path of the delays, and what the outputs see before and after."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fast.drawing.records import COLOURS, NUMBER, NUMBER_OR_NULL, RecordError, history, plain, result, save
from fast.drawing.sequence_rings import delays_of_ring

MATRIX = ((NUMBER, NUMBER), (NUMBER, NUMBER))
LINE = {"presentation": NUMBER, "loss": NUMBER}
TRACE = {"pattern": {"A", "B"}, "output": {0, 1}, "t": [NUMBER], "V": [NUMBER], "arrivals": [NUMBER]}
TRACES = (TRACE, TRACE, TRACE, TRACE)
RESULT = {"presentations": NUMBER_OR_NULL, "before": TRACES, "after": TRACES}


def draw(run: Path) -> list[str]:
    """Draw `delays.png` and `voltages.png` into the folder of the run; their paths.

    Raises:
        RecordError: a record that is missing or of another shape.
        OSError: the folder cannot be written to.
    """
    inputs = result(run, {"inputs?": {*range(3, 17)}}).get("inputs", 2)
    lines, end = _records(run, inputs)
    for n, trace in enumerate([*end["before"], *end["after"]]):
        if len(trace["t"]) != len(trace["V"]):
            got = f"{len(trace['V'])} for {len(trace['t'])} times"
            raise RecordError(f"result.json trace {n} V", "one voltage a time", got)
    delays = _delays(lines, end) if inputs == 2 else delays_of_ring(lines, end)
    return [save(delays, run, "delays.png"), save(_voltages(end, inputs), run, "voltages.png")]


def _records(run: Path, inputs: int) -> tuple[list[dict], dict]:
    """The lines and the end of a run with so many inputs: of two, every line's delays are drawn."""
    if inputs == 2:
        return history(run, {**LINE, "d": MATRIX}), result(run, {**RESULT, "optimum": NUMBER, "d_start": MATRIX})
    matrix = ((NUMBER,) * inputs,) * inputs
    shape = {**RESULT, "gap": NUMBER, "kept_from": NUMBER_OR_NULL, "d_start": matrix, "d": matrix}
    return history(run, {**LINE, "accuracy": NUMBER}), result(run, shape)


def _delays(lines: list[dict], end: dict) -> Figure:
    figure = Figure(figsize=(8, 6.5))
    delays, loss = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    # a step of both patterns takes the room of two presentations
    steps = [2 * line["presentation"] - (line is not last) for line, last in _with_last_of_presentation(lines)]
    d = [end["d_start"]] + [line["d"] for line in lines]
    for j in (0, 1):
        own, other = [at[j][j] for at in d], [at[1 - j][j] for at in d]
        difference = [a - b for a, b in zip(own, other)]
        for values, width, style, label in (
            (difference, 2.5, "-", f"output {j}: d[{j}][{j}] - d[{1 - j}][{j}]"),
            (own, 1, "--", f"d[{j}][{j}]"),
            (other, 1, ":", f"d[{1 - j}][{j}]"),
        ):
            delays.plot([0, *steps], values, color=COLOURS[j], lw=width, ls=style, label=label)
    delays.axhline(end["optimum"], color="black", lw=1)
    delays.annotate(f"closed-form optimum {end['optimum']:.3f} ms", (steps[-1], end["optimum"]), (0, -12),
                    textcoords="offset points", ha="right", fontsize=9)
    if end["presentations"]:
        for axes in (delays, loss):
            axes.axvline(2 * end["presentations"], color="0.6", lw=1)
        text = f"100 % within {end['presentations']} presentations of each pattern"
        place = (2 * end["presentations"], -9)
        delays.annotate(text, place, (4, 0), textcoords="offset points", fontsize=9, color="0.4")
    # outside the axes: inside, there is no place that no curve crosses
    delays.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0))
    loss.plot(steps, [line["loss"] for line in lines], color="0.2", lw=1)
    plain(delays, "", "ms", "Delays learned by exact gradients")
    plain(loss, "presentations, of either pattern", "loss")
    return figure


def _with_last_of_presentation(lines: list[dict]) -> list[tuple[dict, dict]]:
    last = {line["presentation"]: line for line in lines}
    return [(line, last[line["presentation"]]) for line in lines]


def _voltages(end: dict, inputs: int) -> Figure:
    figure = Figure(figsize=(10, 6))
    grid = figure.subplots(2, 2, sharex=True, sharey=True)
    for row, when in enumerate(("before", "after")):
        for column, pattern in enumerate("AB"):
            traces = [trace for trace in end[when] if trace["pattern"] == pattern]
            _panel(grid[row][column], traces, f"{when}, pattern {pattern}", inputs / 2)
    grid[0][0].legend(frameon=False, fontsize=8, loc="upper right")
    text = "ms; ticks below the curves: arrivals at each output; circle: the maximum that is read"
    figure.supxlabel(text, fontsize=9)
    figure.tight_layout()
    return figure


def _panel(axes: Axes, traces: list[dict], title: str, high: float) -> None:
    """Voltages and arrivals; `high`: how much higher than with two inputs the axes are, and so the ticks."""
    for trace in traces:
        output, V = trace["output"], trace["V"]
        right = "AB"[output] == trace["pattern"]
        label = f"output {output} (pattern {'AB'[output]})"
        axes.plot(trace["t"], V, color=COLOURS[output], lw=2 if right else 1, label=label)
        top = max(range(len(V)), key=V.__getitem__)
        axes.plot(trace["t"][top], V[top], "o", color=COLOURS[output], ms=5)
        low, top_of_ticks = (-0.05 - 0.05 * output) * high, (-0.01 - 0.05 * output) * high
        axes.vlines(trace["arrivals"], low, top_of_ticks, color=COLOURS[output], lw=2)
    plain(axes, "", "V", title)
