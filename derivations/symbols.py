"""One identifier per symbol, shared by these proofs, the reference and the prose.

Superscripts of the paper are suffixes: `lambda_V_minus` is `lambda_V` just before an event in
forward time, `lambda_V_plus` just after. Times are in ms. A symbol is declared positive if the
model needs it positive; no other sign is assumed.
"""

import sympy as sp

# State of a neuron and its slopes; the current after an arrival is also called I.
V, I = sp.symbols("V I", real=True)
Vdot_minus, Vdot_plus = sp.symbols("Vdot_minus Vdot_plus", real=True)

# Parameters of the neuron and of the synapse.
tau_mem, tau_syn = sp.symbols("tau_mem tau_syn", positive=True)
v_th, v_reset, w = sp.symbols("v_th v_reset w", real=True)
d = sp.Symbol("d", nonnegative=True)

# Instants are t; durations are h (a whole interval between events) and s (a part of one).
t_post, t_in = sp.symbols("t_post t_in", real=True)
h, s = sp.symbols("h s", positive=True)
T = sp.Symbol("T", positive=True)

# Adjoint variables.
lambda_V, lambda_I = sp.symbols("lambda_V lambda_I", real=True)
lambda_V_minus, lambda_V_plus = sp.symbols("lambda_V_minus lambda_V_plus", real=True)

# Derivatives of the loss; the running loss around a spike; the rate of its weight exp(-r t).
dL_dt_post, dL_dy, dl_p_dt_post = sp.symbols("dL_dt_post dL_dy dl_p_dt_post", real=True)
dL_dt_arr_down, l_V_minus, l_V_plus = sp.symbols("dL_dt_arr_down l_V_minus l_V_plus", real=True)
r = sp.Symbol("r", positive=True)
