"""Ops that plugins bring: declared through the hook ``dispatchtorch_ops``, called as ``torch.ops.namespace.name``.

They are ops like any other: promotion, in-place history, derivatives, kernels by backend, override hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from dispatchtorch.dispatch.op import TABLE, Op
from dispatchtorch.dispatch.plans import make_entry
from dispatchtorch.plugin.manager import manager

__all__ = ["OPS", "OpNamespace", "OpNamespaces", "register"]


def register(
    qualified: str,
    body: Callable[..., Any],
    *,
    pointwise: bool = False,
    dtype: str = "same",
    grad: Mapping[Any, Callable[..., Any]] | None = None,
    samples: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """Returns the function of a new op called "namespace::name", also found as ``torch.ops.namespace.name``.

    ``body``'s signature is the schema and its statements are the decomposition over ops, so that every backend has the
    op; a backend gives a faster kernel under the qualified name. ValueError for a name without namespace or one taken.
    """
    namespace, separator, name = qualified.partition("::")
    if not (separator and namespace.isidentifier() and name.isidentifier()):
        raise ValueError(f"an op's name is 'namespace::name', got {qualified!r}")
    if qualified in TABLE:
        raise ValueError(f"two ops called {qualified}: {TABLE[qualified].body.__module__} and {body.__module__}")
    op = Op(
        body,
        pointwise=pointwise,
        grad=grad or {},
        dtype=dtype,
        kernel=None,
        node=name.title().replace("_", "") + "Backward0",
        decomposed=True,
        samples=samples,
    )
    op.name = qualified
    op.kernel_name = ""
    entry = make_entry(op)
    TABLE[qualified] = op
    op.entry = entry
    OPS.give(namespace, name, entry)
    return entry


class OpNamespace:
    """The ops of one namespace."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"torch.ops.{self._name}"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"torch.ops.{self._name} has no op called {name!r}")


class OpNamespaces:
    """``torch.ops``: asks the plugins for their ops at the first look."""

    def __init__(self) -> None:
        self._asked = False

    def give(self, namespace: str, name: str, entry: Callable[..., Any]) -> None:
        """Puts an op under its two names."""
        space = self.__dict__.setdefault(namespace, OpNamespace(namespace))
        setattr(space, name, entry)

    def give_namespace(self, name: str, space: OpNamespace) -> None:
        """Puts a whole namespace under its name."""
        self.__dict__[name] = space

    def __getattr__(self, namespace: str) -> Any:
        if not namespace.startswith("_") and not self._asked:
            self._asked = True
            manager().ops(register)
            return getattr(self, namespace)
        raise AttributeError(f"no plugin declares ops in the namespace {namespace!r}")


OPS: Final = OpNamespaces()
