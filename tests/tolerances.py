"""Every tolerance of the suite, each with its reason. No test writes a number of its own.

`u` is the unit roundoff. The bounds are what the arithmetic costs, not what was measured: what was measured stays well
below them, and a fault of 0.1 % stands orders of magnitude above.
"""

from __future__ import annotations

U64 = 2.0**-53
U32 = 2.0**-24
