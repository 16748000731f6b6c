"""Turning recording on and off: context managers that are decorators too."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any, Self, TypeVar

from dispatchtorch.dispatch.modes import modes

__all__ = [
    "enable_grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
]

F = TypeVar("F", bound=Callable[..., Any])


class _Switch:
    """A value of `modes.grad` for a block or a function."""

    _value: bool

    def __enter__(self) -> Self:
        self._before = modes.grad
        modes.grad = self._value
        return self

    def __exit__(self, *exc: object) -> None:
        modes.grad = self._before

    def _again(self) -> Self:
        return type(self)()

    def __call__(self, function: F) -> F:
        """Returns the function, run in this mode; a generator runs in it between its yields only."""
        if isinstance(function, type):
            warnings.warn(
                "Decorating classes is deprecated and will be disabled in future versions. You should only decorate "
                "functions "
                "or methods. To preserve the current behavior of class decoration, you can directly decorate the "
                "`__init__` "
                "method and nothing else.",
                FutureWarning,
                stacklevel=2,
            )
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Any:
                source = function(*args, **kwargs)
                step, sent = source.send, None
                try:
                    while True:
                        with self._again():
                            try:
                                got = step(sent)
                            except StopIteration as stop:
                                return stop.value
                        try:
                            step, sent = source.send, (yield got)
                        except GeneratorExit:
                            raise
                        except BaseException as error:  # thrown in from outside: it belongs to the generator
                            step, sent = source.throw, error
                finally:
                    source.close()

            return generator  # type: ignore[return-value]  # same signature

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return wrapped  # type: ignore[return-value]  # same signature


class no_grad(_Switch):
    """Records nothing within: ``with no_grad():`` or ``@no_grad()``.

    >>> with torch.no_grad():
    ...     (torch.ones(1, requires_grad=True) * 2).requires_grad
    False
    """

    _value = False

    def __new__(cls, function: Any = None) -> Any:
        self = object.__new__(cls)
        return self if function is None else self(function)


class enable_grad(no_grad):
    """Records within, also inside `no_grad`."""

    _value = True


class set_grad_enabled(_Switch):
    """Sets recording at once, and takes it back at the end of a ``with`` block."""

    def __init__(self, mode: bool) -> None:
        self._before = modes.grad
        self._value = bool(mode)
        modes.grad = self._value

    def __enter__(self) -> Self:
        modes.grad = self._value
        return self

    def _again(self) -> Self:
        return type(self)(self._value)

    def __call__(self, function: F) -> F:
        """Returns the function, run in this mode; the mode outside is put back."""
        modes.grad = self._before
        return super().__call__(function)


class inference_mode(_Switch):
    """Records nothing within, and marks the mode; ``inference_mode(False)`` records."""

    def __init__(self, mode: bool = True) -> None:
        self._on = mode
        self._value = not mode

    def __new__(cls, mode: Any = True) -> Any:
        if callable(mode):
            return cls()(mode)
        return object.__new__(cls)

    def _again(self) -> Self:
        return type(self)(self._on)

    def __enter__(self) -> Self:
        super().__enter__()
        self._outer = modes.inference
        modes.inference = self._on
        return self

    def __exit__(self, *exc: object) -> None:
        super().__exit__()
        modes.inference = self._outer


def is_grad_enabled() -> bool:
    """Returns whether operations are being recorded."""
    return modes.grad


def is_inference_mode_enabled() -> bool:
    """Returns whether `inference_mode` is on."""
    return modes.inference
