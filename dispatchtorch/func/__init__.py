"""Transforms of functions: derivatives and vectorised calls, which can be composed: ``torch.func``.

A derivative is a walk over the tape (`autograd.tape`), a vectorised call a level of `batching`. Must not know: which
array library serves.
"""

from dispatchtorch.batching.mapping import vmap
from dispatchtorch.func.derivatives import grad, grad_and_value, jvp, linearize, vjp
from dispatchtorch.func.jacobians import hessian, jacfwd, jacrev
from dispatchtorch.func.modules import functional_call, replace_all_batch_norm_modules_, stack_module_state
from dispatchtorch.func.purity import debug_unwrap, functionalize

__all__ = [
    "debug_unwrap",
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]
