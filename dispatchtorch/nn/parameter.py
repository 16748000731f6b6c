"""Tensors that modules treat specially: `Parameter`, `Buffer`, and those whose shape is not known yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor.tensor import Parameter, Tensor, alias_of, new

__all__ = [
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "UninitializedTensorMixin",
    "is_lazy",
]

_NO_SHAPE = (
    "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in `load_state_dict` "
    "when trying to load an uninitialized parameter into an initialized one. Call `forward` to initialize the "
    "parameters before accessing their attributes."
)


class _BufferMeta(type):
    """Lets plain tensors that are marked as buffers be instances of `Buffer`."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if cls is Buffer and is_buffer(instance):
            return True
        return super().__instancecheck__(instance)


def is_buffer(value: Any) -> bool:
    """Returns whether a value is a tensor that becomes a buffer where it is assigned to a module."""
    return isinstance(value, Tensor) and value.__dict__.get("_is_buffer", False) is True


class Buffer(Tensor, metaclass=_BufferMeta):
    """A tensor that a Module registers as a buffer when it is assigned.

    ``Buffer(data=None, *, persistent=True)`` gives a plain tensor that shares the storage of ``data`` and is marked;
    a buffer that is not persistent is not saved.

    >>> import dispatchtorch as torch
    >>> isinstance(torch.nn.Buffer(torch.ones(2)), torch.nn.Buffer)
    True
    """

    __slots__ = ()
    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        given = FUNCTIONS["empty"]((0,)) if data is None else data
        kind = type(given) if isinstance(given, Tensor) and not isinstance(given, Parameter) else Tensor
        made: Any = alias_of(given, kind).requires_grad_(given.requires_grad)
        made.persistent, made._is_buffer = persistent, True
        return made  # type: ignore[no-any-return]  # an instance by its mark

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        """Nothing is left to do after ``__new__``."""


_raw: Any = vars(Tensor)["_a"]  # the slot itself
_CASTS = (
    "half", "float", "double", "bfloat16", "char", "short", "int", "long", "cuda", "cpu", "to", "get_device",
    "is_complex", "is_floating_point",
)  # fmt: skip


class UninitializedTensorMixin:
    """What a tensor without a shape can do: be moved, cast, and materialised. Everything else is refused."""

    __slots__ = ()
    cls_to_become: ClassVar[type[Tensor]] = Tensor

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: Any = None) -> None:
        """Gives the tensor a shape, and memory that is not filled; it is an ordinary one from now on."""
        here = self.data
        made = FUNCTIONS["empty"](
            tuple(shape), device=here.device if device is None else device, dtype=here.dtype if dtype is None else dtype
        )
        self.__class__ = self.cls_to_become  # type: ignore[assignment]  # of the same layout
        self.data = made

    @property
    def _a(self) -> Any:
        raise ValueError(
            f"Attempted to use an uninitialized parameter in a torch function. This error happens when you are using a "
            f"`LazyModule` or explicitly manipulating `torch.nn.parameter.{type(self).__name__}` objects. When using "
            "LazyModules Call `forward` with a dummy batch to initialize the parameters before calling torch functions"
        )

    @_a.setter
    def _a(self, value: Any) -> None:
        _raw.__set__(self, value)

    @property
    def data(self) -> Tensor:
        """Returns an empty tensor of the dtype, on the device, that this one will have."""
        plain = new(Tensor)
        plain._a, plain._edge, plain._cell, plain._extra = _raw.__get__(self), None, None, None
        plain._key = self._key.as_requires(False)  # type: ignore[attr-defined]  # of the tensor it is mixed into
        return plain

    @data.setter
    def data(self, value: Tensor) -> None:
        kind = type(self)
        self.__class__ = self.cls_to_become  # type: ignore[assignment]  # whose data can be set
        self.data = value
        self.__class__ = kind

    @property
    def shape(self) -> Any:
        """Raises RuntimeError: there is no shape yet."""
        raise RuntimeError(_NO_SHAPE)

    def size(self, dim: int | None = None) -> Any:
        """Returns the size of nothing."""
        return self.data.size(dim)

    def copy_(self, src: Any, non_blocking: bool = False) -> Any:
        """Returns the tensor itself: there is nothing to fill."""
        return self

    def share_memory_(self) -> Any:
        """Raises RuntimeError: there is no memory yet."""
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to initialize the parameters "
            "before calling `module.share_memory()`."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.requires_grad,)  # type: ignore[attr-defined]  # of the tensor it is mixed into

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            here: Any = self
            memo[id(self)] = type(here)(here.requires_grad, here.data.device, here.data.dtype)
        return memo[id(self)]


def _on_data(name: str) -> Any:
    def method(self: UninitializedTensorMixin, *args: Any, **kwargs: Any) -> Any:
        got = getattr(self.data, name)(*args, **kwargs)
        return _as_uninitialized(got) if isinstance(self, UninitializedBuffer) and isinstance(got, Tensor) else got

    method.__name__, method.__doc__ = name, f"Returns what ``{name}`` gives for nothing of this dtype."
    return method


for _name in _CASTS:
    setattr(UninitializedTensorMixin, _name, _on_data(_name))


def _as_uninitialized(given: Tensor) -> UninitializedBuffer:
    """Returns a buffer without a shape: a module keeps what moving its buffers gives."""
    return UninitializedBuffer(given.requires_grad, given.device, given.dtype)


def _empty(cls: type[Any], requires_grad: bool, device: Any, dtype: Any) -> Any:
    given = FUNCTIONS["empty"]((0,), device=device, dtype=dtype)
    made: Any = new(cls)
    made._a, made._edge, made._cell, made._extra = given._a, None, None, None
    made._key = given._key.as_requires(requires_grad)
    return made


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape the first forward call will tell.

    >>> UninitializedParameter()
    <UninitializedParameter>
    """

    __slots__ = ()
    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> UninitializedParameter:
        return _empty(cls, requires_grad, device, dtype)  # type: ignore[no-any-return]  # an object of the class

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        """Nothing is left to do after ``__new__``."""


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer whose shape the first forward call will tell."""

    __slots__ = ()
    cls_to_become = Tensor
    persistent: bool

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> UninitializedBuffer:
        made = _empty(cls, requires_grad, device, dtype)
        made.persistent, made._is_buffer = persistent, True
        return made  # type: ignore[no-any-return]  # an object of the class

    def __init__(
        self, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True
    ) -> None:
        """Nothing is left to do after ``__new__``."""


def is_lazy(param: Any) -> bool:
    """Returns whether a parameter or buffer has no shape yet."""
    return isinstance(param, UninitializedTensorMixin)
