"""Marks and questions for a compiler, with the answers that hold where none is at work."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any, TypeVar

from dispatchtorch.dispatch.table import FUNCTIONS
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["disable", "is_compiling", "set_stance"]

F = TypeVar("F")


def is_compiling() -> bool:
    """Returns whether a compiler is at work on the calling code: False."""
    return False


def is_dynamo_compiling() -> bool:
    """Returns whether a compiler is at work on the calling code: False."""
    return False


def is_exporting() -> bool:
    """Returns whether the calling code is being exported: False."""
    return False


class _Disabled(contextlib.AbstractContextManager[None]):
    def __exit__(self, *error: object) -> None:
        return None

    def __call__(self, fn: F) -> F:
        return fn


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Returns the function itself, which no compiler will touch; without one, a decorator and context that say so."""
    return _Disabled() if fn is None else fn


class set_stance(contextlib.AbstractContextManager[None]):
    """Says how compiled code is to be treated; a decorator and a context. Nothing changes where there is none."""

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
        self.stance = stance

    def __exit__(self, *error: object) -> None:
        return None

    def __call__(self, fn: F) -> F:
        return fn


def reset() -> None:
    """Forgets what was compiled: nothing."""


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


def list_backends(exclude_tags: Any = ()) -> list[str]:
    """Returns the names of compilers: none."""
    return []


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
