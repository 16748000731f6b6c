"""Writing along one dimension where an index tensor says: `scatter` and `index_add` families, `put_`.

The `scatter` family writes one element for each of the index, the `index_add` family one slice for each of a vector.
A 0-dimensional tensor counts as one of a single element, as in torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dispatchtorch._base.dtypes import BOOL, COMPLEX
from dispatchtorch.dispatch.overlap import require_apart
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS, composite, primitive
from dispatchtorch.ops.index import BOUNDS, int_index, within
from dispatchtorch.ops.samples import Maker, Sample
from dispatchtorch.ops.view import reshape
from dispatchtorch.tensor.sizes import wrap_dim
from dispatchtorch.tensor.tensor import Tensor

Number = int | float | complex | bool


def _gather(g: Tensor, dim: int, index: Tensor) -> Tensor:
    return FUNCTIONS["gather"](g, dim, index)  # type: ignore[no-any-return]  # declared in `gather`, which stands on this


def _select(g: Tensor, dim: int, index: Tensor) -> Tensor:
    return FUNCTIONS["index_select"](g, dim, index)  # type: ignore[no-any-return]  # as above


# --- one place for each element of the index -------------------------------------------------------------------------


@primitive(
    grad={
        "input": lambda g, dim, index: _scatter_value(g, dim, index, 0.0, "set"),
        "src": lambda g, dim, index: _gather(g, dim, index),
    },
    node="ScatterBackward0",
    inplace=True,
    inputs="apart",
)
def _scatter(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Returns ``input`` with ``src`` written."""
    ...


@primitive(
    grad={"input": lambda g, dim, index: _scatter_value(g, dim, index, 0.0, "set")},
    node="ScatterBackward1",
    inplace=True,
    inputs="apart",
)
def _scatter_value(input: Tensor, dim: int, index: Tensor, value: Number, mode: str) -> Tensor:
    """Returns ``input`` with one number combined."""
    ...


@primitive(
    grad={"input": lambda g: g, "src": lambda g, dim, index: _gather(g, dim, index)},
    node="ScatterAddBackward0",
    inplace=True,
    inputs="apart",
)
def _scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Returns ``input`` with ``src`` added."""
    ...


@primitive(
    grad={
        ("input", "src"): lambda g, input, src, dim, index, mode, include_self, out: _reduced_backward(
            g, input, src, dim, index, mode, include_self, out
        )
    },
    node="ScatterReduceBackward0",
    inplace=True,
    inputs="apart",
)
def _scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, mode: str, include_self: bool) -> Tensor:
    """Returns ``input`` with ``src`` combined by ``mode``: sum, prod, mean, amax, amin."""
    ...


def _reduced_backward(
    g: Tensor, input: Tensor, src: Tensor, dim: int, index: Tensor, mode: str, include_self: bool, out: Tensor
) -> tuple[Tensor, Tensor]:
    ones = FUNCTIONS["ones_like"]
    g_input, g_src = g, _gather(g, dim, index)
    if mode == "mean":
        count = (ones if include_self else FUNCTIONS["zeros_like"])(input)
        count = _scatter_add(count, dim, index, ones(src))
        count = METHODS["masked_fill"](count, count == 0, 1.0)
        g_input = g / count
        g_src = _gather(g / count, dim, index)
    elif mode == "prod":
        g_input, g_src = _product_backward(g, input, src, dim, index, include_self, out)
    elif mode in ("amax", "amin"):
        mine = METHODS["to"](input == out, g._key.dtype)
        theirs = METHODS["to"](src == _gather(out, dim, index), g._key.dtype)
        count = _scatter_add(mine, dim, index, theirs)  # as torch: the input counts even where it is left out
        count = METHODS["masked_fill"](count, count == 0, 1.0)
        g_input, g_src = g * mine / count, _gather(g / count, dim, index) * theirs
    if not include_self:
        g_input = _scatter_value(g_input, dim, index, 0.0, "set")
    return g_input, g_src


def _product_backward(
    g: Tensor, input: Tensor, src: Tensor, dim: int, index: Tensor, include_self: bool, out: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the gradients of a product, each the product of the other factors, also where one factor is zero."""
    fill = METHODS["masked_fill"]
    nonzero = fill(input, input == 0, 1.0)
    g_input = g * _scatter_reduce(nonzero, dim, index, src, "prod", include_self) / nonzero
    zero = src == 0
    zeros = _scatter_add(FUNCTIONS["zeros_like"](input), dim, index, METHODS["to"](zero, input._key.dtype))
    lone = METHODS["logical_and"](zero, _gather(zeros, dim, index) == 1)
    others = _scatter_reduce(input, dim, index, fill(src, lone, 1.0), "prod", include_self)
    plain = _gather(g * out, dim, index) / fill(src, zero, 1.0)
    return g_input, FUNCTIONS["where"](lone, _gather(g * others, dim, index), plain)


def _checked(op: str, input: Tensor, dim: int, index: Tensor, src: Tensor | None) -> int:
    shape, wanted = input._a.shape, index._a.shape
    ndim = len(shape)
    if type(dim) is not int or not 0 <= dim < ndim:
        dim = wrap_dim(dim, ndim)
    if src is not None and src._key.dtype is not input._key.dtype:
        raise RuntimeError(f"{op}(): Expected self.dtype to be equal to src.dtype")
    if not index._a.size:
        return dim
    int_index(index, op)
    given = wanted if src is None else src._a.shape
    if wanted != shape or given != shape:
        _check_sizes(tuple(shape), dim, tuple(wanted), None if src is None else tuple(given))
    within(index, shape[dim] if shape else 1, BOUNDS, RuntimeError, dim=dim)
    return dim


def _check_sizes(shape: tuple[int, ...], dim: int, wanted: tuple[int, ...], given: tuple[int, ...] | None) -> None:
    if max(len(shape), 1) != max(len(wanted), 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
    if given is not None and max(len(given), 1) != max(len(wanted), 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    beyond = any(d != dim and n > m for d, (n, m) in enumerate(zip(wanted, shape, strict=False)))
    if beyond or (given is not None and any(n > m for n, m in zip(wanted, given, strict=False))):
        tail = "" if given is None else f" and to be no larger size than src {list(given)}"
        raise RuntimeError(
            f"Expected index {list(wanted)} to be no larger than self {list(shape)} apart from dimension {dim}{tail}"
        )


def _at_least_1d(input: Tensor, index: Tensor, src: Any) -> tuple[Tensor, Tensor, Any]:
    if not index._a.shape:
        index = reshape(index, (1,))
    if isinstance(src, Tensor) and not src._a.shape:
        src = reshape(src, (1,))
    return input if input._a.shape else reshape(input, (1,)), index, src


def _two_forms(run: Callable[..., Tensor]) -> tuple[Callable[..., Tensor], Callable[..., Tensor]]:
    """Returns the plain and the in-place form of a function whose last parameter picks entries or their ``inplace``."""

    def plain(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        flat = not input._a.shape
        out = run(lambda op: op, reshape(input, (1,)) if flat else input, *args, **kwargs)
        return reshape(out, ()) if flat else out

    def written(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        run(lambda op: op.inplace, input if input._a.shape else METHODS["view"](input, 1), *args, **kwargs)
        return input

    return plain, written


def _run_scatter(
    form: Any, input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    if src is None:
        src = value
    modes = {None: "set", "add": "add", "multiply": "multiply"}
    if reduce not in modes:
        raise RuntimeError("reduce argument must be either add or multiply.")
    tensor = src if isinstance(src, Tensor) else None
    dim = _checked("scatter", input, dim, index, tensor)
    if not index._a.size:
        return input
    input, index, src = _at_least_1d(input, index, src)
    if tensor is None:
        return form(_scatter_value)(input, dim, index, src, modes[reduce])  # type: ignore[no-any-return]  # an entry
    if reduce is None:
        return form(_scatter)(input, dim, index, src)  # type: ignore[no-any-return]  # as above
    if reduce == "add":
        return form(_scatter_add)(input, dim, index, src)  # type: ignore[no-any-return]  # as above
    return form(_scatter_reduce)(input, dim, index, src, "prod", True)  # type: ignore[no-any-return]  # as above


def _run_scatter_add(form: Any, input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    dim = _checked("scatter", input, dim, index, src)
    if not index._a.size:
        return input
    input, index, src = _at_least_1d(input, index, src)
    return form(_scatter_add)(input, dim, index, src)  # type: ignore[no-any-return]  # an entry of the table


def _run_scatter_reduce(
    form: Any, input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    dim = _checked("scatter", input, dim, index, src)
    if not index._a.size:
        return input
    category = input._key.dtype.category
    if (category == BOOL and reduce == "mean") or (category == COMPLEX and reduce in ("amax", "amin")):
        kernel = f"scatter_gather_tensor_cpu_reduce_{reduce}"
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{input._key.dtype.legacy}'")
    input, index, src = _at_least_1d(input, index, src)
    return form(_scatter_reduce)(input, dim, index, src, reduce, include_self)  # type: ignore[no-any-return]  # as above


_scatter_plain, _scatter_written = _two_forms(_run_scatter)
_add_plain, _add_written = _two_forms(_run_scatter_add)
_reduce_plain, _reduce_written = _two_forms(_run_scatter_reduce)


def _scatter_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), 1, FUNCTIONS["tensor"]([[0, 2], [3, 1]]), make(2, 3)))
    yield Sample((make(3, 4), 0, FUNCTIONS["tensor"]([[2, 0, 1, 1]]), make(1, 4)))


def _reduce_samples(make: Maker) -> Iterator[Sample]:
    for mode in ("sum", "prod", "mean", "amax", "amin"):
        yield Sample((make(3, low=0.5), 0, FUNCTIONS["tensor"]([0, 2, 0, 2]), make(4, low=0.5), mode))


@composite(method=True, out=True, inplace=_scatter_written, samples=_scatter_samples)
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Tensor:
    """Returns ``input`` with the elements of ``src``, or a number, written along ``dim`` where ``index`` says.

    >>> torch.scatter(torch.zeros(2, 3), 1, torch.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    return _scatter_plain(input, dim, index, src, value=value, reduce=reduce)


@composite(method=True, out=True, inplace=_add_written, samples=_scatter_samples)
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """Returns ``input`` with the elements of ``src`` added along ``dim`` where ``index`` says.

    >>> torch.scatter_add(torch.zeros(3), 0, torch.tensor([0, 0, 2]), torch.ones(3))
    tensor([2., 0., 1.])
    """
    return _add_plain(input, dim, index, src)


@composite(method=True, out=True, inplace=_reduce_written, samples=_reduce_samples)
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """Returns ``input`` with ``src`` combined by sum, prod, mean, amax or amin where ``index`` says.

    >>> torch.scatter_reduce(torch.zeros(2), 0, torch.tensor([0, 0, 1]), torch.tensor([1.0, 5.0, 2.0]), "amax")
    tensor([5., 2.])
    """
    return _reduce_plain(input, dim, index, src, reduce, include_self=include_self)


# --- one slice for each element of a vector --------------------------------------------------------------------------


@primitive(
    grad={"input": lambda g: g, "source": lambda g, dim, index: _select(g, dim, index)},
    node="IndexAddBackward0",
    inplace=True,
    inputs="apart",
)
def _index_add(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """Returns ``input`` with slices of ``source`` added."""
    ...


@primitive(
    grad={
        "input": lambda g, dim, index: _index_fill(g, dim, index, 0.0),
        "source": lambda g, dim, index: _select(g, dim, index),
    },
    node="IndexCopyBackward0",
    inplace=True,
    inputs="apart",
)
def _index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """Returns ``input`` with slices of ``source`` written."""
    ...


@primitive(
    grad={"input": lambda g, dim, index: _index_fill(g, dim, index, 0.0)},
    node="IndexFillBackward0",
    inplace=True,
    inputs="apart",
)
def _index_fill(input: Tensor, dim: int, index: Tensor, value: Number) -> Tensor:
    """Returns ``input`` with slices full of one number."""
    ...


def _vector(op: str, index: Tensor) -> Tensor:
    if len(index._a.shape) > 1:
        raise IndexError(f"{op}(): Index is supposed to be a vector")
    return index if index._a.shape else reshape(index, (1,))


def _run_index_add(form: Any, input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Number = 1) -> Tensor:
    dim = wrap_dim(dim, len(input._a.shape))
    index = _vector("index_add_", index)
    int_index(index, "index_add_")
    if source._key.dtype is not input._key.dtype:
        raise RuntimeError(
            f"index_add_(): self ({input._key.dtype.legacy}) and source ({source._key.dtype.legacy}) must have the "
            "same scalar type"
        )
    source = source if source._a.shape else reshape(source, (1,))
    count, given, shape = int(index._a.shape[0]), tuple(source._a.shape), tuple(input._a.shape)
    if dim >= len(given) or given[dim] != count:
        raise RuntimeError(
            f"index_add_(): Number of indices ({count}) should be equal to source.size(dim): "
            f"({given[dim] if dim < len(given) else 1}), for dim: {dim}"
        )
    if given != shape and given[:dim] + given[dim + 1 :] != shape[:dim] + shape[dim + 1 :]:
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
            f"{list(shape)} source.shape = {list(given)}"
        )
    if len(shape) == 1:
        within(index, shape[dim], "index out of range in self")
    within(index, shape[dim], BOUNDS, RuntimeError, dim=dim)
    return form(_index_add)(input, dim, index, source if alpha == 1 else source * alpha)  # type: ignore[no-any-return]  # an entry


def _run_index_copy(form: Any, input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    dim = wrap_dim(dim, len(input._a.shape))
    index = _vector("index_copy_", index)
    source = source if source._a.shape else reshape(source, (1,))
    count, given = int(index._a.shape[0]), tuple(source._a.shape)
    if index._key.dtype.name != "int64":
        raise IndexError("index_copy_(): Expected a long tensor for index, but got " + index._key.dtype.legacy)
    if source._key.dtype is not input._key.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{input._key.dtype.legacy} and (source) {source._key.dtype.legacy}"
        )
    if len(given) > dim and given[dim] != count:
        raise IndexError(
            f"index_copy_(): Number of indices ({count}) should be equal to source.size(dim) ({given[dim]})"
        )
    size = int(input._a.shape[dim])
    within(index, size, f"index_copy_(): {BOUNDS}", dim=dim)
    return form(_index_copy)(input, dim, index, source)  # type: ignore[no-any-return]  # an entry of the table


def _run_index_fill(form: Any, input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    dim = wrap_dim(dim, len(input._a.shape))
    index = _vector("index_fill_", index)
    if index._key.dtype.name != "int64":
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    within(index, int(input._a.shape[dim]), BOUNDS, negative=True, dim=dim)
    if isinstance(value, Tensor):
        if value._a.shape:
            raise RuntimeError(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{len(value._a.shape)} dimension(s)."
            )
        if value._key.requires:
            index = FUNCTIONS["unique"](index)  # a place that is named twice is filled once
            shape = list(input._a.shape)
            shape[dim] = int(index._a.shape[0])
            wide = METHODS["expand"](METHODS["to"](value, input._key.dtype), shape)
            return form(_index_copy)(input, dim, index, wide)  # type: ignore[no-any-return]  # an entry of the table
        value = METHODS["item"](value)
    return form(_index_fill)(input, dim, index, value)  # type: ignore[no-any-return]  # as above


_iadd_plain, _iadd_written = _two_forms(_run_index_add)
_icopy_plain, _icopy_written = _two_forms(_run_index_copy)
_ifill_plain, _ifill_written = _two_forms(_run_index_fill)


def _slice_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), 0, FUNCTIONS["tensor"]([2, 0]), make(2, 4)))
    yield Sample((make(3, 4), -1, FUNCTIONS["tensor"]([1]), make(3, 1)))


def _fill_samples(make: Maker) -> Iterator[Sample]:
    yield Sample((make(3, 4), 0, FUNCTIONS["tensor"]([2, 0]), 1.5))


@composite(method=True, out=True, inplace=_iadd_written, samples=_slice_samples)
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Number = 1) -> Tensor:
    """Returns ``input`` with ``alpha`` times the slices of ``source`` added to those that ``index`` names."""
    return _iadd_plain(input, dim, index, source, alpha=alpha)


@composite(method=True, out=True, inplace=_icopy_written, samples=_slice_samples)
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """Returns ``input`` with the slices that ``index`` names replaced by those of ``source``."""
    return _icopy_plain(input, dim, index, source)


@composite(method=True, inplace=_ifill_written, samples=_fill_samples)
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """Returns ``input`` with the slices that ``index`` names full of one number."""
    return _ifill_plain(input, dim, index, value)


def put_(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Writes, or adds, ``source`` where ``index`` says in the flattened tensor, and returns the tensor."""
    if index._a.size != source._a.size:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source._a.size}, index.numel() = {index._a.size}"
        )
    for given in (index, source):
        require_apart(input, given, "apart")
    result = FUNCTIONS["put"](input, index, source, accumulate)
    return METHODS["copy_"](input, result)  # type: ignore[no-any-return]  # an entry of the table


@composite(inplace=put_, method=True)
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Returns ``input`` with ``source`` written, or added, where ``index`` says in the flattened tensor."""
    within(
        index,
        int(input._a.size),
        "out of range: tried to access index {index} on a tensor of {size} elements.",
        negative=True,
    )
    if input._a.size:
        index = METHODS["remainder"](index, int(input._a.size))  # places are counted from the end too
    flat, places, values = [reshape(t, (-1,)) for t in (input, index, source)]
    return reshape((_index_add if accumulate else _index_copy)(flat, 0, places, values), tuple(input._a.shape))
