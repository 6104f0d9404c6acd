"""The slow, readable reference: exact simulation and its adjoint, one event at a time.

Reading order: `arithmetic`, `flow` (between events), `jumps` (at events), `events`, `simulate`
(forward), `readouts` (the loss), `adjoint` (backward), `run`.
"""

from delayprop.reference.run import run

__all__ = ["run"]
