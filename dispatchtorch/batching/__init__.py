"""Vectorised calls: one level of ``vmap`` is a backend whose arrays hold tensors with a batch dimension in front.

Because a level is a backend, everything above kernels (keys, promotion, composites, views, in-place writes, history)
works on batched tensors without knowing of them, and a level inside a level is a backend over a backend. Rules name
ops as a backend's kernels do; the room must not import any.
"""
