"""Plans: the path a call takes, built at the first call for a combination of keys and then only looked up.

The hot closures (one and two tensors, native library, equal dtypes) hold no loop and no test that the keys have already
answered. Everything else goes through `general`, which does the same with loops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import (
    FLOATING,
    INTEGRAL,
    DType,
    bool_,
    get_default_dtype,
    of_number,
    promote,
    result_category,
)
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.node import Node, next_seq
from dispatchtorch.dispatch.op import DTYPE, LIST, STATIC, TENSOR, Op
from dispatchtorch.dispatch.record import record, refresh, requires
from dispatchtorch.dispatch.resolve import kernel_for, result_key
from dispatchtorch.plugin.backend import Kernel, KernelCall
from dispatchtorch.tensor.sizes import broadcast_shapes
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.tensor import Parameter, Tensor, cell_of, new, read

__all__ = ["create", "general", "make_entry", "make_operator", "raw_result"]

NUMBERS: Final = (bool, int, float, complex)
_PLAIN: Final = 128  # below it, every dtype holds a number without complaint


class MixedBackendsError(RuntimeError):
    """Tensors of two backends met in one op."""

    def __init__(self, op: str, first: Key, second: Key) -> None:
        super().__init__(
            f"{op}: expected all tensors to be on the same backend, but found at least two, {first.backend.name} "
            f"({first.device}) and {second.backend.name} ({second.device}); move one with .to(backend=...)"
        )


# --- the facts of a call ---------------------------------------------------------------------------------------------


def leading_key(op: Op, keys: Sequence[Key | type | None]) -> Key:
    """Returns the key whose backend and device serve the call; RuntimeError for a mixture."""
    lead: Key | None = None
    for key in keys:
        if not isinstance(key, Key):
            continue
        if lead is None or (lead.zero_dim and not key.zero_dim and lead.backend is key.backend):
            lead, key = key, lead or key
        if key.backend is not lead.backend:
            raise MixedBackendsError(op.name, lead, key)
        if key.device != lead.device and not (key.zero_dim and key.device.type == "cpu"):
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{lead.device} and {key.device}!"
            )
    if lead is None:
        raise TypeError(f"{op.name}(): argument '{op.params[0]}' (position 1) must be Tensor")
    return lead


def promoted(keys: Sequence[Key | type | None]) -> DType:
    """Returns torch's common dtype: dimensioned tensors first, then 0-dimensional ones, then Python numbers."""
    result: DType | None = None
    zero: DType | None = None
    for key in keys:
        if isinstance(key, Key):
            if key.zero_dim:
                zero = key.dtype if zero is None else promote(zero, key.dtype)
            else:
                result = key.dtype if result is None else promote(result, key.dtype)
    if result is None:
        result = zero
    elif zero is not None and zero.category > result.category:
        result = promote(result, zero)
    for key in keys:
        if isinstance(key, type):
            result = of_number(key) if result is None else result_category(result, key)
    assert result is not None  # a call has at least one tensor
    return result


def dtypes_of(op: Op, common: DType) -> tuple[DType, DType]:
    """Returns the dtype a pointwise op computes in and the one it gives."""
    rule = op.dtype_rule
    if rule == "float" and common.category < FLOATING:
        common = get_default_dtype()
    if rule == "bool":
        return common, bool_
    if rule == "real":
        return common, common.to_real()
    return common, common


def fits(kernel: Kernel, key: Key, op: Op, wanted: Sequence[Any], common: DType) -> Kernel:
    """Returns the kernel with its array arguments cast to the common dtype first, where any differs."""
    casts = tuple(isinstance(k, Key) and k.dtype is not common for k in wanted)
    if not any(casts):
        return kernel
    native = key.backend.dtype(common.name)

    def cast_first(*args: Any) -> Any:
        return kernel(*[a.astype(native) if on else a for a, on in zip(args, casts, strict=True)])

    cast_first.__name__ = op.name
    return cast_first


def recover(op: Op, key: Key, kernel: Kernel, raws: Sequence[Any], error: Exception) -> Any:
    """Returns what the kernel gives with warnings off; or raises torch's error for shapes that do not broadcast."""
    if op.pointwise:
        shapes = [tuple(r.shape) for r, kind in zip(raws, op.kinds, strict=True) if kind == TENSOR and hasattr(r, "shape")]
        broadcast_shapes(*shapes)
    if isinstance(error, RuntimeWarning):
        return key.backend.quiet(kernel)(*raws)
    if isinstance(error, OverflowError):
        fixed = [_wrapped_number(r, key) if isinstance(r, int) else r for r in raws]
        return key.backend.quiet(kernel)(*fixed)
    raise error


def _wrapped_number(value: int, key: Key) -> int:
    size = 8 * key.dtype.itemsize
    value &= (1 << size) - 1
    if key.dtype.is_signed and value >> (size - 1):
        value -= 1 << size
    return value


# --- entries ---------------------------------------------------------------------------------------------------------


def make_entry(op: Op) -> Callable[..., Any]:
    """Returns the function that a call of the op goes through."""
    if op.pointwise and op.kinds == (TENSOR,):
        entry = _unary_entry(op)
    elif op.pointwise and len(op.kinds) == 2 and op.kinds == (TENSOR, TENSOR):
        entry = _binary_entry(op)
    elif op.pointwise and LIST not in op.kinds:
        entry = _mixed_entry(op)
    else:
        entry = _general_entry(op)
    entry.__name__ = entry.__qualname__ = op.name
    entry.__doc__ = op.doc
    entry.__module__ = op.body.__module__
    entry.op = op  # type: ignore[attr-defined]  # an entry is a function that knows its op
    return entry


def _unary_entry(op: Op) -> Callable[..., Any]:
    find = op.plans.get

    def entry(input: Tensor) -> Tensor:
        kind = type(input)
        if kind is Tensor or kind is Parameter:
            plan = find(input._key)
            if plan is None:
                plan = op.plans[input._key] = _unary_plan(op, input._key, entry)
            return plan(input)  # type: ignore[no-any-return]  # plans are typed by what they serve
        return general(op, (input,))

    return entry


def _binary_entry(op: Op) -> Callable[..., Any]:
    find = op.plans.get

    def entry(input: Any, other: Any) -> Tensor:
        kind, second = type(input), type(other)
        if kind is Tensor or kind is Parameter:
            pair = (input._key, other._key if second is Tensor or second is Parameter else second)
            plan = find(pair)
            if plan is None:
                plan = _binary_plan(op, pair[0], pair[1], entry)
                if plan is None:
                    return general(op, (input, other))
                op.plans[pair] = plan
            return plan(input, other)  # type: ignore[no-any-return]  # as above
        return general(op, (input, other))

    return entry


def make_operator(entry: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a two-argument entry as Python's operator: NotImplemented for what no tensor op takes."""
    op: Op = entry.op  # type: ignore[attr-defined]  # an entry is a function that knows its op
    find = op.plans.get

    def operator(self: Tensor, other: Any) -> Any:
        second = type(other)
        plan = find((self._key, other._key if second is Tensor or second is Parameter else second))
        if plan is not None:
            return plan(self, other)
        if isinstance(other, (Tensor, *NUMBERS)) or hasattr(second, "__torch_function__"):
            return entry(self, other)
        if second.__module__ == "numpy" and getattr(other, "shape", None) == () and not hasattr(other, "__setitem__"):
            return entry(self, other.item())
        return NotImplemented

    operator.__name__ = operator.__qualname__ = op.name
    operator.__doc__ = op.doc
    return operator


def _general_entry(op: Op) -> Callable[..., Any]:
    arity = op.arity

    def entry(*args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != arity:
            args = op.bind_arguments(args, kwargs)
        return general(op, args)

    return entry


def _mixed_entry(op: Op) -> Callable[..., Any]:
    """Returns the function of an elementwise op with more arguments than two: one look-up by its array arguments."""
    arity, find = op.arity, op.plans.get
    arrays = tuple(i for i, kind in enumerate(op.kinds) if kind == TENSOR)

    def entry(*args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) != arity:
            args = op.bind_arguments(args, kwargs)
        found = []
        for i in arrays:
            value = args[i]
            kind = type(value)
            found.append(value._key if kind is Tensor or kind is Parameter else kind)
        facts = tuple(found)
        plan = find(facts)
        if plan is None:
            plan = _mixed_plan(op, facts, arrays)
            if plan is None:
                return general(op, args)
            op.plans[facts] = plan
        return plan(args)

    return entry


def _mixed_plan(op: Op, facts: tuple[Any, ...], arrays: tuple[int, ...]) -> Callable[..., Any] | None:
    """Returns the plan for plain tensors of a native library; None where the general path has to look closer."""
    keys: list[Any] = [None] * op.arity
    for i, fact in zip(arrays, facts, strict=True):
        if isinstance(fact, Key):
            if fact.view or not fact.native:
                return None
        elif fact is type(None):
            if op.defaults[i] is not None:
                return None
            fact = None
        elif fact not in NUMBERS or not op.numbers[i]:
            return None
        keys[i] = fact
    if not any(isinstance(k, Key) for k in keys):
        return None
    kernel, lead, result = _pointwise_kernel(op, tuple(k.fresh(k.zero_dim) if isinstance(k, Key) else k for k in keys))
    key = lead.as_dtype(result).fresh(all(k.zero_dim for k in keys if isinstance(k, Key)))
    raw_of = tuple(isinstance(k, Key) for k in keys)
    requires_some = any(isinstance(k, Key) and k.requires for k in keys)
    track = requires_some and bool(op.rules) and result.category >= FLOATING

    def plan(args: tuple[Any, ...]) -> Tensor:
        raws = [value._a if on else value for value, on in zip(args, raw_of)]
        try:
            a = kernel(*raws)
        except (ValueError, TypeError, RuntimeWarning, OverflowError) as error:
            a = recover(op, lead, kernel, raws, error)
        t = new(Tensor)
        t._a = a
        t._key = key
        t._edge = t._cell = t._extra = None
        if track and modes.grad:
            record(op, args, (t,), several=False)
        return t

    return plan


# --- hot plans -------------------------------------------------------------------------------------------------------


def _pointwise_kernel(op: Op, keys: tuple[Any, ...]) -> tuple[Kernel, Key, DType]:
    key = leading_key(op, keys)
    zero_dim = all(k.zero_dim for k in keys if isinstance(k, Key))
    if any(op.masks):  # a condition is read as it is and lifts no dtype
        keys = tuple(None if mask else k for k, mask in zip(keys, op.masks, strict=True))
    common, result = dtypes_of(op, promoted(keys))
    if op.check is not None:
        op.check(keys, common)
    lead = key if key.dtype is common else key.as_dtype(common)
    static = tuple(i for i, kind in enumerate(op.kinds) if kind in (STATIC, DTYPE))
    casts = any(isinstance(k, Key) and k.dtype is not common for k in keys)
    if not casts:
        kernel = kernel_for(op, lead, KernelCall(op.name, static, zero_dim, True, result.name))
        if op.dtype_rule == "bool" and int in keys and common.category == INTEGRAL and common.itemsize < 8:
            kernel = _narrowed(kernel, lead)
        return kernel, key, result
    if key.native:
        return fits(kernel_for(op, lead, KernelCall(op.name, static, zero_dim, True, result.name)), key, op, keys, common), key, result
    inner = kernel_for(op, lead, KernelCall(op.name, static, zero_dim, True, result.name))
    return key.backend.bind(fits(inner, key, op, keys, common), KernelCall(op.name, static, zero_dim, True, result.name)), key, result


def _narrowed(kernel: Kernel, key: Key) -> Kernel:
    """Returns a comparison whose Python numbers are first brought into the dtype, as torch does: 300 is 44 in uint8."""

    def narrowed(*args: Any) -> Any:
        return kernel(*[_wrapped_number(a, key) if type(a) is int else a for a in args])

    return narrowed


def _checked(plan: Callable[..., Any], entry: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the plan for calls with tracked views: their history may have changed under them."""

    def checked(*args: Any) -> Any:
        changed = False
        for value in args:
            if isinstance(value, Tensor) and value._key.view:
                changed |= refresh(value)
        return entry(*args) if changed else plan(*args)

    return checked


def _unary_plan(op: Op, key: Key, entry: Callable[..., Any]) -> Callable[..., Any]:
    kernel, lead, result = _pointwise_kernel(op, (key,))
    plain_key = lead.as_dtype(result).fresh(key.zero_dim)
    native = key.native

    def plain(x: Tensor) -> Tensor:
        raw = x._a if native else read(x)
        try:
            a = kernel(raw)
        except (ValueError, RuntimeWarning) as error:
            a = recover(op, lead, kernel, (raw,), error)
        t = new(Tensor)
        t._a = a
        t._key = plain_key
        t._edge = t._cell = t._extra = None
        return t

    if not key.requires or not op.rules or result.category < FLOATING:
        return plain if not key.view else _checked(plain, entry)
    grad_key, saves, saves_out = plain_key.as_requires(True), op.saves[0], op.saves_out

    def tracked(x: Tensor) -> Tensor:
        t = plain(x)
        if modes.grad:
            if modes.anomaly or op.facts:
                record(op, (x,), (t,), several=False)
                return t
            t._key = grad_key
            node = t._edge = new(Node)
            node.op, node.seq, node.shape = op, next_seq(), t._a.shape
            node.edges = (x._edge or x,)
            node.versions = None
            if saves:
                node.saved = (x,)
                if x._cell is not None:
                    node.versions = (x._cell.version,)
            else:
                node.saved = (None,)
            if saves_out:
                node.out = ((t._a, grad_key, cell_of(t), 0),)
        return t

    return tracked if not key.view else _checked(tracked, entry)


def _binary_plan(op: Op, first: Key, second: Any, entry: Callable[..., Any]) -> Callable[..., Any] | None:
    two = isinstance(second, Key)
    if not two and (second not in NUMBERS or not op.numbers[1]):
        return None
    kernel, lead, result = _pointwise_kernel(op, (first, second))
    zero_dim = first.zero_dim and (not two or second.zero_dim)
    plain_key = lead.as_dtype(result).fresh(zero_dim)
    if first.native:
        common = dtypes_of(op, promoted((first, second)))[0]
        plain = _native_binary(op, kernel, lead, plain_key, two, common if second in (int, float) else None)
    else:
        plain = _lens_binary(op, kernel, lead, plain_key)
    view = first.view or (two and second.view)
    need_first, need_second = first.requires, two and second.requires
    if (need_first or need_second) and op.rules and result.category >= FLOATING:
        common = dtypes_of(op, promoted((first, second)))[0]
        if (need_first and first.dtype is not common) or (need_second and second.dtype is not common):
            return _casting(entry, common, need_first, need_second)
    if not (need_first or need_second) or not op.rules or result.category < FLOATING:
        return plain if not view else _checked(plain, entry)
    tracked = _tracked_binary(op, plain, plain_key.as_requires(True), need_first, need_second, two)
    return tracked if not view else _checked(tracked, entry)


def _casting(entry: Callable[..., Any], common: DType, first: bool, second: bool) -> Callable[..., Any]:
    """Returns a plan that casts what requires a gradient as an op of its own, so that its gradient is cast back."""

    def cast(x: Tensor, y: Any) -> Any:
        if not modes.grad:
            return entry(x.detach(), y.detach() if second else y)
        return entry(x.to(common) if first else x, y.to(common) if second else y)

    return cast


def _native_binary(
    op: Op, kernel: Kernel, lead: Key, key: Key, two: bool, common: DType | None
) -> Callable[..., Any]:
    """Returns the plan of two tensors, or of a tensor and a number, which is brought into ``common`` once where given."""
    def tensors(x: Tensor, y: Tensor) -> Tensor:
        try:
            a = kernel(x._a, y._a)
        except (ValueError, RuntimeWarning) as error:
            a = recover(op, lead, kernel, (x._a, y._a), error)
        t = new(Tensor)
        t._a = a
        t._key = key
        t._edge = t._cell = t._extra = None
        return t

    known: dict[Any, Any] = {}  # numbers that were met, as the library likes them best
    bare = common is not None and lead.backend.takes_out(kernel_for(op, lead, KernelCall(op.name, (), False, True)))

    def converted(y: Any) -> Any:
        if bare and common is not None and y and -_PLAIN < y < _PLAIN and len(known) < 256 and (common.category >= FLOATING or y > 0):
            known[y] = lead.backend.number(y, common.name)  # never 0: 0.0 and -0.0 are one key
            return known[y]
        return y

    def number(x: Tensor, y: Any) -> Tensor:
        b = known.get(y)
        if b is None:
            b = converted(y)
        try:
            a = kernel(x._a, b)
        except (ValueError, RuntimeWarning, OverflowError) as error:
            a = recover(op, lead, kernel, (x._a, y), error)
        t = new(Tensor)
        t._a = a
        t._key = key
        t._edge = t._cell = t._extra = None
        return t

    return tensors if two else number


def _lens_binary(op: Op, kernel: Kernel, lead: Key, key: Key) -> Callable[..., Any]:
    def plain(x: Tensor, y: Any) -> Tensor:
        raws = (read(x), read(y) if isinstance(y, Tensor) else y)
        try:
            a = kernel(*raws)
        except (ValueError, TypeError, OverflowError) as error:
            a = recover(op, lead, kernel, raws, error)
        t = new(Tensor)
        t._a = a
        t._key = key
        t._edge = t._cell = t._extra = None
        return t

    return plain


def _tracked_binary(
    op: Op, plain: Callable[..., Any], grad_key: Key, need_first: bool, need_second: bool, two: bool
) -> Callable[..., Any]:
    both = op.targets == (0, 1) and not op.facts
    needed = [rule for rule, need in zip(op.rules, (need_first, need_second), strict=False) if need]
    save_first, save_second = (any(i in rule.saves for rule in needed) for i in (0, 1))
    saves_out = op.saves_out

    def tracked(x: Tensor, y: Any) -> Tensor:
        t = plain(x, y)
        if not modes.grad:
            return t  # type: ignore[no-any-return]  # plans are typed by what they serve
        if modes.anomaly or not both:
            record(op, (x, y), (t,), several=False)
            return t  # type: ignore[no-any-return]  # as above
        t._key = grad_key
        node = t._edge = new(Node)
        node.op = op
        node.seq = next_seq()
        node.shape = t._a.shape
        node.edges = ((x._edge or x) if need_first else None, (y._edge or y) if need_second else None)
        node.saved = (x if save_first else None, y if save_second else None)
        if (save_first and x._cell is not None) or (save_second and two and y._cell is not None):
            node.versions = (x._version, y._version if two else 0)
        else:
            node.versions = None
        if saves_out:
            node.out = ((t._a, grad_key, cell_of(t), 0),)
        return t  # type: ignore[no-any-return]  # as above

    return tracked


# --- the general path ------------------------------------------------------------------------------------------------


def _as_tensor_error(op: Op, position: int, value: Any) -> TypeError:
    return TypeError(
        f"{op.name.strip('_')}(): argument '{op.params[position]}' (position {position + 1}) must be Tensor, "
        f"not {type(value).__name__}"
    )


def raw_result(op: Op, args: Sequence[Any]) -> tuple[Any, Key, DType | None]:
    """Returns the raw result of a call, the key that led it, and its dtype where the op's rule fixes it."""
    keys: list[Any] = []
    raws: list[Any] = []
    for position, (value, kind) in enumerate(zip(args, op.kinds, strict=True)):
        if kind == TENSOR:
            if isinstance(value, Tensor):
                if value._key.view:
                    refresh(value)
                keys.append(value._key)
                raws.append(read(value))
            elif isinstance(value, NUMBERS) and op.numbers[position]:
                if type(value) not in NUMBERS:  # a numpy.float64 or an IntEnum: what Python number it is
                    value = next(kind(value) for kind in NUMBERS if isinstance(value, kind))  # type: ignore[arg-type]  # tested
                keys.append(type(value))
                raws.append(value)
            elif value is None and op.defaults[position] is None:
                keys.append(None)
                raws.append(None)
            elif op.numbers[position] and type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
                value = value.item()
                keys.append(type(value))
                raws.append(value)
            else:
                raise _as_tensor_error(op, position, value)
        elif kind == LIST:
            for member in value:
                if not isinstance(member, Tensor):
                    raise _as_tensor_error(op, position, member)
                if member._key.view:
                    refresh(member)
                keys.append(member._key)
            raws.append([read(member) for member in value])
        else:
            raws.append(value)
    if op.pointwise:
        return _raw_pointwise(op, tuple(keys), raws)
    lead = leading_key(op, keys)
    for position, kind in enumerate(op.kinds):
        if kind == DTYPE and raws[position] is not None:
            raws[position] = lead.backend.dtype(raws[position].name)
    where = (lead.backend, lead.device, lead.dtype)
    kernel = op.kernels.get(where)
    if kernel is None:
        static = tuple(i for i, kind in enumerate(op.kinds) if kind in (STATIC, DTYPE))
        kernel = op.kernels[where] = kernel_for(op, lead, KernelCall(op.name, static))
    return kernel(*raws), lead, None


def _raw_pointwise(op: Op, keys: tuple[Any, ...], raws: list[Any]) -> tuple[Any, Key, DType | None]:
    known = tuple([k.fresh(k.zero_dim) if isinstance(k, Key) else k for k in keys])
    plan = op.kernels.get(known)
    if plan is None:
        filled = iter(known)
        aligned = tuple([next(filled) if kind == TENSOR else None for kind in op.kinds])
        plan = op.kernels[known] = _pointwise_kernel(op, aligned)  # type: ignore[assignment]  # with its key and dtype
    kernel, lead, result = plan  # type: ignore[misc]  # as above
    try:
        return kernel(*raws), lead, result
    except (ValueError, TypeError, RuntimeWarning, OverflowError) as error:
        return recover(op, lead, kernel, raws, error), lead, result


def general(op: Op, args: Sequence[Any]) -> Any:
    """Returns the result of calling an op with all its arguments in the schema's order."""
    foreign = next((a for a in args if not isinstance(a, Tensor) and hasattr(type(a), "__torch_function__")), None)
    if foreign is not None:
        return type(foreign).__torch_function__(op.body, (type(foreign),), tuple(args), {})
    raw, lead, result = raw_result(op, args)
    several = isinstance(raw, (tuple, list))
    outs = [_result(r, lead, result) for r in (raw if several else (raw,))]
    if op.rules and modes.grad and requires(args, op.kinds):
        if any(o._key.dtype.category >= FLOATING for o in outs):
            record(op, args, outs, several=several)
    return tuple(outs) if several else outs[0]


def create(op: Op, key: Key, args: Sequence[Any]) -> Tensor:
    """Returns the result of an op that takes no tensor, with the key's backend, device and dtype."""
    native = key.backend.dtype(key.dtype.name)
    kernel = op.kernels.get(key)
    if kernel is None:
        static = tuple(i for i, kind in enumerate(op.kinds) if kind in (STATIC, DTYPE))
        kernel = op.kernels[key] = kernel_for(op, key, KernelCall(op.name, static))
    raw = kernel(*[native if kind == DTYPE else a for a, kind in zip(args, op.kinds, strict=True)])
    raw = key.backend.place(raw, str(key.device))
    t = new(Tensor)
    t._a = raw
    t._key = key.fresh(not raw.shape)
    t._edge = t._cell = t._extra = None
    return t


def _result(raw: Any, lead: Key, result: DType | None) -> Tensor:
    t = new(Tensor)
    t._a = raw
    t._key = lead.as_dtype(result).fresh(not raw.shape) if result is not None else result_key(lead, raw)
    t._edge = t._cell = t._extra = None
    return t

