"""The plugin: oneDNN's kernels around those of the NumPy backend. Imports neither numpy nor oneDNN.

``DISPATCHTORCH_PLUGINS=dispatchtorch_onednn.plugin`` turns it on, ``pip install dispatchtorch[onednn]`` brings the
library.
"""

from __future__ import annotations

from importlib import import_module

from dispatchtorch.plugin import Kernel, hookimpl

_ROOMS = {
    "convolution": ("convolution", "convolution_weight"),
    "normalization": tuple([f"{kind}_norm{way}" for kind in ("layer", "group", "batch") for way in ("", "_backward")]),
    "activation": ("gelu", "silu", "sigmoid"),
}
_ROOM_OF = {op: room for room, ops in _ROOMS.items() for op in ops}


@hookimpl
def dispatchtorch_wrap_kernel(op: str, backend: str, kernel: Kernel) -> Kernel | None:
    """Returns oneDNN's kernel, which hands on to ``kernel`` what it does not do; ImportError without the library."""
    room = _ROOM_OF.get(op) if backend == "numpy" else None
    if room is None:
        return None
    wrap: Kernel = import_module(f"dispatchtorch_onednn.{room}").around  # a manifest loads nothing heavy
    wrapped: Kernel = wrap(op, kernel)
    return wrapped
