"""torch.compiler: functions become programs, where a backend has a compiler; what code asks of one and tells it."""

from __future__ import annotations

from dispatchtorch.compiler.compiled import reset
from dispatchtorch.compiler.entry import compile, explain, list_backends
from dispatchtorch.compiler.marks import (
    allow_in_graph,
    assume_constant_result,
    cudagraph_mark_step_begin,
    disable,
    is_compiling,
    is_dynamo_compiling,
    is_exporting,
    keep_tensor_guards_unsafe,
    nested_compile_region,
    set_enable_guard_collectives,
    set_stance,
    skip_all_guards_unsafe,
    skip_guard_on_all_nn_modules_unsafe,
    skip_guard_on_inbuilt_nn_modules_unsafe,
    substitute_in_graph,
    wrap_numpy,
)

__all__ = [
    "allow_in_graph", "assume_constant_result", "compile", "cudagraph_mark_step_begin", "disable", "explain",
    "is_compiling",
    "is_dynamo_compiling", "is_exporting", "keep_tensor_guards_unsafe", "list_backends", "nested_compile_region",
    "reset", "set_enable_guard_collectives", "set_stance", "skip_all_guards_unsafe",
    "skip_guard_on_all_nn_modules_unsafe", "skip_guard_on_inbuilt_nn_modules_unsafe", "substitute_in_graph",
    "wrap_numpy",
]  # fmt: skip
