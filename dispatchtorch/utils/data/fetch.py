"""What takes samples out of a data set and joins them: by place, in a row, or whole rows of tensors at once.

The same in this process and in workers. Must not know: processes, samplers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dispatchtorch._base.dtypes import int64
from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.utils.data.collate import default_collate, default_collate_fn_map
from dispatchtorch.utils.data.dataset import Subset, TensorDataset
from dispatchtorch.utils.data.landing import gathered

__all__ = ["fetcher"]

Fetch = Callable[[Any], Any]

_PLAIN_RULES: Final = dict(default_collate_fn_map)


def fetcher(dataset: Any, in_a_row: bool, collate: Callable[[Any], Any], batched: bool, drop_last: bool) -> Fetch:
    """Returns the function from what a sampler gave to a batch; StopIteration at the end of a row."""
    if in_a_row:
        return _row_fetcher(dataset, collate, batched, drop_last)
    return _place_fetcher(dataset, collate, batched)


def _row_fetcher(dataset: Any, collate: Callable[[Any], Any], batched: bool, drop_last: bool) -> Fetch:
    """Returns what takes the next samples of a row, as many as there are places; StopIteration at its end."""
    source = iter(dataset)
    if not batched:
        return lambda place: collate(next(source))
    ended = False

    def fetch(places: list[Any]) -> Any:
        nonlocal ended
        if ended:
            raise StopIteration
        samples = [sample for _, sample in zip(places, source)]
        ended = len(samples) < len(places)
        if not samples or (drop_last and ended):
            raise StopIteration
        return collate(samples)

    return fetch


def _place_fetcher(dataset: Any, collate: Callable[[Any], Any], batched: bool) -> Fetch:
    """Returns what takes the samples at given places."""
    if not batched:
        return lambda place: collate(dataset[place])
    several = getattr(dataset, "__getitems__", None)

    def fetch(places: list[Any]) -> Any:
        return collate(several(places) if several else [dataset[i] for i in places])

    whole = _tensors_behind(dataset) if collate is default_collate else None
    if whole is None:
        return fetch
    tensors, indices = whole
    count = len(tensors[0])

    def fetch_whole(places: list[Any]) -> Any:
        try:
            rows = places if indices is None else [indices[i] for i in places]
            if min(rows) < 0 or max(rows) >= count:
                return fetch(places)
            where = FUNCTIONS["tensor"](rows, dtype=int64, device=tensors[0].device, backend=tensors[0].backend)
        except (TypeError, ValueError, IndexError):
            return fetch(places)
        return [gathered(t, where) for t in tensors]

    return fetch_whole


def _tensors_behind(dataset: Any) -> tuple[Any, Any] | None:
    """Returns the tensors, and the subset's places in them, of a data set whose batch is a choice of rows; else None.

    Only where nothing can be told apart from stacking samples: plain classes, default rules, no gradient required.
    """
    indices = None
    if type(dataset) is Subset:
        dataset, indices = dataset.dataset, dataset.indices
    if type(dataset) is not TensorDataset or default_collate_fn_map != _PLAIN_RULES:
        return None
    tensors = dataset.tensors
    alike = all(t.device == tensors[0].device and t.backend == tensors[0].backend for t in tensors)
    return (tensors, indices) if alike and not any(t.requires_grad for t in tensors) else None
