"""Grades another simulator against the conformance set; `README.md` beside this file explains how.

    from delayprop.spec.conformance import check
    print(check(my_function))
"""

from delayprop.spec.conformance.report import Report, check

__all__ = ["Report", "check"]
