"""torch's ``torch.testing``, and what a backend's author needs: the conformance kit, stand-in backends, liars.

Importing this room loads comparisons only; the kit is run by
``pytest --pyargs dispatchtorch.testing.conformance --backend NAME``.
"""

from dispatchtorch.testing.comparison import assert_close, make_tensor

__all__ = ["assert_close", "make_tensor"]
