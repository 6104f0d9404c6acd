"""Spiking Speech Commands: 35 spoken words as spikes of 700 auditory channels, by many speakers.

Data of Cramer, Stradmann, Schemmel, Zenke, IEEE TNNLS 33 (2022), from zenkelab.org/resources:
`ssc_train.h5`, `ssc_valid.h5` and `ssc_test.h5` as published, in the layout of
`fast.data.spike_files`.
"""

from dataclasses import replace

from delayprop.fast.nn.synaptic_layer import LEAST_RECURRENT_DELAY
from delayprop.fast.tasks.spike_folder import SpikeFolder
from delayprop.fast.training.settings import Settings

DATA = SpikeFolder(
    "ssc", ("train", "valid", "test"), channels=700, classes=35, duration=1400.0,
    source="get them from zenkelab.org/resources",
)
# Two layers of 1024 as in the paper; the strength in the units of `fast.training.activity`.
PAPER = Settings(
    epochs=500, hidden=(1024, 1024), batch=256, duration=1000.0, readout="exp_weighted_voltage", w_mean=0.03,
    w_sd=0.01, inner_mean=0.02, inner_sd=0.03, out_sd=0.03, out_delays=False, delay=50.0, lr=1e-3, delay_lr=0.1,
    ease_in=0.01, spikes_strength=2e-9, wake=0.002, shift=40, patience=15,
)
PRESETS = {
    # Chosen on the validation split of ten of the words (`results/tried/words.jsonl`).
    "best": Settings(
        epochs=30, hidden=(256,), pool=5, batch=32, tau_mem=10.0, readout="exp_weighted_voltage", gain=300.0,
        rate=10.0, w_mean=0.0, w_sd=0.2, inner_mean=0.0, inner_sd=0.3, out_sd=0.01, out_delays=False, delay=100.0,
        max_delay=150.0, lr=2e-3, delay_lr=5.0, schedule="cosine", average=0.99, dropout=0.2,
        spikes_strength=5e-7, spikes_target=12.0, wake=0.05, shift=40, spread=0.1, move=150.0, blend_more=0.5,
    ),
    "paper-ff": PAPER,
    "paper-rec": replace(PAPER, hidden=(512,), recurrent=True, rec_delay=LEAST_RECURRENT_DELAY),
}
SETTINGS = Settings
add_options, prepare, splits = DATA.add_options, DATA.prepare, DATA.read
