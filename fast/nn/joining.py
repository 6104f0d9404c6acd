"""Arguments that must be `Spikes`, and the spikes of several populations as one."""

from collections.abc import Sequence

import torch

from delayprop.fast.nn.conversion import selected
from delayprop.fast.nn.spikes import Spikes
from delayprop.spec.errors import SpecError, Verbatim


def check_spikes(given: object, name: str = "spikes") -> None:
    """Refuse anything but `Spikes`, such as a raster; name the constructor of some."""
    if isinstance(given, Spikes):
        return
    shape = list(getattr(given, "shape", ()))
    got = Verbatim(f"{type(given).__name__} {shape}" if shape else type(given).__name__)
    trains, counts = "times [trial][neuron][spike], in ms", "counts [trials, steps, neurons]"
    remedy = f"`Spikes.from_trains` makes one of {trains}, `Spikes.from_dense` of {counts}"
    if len(shape) == 3:
        swapped = "use `raster.swapaxes(0, 1)` if time comes first"
        remedy = f"`Spikes.from_dense(raster, dt)` makes one of {counts}; {swapped}"
    raise SpecError(name, "a `delayprop.Spikes`", got, remedy)


def joined(parts: Sequence[Spikes]) -> Spikes:
    """The spikes of several populations as one: the neurons of all parts, in their order;
    `SpecError`: no parts, or parts of different numbers of trials or durations."""
    if len(parts) == 0:
        raise SpecError("parts", "a list of at least one `Spikes`", Verbatim("none"), "give the spikes to join")
    for n, part in enumerate(parts):
        check_spikes(part, f"parts[{n}]")
    if len(parts) == 1:
        return parts[0]
    trials, duration = parts[0].trials, parts[0].duration
    for n, part in enumerate(parts):
        if (part.trials, part.duration) != (trials, duration):
            expected = f"{trials} trials of {duration} ms, as in parts[0]"
            got = Verbatim(f"{part.trials} trials of {part.duration} ms")
            raise SpecError(f"parts[{n}]", expected, got, "join spikes of equal trials")
    lengths = torch.cat([part.offsets.diff() for part in parts])
    ends = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    numbers = torch.arange(len(lengths), device=lengths.device).split([trials * part.size for part in parts])
    trains = torch.cat([own.reshape(trials, part.size) for own, part in zip(numbers, parts, strict=True)], dim=1)
    times, offsets = selected(torch.cat([part.times for part in parts]), ends, trains.flatten())
    return Spikes(times, offsets, trials, trains.shape[1], duration)
