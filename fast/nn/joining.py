"""Populations side by side as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.trials import check_spikes
from delayprop.spec import SpecError
from delayprop.spec.errors import Verbatim


def joined(parts: Sequence[Spikes]) -> Spikes:
    """The spikes of several populations as one: the neurons of all parts, in their order.

    Raises:
        SpecError: no parts, or parts of different numbers of trials or durations.
    """
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
    counts = torch.cat([part.counts() for part in parts], dim=1)
    offsets = torch.cat([counts.new_zeros(1), counts.flatten().cumsum(0)])
    numbers = torch.arange(counts.numel(), device=counts.device).reshape(counts.shape)
    trains = zip(numbers.split([part.size for part in parts], dim=1), parts, strict=True)
    train = torch.cat(
        [own.flatten().repeat_interleave(part.offsets.diff(), output_size=len(part.times)) for own, part in trains]
    )
    order = torch.argsort(train, stable=True)
    times = torch.cat([part.times for part in parts])[order]
    return Spikes(times, offsets, trials, counts.shape[1], duration)
