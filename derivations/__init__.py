"""Why the formulas are right: every one of them proved by SymPy from the dynamics alone.

`formulas.py` holds the claims, `symbols.py` the one name of each symbol, `proof.py` what counts as a proof; the other
modules are the proofs, in the order of `chapters.py`. `python -m derivations` runs them all.
"""
