"""Marks and questions for a compiler: whether one is at work, what it must not touch, how it is to be treated."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any, Final, TypeVar

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Stance", "disable", "is_compiling", "set_stance", "stance"]

F = TypeVar("F")


def is_compiling() -> bool:
    """Returns whether a compiler is at work on the calling code: while a call is traced."""
    return tracing.now is not None


def is_dynamo_compiling() -> bool:
    """Returns what `is_compiling` does."""
    return tracing.now is not None


def is_exporting() -> bool:
    """Returns whether the calling code is being exported: False."""
    return False


class _Disabled(contextlib.AbstractContextManager[None]):
    """What `disable` gives without a function: a decorator, and a context in which nothing is compiled."""

    def __init__(self, reason: str | None) -> None:
        self._reason = reason
        self._before: list[str] = []

    def __enter__(self) -> None:
        if tracing.now is not None:
            tracing.now.refuse("torch.compiler.disable() is entered here")
        self._before.append(stance.name)
        stance.name = "force_eager"

    def __exit__(self, *error: object) -> None:
        stance.name = self._before.pop()

    def __call__(self, fn: F) -> F:
        found: F = disable(fn, reason=self._reason)
        return found


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Returns a function that no compiler will touch; without one, a decorator and context that say so.

    A call that is being traced when it comes here runs eagerly from its beginning, with a warning that names the line;
    with ``fullgraph=True`` it is an error. A module is returned itself, with its ``forward`` disabled.
    """
    if fn is None:
        return _Disabled(reason)
    if not callable(fn):
        raise AssertionError(f"A callable function is expected, but {type(fn)} is provided.")
    if isinstance(fn, Module):
        fn.forward = disable(fn.forward, recursive, reason=reason)  # type: ignore[method-assign]  # as torch does
        return fn
    if isinstance(fn, type):
        fn.__init__ = disable(fn.__init__, recursive, reason=reason)  # type: ignore[misc]  # as torch does
        return fn
    name = getattr(fn, "__qualname__", type(fn).__name__)
    why = f"{name} is disabled for compilers" + (f" ({reason})" if reason else "")

    @functools.wraps(fn)
    def plain(*args: Any, **kwargs: Any) -> Any:
        if tracing.now is not None:
            tracing.now.refuse(why)
        return fn(*args, **kwargs)

    plain._torchdynamo_disable = True  # type: ignore[attr-defined]  # torch's mark
    plain._torchdynamo_orig_callable = fn  # type: ignore[attr-defined]  # as above
    return plain


class Stance:
    """How compiled functions are to be treated at the moment; the process's, as in torch."""

    name: str = "default"


stance: Final = Stance()


class set_stance(contextlib.AbstractContextManager[None]):
    """Says how compiled code is to be treated, from now on; a context that goes back, and a decorator.

    "force_eager": nothing is compiled and no program runs; "eager_on_recompile": programs that are there run, no other
    is made; "fail_on_recompile": as that, with a RuntimeError.
    """

    def __init__(
        self,
        stance: str = "default",
        *,
        skip_guard_eval_unsafe: bool = False,
        force_backend: str | Callable[..., Any] | None = None,
    ) -> None:
        known = ("default", "eager_then_compile", "aot_eager_then_compile", "force_eager", "eager_on_recompile")
        if stance not in (*known, "fail_on_recompile"):
            raise RuntimeError(f"invalid torch.compile stance '{stance}'")
        self.stance = "force_eager" if force_backend in ("eager", "aot_eager") else stance
        self._before = globals()["stance"].name
        globals()["stance"].name = self.stance

    def __enter__(self) -> None:
        globals()["stance"].name = self.stance

    def __exit__(self, *error: object) -> None:
        globals()["stance"].name = self._before

    def __call__(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        globals()["stance"].name = self._before

        @functools.wraps(fn)
        def within(*args: Any, **kwargs: Any) -> Any:
            with set_stance(self.stance):
                return fn(*args, **kwargs)

        return within


def allow_in_graph(fn: F) -> F:
    """Returns the function itself."""
    return fn


def assume_constant_result(fn: F) -> F:
    """Returns the function itself."""
    return fn


def nested_compile_region(fn: Any = None, options: Any = None) -> Any:
    """Returns the function itself, or the decorator that does."""
    return (lambda f: f) if fn is None else fn


def substitute_in_graph(
    original_fn: Callable[..., Any], *, can_constant_fold_through: bool = False, skip_signature_check: bool = False
) -> Callable[[F], F]:
    """Returns a decorator that returns its function: a compiler would call it in place of ``original_fn``."""
    return lambda fn: fn


def cudagraph_mark_step_begin() -> None:
    """Does nothing: no graphs of kernels are recorded."""


def wrap_numpy(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function from tensors to tensors of one from numpy arrays to numpy arrays."""

    def out(value: Any) -> Any:
        if isinstance(value, (tuple, list)):
            return type(value)(out(one) for one in value)
        return FUNCTIONS["from_numpy"](value) if interop.is_host(value) else value

    @functools.wraps(fn)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        given = [interop.to_host(a) if isinstance(a, Tensor) else a for a in args]
        named = {k: interop.to_host(a) if isinstance(a, Tensor) else a for k, a in kwargs.items()}
        return out(fn(*given, **named))

    return wrapped


def _all_false(guard_entries: Any) -> list[bool]:
    """Returns False for each guard: none is kept."""
    return [False for _ in guard_entries]


keep_tensor_guards_unsafe = _all_false
skip_all_guards_unsafe = _all_false
skip_guard_on_all_nn_modules_unsafe = _all_false
skip_guard_on_inbuilt_nn_modules_unsafe = _all_false


def set_enable_guard_collectives(enabled: bool) -> bool:
    """Returns the setting before: False."""
    return False
