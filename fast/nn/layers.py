"""Layers as torch modules, with weights and delays as parameters."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn

from delayprop.fast.nn.autograd import propagate_neurons, propagate_on
from delayprop.fast.nn.layer_checks import check_arguments, check_lif, warn_of_seconds
from delayprop.fast.nn.other_tools import answers_foreign_words
from delayprop.fast.nn.samples import sample_times, sampled, within_trial
from delayprop.fast.nn.spikes import Spikes
from delayprop.fast.nn.spiking_layer import SpikingLayer
from delayprop.fast.nn.state import LayerState
from delayprop.fast.nn.synaptic_layer import Constant, SynapticLayer, population_of
from delayprop.fast.nn.wiring import Into, Mask, Wiring
from delayprop.spec import NEURONS, VOLTAGE_READOUTS, Neuron, SpecError, names
from delayprop.spec.checks import described, of_type, one_of, sequence
from delayprop.spec.errors import UnsupportedError, Verbatim, placed
from delayprop.spec.neuron import neuron_of
from delayprop.spec.readouts import SAMPLES

USUAL = {"tau_mem": 20.0, "tau_syn": 5.0, "v_th": 1.0, "v_reset": 0.0}
"""The constants of `LIF`, where none are given."""
CURRENTS = {"exc": ("E", "tau_exc"), "inh": ("G", "tau_inh")}
"""The two currents that a `LIF` layer may have: the state and the time constant of each."""


class LIF(SpikingLayer):
    """A layer of leaky integrate-and-fire (LIF) neurons: spikes in, spikes out.

    Args:
        pre, post: number of source and target neurons.
        tau_mem, tau_syn: time constants of membrane and synapse, ms: a number or `post` numbers; as
            `tau_syn={"exc": 3.0, "inh": 8.0}`, of two currents, the constants `tau_exc, tau_inh`.
        tau_rise: ms; the current of an arrival rises with it before it decays; None: at once.
        v_th, v_reset: threshold and reset: a number or `post` numbers.
        recurrent: whether the target neurons also reach each other, and themselves.
        max_delay: ms; upper bound that `project_` enforces, None for no bound.
        delays: "synaptic", "axonal" or "dendritic": each synapse, each source neuron or each target
            neuron has a delay.
        mask: `[pre, post]`, boolean: which synapses exist; None: all.
        mask_rec: `[post, post]`: the same of a recurrent layer's own synapses.
        into: with two currents, the one that a source raises: "exc" or "inh" for all, or `pre` of
            them (the states `E` and `G`); None: "exc". `into_rec`: the same of a recurrent layer's
            own synapses.
        dtype: float32 or float64.

    Attributes:
        w, d: weights `[pre, post]` and delays (ms), learned. Delays are `[pre, post]`, `[pre, 1]`
            (axonal) or `[1, post]` (dendritic).
        w_rec, d_rec: the same of a recurrent layer's own synapses, of `post` sources; else None.
            The weights begin at 0, the delays at 0.1 ms: `initialise_recurrent_` draws both.
        mask, mask_rec: which synapses exist; None: all.
        tau_mem, tau_syn, v_th, v_reset: `[post]`, learned after `requires_grad_()`.
        record: the `Record` of the last forward pass: conditioning of each spike, ties.
        warns_of_silence: whether the layer warns, once, if it emits no spike while it learns.

    Raises:
        SpecError: an argument that the specification refuses.

    torch's backward hooks of modules need tensors as inputs and outputs, so they skip this layer;
    `spikes.times.register_hook` works. `torch.compile` works; each layer is a graph break.
    """

    tau_mem: nn.Parameter
    tau_syn: nn.Parameter

    @answers_foreign_words
    def __init__(  # noqa: PLR0913 - all by name
        self, pre: int, post: int, *, tau_mem: Constant = 20.0, tau_syn: Constant | Mapping[str, Constant] = 5.0,
        v_th: Constant = 1.0, v_reset: Constant = 0.0, tau_rise: Constant | None = None, recurrent: bool = False,
        max_delay: float | None = None, delays: str = "synaptic", mask: Mask = None, mask_rec: Mask = None,
        into: Into = None, into_rec: Into = None, dtype: torch.dtype = torch.float32,
    ) -> None:
        name, taus = _synapse(tau_syn, tau_rise)
        others = {"tau_mem": tau_mem, "v_th": v_th, "v_reset": v_reset}
        words = {constant: f"tau_syn.{current}" for current, (_, constant) in CURRENTS.items()}
        for constant, tau in taus.items():  # each is checked, and named, as the one of LIF
            with placed("", {"tau_syn": words.get(constant, constant)}):
                population = population_of("lif", post, tau_syn=tau, **others)
        if name != "lif":
            population = population_of("neuron", post, neuron=NEURONS[name], constants={**others, **taus})
        raised = {"into": _state(name, into, "into"), "into_rec": _state(name, into_rec, "into_rec")}
        super().__init__(pre, population, recurrent, Wiring(max_delay, delays, mask, mask_rec, dtype=dtype, **raised))


def _synapse(tau_syn: Constant | Mapping[str, Constant], tau_rise: Constant | None) -> tuple[str, dict[str, Any]]:
    """The name in `NEURONS` of LIF neurons with such synapses, and the time constants of these."""
    if not isinstance(tau_syn, Mapping):
        risen = {} if tau_rise is None else {"tau_rise": tau_rise}
        return "rise" if risen else "lif", {"tau_syn": tau_syn, **risen}
    if set(tau_syn) != set(CURRENTS):
        got = Verbatim(f"a dict of {', '.join(map(str, tau_syn)) or 'nothing'}")
        raise SpecError("tau_syn", "one time constant (ms), or a dict of those of `exc` and `inh`", got, "give both")
    if tau_rise is not None:
        remedy = "`Spiking(pre, post, neuron=Neuron(...))` takes any equations"
        raise SpecError("tau_rise", "left out where `tau_syn` is a dict", tau_rise, remedy)
    return "two-synapses", {constant: tau_syn[current] for current, (_, constant) in CURRENTS.items()}


def _state(name: str, into: Into, word: str) -> Into:
    """`into` of a `LIF` layer with the neurons of this name, as states."""
    if into is None:
        return None
    if name != "two-synapses":
        raise SpecError(word, "left out", into, "`tau_syn={'exc': 3.0, 'inh': 8.0}` makes two currents")
    if isinstance(into, str):
        return CURRENTS[one_of(into, word, tuple(CURRENTS))][0]
    given = enumerate(sequence(into, word, None, "currents, one for each source neuron"))
    return [CURRENTS[one_of(each, f"{word}[{n}]", tuple(CURRENTS))][0] for n, each in given]


class Spiking(SpikingLayer):
    """A layer of neurons given by equations: spikes in, spikes out, and exact gradients.

    Args:
        neuron: a `Neuron`, or a name of `NEURONS`.
        into: state that the spikes of a source raise, where they arrive at several: the name of one
            for all sources, or `pre` names; None: the first. `into_rec`: the same of a recurrent
            layer's own synapses.
        constants: of the equations, by name: a number or `post` numbers. Those of `LIF` have its
            values unless given. Each may be an argument by itself, unless its name is that of
            another argument.

    All other arguments, attributes and errors: as `LIF`.

    Attributes:
        constants: the parameters `[post]` by name. Each is an attribute too, such as
            `layer.tau_a`, unless torch or the layer has an attribute of its name, as `w` or `half`.

    Raises:
        UnsupportedError: equations that `fast` does not run (docs/limits.md).
    """

    def __init__(
        self, pre: int, post: int, *, neuron: Neuron | str, recurrent: bool = False, max_delay: float | None = None,
        delays: str = "synaptic", mask: Mask = None, mask_rec: Mask = None, into: Into = None, into_rec: Into = None,
        dtype: torch.dtype = torch.float32, constants: Mapping[str, Constant] | None = None, **more: Constant,
    ) -> None:
        equations = neuron_of(neuron)
        usual = {name: value for name, value in USUAL.items() if name in equations.constants}
        given = _together({} if constants is None else constants, more)
        population = population_of("neuron", post, neuron=equations, constants=usual | given)
        if equations.spike is None:
            raise SpecError("neuron", "", "never spikes", "read its voltage with an LI layer, or give it a `spike`")
        wiring = Wiring(max_delay, delays, mask, mask_rec, into, into_rec, dtype)
        super().__init__(pre, population, recurrent, wiring)
        if not self.w.is_meta:  # which has no numbers: refused at the first call
            self.matrices()  # refuses neurons that no kernel runs


def _together(constants: Mapping[str, Constant], more: Mapping[str, Constant]) -> dict[str, Constant]:
    """Constants by name, and those that are arguments; `SpecError`: one is given twice."""
    of_type(constants, "constants", Mapping, "a dictionary of numbers by name", "give `constants={'tau_a': 40.0}`")
    given, arguments = (names.by_name(one, "constants") for one in (constants, more))
    if twice := [name for name in arguments if name in given]:
        raise SpecError(f"constants.{twice[0]}", "", "is an argument too", "give it once")
    return {**given, **arguments}


class ALIF(Spiking):
    """A layer of LIF neurons whose threshold each own spike raises by `beta`, which decays.

    Arguments, attributes and errors: as `LIF`, with `tau_a` (ms) and `beta` (in the unit of
    `v_th`).
    """

    def __init__(
        self, pre: int, post: int, *, tau_a: Constant = 100.0, beta: Constant = 0.2, **others: Any
    ) -> None:
        super().__init__(pre, post, neuron="alif", tau_a=tau_a, beta=beta, **others)


class AdLIF(Spiking):
    """A layer of LIF neurons with a current against the input, which each own spike raises by `b`
    and which decays with `tau_a` (ms). With `g` the voltage drives it too, by `g V / tau_a`, and it
    may oscillate. Arguments, attributes and errors: as `LIF`."""

    def __init__(
        self, pre: int, post: int, *, tau_a: Constant = 100.0, b: Constant = 0.3, g: Constant | None = None,
        **others: Any,
    ) -> None:
        coupled = {"neuron": "adlif"} if g is None else {"neuron": "coupled", "g": g}
        super().__init__(pre, post, tau_a=tau_a, b=b, **coupled, **others)


class LI(SynapticLayer):
    """A layer of leaky integrators (LI), which never spike: spikes in, `[trials, post]` out.

    Args:
        readout: `max_voltage`, `mean_voltage` or `exp_weighted_voltage`, per neuron and trial. The
            mean passes next to no gradient to the times of spikes long before the end, and so to
            the layers before it (specification, section 2). `samples`: the voltage at `times`.
        times: of the samples, ms, in order and within the trial, equal ones too: a list, an array
            or a tensor `[times]`; else absent.

    All other arguments, attributes and errors: as `LIF`, without threshold and reset. A layer that
    reads samples has no `record`.
    """

    tau_mem: nn.Parameter
    tau_syn: nn.Parameter

    @answers_foreign_words
    def __init__(
        self, pre: int, post: int, *, readout: str, times: Sequence[float] | Tensor | None = None,
        tau_mem: Constant = 20.0, tau_syn: Constant = 5.0, max_delay: float | None = None, delays: str = "synaptic",
        mask: Mask = None, dtype: torch.dtype = torch.float32,
    ) -> None:
        population = population_of("li", post, tau_mem=tau_mem, tau_syn=tau_syn)
        super().__init__(pre, population, Wiring(max_delay, delays, mask, dtype=dtype))
        self.readout = one_of(readout, "readout", (*VOLTAGE_READOUTS, SAMPLES.name))
        if times is not None and self.readout != SAMPLES.name:
            raise SpecError("times", f"absent with `{readout}`", described(times), 'give `readout="samples"`')
        self.times = sample_times(times) if self.readout == SAMPLES.name else None
        self._is_new = True  # until the first trials

    @overload
    def forward(self, spikes: Spikes, state: LayerState | None = None) -> Tensor: ...

    @overload
    def forward(
        self, spikes: Spikes, state: LayerState | None = None, *, return_state: Literal[True]
    ) -> tuple[Tensor, LayerState]: ...

    def forward(
        self, spikes: Spikes, state: LayerState | None = None, *, return_state: bool = False
    ) -> Tensor | tuple[Tensor, LayerState]:
        """The readout `[trials, post]`, of samples `[trials, post, times]`, given the spikes of the
        `pre` neurons.

        A readout is that of the window alone: the largest voltage since its start, which may be
        that of the state, or a mean over it. Arguments and errors: as `LIF`; `SpecError` for a time
        of a sample after the trial; `UnsupportedError` for samples of a window.
        """
        self._check_synapses()
        w, d, exists = self.synapses
        carried = None
        if state is not None or return_state:
            if self.readout == SAMPLES.name:
                remedy = "read `mean_voltage` or `max_voltage` in short windows"
                raise UnsupportedError("state", 'left out with `readout="samples"`', Verbatim("one"), remedy)
            _, y, self.record, carried = propagate_on(
                spikes, w, d, self.equations, self.constants, state=state, exists=exists, readout=self.readout
            )
        elif self.readout == SAMPLES.name:
            check_arguments(spikes, w, d, self.constants, exists, False)
            check_lif(dict(self.constants))
            times = within_trial(sample_times(self.times), spikes.duration)
            y = sampled(times, spikes, self.existing_w[0], d, self.constants).to(w.dtype)
        else:
            _, y, self.record = propagate_neurons(
                spikes, w, d, self.equations, self.constants, exists=exists, readout=self.readout
            )
        if self._is_new:
            self._is_new = False
            warn_of_seconds(self.all_d, spikes.duration)
        assert y is not None
        return (y, carried) if return_state and carried is not None else y

    def extra_repr(self) -> str:
        of = f" at {len(sample_times(self.times))} times" if self.readout == SAMPLES.name else ""
        return f"{super().extra_repr()}, readout={self.readout}{of}"


def check_layer(given: object, reads: bool = False) -> None:
    """Refuse anything but a layer that spikes, or a LIF or LI layer where its voltage is read."""
    remedy = "give one layer, such as `net[0]` of a `Sequential`; a `Network` has none (docs/limits.md)"
    kinds, expected = (LIF | LI, "a LIF or LI layer") if reads else (SpikingLayer, "a layer that spikes")
    of_type(given, "layer", kinds, expected, remedy)
    if reads and given.equations not in (NEURONS["lif"], NEURONS["li"]):  # type: ignore[attr-defined]
        remedy = "a `LIF` layer with one `tau_syn` has traces"
        raise SpecError("layer", "", "has other equations than LIF and LI", remedy)
