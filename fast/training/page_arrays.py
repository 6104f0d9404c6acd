"""What the page of a run shows beside its log: parameters before and after, and what the network did in some trials."""

from __future__ import annotations

import io

import numpy as np
import torch
from torch import Tensor

from fast.data.spike_files import SpikeData
from fast.drawing.traces import arrivals, voltage
from fast.training.model import Reader

SHOWN = 3  # trials
POINTS = 281  # of a voltage


@torch.no_grad()
def recorded(network: Reader, before: dict[str, Tensor], data: SpikeData, duration: float) -> bytes:
    """Arrays under names, as a file of NumPy.

    For each layer `l`: `w_before_l`, `w_after_l`, `d_before_l`, `d_after_l`, `[pre, post]`. For each of the first
    trials of different classes, `e`: `label_e`, `y_e [classes]`; of the input (`l` 0) and of each hidden layer `l`
    `times_e_l` (ms) and `units_e_l`; `V_e [classes, points]` at the times `t`, and `arrivals_e`, times and weights at
    the output of the right class.
    """
    found: dict[str, np.ndarray] = {"t": np.linspace(0.0, duration, POINTS), "duration": np.array(duration)}
    names = [*(f"hidden.{n}" for n in range(len(network.hidden))), "out"]
    for n, name in enumerate(names):
        for parameter in "wd":
            found[f"{parameter}_before_{n}"] = before[f"{name}.{parameter}"].cpu().numpy()
            found[f"{parameter}_after_{n}"] = getattr(network.layers[n], parameter).cpu().numpy()
    _, firsts = np.unique(data.labels, return_index=True)
    for e, trial in enumerate(np.sort(firsts)[:SHOWN].tolist()):
        spikes, _ = data.batch(np.array([trial]), duration)
        y, inner = network(spikes.to(network.out.w.device))
        label = int(data.labels[trial])
        found |= {f"label_{e}": np.array(label), f"y_{e}": y[0].cpu().numpy()}
        for n, layer in enumerate([spikes, *inner]):
            found[f"times_{e}_{n}"] = layer.times.cpu().numpy()
            found[f"units_{e}_{n}"] = np.repeat(np.arange(layer.size), layer.counts()[0].cpu().numpy())
        voltages = [voltage(network.out, inner[-1], j, found["t"]) for j in range(data.classes)]
        found[f"V_{e}"] = np.array(voltages)
        found[f"arrivals_{e}"] = np.array(arrivals(network.out, inner[-1], label)).reshape(-1, 2)
    content = io.BytesIO()
    np.savez_compressed(content, **found)  # type: ignore[arg-type]  # NumPy 2.0 knows no `allow_pickle` here
    return content.getvalue()
