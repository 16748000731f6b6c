"""From a list of samples to a batch: tensors are stacked, numbers become tensors, containers are walked into.

A border to numpy: a program's data set may return its arrays and scalars.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any, Final

import numpy as np

from dispatchtorch._base.dtypes import float64
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor.tensor import Tensor
from dispatchtorch.utils.data.landing import stacked

__all__ = ["collate", "default_collate", "default_collate_fn_map", "default_convert"]

Rules = Mapping[Any, Callable[..., Any]]  # type, or tuple of types -> rule(batch, collate_fn_map=rules)

_REFUSED: Final = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


def _without_numbers(array: Any) -> bool:
    """Returns whether a host array holds strings or objects."""
    return array.dtype.kind in "SaUO"


def _mapped(mapping: Any, each: Callable[[Any], Any]) -> Any:
    """Returns a mapping of the same type with ``each(key)`` as values; a dict where its type cannot be made again."""
    values = {key: each(key) for key in mapping}
    try:
        if isinstance(mapping, MutableMapping):
            twin = copy.copy(mapping)  # it may have properties that a new one would lack
            twin.update(values)
            return twin
        return type(mapping)(values)  # tried, as torch does
    except TypeError:
        return values


def _listed(sequence: Any, items: list[Any]) -> Any:
    """Returns a sequence of the same type with other items; a list where its type cannot be made again."""
    try:
        if isinstance(sequence, MutableSequence):
            twin = copy.copy(sequence)
            for i, item in enumerate(items):
                twin[i] = item
            return twin
        return type(sequence)(items)  # tried, as torch does
    except TypeError:
        return items


def _is_namedtuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def default_convert(data: Any) -> Any:
    """Returns data with its numpy arrays and scalars as tensors; containers are walked into, all else stays.

    >>> from dispatchtorch.utils.data import default_convert
    >>> import numpy
    >>> default_convert([numpy.array([0, 1]), "a", 2])
    [tensor([0, 1]), 'a', 2]
    """
    if isinstance(data, Tensor):
        return data
    if isinstance(data, np.ndarray) or (isinstance(data, np.generic) and not isinstance(data, (str, bytes))):
        return (
            data
            if isinstance(data, np.ndarray) and _without_numbers(data)
            else FUNCTIONS["as_tensor"](np.asarray(data))
        )
    if isinstance(data, Mapping):
        return _mapped(data, lambda key: default_convert(data[key]))
    if _is_namedtuple(data):
        return type(data)(*[default_convert(d) for d in data])
    if isinstance(data, tuple):
        return [default_convert(d) for d in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _listed(data, [default_convert(d) for d in data])
    return data


def collate(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    """Returns a batch made of samples by the rules of a map from types to functions; containers need no rule.

    RuntimeError for sequences of unequal length, TypeError for a type without a rule.
    """
    first = batch[0]
    kind = type(first)
    rule = _rule(first, collate_fn_map or {})
    if rule is not None:
        return rule(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        return _mapped(first, lambda key: collate([d[key] for d in batch], collate_fn_map=collate_fn_map))
    if _is_namedtuple(first):
        return kind(*[collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch)])
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        columns = [collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch)]
        return columns if isinstance(first, tuple) else _listed(first, columns)
    raise TypeError(_REFUSED.format(kind))


def _rule(first: Any, rules: Rules) -> Callable[..., Any] | None:
    exact = rules.get(type(first))
    if exact is not None:
        return exact
    return next((rule for kinds, rule in rules.items() if isinstance(first, kinds)), None)


def _collate_tensors(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    return stacked(batch)


def _collate_arrays(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    if _without_numbers(batch[0]):
        raise TypeError(_REFUSED.format(batch[0].dtype))
    return collate([FUNCTIONS["as_tensor"](b) for b in batch], collate_fn_map=collate_fn_map)


def _collate_scalars(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    return FUNCTIONS["as_tensor"](np.array(batch))


def _collate_floats(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    return FUNCTIONS["tensor"](batch, dtype=float64)


def _collate_ints(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    return FUNCTIONS["tensor"](batch)


def _collate_strings(batch: Any, *, collate_fn_map: Rules | None = None) -> Any:
    return batch


default_collate_fn_map: dict[Any, Callable[..., Any]] = {
    Tensor: _collate_tensors,
    np.ndarray: _collate_arrays,
    (np.bool_, np.number, np.object_): _collate_scalars,
    float: _collate_floats,
    int: _collate_ints,
    str: _collate_strings,
    bytes: _collate_strings,
}


def default_collate(batch: Any) -> Any:
    """Returns a batch made of samples: what `DataLoader` does unless it is told otherwise.

    >>> from dispatchtorch.utils.data import default_collate
    >>> default_collate([{"x": 1, "name": "a"}, {"x": 2, "name": "b"}])
    {'x': tensor([1, 2]), 'name': ['a', 'b']}
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
