"""Error bars of a gradient: how far rounding has moved each block, from the record of one step.

Rounding moves each spike by the error of its level over its slope, and this moves the jump of the
adjoint there by the curvature over the slope. Both are carried as variances, those of spike times
forward and those of adjoints back, and added as independent (`spec/SPECIFICATION.md`, section 5;
proofs: `derivations`). The terms of one layer: `fast.nn.rounding_terms`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from delayprop.fast.nn.rounding_terms import Integral, Maximum, Part, Spiking, in_numpy
from delayprop.fast.nn.samples import no_record
from delayprop.fast.nn.state import check_whole
from delayprop.fast.nn.synaptic_layer import SynapticLayer, check_layers
from delayprop.spec.errors import SpecError, UnsupportedError, Verbatim
from delayprop.spec.neuron import LI, LIF

SMALL = 1e-3  # a block below this share of the largest may nearly cancel
NAMED = 3  # spikes that are named


@dataclass(frozen=True)
class Doubtful:
    """A spike whose jump is known badly: `share` of the error of its layer's adjoint."""

    layer: int
    trial: int
    neuron: int
    time: float
    kappa: float
    share: float

    def __str__(self) -> str:
        place = f"layers[{self.layer}], trial {self.trial}, neuron {self.neuron}, {self.time:.3f} ms"
        return f"{place} (kappa {self.kappa:.0e}, {self.share:.0%} of the error)"


@dataclass(frozen=True)
class Rounding:
    """Estimates of the rounding error of each block of a gradient.

    Attributes:
        errors, norms: by layer, for `w`, `d`, and `w_rec`, `d_rec` of a recurrent one: the norms of
            the error and of the gradient. A frozen layer below all that learn has none.
        terms: of delays: the norm of the terms `w dL/dw / tau_mem` that cancel in their gradient.
        doubtful: the spikes that add most to the error, the worst first.
    """

    errors: list[dict[str, float]]
    norms: list[dict[str, float]]
    terms: list[dict[str, float]]
    doubtful: list[Doubtful]

    @property
    def relative(self) -> list[dict[str, float]]:
        """The error of each block relative to its gradient; 0 where this is 0."""
        pairs = zip(self.errors, self.norms, strict=True)
        return [
            {name: error / norms[name] if norms[name] > 0 else 0.0 for name, error in errors.items()}
            for errors, norms in pairs
        ]

    @property
    def largest(self) -> float:
        """The largest error of a block, relative to its gradient, or to a thousandth of the largest
        gradient of its kind (`w`, `d`), or of the terms that cancel; 0 where all are 0."""
        blocks = [
            (name[0], error, norms[name], max(norms[name], terms.get(name, 0.0)))
            for errors, norms, terms in zip(self.errors, self.norms, self.terms, strict=True)
            for name, error in errors.items()
        ]
        most = {kind: max((size for one, _, _, size in blocks if one == kind), default=0.0) for kind in ("w", "d")}
        found = (error / max(norm, SMALL * most[kind]) for kind, error, norm, _ in blocks if most[kind] > 0)
        return max(found, default=0.0)

    def __str__(self) -> str:
        of_layers = (", ".join(f"{name} {error:.0e}" for name, error in one.items()) for one in self.relative)
        return "; ".join(f"layers[{n}]: {text}" for n, text in enumerate(of_layers))


def rounding(layers: Iterable[SynapticLayer]) -> Rounding:
    """Error bars of the gradient of the last backward pass, from its record alone.

    Args:
        layers: LIF and LI layers in order; each receives spikes of the one before it, or some.

    Raises:
        SpecError: a layer has no record of a backward pass, or receives other spikes.
        UnsupportedError: a layer has other equations than LIF and LI, or has run on a window of a
            recording (`LayerState`).

    They are those of the last backward pass, also where `.grad` adds up several. The loss is taken
    to bend on the scale of a time constant, or of one unit of the readout: a loss that is nearly
    minimal for each readout (a squared error, a softmax that is sure) may lose more, since readouts
    are handed to it in the precision of the weights. Call it before the optimiser moves the
    parameters.
    """
    layers = check_layers(layers)
    parts = [_part(layer, n) for n, layer in enumerate(layers)]
    learned = [n for n, part in enumerate(parts) if part.step.gradients is not None]
    if not learned or learned[-1] != len(parts) - 1:
        remedy = "call `loss.backward()` after the forward pass, and then this"
        raise SpecError(f"layers[{len(parts) - 1}]", "", "has no record of a backward pass", remedy)
    passed = [_passed_on(parts[n - 1], part, n) if n else slice(None) for n, part in enumerate(parts)]
    moved = np.zeros(len(parts[0].at))
    for part, which in zip(parts, passed, strict=True):
        moved = part.move_spikes(moved[which])
    unsure = parts[-1].of_the_loss(moved)
    for n in reversed(learned):
        arriving = parts[n].move_adjoints(unsure)
        if n > learned[0]:
            unsure = np.zeros(len(parts[n - 1].kappa))
            unsure[passed[n]] = arriving
    errors = [{name: math.sqrt(square) for name, square in part.squares.items()} for part in parts]
    norms = [_norms(part, layer) for part, layer in zip(parts, layers, strict=True)]
    doubtful = [one for n, part in enumerate(parts) if isinstance(part, Spiking) for one in _doubtful(part, n)]
    terms = [part.terms for part in parts]
    return Rounding(errors, norms, terms, sorted(doubtful, key=lambda one: -one.share)[:NAMED])


def _doubtful(part: Spiking, layer: int) -> list[Doubtful]:
    """The spikes that add most to the error of the adjoint of a layer."""
    least = np.partition(part.added, -NAMED)[-NAMED] if len(part.added) > NAMED else 0.0
    worst = np.flatnonzero((part.added >= least) & (part.added > 0)).tolist()
    total, times = float(part.added.sum()), in_numpy(part.step.times)
    places = (divmod(int(part.cell[k]), part.post) for k in worst)
    return [
        Doubtful(layer, *place, float(times[k]), float(part.kappa[k]), float(part.added[k]) / total)
        for k, place in zip(worst, places, strict=True)
    ]


def _norms(part: Part, layer: SynapticLayer) -> dict[str, float]:
    """The norm of the gradient of each block."""
    found = {}
    for name in part.squares:
        rows = slice(layer.pre, None) if name.endswith("_rec") else slice(layer.pre)
        block = in_numpy(getattr(part.step.gradients, name[0])[rows])
        for axis, size in enumerate(getattr(layer, name).shape):  # a delay that synapses share
            block = block.sum(axis, keepdims=True) if size == 1 else block
        found[name] = float(np.linalg.norm(block))
    return found


def _part(layer: SynapticLayer, n: int) -> Maximum | Integral | Spiking:
    record = layer.record
    if getattr(layer, "times", None) is not None:  # an `LI` layer
        raise no_record(f"layers[{n}]")
    if record is None:
        raise SpecError(f"layers[{n}]", "", "has no record of a step", "run a forward and a backward pass first")
    if layer.equations not in (LI, LIF):
        remedy = "compare with float64: `copy.deepcopy(network).double()`"
        raise UnsupportedError(f"layers[{n}]", "of LIF or LI neurons", Verbatim("other equations"), remedy)
    check_whole(record.step.problem, f"layers[{n}]")
    reads = Maximum if record.step.problem.rate < 0.0 else Integral
    return (reads if layer.equations == LI else Spiking)(record.step, record.kappa)


def _passed_on(source: Part, target: Part, n: int) -> np.ndarray:
    """Which spikes of a layer the next one receives, all or none of each train, `[n]`, boolean."""
    emitted = source.emitted if isinstance(source, Spiking) else np.empty(0, np.int64)
    if len(emitted) != len(target.counts) or ((target.counts != emitted) & (target.counts != 0)).any():
        remedy = "give the layers in order, each fed by the one before it"
        raise SpecError(f"layers[{n}]", "", f"receives other spikes than those of layers[{n - 1}]", remedy)
    return np.repeat(target.counts != 0, emitted)
