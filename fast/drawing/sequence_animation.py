"""`learning.gif`: delays of two inputs change, step by step, until their spikes meet.

The voltages are those of weights of 1, which the task keeps fixed.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from delayprop.fast.drawing.style import COLOURS, write
from delayprop.fast.nn.traces import voltage_of

PAUSE, STEP = 2000, 150  # ms that the first and the last frame are shown, and each other one


class _Pattern:
    """One pattern: voltage of both outputs on the first axes, and on the others a bar per delay,
    from a spike (its time in `emitted`) to its arrival."""

    def __init__(self, axes: Sequence[Axes], name: str, emitted: list[float], constants: tuple[float, float]) -> None:
        self.emitted, self.constants = emitted, constants
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
        for output in (0, 1):
            arrivals = [self.emitted[source] + d[source][output] for source in (0, 1)]
            V = voltage_of([(t, 1.0) for t in arrivals], *self.constants, self.times)
            next(artists).set_data(self.times, V)
            for source in (0, 1):
                row = -(2.4 * output + source)
                next(artists).set_data([self.emitted[source], arrivals[source]], [row, row])
                next(artists).set_data([arrivals[source]], [row])


def animate(log: list[dict], found: dict, run: Path) -> str:
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
