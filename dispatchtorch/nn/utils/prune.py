"""Pruning: parameters with a mask, kept as ``name_orig`` and ``name_mask`` and multiplied before each call."""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, TypeVar

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.nn.utils.convert_parameters import parameters_to_vector
from dispatchtorch.tensor.tensor import Tensor

__all__ = [
    "BasePruningMethod", "CustomFromMask", "Identity", "L1Unstructured", "LnStructured", "PruningContainer",
    "RandomStructured", "RandomUnstructured", "custom_from_mask", "global_unstructured", "identity", "is_pruned",
    "l1_unstructured", "ln_structured", "random_structured", "random_unstructured", "remove",
]  # fmt: skip

M = TypeVar("M", bound=Module)
Order = int | float | str


class BasePruningMethod(ABC):
    """A way to say what is pruned: subclasses give `compute_mask` and ``PRUNING_TYPE``.

    That is "unstructured" (among the elements that are left), "structured" (among the channels that are left, along
    ``dim``) or "global" (among all). An instance is a hook that multiplies the mask into its tensor.
    """

    PRUNING_TYPE: ClassVar[str]
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Returns the mask for scores ``t``, within a mask that is there already."""

    def apply_mask(self, module: Module) -> Tensor:
        """Returns the masked tensor."""
        if getattr(self, "_tensor_name", None) is None:
            raise AssertionError(f"Module {module} has to be pruned")
        mask, orig = (getattr(module, self._tensor_name + end) for end in ("_mask", "_orig"))
        return mask.to(dtype=orig.dtype) * orig  # type: ignore[no-any-return]  # members of a module

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Returns the hook after it has masked a module's parameter for the first time."""
        method = _joined(module, name, cls(*args, **kwargs))
        orig = getattr(module, name)
        if importance_scores is None:
            scores = orig
        elif importance_scores.shape == orig.shape:
            scores = importance_scores
        else:
            raise AssertionError(
                f"importance_scores should have the same shape as parameter {name} of {module}, got "
                f"{importance_scores.shape} vs {orig.shape}"
            )
        first = not isinstance(method, PruningContainer)
        if first:
            module.register_parameter(f"{name}_orig", orig)
            del module._parameters[name]
            mask = FUNCTIONS["ones_like"](orig)
        else:
            mask = getattr(module, f"{name}_mask").detach().clone()
        try:
            module.register_buffer(f"{name}_mask", method.compute_mask(scores, default_mask=mask))
            setattr(module, name, method.apply_mask(module))
            module.register_forward_pre_hook(method)
        except Exception:
            if first:
                module.register_parameter(name, getattr(module, f"{name}_orig"))
                del module._parameters[f"{name}_orig"]
            raise
        return method

    def prune(self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None) -> Tensor:
        """Returns a tensor with this method's mask multiplied in."""
        if importance_scores is not None and importance_scores.shape != t.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as tensor t, got {importance_scores.shape} vs {t.shape}"
            )
        scores = t if importance_scores is None else importance_scores
        mask = FUNCTIONS["ones_like"](t) if default_mask is None else default_mask
        return t * self.compute_mask(scores, default_mask=mask)

    def remove(self, module: Module) -> None:
        """Makes the pruned tensor an ordinary parameter; what was pruned stays nought."""
        name = getattr(self, "_tensor_name", None)
        if name is None:
            raise AssertionError(f"Module {module} has to be pruned before pruning can be removed")
        weight = self.apply_mask(module)
        if hasattr(module, name):
            delattr(module, name)
        orig: Any = module._parameters.pop(f"{name}_orig")
        del module._buffers[f"{name}_mask"]
        orig.data = weight.data
        setattr(module, name, orig)


def _joined(module: Module, name: str, method: BasePruningMethod) -> BasePruningMethod:
    """Returns the method, in a container with the one that the tensor has already; that one's hook is taken out."""
    hooks = module._forward_pre_hooks
    mine = [k for k, h in hooks.items() if isinstance(h, BasePruningMethod) and h._tensor_name == name]
    if len(mine) > 1:
        raise AssertionError(
            f"Avoid adding multiple pruning hooks to the same tensor {name} of module {module}. Use a PruningContainer."
        )
    method._tensor_name = name
    if not mine:
        return method
    old: Any = hooks.pop(mine[0])
    container = old if isinstance(old, PruningContainer) else PruningContainer(old)
    container.add_pruning_method(method)
    return container


class PruningContainer(BasePruningMethod):
    """Several methods for one tensor, one after the other, each among what the ones before it left."""

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        if len(args) == 1:
            self._tensor_name = args[0]._tensor_name
        for method in args:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod | None) -> None:
        """Adds a method for the same tensor."""
        if not isinstance(method, BasePruningMethod) and method is not None:
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if method is not None and self._tensor_name != method._tensor_name:
            raise ValueError(
                f"Can only add pruning methods acting on the parameter named '{self._tensor_name}' to "
                f"PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)  # type: ignore[operator]  # torch lets None in

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Iterator[BasePruningMethod]:
        return iter(self._pruning_methods)

    def __getitem__(self, idx: Any) -> Any:
        return self._pruning_methods[idx]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Returns the mask after the last method, asked only about what is left."""
        method: Any = self._pruning_methods[-1]
        place = _left(method, t, default_mask)
        mask = default_mask.to(dtype=t.dtype, copy=True)
        partial = method.compute_mask(t[place], default_mask=default_mask[place])
        mask[place] = partial.to(dtype=mask.dtype)
        return mask


def _left(method: Any, t: Tensor, mask: Tensor) -> Any:
    """Returns an index for what a method chooses among."""
    if method.PRUNING_TYPE == "unstructured":
        return mask == 1
    if method.PRUNING_TYPE == "global":
        return (slice(None),) * t.dim()
    if method.PRUNING_TYPE != "structured":
        raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")
    if not hasattr(method, "dim"):
        raise AttributeError('Pruning methods of PRUNING_TYPE "structured" need to have the attribute `dim` defined.')
    ndim = t.dim()
    dim = method.dim + ndim if method.dim < 0 else method.dim
    if dim < 0:
        raise IndexError(f"Index is out of bounds for tensor with dimensions {ndim}")
    return _channels(ndim, dim, mask.sum(dim=[d for d in range(ndim) if d != dim]) != 0)


def _channels(ndim: int, dim: int, index: Any) -> tuple[Any, ...]:
    place: list[Any] = [slice(None)] * ndim
    place[dim] = index
    return tuple(place)


def _check_amount(amount: Any) -> None:
    if not isinstance(amount, numbers.Real):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    whole = isinstance(amount, numbers.Integral)
    if (whole and amount < 0) or (not whole and not 0.0 <= float(amount) <= 1.0):
        raise ValueError(f"amount={amount} should either be a float in the range [0, 1] or a non-negative integer")


def _count(amount: Any, size: int) -> int:
    """Returns how many of ``size`` are pruned."""
    if not isinstance(amount, numbers.Integral):
        return round(float(amount) * size)
    if int(amount) > size:
        raise ValueError(f"amount={amount} should be smaller than the number of parameters to prune={size}")
    return int(amount)


def _check_channels(t: Tensor, dim: int) -> None:
    if len(t.shape) <= 1:
        raise ValueError(
            "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape "
            f"{t.shape} with {len(t.shape)} dims"
        )
    if dim >= t.dim():
        raise IndexError(f"Invalid index {dim} for tensor of size {t.shape}")


class Identity(BasePruningMethod):
    """Prunes nothing, but makes the parameters that pruning makes."""

    PRUNING_TYPE = "unstructured"

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Returns the mask that is there."""
        return default_mask

    @classmethod
    def apply(cls, module: Module, name: str) -> BasePruningMethod:  # type: ignore[override]  # torch's signature
        """Returns the hook."""
        return super().apply(module, name)


class _Amount(BasePruningMethod):
    """Prunes single elements: a number of them, or a share."""

    PRUNING_TYPE = "unstructured"

    def __init__(self, amount: float) -> None:
        _check_amount(amount)
        self.amount = amount

    def _chosen(self, t: Tensor, count: int) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Returns the mask with the chosen elements nought."""
        count = _count(self.amount, t.nelement())
        mask = default_mask.clone()
        if count:
            mask.view(-1)[self._chosen(t, count)] = 0
        return mask


class RandomUnstructured(_Amount):
    """Prunes elements by chance."""

    def _chosen(self, t: Tensor, count: int) -> Tensor:
        drawn = FUNCTIONS["rand_like"](t)
        return drawn.view(-1).topk(k=count).indices  # type: ignore[no-any-return]  # methods of the table

    @classmethod
    def apply(cls, module: Module, name: str, amount: float) -> BasePruningMethod:  # type: ignore[override]  # torch's
        """Returns the hook."""
        return super().apply(module, name, amount=amount)


class L1Unstructured(_Amount):
    """Prunes the elements nearest to nought."""

    def _chosen(self, t: Tensor, count: int) -> Tensor:
        return t.abs().view(-1).topk(k=count, largest=False).indices  # type: ignore[no-any-return]  # of the table

    @classmethod
    def apply(  # type: ignore[override]  # torch's signature
        cls, module: Module, name: str, amount: float, importance_scores: Tensor | None = None
    ) -> BasePruningMethod:
        """Returns the hook."""
        return super().apply(module, name, amount=amount, importance_scores=importance_scores)


class _Channels(BasePruningMethod):
    """Prunes whole channels along a dim."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        _check_amount(amount)
        self.amount = amount
        self.dim = dim

    def _kept(self, t: Tensor, size: int, count: int) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Returns the mask with the chosen channels nought."""
        _check_channels(t, self.dim)
        size = t.shape[self.dim]
        count = _count(self.amount, size)
        if not count:
            return default_mask
        mask = FUNCTIONS["zeros_like"](t)
        mask[_channels(t.dim(), self.dim, self._kept(t, size, count))] = 1
        return mask.mul_(default_mask.to(dtype=mask.dtype))  # type: ignore[no-any-return]  # methods of the table


class RandomStructured(_Channels):
    """Prunes channels by chance."""

    def _kept(self, t: Tensor, size: int, count: int) -> Tensor:
        drawn = FUNCTIONS["rand"](size)
        return drawn > drawn.kthvalue(k=count).values  # type: ignore[no-any-return]  # methods of the table

    @classmethod
    def apply(  # type: ignore[override]  # torch's signature
        cls, module: Module, name: str, amount: float, dim: int = -1
    ) -> BasePruningMethod:
        """Returns the hook."""
        return super().apply(module, name, amount=amount, dim=dim)


class LnStructured(_Channels):
    """Prunes the channels of smallest norm."""

    def __init__(self, amount: float, n: Order, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def _kept(self, t: Tensor, size: int, count: int) -> Tensor:
        across = [d for d in range(t.dim()) if d != self.dim % t.dim()]
        norms = FUNCTIONS["norm"](t, p=self.n, dim=across)
        return norms.topk(k=size - count, largest=True).indices  # type: ignore[no-any-return]  # of the table

    @classmethod
    def apply(  # type: ignore[override]  # torch's signature
        cls,
        module: Module,
        name: str,
        amount: float,
        n: Order,
        dim: int,
        importance_scores: Tensor | None = None,
    ) -> BasePruningMethod:
        """Returns the hook."""
        return super().apply(module, name, amount=amount, n=n, dim=dim, importance_scores=importance_scores)


class CustomFromMask(BasePruningMethod):
    """Prunes what a given mask says."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """Returns the given mask within the one that is there."""
        return default_mask * self.mask.to(dtype=default_mask.dtype)

    @classmethod
    def apply(cls, module: Module, name: str, mask: Tensor) -> BasePruningMethod:  # type: ignore[override]  # torch's
        """Returns the hook."""
        return super().apply(module, name, mask=mask)


def identity(module: M, name: str) -> M:
    """Returns the module with the parameters that pruning makes, and nothing pruned."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: M, name: str, amount: float) -> M:
    """Returns the module with elements of a parameter pruned by chance."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(module: M, name: str, amount: float, importance_scores: Tensor | None = None) -> M:
    """Returns the module with a parameter's smallest elements pruned."""
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: M, name: str, amount: float, dim: int) -> M:
    """Returns the module with channels of a parameter pruned by chance."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: M, name: str, amount: float, n: Order, dim: int, importance_scores: Tensor | None = None
) -> M:
    """Returns the module with the channels of smallest norm pruned."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prunes elements of many parameters as if they were one vector."""
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    scores = {} if importance_scores is None else importance_scores
    if not isinstance(scores, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    places = list(parameters)
    whole = parameters_to_vector([scores.get((m, n), getattr(m, n)) for m, n in places])
    mask = parameters_to_vector([getattr(m, f"{n}_mask", FUNCTIONS["ones_like"](getattr(m, n))) for m, n in places])
    container = PruningContainer()
    method = pruning_method(**kwargs)
    container._tensor_name = method._tensor_name = "temp"
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            'Only "unstructured" PRUNING_TYPE supported for the `pruning_method`. Found method '
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    container.add_pruning_method(method)
    final = container.compute_mask(whole, mask)
    start = 0
    for module, name in places:
        parameter = getattr(module, name)
        stop = start + parameter.numel()
        custom_from_mask(module, name, mask=final[start:stop].view_as(parameter))
        start = stop


def custom_from_mask(module: M, name: str, mask: Tensor) -> M:
    """Returns the module with a parameter pruned by a given mask."""
    CustomFromMask.apply(module, name, mask)
    return module


def remove(module: M, name: str) -> M:
    """Returns the module, whose pruned parameter is an ordinary one; what was pruned stays nought."""
    for number, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            hook.remove(module)
            del module._forward_pre_hooks[number]
            return module
    raise ValueError(f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed")


def is_pruned(module: Module) -> bool:
    """Returns whether anything in the module is pruned.

    >>> import dispatchtorch as torch
    >>> layer = torch.nn.Linear(3, 2)
    >>> is_pruned(layer), is_pruned(l1_unstructured(layer, "weight", 0.5)), int((layer.weight == 0).sum())
    (False, True, 3)
    """
    hooks = [hook for one in module.modules() for hook in one._forward_pre_hooks.values()]
    return any(isinstance(hook, BasePruningMethod) for hook in hooks)
