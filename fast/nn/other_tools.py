"""Words of torch, snnTorch, Norse, SpikingJelly and lava-dl, each with its answer here.

`docs/from-other-tools.md` has the tables.
"""

from delayprop.spec.checks import answering

PAGE = "docs/from-other-tools.md"

_OUT = "left out"
_DRAWN = "`layer.initialise_(w_mean, w_std, d_max)` draws weights and delays"
_ANSWERS = (  # words, what they must be, and what to do
    ("bias", _OUT, f"subtract a constant current from `v_th` and `v_reset`, which is exact; {PAGE}, A bias"),
    ("beta", "given as `tau_mem` (ms)", "`tau_mem = -dt / math.log(beta)`, with the step `dt` in ms"),
    ("alpha", "given as `tau_syn` (ms)", "`tau_syn = -dt / math.log(alpha)`, with the step `dt` in ms"),
    ("tau", "given as `tau_mem` and `tau_syn` (ms)", f"multiply steps by their width in ms; {PAGE}"),
    ("tau_mem_inv", "given as `tau_mem` (ms)", "`tau_mem = 1000 / tau_mem_inv`, if that is per s"),
    ("tau_syn_inv", "given as `tau_syn` (ms)", "`tau_syn = 1000 / tau_syn_inv`, if that is per s"),
    ("reset_mechanism", _OUT, "a spike sets the voltage to `v_reset`; no threshold is subtracted"),
    ("device", _OUT, "`layer.to(device)` moves a layer"),
    ("readout", _OUT, "a `LIF` layer returns spikes; `LI(pre, post, readout=...)` is read"),
    ("tau_m", "given as `tau_mem` (ms)", "rename it"),
    ("tau_s", "given as `tau_syn` (ms)", "rename it"),
    ("delay_max", "given as `max_delay` (ms)", f"rename it: an upper bound; {_DRAWN}"),
    ("d_max", _OUT, f"{_DRAWN}; `max_delay` bounds them"),
    ("mean", "given as `w_mean`", _DRAWN),
    ("std", "given as `w_std`", _DRAWN),
    ("dropout", _OUT, "between layers, `spikes.keep(mask)` drops neurons"),
    ("batch_first", _OUT, "a `Spikes` holds times of trials; `Spikes.from_dense` takes a raster with trials first"),
    ("sparsity density", "given as `mask`", "booleans, `[pre, post]`: which synapses exist"),
    ("threshold v_threshold", "given as `v_th`", "rename it"),
    ("in_features input_size", "given as `pre`", "rename it"),
    ("out_features hidden_size", "given as `post`", "rename it"),
    ("v_leak v_rest", _OUT, "the resting voltage is 0: subtract it from `v_th` and `v_reset`"),
    ("refractory refractory_period refrac tau_ref t_ref", _OUT,
     "there is no refractory period; a `v_reset` below 0 delays the next spike"),
    ("spike_grad surrogate_function surrogate_disable method detach_reset", _OUT,
     "the gradient is exact: there is no surrogate"),
    ("learn_alpha learn_beta learn_threshold", _OUT,
     "`layer.tau_mem.requires_grad_()` makes a constant learn; so do `tau_syn`, `v_th`, `v_reset`"),
    ("dt init_hidden reset_delay step_mode store_v_seq output", _OUT,
     "there is no time step and no state: each call begins at 0"),
    ("d delay", _OUT, "the delays are `layer.d`: `layer.initialise_(w_mean, w_std, d_max)` draws them"),
    ("w weight weights", _OUT, "the weights are `layer.w`: `layer.initialise_(w_mean, w_std)` draws them"),
    ("v_th v_reset recurrent", _OUT, "LI neurons never spike: make a `LIF` layer"),
)
KEYWORDS = {word: (expected, remedy) for words, expected, remedy in _ANSWERS for word in words.split()}
"""Arguments that a layer lacks: what they must be, and what to do."""

_LAYER = "`LIF(pre, post)` has weights, delays, synapses and neurons in one layer"
_REPLACED = {  # words, and what takes their place
    "Leaky Synaptic Alpha Lapicque LIFNode IFNode ParametricLIFNode IF Lif Dense": _LAYER,
    "LIFCell LIFFeedForwardCell LIFParameters LIFState":
        f"{_LAYER}, and takes whole trials: there is no loop over time",
    "RLeaky RSynaptic LIFRecurrent LIFRecurrentCell LinearRecurrentContainer":
        "`LIF(pre, post, recurrent=True)` is a recurrent layer",
    "LSNN LSNNRecurrent": "`ALIF(pre, post)` is a layer whose thresholds adapt",
    "ada_lif_step": "`AdLIF(pre, post)` is a layer with adaptation currents",
    "LICell LILinearCell NonSpikingLIFNode":
        "`LI(pre, post, readout=...)` has weights, delays, synapses and neurons in one layer",
    "Delay SynapticDelay SynapseFilter": f"{_LAYER}; `layer.d` are the delays, in ms",
    "SequentialState Sequential": "`torch.nn.Sequential` holds layers: there is no state",
    "reset reset_net functional": "there is no state to reset: each call begins at 0",
    "surrogate spikegen encoding": "the gradient is exact, and spikes are times: see `Spikes`",
    "ce_count_loss ce_rate_loss mse_count_loss":
        "counts have no gradient: `cross_entropy` of an `LI` readout, or `spike_time_mse`",
    "ce_max_membrane_loss": "`cross_entropy` of `LI(..., readout='max_voltage')`",
    "mse_temporal_loss": "`spike_time_mse` compares spike times, in ms",
    "Linear Dropout Module": "use that of `torch.nn`; between layers, `spikes.keep(mask)` drops neurons",
}
_GONE = dict.fromkeys(  # names of earlier versions
    ("rounding", "Rounding", "Doubtful"),
    "repeat a step with `copy.deepcopy(layer).double()`, as `delayprop train` does for its certificate "
    "(docs/tutorials/certificate.md)",
)
NAMES = {word: f"{answer} ({PAGE})" for words, answer in _REPLACED.items() for word in words.split()} | _GONE
"""Names that `delayprop` lacks, with the name that takes their place, and a page."""

_OF_TENSORS = (  # functions of torch, and what to do with spikes instead
    ("dropout alpha_dropout feature_dropout", "`spikes.keep(torch.rand(spikes.shape) >= 0.3)` drops neurons"),
    ("relu relu_ leaky_relu elu gelu selu silu softplus sigmoid tanh softmax log_softmax hardtanh",
     "leave it out: layers that spike are nonlinear by themselves"),
    ("linear conv1d conv2d conv3d", "`LIF(pre, post)` has weights onto its neurons, and `LI` reads spikes"),
    ("batch_norm layer_norm", "leave it out: `layer.scale_for_(spikes, rate)` scales weights"),
    ("cross_entropy_loss cross_entropy nll_loss mse_loss binary_cross_entropy",
     "`cross_entropy` of an `LI` readout and `spike_time_mse` are losses; counts have no gradient"),
    ("cat stack concat vstack hstack", "`joined([spikes, ...])` puts neurons side by side"),
    ("flatten reshape view dim unsqueeze", "`spikes.shape` is [trials, size]"),
)
OF_TENSORS = {word: remedy for words, remedy in _OF_TENSORS for word in words.split()}
"""Functions of torch that take no spikes: what to do."""
TIMES = "`spikes.times` are the times, `spikes.first()` the first ones, `spikes.to_dense(dt)` counts on a grid"

answers_foreign_words = answering(KEYWORDS)
"""A function that refuses arguments of other tools by `SpecError`, with their name here."""
