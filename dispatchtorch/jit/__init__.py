"""torch.jit: what libraries decorate with it and ask of it. Nothing is scripted: Python runs the program.

`script` and `trace` give back what they are given, which computes the same. What only a compiled program could do, to
be saved without its source, is refused with a sentence.
"""

from dispatchtorch.jit import annotations as annotations
from dispatchtorch.jit.marks import (
    Attribute,
    Error,
    Final,
    TracerWarning,
    annotate,
    export,
    ignore,
    interface,
    isinstance,
    unused,
)
from dispatchtorch.jit.programs import (
    Future,
    ScriptFunction,
    ScriptModule,
    enable_onednn_fusion,
    fork,
    freeze,
    fuser,
    is_scripting,
    is_tracing,
    load,
    onednn_fusion_enabled,
    optimize_for_inference,
    optimized_execution,
    save,
    script,
    script_if_tracing,
    script_method,
    set_fusion_strategy,
    strict_fusion,
    trace,
    trace_module,
    wait,
)

__all__ = [
    "Attribute", "Error", "Final", "Future", "ScriptFunction", "ScriptModule", "TracerWarning", "annotate",
    "annotations", "enable_onednn_fusion", "export", "fork", "freeze", "fuser", "ignore", "interface",
    "is_scripting", "is_tracing", "isinstance", "load", "onednn_fusion_enabled", "optimize_for_inference",
    "optimized_execution", "save", "script", "script_if_tracing", "script_method", "set_fusion_strategy",
    "strict_fusion", "trace", "trace_module", "unused", "wait",
]  # fmt: skip
