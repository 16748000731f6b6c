"""``torch._C``: the few of its names that programs and libraries use, most to do with ``__torch_function__``."""

from dispatchtorch.dispatch.overriding import DisableTorchFunction as DisableTorchFunction
from dispatchtorch.dispatch.overriding import DisableTorchFunctionSubclass as DisableTorchFunctionSubclass
from dispatchtorch.dispatch.overriding import disabled_torch_function_impl as _disabled_torch_function_impl

__all__ = [
    "DisableTorchFunction",
    "DisableTorchFunctionSubclass",
    "_disabled_torch_function_impl",
    "_log_api_usage_once",
]


def _log_api_usage_once(event: str, /) -> None:
    """Does nothing: which interfaces a program uses is not logged."""
