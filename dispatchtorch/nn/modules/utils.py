"""What libraries import from torch's module of this name: tuples of sizes, prefixes of states."""

from __future__ import annotations

from typing import Any

from dispatchtorch.nn.sizes import _list_with_default as _list_with_default
from dispatchtorch.nn.sizes import _ntuple as _ntuple
from dispatchtorch.nn.sizes import _pair as _pair
from dispatchtorch.nn.sizes import _quadruple as _quadruple
from dispatchtorch.nn.sizes import _reverse_repeat_tuple as _reverse_repeat_tuple
from dispatchtorch.nn.sizes import _single as _single
from dispatchtorch.nn.sizes import _triple as _triple

__all__ = ["consume_prefix_in_state_dict_if_present"]


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Takes a prefix off the keys of a state that have it, in place, as wrapping modules leave it.

    >>> state = {"module.weight": 1}
    >>> consume_prefix_in_state_dict_if_present(state, "module.")
    >>> state
    {'weight': 1}
    """
    for key in list(state_dict):
        if key.startswith(prefix):
            state_dict[key[len(prefix) :]] = state_dict.pop(key)
    metadata: dict[str, Any] = getattr(state_dict, "_metadata", {})
    for key in list(metadata):
        if key and (key == prefix.replace(".", "") or key.startswith(prefix)):
            metadata[key[len(prefix) :]] = metadata.pop(key)
