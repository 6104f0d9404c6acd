"""The slow, readable reference: exact simulation and its adjoint, one event at a time.

No neuron is built in: `spec.neuron` gives the matrices of any. Reading order: `arithmetic`, `flow`
(between events), `equations` (of a neuron), `crossing` (when it spikes), `events`, `simulate`
(forward), `readouts` (the loss), `jumps` (of the adjoint, at events), `adjoint` (backward), `run`.
"""

from delayprop.reference.run import run

__all__ = ["run"]
