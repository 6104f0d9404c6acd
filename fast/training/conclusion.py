"""The end of a classification: its record, the arrays of its page, what it prints."""

import io
import resource
import statistics
import sys
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from delayprop.fast.data.records import ARRAYS, RESULT
from delayprop.fast.data.spike_data import SpikeData
from delayprop.fast.nn.parameters import by_kinds
from delayprop.fast.nn.synaptic_layer import used
from delayprop.fast.nn.traces import arrivals, membrane_traces
from delayprop.fast.training.evaluation import Evaluation
from delayprop.fast.training.model import Classifier
from delayprop.fast.training.run_folder import Folder

TRIALS = 3  # with a right answer, and as many with a wrong one
POINTS = 281  # of a voltage


@torch.no_grad()
def page_arrays(
    network: Classifier, before: dict[str, Tensor], data: SpikeData, duration: float, wrong: Sequence[int]
) -> bytes:
    """The content of an npz file, which `fast.drawing.run_record` reads.

    For each layer `l`: `w_before_l`, `w_after_l`, `d_before_l`, `d_after_l`, `[pre, post]`, and
    `mask_l` if it lacks synapses; for a recurrent one also `w_rec_before_l` and so on, `[post,
    post]`. For each of `shown_trials`, `e`: `trial_e`, its number; `label_e`, `y_e [classes]`;
    `times_e_l` (ms) and `units_e_l` of the input (`l` 0) and of each hidden layer; `V_e
    [classes, points]` at the times `t`; `arrivals_e`, times and weights of the arrivals at the
    output of the trial's class. `wrong`: the trials with a wrong answer.
    """
    found: dict[str, np.ndarray] = {"t": np.linspace(0.0, duration, POINTS), "duration": np.array(duration)}
    for n, name in enumerate([*(f"hidden.{n}" for n in range(len(network.hidden))), "out"]):
        layer = network.layers[n]
        for ending, w, mask in zip(("", "_rec"), layer.all_w, layer.masks, strict=False):
            for parameter in (f"w{ending}", f"d{ending}"):
                for when, values in (("before", before[f"{name}.{parameter}"]), ("after", getattr(layer, parameter))):
                    found[f"{parameter}_{when}_{n}"] = values.expand_as(w).cpu().numpy()
            if mask is not None:
                found[f"mask{ending}_{n}"] = mask.cpu().numpy()
    for e, trial in enumerate(shown_trials(data.labels, wrong)):
        spikes, _ = data.batch(np.array([trial]), duration)
        y, emitted = network(spikes.to(network.out.w.device))
        hidden_spikes = emitted[: len(network.hidden)]
        label = int(data.labels[trial])
        found |= {f"trial_{e}": np.array(trial), f"label_{e}": np.array(label), f"y_{e}": y[0].cpu().numpy()}
        for n, layer in enumerate([spikes, *hidden_spikes]):
            found[f"times_{e}_{n}"] = layer.times.cpu().numpy()
            found[f"units_{e}_{n}"] = np.repeat(np.arange(layer.size), layer.counts()[0].cpu().numpy())
        last = hidden_spikes[-1]
        found[f"V_{e}"] = membrane_traces(network.out, last, found["t"]).numpy()
        found[f"arrivals_{e}"] = arrivals(network.out.existing_w[0], network.out.delays_of_synapses[0], last, label)
    content = io.BytesIO()
    np.savez_compressed(content, **found)  # type: ignore[arg-type]  # NumPy 2.0 types have no `allow_pickle` here
    return content.getvalue()


def shown_trials(labels: np.ndarray, wrong: Sequence[int]) -> list[int]:
    """The first right trial of each class, at most `TRIALS` of them; then the first wrong trial of
    each class, at most as many."""
    found, is_wrong = [], np.isin(np.arange(len(labels)), wrong)
    for trials in (np.flatnonzero(~is_wrong), np.flatnonzero(is_wrong)):
        _, firsts = np.unique(labels[trials], return_index=True)
        found += trials[np.sort(firsts)[:TRIALS]].tolist()
    return found


def card(network: Classifier, test: Evaluation, history: Sequence[dict]) -> dict[str, object]:
    """A run at a glance, beside its accuracy: entries of `result.json`.

    Args:
        network: with `requires_grad` as in training.
        test: with its counts.
        history: the log, one entry per epoch.
    """
    assert test.spikes is not None and test.arrivals is not None
    neurons, unit = sum(layer.post for layer in network.hidden_layers), 2**20 if sys.platform == "darwin" else 2**10
    found: dict[str, object] = {
        **learned_parameters(network),
        "spikes_per_neuron": test.spikes / (neurons * test.trials), "arrivals_per_trial": test.arrivals / test.trials,
        "seconds_per_epoch": statistics.median(line["seconds"] for line in history),  # the first may compile kernels
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
    }
    found["float64"] = max((line["float64"] for line in history if line.get("float64") is not None), default=None)
    return found


def learned_parameters(network: Classifier) -> dict[str, int]:
    """How many parameters learn, of existing synapses and of neurons, and how many are delays."""
    synapses = {"weights": 0, "delays": 0}
    for layer in network.layers:
        for w, d, mask in zip(layer.all_w, layer.all_d, layer.masks, strict=True):
            for kind, values in zip(synapses, (w, d), strict=True):
                synapses[kind] += int(used(values, mask).sum()) * values.requires_grad
    others = [p for kind, own in by_kinds(network).items() if kind not in synapses for p in own.values()]
    learned = sum(synapses.values()) + sum(p.numel() for p in others if p.requires_grad)
    return {"learned_parameters": learned, "learned_delays": synapses["delays"]}


def conclude(
    folder: Folder, given: dict[str, object], how: str, test: Evaluation, baseline: float, arrays: bytes
) -> int:
    """Records and prints the result of a run; `arrays`: content of `page.npz`.

    Returns 0 if the lower end of the test accuracy's interval is above the baseline, that of spike
    counts alone, else 1.
    """
    (low, high), accuracy = test.interval, test.accuracy
    folder.write_bytes(ARRAYS, arrays)
    folder.write(RESULT, {
        **given, "test_accuracy": accuracy, "interval": (low, high), "count_baseline": baseline,
        "answers": test.confusion, "wrong": test.wrong,
    })
    print(
        f"\ntest accuracy {accuracy:.1%} ({how}; 95 %: {low:.1%} to {high:.1%}); spike counts alone give {baseline:.1%}"
    )
    if low > baseline:
        return 0
    remedy = "do the delays reach across the pauses that matter (--delay, --max-delay)? then try --lr, --delay-lr"
    print(f"the network is not above spike counts: it has learned nothing from time; {remedy}")
    return 1
