"""The pictures of a sequence run: its delays, output voltages before and after, an animation.

The animation, of two inputs, shows delays that change, step by step, until their spikes meet. Its
voltages are those of weights of 1, which the task keeps fixed.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from PIL import Image

from delayprop.fast.data.records import Record
from delayprop.fast.drawing.style import COLOURS, plain, save, subplots, write
from delayprop.fast.nn.layers import LI
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.traces import membrane_traces

PAUSE, STEP = 2000, 150  # ms that the first and the last frame are shown, and each other one


def draw(record: Record) -> list[str]:
    """Draws `delays.png`, `voltages.png`, and of two inputs `learning.gif`, into the folder of the
    run, as `style.write`; returns their paths."""
    run, log, found = record.folder, record.log, record.result
    inputs = found.get("inputs", 2)
    delays = delays_of_two(log, found) if inputs == 2 else delays_of_ring(log, found)
    drawn = [save(delays, run, "delays.png"), save(_voltages(found, inputs), run, "voltages.png")]
    animated = inputs == 2 and {"gap", "tau_mem", "tau_syn"} <= found.keys()  # not of an older version
    return [*drawn, _animate(log, found, run)] if animated else drawn


def delays_of_two(log: list[dict], found: dict) -> Figure:
    """The delays of two inputs over presentations, with the optimum, and the loss."""
    figure, (delays, loss) = subplots(8, 6.5, 2, 1, sharex=True, height_ratios=(3, 1))
    last = {line["presentation"]: line for line in log}
    # The x axis counts presentations of single patterns: a step of both patterns counts as two.
    steps = [2 * line["presentation"] - (line is not last[line["presentation"]]) for line in log]
    d = [found["d_start"]] + [line["d"] for line in log]
    for j in (0, 1):
        own, other = [at[j][j] for at in d], [at[1 - j][j] for at in d]
        difference = [a - b for a, b in zip(own, other)]
        for values, width, style, label in (
            (difference, 2.5, "-", f"output {j}: d[{j}][{j}] - d[{1 - j}][{j}]"),
            (own, 1, "--", f"d[{j}][{j}]"),
            (other, 1, ":", f"d[{1 - j}][{j}]"),
        ):
            delays.plot([0, *steps], values, color=COLOURS[j], lw=width, ls=style, label=label)
    delays.axhline(found["optimum"], color="black", lw=1)
    delays.annotate(f"closed-form optimum {found['optimum']:.3f} ms", (steps[-1], found["optimum"]), (0, -12),
                    textcoords="offset points", ha="right", fontsize=9)
    if found["presentations"]:
        reached = 2 * found["presentations"]
        for axes in (delays, loss):
            axes.axvline(reached, color="0.6", lw=1)
        text = f"100 % within {found['presentations']} presentations of each pattern"
        delays.annotate(text, (reached, -9), (4, 0), textcoords="offset points", fontsize=9, color="0.4")
    delays.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1.0))  # inside, curves cross it
    loss.plot(steps, [line["loss"] for line in log], color="0.2", lw=1)
    plain(delays, "", "ms", "Delays learned by exact gradients")
    plain(loss, "presentations of either pattern", "loss")
    return figure


def delays_of_ring(log: list[dict], found: dict) -> Figure:
    """Maps of the delays and of the arrivals of each output's own pattern; loss and accuracy."""
    figure = Figure(figsize=(9, 9.5), layout="constrained")
    parts = figure.add_gridspec(2, 1, height_ratios=(5, 2))
    maps, curves = figure.add_subfigure(parts[0]), figure.add_subfigure(parts[1])
    grid = maps.subplots(2, 2, sharex=True, sharey=True)
    before, after = np.array(found["d_start"]), np.array(found["d"])
    _row(maps, grid[0], [before, after], ["delays before", "delays after"], "viridis", "d, ms")
    inputs = np.arange(len(before))
    emitted = (inputs[:, None] - inputs) % len(inputs) * found["gap"]  # [input][output], in the output's own pattern
    arrivals = [emitted + d - np.median(emitted + d, axis=0) for d in (before, after)]
    titles = [f"arrivals of the output's own pattern, {when}" for when in ("before", "after")]
    _row(maps, grid[1], arrivals, titles, "coolwarm", "ms after the output's median")
    for row in grid:
        row[0].set_ylabel("input")
    for axes in grid[1]:
        axes.set_xlabel("output")
    loss, accuracy = curves.subplots(2, 1, sharex=True)
    steps = [line["presentation"] for line in log]
    loss.plot(steps, [line["loss"] for line in log], color="0.2", lw=1)
    accuracy.plot(steps, [100 * line["accuracy"] for line in log], color=COLOURS[0], lw=1)
    accuracy.set_ylim(-5, 105)
    plain(loss, "", "loss", "Learning; membranes start slow, so early losses belong to slower membranes")
    plain(accuracy, "presentations of each pattern", "accuracy, %", _reached(found))
    return figure


def _row(
    figure: SubFigure, row: list[Axes], maps: list[np.ndarray], titles: list[str], colours: str, scale: str
) -> None:
    """Draws two maps with one colour scale, symmetric around 0 if a value is negative."""
    high = max(float(np.abs(values).max()) for values in maps)
    low = 0.0 if min(float(values.min()) for values in maps) >= 0 else -high
    for axes, values, title in zip(row, maps, titles):
        image = axes.imshow(values, cmap=colours, vmin=low, vmax=high)
        axes.set_title(title, loc="left", fontsize=10)
        ticks = range(0, len(values), 1 if len(values) <= 8 else 3)
        axes.set_xticks(ticks)
        axes.set_yticks(ticks)
    figure.colorbar(image, ax=list(row), label=scale)


def _reached(found: dict) -> str:
    if found["presentations"] is None:
        return "100 % was not reached"
    kept = "but not at the end" if found["kept_from"] is None else f"kept from {found['kept_from']} on"
    return f"100 % within {found['presentations']} presentations of each pattern, {kept}"


def _voltages(found: dict, inputs: int) -> Figure:
    figure, grid = subplots(10, 6, 2, 2, sharex=True, sharey=True)
    for row, when in enumerate(("before", "after")):
        for column, pattern in enumerate("AB"):
            traces = [trace for trace in found[when] if trace["pattern"] == pattern]
            _panel(grid[row][column], traces, f"{when}, pattern {pattern}", inputs / 2)
    grid[0][0].legend(frameon=False, fontsize=8, loc="upper right")
    figure.supxlabel("ms; ticks below the curves: arrivals at each output; circle: the maximum voltage", fontsize=9)
    figure.tight_layout()
    return figure


def _panel(axes: Axes, traces: list[dict], title: str, scale: float) -> None:
    """Draws voltages and arrivals; `scale`: their height relative to a run with two inputs."""
    for trace in traces:
        output, V = trace["output"], trace["V"]
        own = "AB"[output] == trace["pattern"]
        label = f"output {output} (pattern {'AB'[output]})"
        axes.plot(trace["t"], V, color=COLOURS[output], lw=2 if own else 1, label=label)
        largest = max(range(len(V)), key=V.__getitem__)
        axes.plot(trace["t"][largest], V[largest], "o", color=COLOURS[output], ms=5)
        low, high = (-0.05 - 0.05 * output) * scale, (-0.01 - 0.05 * output) * scale
        axes.vlines(trace["arrivals"], low, high, color=COLOURS[output], lw=2)
    plain(axes, "", "V", title)


class _Pattern:
    """One pattern: voltage of both outputs on the first axes, and on the others a bar per delay,
    from a spike (its time in `emitted`) to its arrival."""

    def __init__(self, axes: Sequence[Axes], name: str, emitted: list[float], constants: tuple[float, float]) -> None:
        self.emitted, (tau_mem, tau_syn) = emitted, constants
        self.spikes = Spikes.from_trains([[[t] for t in emitted]], 60.0)
        self.layer = LI(2, 2, readout="max_voltage", tau_mem=tau_mem, tau_syn=tau_syn).requires_grad_(False)
        self.layer.w.fill_(1.0)
        self.times = np.linspace(0.0, 60.0, 301)
        above, below = axes
        above.set_title(f"pattern {name}: input {name == 'B':d} first", loc="left", fontsize=10)
        self.moving: list[Line2D] = []
        for output in (0, 1):
            right = "AB"[output] == name
            style: dict[str, Any] = {"color": COLOURS[output], "lw": 2.5 if right else 1.2}
            self.moving += above.plot([], [], label=f"output {output}{', right' if right else ''}", **style)
            for source in (0, 1):
                self.moving += below.plot([], [], **style)
                self.moving += below.plot([], [], "|", color=COLOURS[output], ms=11, mew=2.5)
                below.plot([emitted[source]], [-(2.4 * output + source)], "o", color="0.35", ms=4)
        above.set(xlim=(0, 60), ylim=(0, 0.56))
        below.set(xlim=(0, 60), ylim=(-4.2, 0.8), yticks=[0, -1, -2.4, -3.4], xlabel="ms")
        below.set_yticklabels([f"input {source} to output {output}" for output in (0, 1) for source in (0, 1)])
        above.legend(frameon=False, fontsize=9, loc="upper right")
        for one in axes:
            one.spines[["top", "right"]].set_visible(False)

    def show(self, d: Sequence[Sequence[float]]) -> None:
        """Move everything to the delays `d[input][output]`, ms."""
        artists = iter(self.moving)
        self.layer.d.copy_(torch.tensor(d))
        for output, V in enumerate(membrane_traces(self.layer, self.spikes, self.times)):
            arrivals = [self.emitted[source] + d[source][output] for source in (0, 1)]
            next(artists).set_data(self.times, V)
            for source in (0, 1):
                row = -(2.4 * output + source)
                next(artists).set_data([self.emitted[source], arrivals[source]], [row, row])
                next(artists).set_data([arrivals[source]], [row])


def _animate(log: list[dict], found: dict, run: Path) -> str:
    """Draws `learning.gif` into the folder of a run with two inputs, from its history and its
    result; returns its path."""
    figure = Figure(figsize=(9, 4.2), dpi=90)
    grid = figure.subplots(2, 2, sharex=True, sharey="row")
    figure.subplots_adjust(left=0.175, right=0.98, bottom=0.11, top=0.86, wspace=0.05, hspace=0.08)
    constants = found["tau_mem"], found["tau_syn"]
    patterns = [
        _Pattern(grid[:, column], name, emitted, constants)
        for column, (name, emitted) in enumerate([("A", [0.0, found["gap"]]), ("B", [found["gap"], 0.0])])
    ]
    grid[0][0].set_ylabel("V")
    title = figure.suptitle("", fontsize=12)
    moving = [title, *(artist for pattern in patterns for artist in pattern.moving)]
    canvas = FigureCanvasAgg(figure)
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    still, frames = canvas.copy_from_bbox(figure.bbox), []
    for step in [None, *_moving(log)]:
        for pattern in patterns:
            pattern.show(step["d"] if step else found["d_start"])
        title.set_text(
            f"after {step['presentation']} presentations of each pattern: {step['accuracy']:.0%} right"
            if step else "before learning"
        )
        canvas.restore_region(still)
        for artist in moving:
            figure.draw_artist(artist)
        frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
    content = io.BytesIO()
    durations = [PAUSE, *[STEP] * (len(frames) - 2), PAUSE] if len(frames) > 1 else [PAUSE]
    frames[0].save(content, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)
    return write(content.getvalue(), run, "learning.gif")


def _moving(log: list[dict]) -> list[dict]:
    """The entries in which a delay has moved by more than a hundredth of a ms since the last."""
    kept = log[:1]
    for entry in log[1:]:
        if np.abs(np.array(entry["d"]) - np.array(kept[-1]["d"])).max() > 0.01:
            kept.append(entry)
    return kept
