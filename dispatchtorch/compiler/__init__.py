"""torch.compiler: what programs ask of a compiler and tell it. Outside of one each answer is that of eager PyTorch."""

from __future__ import annotations

from dispatchtorch.compiler.compiled import compile
from dispatchtorch.compiler.marks import (
    allow_in_graph,
    assume_constant_result,
    cudagraph_mark_step_begin,
    disable,
    is_compiling,
    is_dynamo_compiling,
    is_exporting,
    keep_tensor_guards_unsafe,
    list_backends,
    nested_compile_region,
    reset,
    set_enable_guard_collectives,
    set_stance,
    skip_all_guards_unsafe,
    skip_guard_on_all_nn_modules_unsafe,
    skip_guard_on_inbuilt_nn_modules_unsafe,
    substitute_in_graph,
    wrap_numpy,
)

__all__ = [
    "allow_in_graph", "assume_constant_result", "compile", "cudagraph_mark_step_begin", "disable", "is_compiling",
    "is_dynamo_compiling", "is_exporting", "keep_tensor_guards_unsafe", "list_backends", "nested_compile_region",
    "reset", "set_enable_guard_collectives", "set_stance", "skip_all_guards_unsafe",
    "skip_guard_on_all_nn_modules_unsafe", "skip_guard_on_inbuilt_nn_modules_unsafe", "substitute_in_graph",
    "wrap_numpy",
]  # fmt: skip
