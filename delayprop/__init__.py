"""Exact gradients of weights and delays in spiking networks, for PyTorch.

    from delayprop import LIF, Spikes, cross_entropy

`delayprop.public` lists the public names; the first use of one imports them all. The command
`delayprop` trains, evaluates and grades: `delayprop --help`.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from delayprop.public import *  # noqa: F403  # the names that `__getattr__` finds
else:

    def __getattr__(name: str) -> object:
        """A public name; imported late, since PyTorch and Numba take seconds."""
        if name == "__all__" or not name.startswith("_"):
            import delayprop.public as public

            if hasattr(public, name):
                return getattr(public, name)
            from delayprop.fast.nn.other_tools import NAMES

            if name in NAMES:  # `from delayprop import` would replace the words of an AttributeError
                raise ImportError(f"delayprop has no `{name}`: {NAMES[name]}", name=name)
        raise AttributeError(f"module 'delayprop' has no attribute {name!r}")

    def __dir__() -> list[str]:
        import delayprop.public as public

        return sorted([*globals(), *public.__all__])
