"""``torch._C``: the few of its names that programs use, to do with ``__torch_function__``."""

from dispatchtorch.dispatch.overriding import DisableTorchFunction as DisableTorchFunction
from dispatchtorch.dispatch.overriding import DisableTorchFunctionSubclass as DisableTorchFunctionSubclass
from dispatchtorch.dispatch.overriding import disabled_torch_function_impl as _disabled_torch_function_impl

__all__ = ["DisableTorchFunction", "DisableTorchFunctionSubclass", "_disabled_torch_function_impl"]
