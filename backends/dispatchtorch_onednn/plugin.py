"""The plugin: oneDNN's convolutions around those of the NumPy backend. Imports neither numpy nor oneDNN.

``DISPATCHTORCH_PLUGINS=dispatchtorch_onednn.plugin`` turns it on, ``pip install dispatchtorch[onednn]`` brings the
library.
"""

from __future__ import annotations

from dispatchtorch.plugin import Kernel, hookimpl


@hookimpl
def dispatchtorch_wrap_kernel(op: str, backend: str, kernel: Kernel) -> Kernel | None:
    """Returns oneDNN's kernel, which hands on to ``kernel`` what it does not do; ImportError without the library."""
    if backend != "numpy" or op not in ("convolution", "convolution_weight"):
        return None
    from dispatchtorch_onednn import convolution  # a manifest loads nothing heavy

    return convolution.around(op, kernel)
