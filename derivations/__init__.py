"""Why the formulas are right: SymPy proves each of them from the dynamics alone.

`linear_neuron.py` holds the claims, `formulas.py` those in the words of the paper and of error
bars, `symbols.py` the names of symbols, and `proof.py` defines a proof. The other modules are
proofs, in the order of `chapters.py`; `python -m derivations` runs them all.
"""
