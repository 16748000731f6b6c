"""torch's functions and Tensor members for differentiation: ``backward``, ``grad``, ``requires_grad``, hooks."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import FLOATING
from dispatchtorch.autograd.anomaly_mode import detect_anomaly as detect_anomaly
from dispatchtorch.autograd.anomaly_mode import is_anomaly_check_nan_enabled as is_anomaly_check_nan_enabled
from dispatchtorch.autograd.anomaly_mode import is_anomaly_enabled as is_anomaly_enabled
from dispatchtorch.autograd.anomaly_mode import set_anomaly_enabled as set_anomaly_enabled
from dispatchtorch.autograd.anomaly_mode import set_detect_anomaly as set_detect_anomaly
from dispatchtorch.autograd.batched import grad_batched
from dispatchtorch.autograd.engine import run, zeros
from dispatchtorch.autograd.hooks import RemovableHandle
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.node import AccumulateGrad, Node, as_function
from dispatchtorch.dispatch.record import refresh
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.tensor.key import Key
from dispatchtorch.tensor.tensor import Tensor, extra_of, wrap

__all__ = ["backward", "detect_anomaly", "grad", "is_anomaly_enabled", "set_detect_anomaly"]

Tensors = Tensor | Sequence[Tensor]

CYCLE: Final = (
    "Using backward() with create_graph=True will create a reference cycle between the parameter and its gradient "
    "which "
    "can cause a memory leak. We recommend using autograd.grad when creating the graph to avoid this. If you have to "
    "use "
    "this function, make sure to reset the .grad fields of your parameters to None after use to break the cycle and "
    "avoid "
    "the leak."
)
_NAMES: Final = {
    "float64": "double", "float32": "float", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "int64": "long int",
    "int32": "int", "int16": "short int", "int8": "signed char", "uint8": "unsigned char", "bool": "bool",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


_ones: Final[dict[Key, tuple[Any, Key]]] = {}  # for 0-dimensional tensors: the number 1, and its key


def _one_like(t: Tensor) -> Tensor:
    """Returns 1 as a fresh 0-dimensional tensor: where most walks begin."""
    key = t._key
    known = _ones.get(key)
    if known is None:
        if tracing.now is not None:
            return _ones_like(t)  # a placeholder, which nobody may keep
        known = _ones[key] = (_ones_like(t)._a, key.fresh(True))
    return wrap(key.backend.copy(known[0]), known[1])


def _ones_like(t: Tensor) -> Tensor:
    key = t._key
    raw = key.backend.namespace.ones(tuple(t._a.shape), dtype=key.backend.dtype(key.dtype.name))
    return wrap(raw, key.fresh(key.zero_dim))


def _place(given: Any) -> Any:
    """Returns a tensor as it is, and a gradient edge as a tensor that has this history."""
    if isinstance(given, Tensor) or not hasattr(given, "output_nr"):
        return given
    node, nr = given.node, given.output_nr
    if isinstance(node, AccumulateGrad):
        return node.variable
    several = node.keys is not None
    t: Tensor = FUNCTIONS["empty"](tuple(node.shape[nr] if several else node.shape))
    t._key = (node.keys[nr] if several else t._key).as_requires(True)
    t._edge = (node, nr) if several else node
    return t


def _places(given: Any) -> list[Tensor]:
    return [_place(given)] if isinstance(given, Tensor) or hasattr(given, "output_nr") else [_place(t) for t in given]


def _root_gradients(roots: Sequence[Tensor], given: Sequence[Tensor | None]) -> list[Tensor]:
    for g in given:
        if g is not None and not isinstance(g, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    if len(given) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(given)} gradients")
    gradients = []
    for i, (root, g) in enumerate(zip(roots, given, strict=True)):
        if root._key.view:
            refresh(root)
        if g is None:
            if not root._key.requires:
                raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
            if root._a.size != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            if root._key.dtype.category > FLOATING:
                raise RuntimeError(
                    f"grad can be implicitly created only for real scalar outputs but got {root._key.dtype}"
                )
            gradients.append(_ones_like(root))
            continue
        if not root._key.requires:
            raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
        if tuple(g._a.shape) != tuple(root._a.shape):
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{i}] has a shape of {g.shape} and output[{i}] has a shape of "
                f"{root.shape}."
            )
        if (g._key.dtype.category > FLOATING) != (root._key.dtype.category > FLOATING):
            raise RuntimeError(
                "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in "
                "dtype: "
                f"grad_output[{i}] has a dtype of {g._key.dtype} and output[{i}] has a dtype of {root._key.dtype}."
            )
        gradients.append(g)
    return gradients


def backward(
    tensors: Tensors,
    grad_tensors: Tensors | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Tensors | None = None,
) -> None:
    """Adds the gradients of ``tensors`` to the ``.grad`` of the leaves they depend on.

    Raises RuntimeError for a non-scalar root without gradient, and for a graph that was freed.
    """
    if grad_variables is not None:
        warnings.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2)
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. Please only "
                "use `grad_tensors`."
            )
        grad_tensors = grad_variables
    roots = _places(tensors)
    given: list[Any] = [None] * len(roots)
    if grad_tensors is not None:
        given = [grad_tensors] if isinstance(grad_tensors, Tensor) else list(grad_tensors)
    wanted = None if inputs is None else _places(list(inputs.values()) if isinstance(inputs, dict) else inputs)
    if wanted is not None and not wanted:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    gradients = _root_gradients(roots, given)
    del given
    if create_graph:
        warnings.warn(CYCLE, UserWarning, stacklevel=3)
    keep = create_graph if retain_graph is None else retain_graph
    if wanted is not None:
        for t in wanted:
            if t._edge is not None or not t._key.requires:
                t.retain_grad()
    run(roots, gradients, retain_graph=keep, create_graph=create_graph, inputs=wanted)


def _tensor_backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensors | None = None,
) -> None:
    """Adds the gradient of this tensor to the ``.grad`` of the leaves it depends on.

    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> (x * x).backward()
    >>> x.grad
    tensor(6.)
    """
    if gradient is None and inputs is None and not create_graph and self._edge is not None and self._key.zero_dim:
        if self._key.view:
            refresh(self)
        if self._key.dtype.category == FLOATING:
            run((self,), (_one_like(self),), retain_graph=bool(retain_graph), create_graph=False)
            return
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """Returns the gradients of ``outputs`` with respect to ``inputs``; no ``.grad`` is touched.

    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> torch.autograd.grad(x**3, x)
    (tensor(12.),)
    """
    if is_grads_batched:
        heads = _places(outputs)
        seeds = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs or [None] * len(heads))

        def one(gs: Any) -> Any:
            return grad(
                outputs,
                inputs,
                gs,
                retain_graph,
                create_graph,
                only_inputs,
                allow_unused,
                materialize_grads=materialize_grads,
            )

        return one(None) if grad_outputs is None else grad_batched(one, heads, seeds)
    if materialize_grads:
        if allow_unused is False:
            raise ValueError(
                "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
                "allow_unused=False."
            )
        allow_unused = True
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for "
            "other parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    names = list(inputs) if isinstance(inputs, dict) else None
    roots = _places(outputs)
    wanted = _places(list(inputs.values()) if isinstance(inputs, dict) else inputs)
    given: list[Any] = [None] * len(roots)
    if grad_outputs is not None:
        given = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)[: len(roots)]
    if not wanted:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    gradients = _root_gradients(roots, given)
    del given
    for t in wanted:
        if t._key.view:
            refresh(t)
        if not t._key.requires:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    keep = create_graph if retain_graph is None else retain_graph
    got = run(roots, gradients, retain_graph=keep, create_graph=create_graph, inputs=wanted, accumulate=False)
    for i, (g, t) in enumerate(zip(got, wanted, strict=True)):
        if g is None:
            same = next((j for j, u in enumerate(wanted) if u is t and got[j] is not None), None)
            if same is not None:
                got[i] = got[same]
            elif materialize_grads:
                got[i] = zeros(t._a.shape, t._key)
            elif not allow_unused:
                raise RuntimeError(
                    f"The differentiated Tensor at index {i} appears to not have been used in the graph. Set "
                    "allow_unused=True if this is the desired behavior."
                )
    if names is not None:
        return dict(zip(names, got, strict=True))  # type: ignore[return-value]  # a dict for a dict
    return tuple(got)  # type: ignore[arg-type]  # None only where allow_unused says so, as in torch


# --- Tensor members --------------------------------------------------------------------------------------------------


def _requires_grad(self: Tensor) -> bool:
    if self._key.view:
        refresh(self)
    return self._key.requires


def _set_requires_grad(self: Tensor, value: bool) -> None:
    if self._edge is not None and not value:
        raise RuntimeError(
            "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a "
            "subgraph that doesn't require differentiation use var_no_grad = var.detach()."
        )
    if value and self._key.dtype.category < FLOATING:
        raise RuntimeError("only Tensors of floating point and complex dtype can require gradients")
    if value and self._key.inference and not modes.inference:
        raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
    self._key = self._key.as_requires(bool(value))
    if value and self._edge is None and self._cell is not None:
        self._cell.rebased += 1  # views that exist already have a history from now on


def requires_grad_(self: Tensor, requires_grad: bool = True) -> Tensor:
    """Sets whether a gradient is wanted and returns the tensor; RuntimeError for an integer one."""
    if requires_grad and self._key.dtype.category < FLOATING:
        raise RuntimeError("only Tensors of floating point dtype can require gradients")
    _set_requires_grad(self, requires_grad)
    return self


def _grad_fn(self: Tensor) -> Any:
    if self._key.view:
        refresh(self)
    edge = self._edge
    return as_function(edge[0] if type(edge) is tuple else edge)


def _get_grad(self: Tensor) -> Tensor | None:
    extra = self._extra
    if extra is None and self._edge is None:
        return None
    if self._edge is not None and (extra is None or (extra.grad is None and not extra.retains)):
        warnings.warn(
            "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be "
            "populated during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf "
            "Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make "
            "sure "
            "you access the leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for more information.",
            UserWarning,
            stacklevel=2,
        )
    return None if extra is None else extra.grad


def _set_grad(self: Tensor, value: Tensor | None) -> None:
    if value is not None:
        if not isinstance(value, Tensor):
            raise TypeError(
                f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}"
            )
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        if value._key.dtype is not self._key.dtype:
            raise RuntimeError(
                f"attempting to assign a gradient with dtype "
                f"'{_NAMES.get(value._key.dtype.name, value._key.dtype.name)}' to "
                f"a tensor with grad_dtype '{self._key.dtype.legacy}'. The gradient must match the tensor's grad_dtype "
                "(defaults to the tensor's dtype). You can set the tensor's grad_dtype attribute with a specific "
                "dtype, or "
                "None to allow any dtype. Set grad_dtype with caution. Diverging the dtypes of a tensor and its "
                "gradient "
                "may break downstream systems that assume they match."
            )
        if tuple(value._a.shape) != tuple(self._a.shape):
            raise RuntimeError(
                f"attempting to assign a gradient of size '{list(value._a.shape)}' to a tensor of size "
                f"'{list(self._a.shape)}'. Please ensure that the gradient and the tensor are the same size"
            )
    elif self._extra is None:
        return
    extra_of(self).grad = value


def _delete_grad(self: Tensor) -> None:
    if self._extra is not None:
        self._extra.grad = None


def _is_leaf(self: Tensor) -> bool:
    if self._key.view:
        refresh(self)
    return self._edge is None


def retain_grad(self: Tensor) -> None:
    """Makes a non-leaf keep its gradient in ``.grad``; RuntimeError for a tensor that requires none."""
    if not _requires_grad(self):
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self._edge is None:
        return
    extra_of(self).retains = True
    node, nr = self._edge if type(self._edge) is tuple else (self._edge, 0)
    if node.retains is None:
        node.retains, node.special = {}, True
    node.retains[nr] = weakref.ref(self)


def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Calls ``hook(grad)`` when the gradient of this tensor is known; what it returns replaces the gradient."""
    if not _requires_grad(self):
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self._edge is None:
        extra = extra_of(self)
        if extra.hooks is None:
            extra.hooks = {}
        hooks = extra.hooks
    else:
        node, nr = self._edge if type(self._edge) is tuple else (self._edge, 0)
        if node.tensor_hooks is None:
            node.tensor_hooks, node.special = {}, True
        hooks = node.tensor_hooks.setdefault(nr, {})
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    return handle


def register_post_accumulate_grad_hook(self: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """Calls ``hook(tensor)`` after a gradient was added to this leaf's ``.grad``."""
    if not _requires_grad(self):
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self._edge is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    extra = extra_of(self)
    if extra.post_hooks is None:
        extra.post_hooks = {}
    handle = RemovableHandle(extra.post_hooks)
    extra.post_hooks[handle.id] = hook
    return handle


def _node_hook(self: Node, hook: Callable[..., Any]) -> RemovableHandle:
    """Calls ``hook(grad_inputs, grad_outputs)`` after the node ran; what it returns replaces the grad_inputs."""
    if self.post_hooks is None:
        self.post_hooks, self.special = {}, True
    handle = RemovableHandle(self.post_hooks)
    self.post_hooks[handle.id] = hook
    return handle


def _node_prehook(self: Node, hook: Callable[..., Any]) -> RemovableHandle:
    """Calls ``hook(grad_outputs)`` before the node runs; what it returns replaces the grad_outputs."""
    if self.pre_hooks is None:
        self.pre_hooks, self.special = {}, True
    handle = RemovableHandle(self.pre_hooks)
    self.pre_hooks[handle.id] = hook
    return handle


def _leaf_hook(self: AccumulateGrad, hook: Callable[..., Any]) -> RemovableHandle:
    """Calls ``hook((), grad_outputs)`` after the leaf got its gradient."""
    extra = extra_of(self.variable)
    if extra.post_hooks is None:
        extra.post_hooks = {}
    handle = RemovableHandle(extra.post_hooks)

    def told(leaf: Tensor) -> None:
        hook((), (leaf.grad,))

    extra.post_hooks[handle.id] = told
    return handle


def _leaf_prehook(self: AccumulateGrad, hook: Callable[..., Any]) -> RemovableHandle:
    """Calls ``hook(grad_outputs)`` before the leaf gets its gradient; what it returns replaces the gradient."""

    def one(g: Tensor) -> Tensor | None:
        got = hook((g,))
        replaced: Tensor | None = got[0] if isinstance(got, tuple) else got
        return replaced

    return register_hook(self.variable, one)


AccumulateGrad.register_hook = _leaf_hook  # type: ignore[attr-defined]  # members that live a layer above the class
AccumulateGrad.register_prehook = _leaf_prehook  # type: ignore[attr-defined]  # as above
Node.register_hook = _node_hook  # type: ignore[attr-defined]  # members that live a layer above the class
Node.register_prehook = _node_prehook  # type: ignore[attr-defined]  # as above

METHODS.update(
    {
        "backward": _tensor_backward,
        "requires_grad_": requires_grad_,
        "retain_grad": retain_grad,
        "register_hook": register_hook,
        "register_post_accumulate_grad_hook": register_post_accumulate_grad_hook,
        "requires_grad": property(_requires_grad, _set_requires_grad),  # type: ignore[dict-item]  # members, not functions
        "grad": property(_get_grad, _set_grad, _delete_grad),  # type: ignore[dict-item]  # as above
        "grad_fn": property(_grad_fn),  # type: ignore[dict-item]  # as above
        "is_leaf": property(_is_leaf),  # type: ignore[dict-item]  # as above
        "retains_grad": property(lambda self: self._extra is not None and self._extra.retains),  # type: ignore[dict-item]  # as above
        "output_nr": property(lambda self: self._edge[1] if type(self._edge) is tuple else 0),  # type: ignore[dict-item]  # as above
    }
)
