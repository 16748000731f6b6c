"""The plugin: oneDNN's convolutions and norms around those of the NumPy backend. Imports neither numpy nor oneDNN.

``DISPATCHTORCH_PLUGINS=dispatchtorch_onednn.plugin`` turns it on, ``pip install dispatchtorch[onednn]`` brings the
library.
"""

from __future__ import annotations

from dispatchtorch.plugin import Kernel, hookimpl

_CONVOLUTIONS = ("convolution", "convolution_weight")
_NORMS = tuple([f"{kind}_norm{way}" for kind in ("layer", "group", "batch") for way in ("", "_backward")])


@hookimpl
def dispatchtorch_wrap_kernel(op: str, backend: str, kernel: Kernel) -> Kernel | None:
    """Returns oneDNN's kernel, which hands on to ``kernel`` what it does not do; ImportError without the library."""
    if backend != "numpy" or op not in (*_CONVOLUTIONS, *_NORMS):
        return None
    from dispatchtorch_onednn import convolution, normalization  # a manifest loads nothing heavy

    wrap = convolution.around if op in _CONVOLUTIONS else normalization.around
    return wrap(op, kernel)
