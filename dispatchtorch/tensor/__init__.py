"""What a tensor is, as data: storage, version, lens, printed form, and the border to host arrays.

Layer 2: knows backends and dtypes; knows no op and no gradient rule.
"""
