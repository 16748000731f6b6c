"""What a sparse tensor is asked as an object: its coordinates and values, its printed form, copies of it.

Methods that are ops of the table come from `Tensor` and are sent on where a plan is wanted; here are those that touch a
tensor's memory, of which a sparse tensor has none of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

from dispatchtorch._base.dtypes import get_default_dtype
from dispatchtorch.dispatch.sparse import become, refuse
from dispatchtorch.dispatch.table import METHODS, composite
from dispatchtorch.ops.sparse import (
    coalesce,
    empty_coo,
    made,
    sparse_coo,
    sparse_coo_tensor,
    to_dense,
    to_sparse,
    values_at,
    values_of,
)
from dispatchtorch.ops.sparse_shapes import select
from dispatchtorch.tensor.sparse import SparseTensor, as_sparse
from dispatchtorch.tensor.tensor import Tensor, alias_of

__all__ = ["SPARSE_METHODS"]

# --- of every tensor -------------------------------------------------------------------------------------------------


def _expected(name: str, wanted: str) -> RuntimeError:
    return RuntimeError(f"{name} expected {wanted} layout but got Strided")


def _is_coalesced(self: Tensor) -> bool:
    """Returns whether the coordinates are in order and none is there twice."""
    if not isinstance(self, SparseTensor):
        raise _expected("is_coalesced", "sparse coordinate tensor")
    return self._a.coalesced


def _indices(self: Tensor) -> Tensor:
    """Returns the coordinates of a coalesced tensor, (sparse dims, count)."""
    if not isinstance(self, SparseTensor):
        raise _expected("indices", "sparse coordinate tensor")
    if not self._a.coalesced:
        raise RuntimeError("Cannot get indices on an uncoalesced tensor, please call .coalesce() first")
    return alias_of(self._a.indices)


def _values(self: Tensor) -> Tensor:
    """Returns the values of a coalesced tensor, (count, *dense sizes); gradients flow back."""
    if not isinstance(self, SparseTensor):
        raise _expected("values", "sparse tensor")
    if not self._a.coalesced:
        raise RuntimeError("Cannot get values on an uncoalesced tensor, please call .coalesce() first")
    return values_of(self)


def _part(name: str, of: Callable[[SparseTensor], Any]) -> Callable[[Tensor], Any]:
    def part(self: Tensor) -> Any:
        if not isinstance(self, SparseTensor):
            raise NotImplementedError(
                f"Could not run 'aten::{name}' with arguments from the '{self._key.device.type.upper()}' backend. This "
                "could be because the operator doesn't exist for this backend; it is one of sparse tensors."
            )
        return of(self)

    part.__name__ = part.__qualname__ = name
    part.__doc__ = f"Returns the tensor's {name.strip('_')}, coalesced or not; without history."
    return part


def _sparse_dim(self: Tensor) -> int:
    """Returns how many dimensions the coordinates name; 0 for a dense tensor."""
    return self._a.sparse_dim if isinstance(self, SparseTensor) else 0


def _dense_dim(self: Tensor) -> int:
    """Returns how many dimensions each value has; all of them for a dense tensor."""
    ndim = len(self._a.shape)
    return ndim - self._a.sparse_dim if isinstance(self, SparseTensor) else ndim


def _sparse_mask(self: Tensor, mask: Tensor) -> SparseTensor:
    """Returns the elements that stand where the sparse tensor ``mask`` has some, as a sparse tensor."""
    if not isinstance(mask, SparseTensor):
        raise RuntimeError("sparse_mask(): mask must be a sparse tensor")
    if tuple(self._a.shape) != mask._a.shape:
        raise RuntimeError(
            f"sparse_mask(): operands have incompatible sizes; self has size {list(self._a.shape)} but mask has size "
            f"{list(mask._a.shape)}"
        )
    raw = mask._a
    if isinstance(self, SparseTensor):
        values = values_at(self, raw.indices)
    elif raw.sparse_dim:
        values = self[tuple(METHODS["unbind"](raw.indices, 0))]
    else:
        values = METHODS["unsqueeze"](self, 0)
    return made(raw.indices, values, raw.shape, raw.coalesced, "SparseMaskBackward0")


def _compressed(name: str) -> Callable[..., Tensor]:
    def refused(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        raise NotImplementedError(f"{name}() is not supported: of the sparse layouts there is torch.sparse_coo only")

    refused.__name__ = refused.__qualname__ = name
    refused.__doc__ = "Raises NotImplementedError: of the sparse layouts there is coordinate format only."
    return refused


METHODS.update(
    {
        "to_sparse": to_sparse, "to_sparse_coo": lambda self: to_sparse(self), "to_dense": to_dense,
        "coalesce": coalesce, "is_coalesced": _is_coalesced, "indices": _indices, "values": _values,
        "_indices": _part("_indices", lambda s: alias_of(s._a.indices)),
        "_values": _part("_values", lambda s: alias_of(s._a.values)),
        "_nnz": _part("_nnz", lambda s: s._a.count),
        "sparse_dim": _sparse_dim, "dense_dim": _dense_dim, "sparse_mask": _sparse_mask,
        "is_sparse_csr": property(lambda self: False),  # type: ignore[dict-item]  # a member, not a function
    }
)  # fmt: skip
METHODS.update({f"to_sparse_{kind}": _compressed(f"to_sparse_{kind}") for kind in ("csr", "csc", "bsr", "bsc")})

for _name in ("csr", "csc", "bsr", "bsc", "compressed"):

    def _make(*args: Any, _kind: str = _name, **kwargs: Any) -> Tensor:
        """Raises NotImplementedError: of the sparse layouts there is coordinate format only."""
        raise NotImplementedError(
            f"sparse_{_kind}_tensor() is not supported: of the sparse layouts there is torch.sparse_coo only"
        )

    _make.__name__ = _make.__qualname__ = f"sparse_{_name}_tensor"
    composite()(_make)


# --- of sparse tensors only ------------------------------------------------------------------------------------------


def _joined(name: str, value: Tensor) -> str:
    text = repr(value.detach())
    if tuple(value._a.shape) == (0,):
        text = "tensor([], size=(0,))"
    if value._key.dtype.name == "bool" or ", dtype=" not in text:
        cut = text
    else:
        cut = text[: text.rindex(", dtype=")].rstrip().rstrip(",") + ")"
    return f"{name}=" + cut.replace("\n", "\n" + " " * (len("tensor(") + len(name) + 1))


def _describe(self: SparseTensor, *, tensor_contents: Any = None) -> str:
    """Returns what PyTorch prints for a sparse tensor."""
    raw, key = self._a, self._key
    parts = [_joined("indices", raw.indices), _joined("values", raw.values)]
    tail = [f"size={tuple(raw.shape)}", f"nnz={raw.count}"]
    if key.device.type != "cpu":
        tail.insert(0, f"device='{key.device}'")
    if key.dtype is not get_default_dtype() and key.dtype.name not in ("int64", "bool", "complex64"):
        tail.append(f"dtype={key.dtype!r}")
    tail.append("layout=torch.sparse_coo")
    edge = self._edge
    node = edge[0] if type(edge) is tuple else edge
    if node is not None:
        tail.append(f"grad_fn=<{node.name().rpartition('::')[2]}>")
    elif key.requires:
        tail.append("requires_grad=True")
    indent = " " * len("tensor(")
    lines, line = [], ""
    for part in tail:
        if line and len(indent) + len(line) + len(part) + 2 > 80:
            lines.append(line)
            line = part
        else:
            line = f"{line}, {part}" if line else part
    lines.append(line)
    return "tensor(" + f",\n{indent}".join([*parts, *lines]) + ")"


def _detach(self: SparseTensor) -> SparseTensor:
    raw = self._a
    out = as_sparse(raw.indices, raw.values, raw.shape, raw.coalesced)
    out._a.indices, out._a.values = raw.indices, raw.values
    return out


def _set_data(self: SparseTensor, value: Any) -> None:
    if not isinstance(value, SparseTensor):
        raise RuntimeError("the data of a sparse tensor can only be another sparse tensor")
    self._a = value._a


def _to(self: SparseTensor, *args: Any, **kwargs: Any) -> SparseTensor:
    """Returns the tensor in another dtype, on another device or backend; itself where nothing changes."""
    args = tuple([a._a.values if isinstance(a, SparseTensor) else a for a in args])
    if isinstance(kwargs.get("other"), SparseTensor):
        kwargs["other"] = kwargs["other"]._a.values
    values = values_of(self)
    moved = METHODS["to"](values, *args, **kwargs)
    if moved is values:
        return self
    key = moved._key
    indices = METHODS["to"](
        self._a.indices, device=key.device, backend=key.backend.name, copy=kwargs.get("copy", False)
    )
    return made(indices, moved, self._a.shape, self._a.coalesced, "ToCopyBackward0")


def _type(self: SparseTensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    if dtype is None:
        plain: str = METHODS["type"](self._a.values)
        return "torch.sparse." + plain.rpartition(".")[2]
    return _to(self, METHODS["type"](METHODS["new_zeros"](self._a.values, ()), dtype)._key.dtype)


def _again(self: SparseTensor, copied: Callable[[Tensor], Tensor]) -> SparseTensor:
    raw = self._a
    out = as_sparse(copied(raw.indices), copied(raw.values), raw.shape, raw.coalesced)
    out._key = out._key.as_requires(self._key.requires)
    grad = None if self._extra is None else self._extra.grad
    if grad is not None:
        out.grad = copied(grad)
    out.__dict__.update(self.__dict__)
    return out


def _deepcopy(self: SparseTensor, memo: dict[int, Any]) -> SparseTensor:
    if id(self) in memo:
        return memo[id(self)]  # type: ignore[no-any-return]  # what was put there for this very tensor
    if self._edge is not None:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  "
            "If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, "
            "see https://github.com/pytorch/pytorch/pull/103001"
        )
    out = memo[id(self)] = _again(self, lambda t: copy.deepcopy(t, memo))
    return out


def rebuild(indices: Tensor, values: Tensor, shape: tuple[int, ...], coalesced: bool, requires: bool) -> SparseTensor:
    """Returns a sparse tensor from its pickled parts."""
    out = as_sparse(indices, values, shape, coalesced)
    out._key = out._key.as_requires(requires)
    return out


def _reduce(self: SparseTensor, protocol: Any) -> Any:
    raw = self._a
    return rebuild, (raw.indices, raw.values, raw.shape, raw.coalesced, self._key.requires)


def _get_item(self: SparseTensor, index: Any) -> Tensor:
    out: Any = self
    for at, one in enumerate(items := index if isinstance(index, tuple) else (index,)):
        if one is Ellipsis or one is None or isinstance(one, (slice, Tensor, list)):
            if isinstance(one, slice) and one == slice(None):
                continue
            raise refuse("as_strided" if isinstance(one, slice) else "index.Tensor")
        dim = sum(1 for before in items[:at] if isinstance(before, slice))
        if not isinstance(out, SparseTensor):
            out = METHODS["select"](out, dim, int(one))
        else:
            out = select(out, dim, int(one))
    return out  # type: ignore[no-any-return]  # a tensor


def _zero_(self: SparseTensor) -> SparseTensor:
    """Takes all elements away and returns the tensor."""
    return become(self, empty_coo(self._a.shape, self._a.values, self._a.ndim - self._a.sparse_dim))


def _copy_(self: SparseTensor, src: Any, non_blocking: bool = False) -> SparseTensor:
    """Becomes what another sparse tensor is, in this one's dtype, and returns it."""
    if not isinstance(src, SparseTensor):
        raise RuntimeError(
            "copy_() between dense and sparse Tensors is not implemented! Found self type = "
            f"{_type(self)} and src type = {METHODS['type'](src) if isinstance(src, Tensor) else type(src).__name__}"
        )
    copied = METHODS["clone"](_to(src, self._key.dtype))
    self._a, self._edge = copied._a, copied._edge
    self._key = self._key.as_requires(copied._key.requires or self._key.requires)
    return self


def _resize(clear: bool) -> Callable[..., SparseTensor]:
    def sparse_resize_(self: SparseTensor, size: Any, sparse_dim: int, dense_dim: int) -> SparseTensor:
        shape, raw = tuple(size), self._a
        if len(shape) != sparse_dim + dense_dim:
            raise RuntimeError(
                f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(shape)}, sparse_dim = "
                f"{sparse_dim}, dense_dim = {dense_dim}"
            )
        if clear:
            self._a = empty_coo(shape, raw.values, dense_dim)._a
            return self
        if raw.count and (sparse_dim != raw.sparse_dim or tuple(raw.values._a.shape[1:]) != shape[sparse_dim:]):
            raise RuntimeError("changing the dense dimensions of a sparse tensor with elements is not supported")
        if raw.count and any(a > b for a, b in zip(raw.shape[:sparse_dim], shape, strict=False)):
            raise RuntimeError("shrinking the size of sparse dimensions (from what it was) is not supported")
        if not raw.count:
            self._a = empty_coo(shape, raw.values, dense_dim)._a
            return self
        self._a = as_sparse(raw.indices, raw.values, shape, raw.coalesced)._a
        return self

    return sparse_resize_


def _make_new(self: SparseTensor, *args: Any, **kwargs: Any) -> Tensor:
    if args and isinstance(args[0], Tensor) and len(args) >= 2:
        shape = tuple(args[2]) if len(args) > 2 else None
        return sparse_coo_tensor(args[0], args[1], shape)
    sizes = tuple(args[0]) if args and isinstance(args[0], (tuple, list)) else tuple(args)
    return empty_coo(sizes or (0,), self._a.values)


def _zeros(self: SparseTensor, *size: Any, dtype: Any = None, **given: Any) -> SparseTensor:
    shape = tuple(size[0]) if size and isinstance(size[0], (tuple, list)) else tuple(size)
    out = empty_coo(shape, self._a.values if dtype is None else METHODS["to"](self._a.values, dtype))
    return METHODS["requires_grad_"](out) if given.get("requires_grad") else out


def _unfilled(self: SparseTensor, *args: Any, **kwargs: Any) -> Tensor:
    raise refuse("fill_.Scalar", self._key.device.type)


def _turned(name: str) -> Callable[..., SparseTensor]:
    def turned(self: SparseTensor, *args: Any) -> SparseTensor:
        v = METHODS[name](self, *args)
        self._a, self._edge = v._a, v._edge
        return self

    return turned


def _memoryless(message: str, kind: type[Exception] = RuntimeError) -> Callable[..., Any]:
    def refused(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        raise kind(message)

    return refused


def _item(self: SparseTensor) -> Any:
    if self._a.size != 1:
        raise RuntimeError(f"a Tensor with {self._a.size} elements cannot be converted to Scalar")
    return METHODS["item"](to_dense(self.detach()))


def _bool(self: SparseTensor) -> bool:
    if self._a.size > 1:
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
    return bool(METHODS["item"](to_dense(self.detach())))


def _grad_layout(self: SparseTensor) -> Any:
    return sparse_coo


_POINTER: Final = "Cannot access data pointer of Tensor that doesn't have storage"
_STORAGE: Final = "Cannot access storage of SparseTensorImpl"


def _add_operator(self: SparseTensor, other: Any) -> Any:
    """Returns the sum of two; dense where the other one is (PyTorch refuses that order, its engine does not)."""
    if isinstance(other, Tensor) and not isinstance(other, SparseTensor):
        return other + self
    return METHODS["add"](self, other)


SPARSE_METHODS: Final[dict[str, Any]] = {
    "__repr__": _describe, "__getitem__": _get_item, "__bool__": _bool, "__deepcopy__": _deepcopy,
    "__add__": _add_operator,
    "__copy__": lambda self: _again(self, lambda t: t), "__reduce_ex__": _reduce,
    "__array__": _memoryless("can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first.", TypeError),
    "__setitem__": _memoryless("item assignment is not supported by sparse tensors", NotImplementedError),
    "numpy": _memoryless("can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first.", TypeError),
    "tolist": _memoryless(_POINTER), "data_ptr": _memoryless(_POINTER),
    "storage": _memoryless(_STORAGE, NotImplementedError),
    "untyped_storage": _memoryless(_STORAGE, NotImplementedError),
    "storage_offset": _memoryless("sparse tensors do not have storage_offset"),
    "stride": lambda self, dim=None: (0,) * self._a.ndim if dim is None else 0,
    "is_contiguous": lambda self, memory_format=None: False,
    "contiguous": _memoryless("unsupported memory format option Contiguous"),
    "reshape": _memoryless("reshape is not implemented for sparse tensors"),
    "expand": _memoryless("expand is unsupported for Sparse tensors"),
    "flatten": _memoryless("reshape is not implemented for sparse tensors"),
    "detach": _detach, "data": property(_detach, _set_data), "to": _to, "type": _type, "item": _item,
    "cpu": lambda self, memory_format=None: _to(self, "cpu"),
    "cuda": lambda self, device=None, non_blocking=False: _to(self, device="cuda" if device is None else device),
    "zero_": _zero_, "copy_": _copy_, "sparse_resize_": _resize(False), "sparse_resize_and_clear_": _resize(True),
    "new": _make_new, "new_zeros": _zeros, "new_empty": _zeros, "new_ones": _unfilled, "new_full": _unfilled,
    "new_tensor": lambda self, *args, **given: METHODS["new_tensor"](self._a.values, *args, **given),
    "t_": _turned("t"), "transpose_": _turned("transpose"), "unsqueeze_": _turned("unsqueeze"),
    "layout": property(_grad_layout), "is_sparse": property(lambda self: True),
}  # fmt: skip

for _name, _member in SPARSE_METHODS.items():
    setattr(SparseTensor, _name, _member)
