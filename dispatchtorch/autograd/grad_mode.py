"""Turning recording on and off: context managers that are decorators too."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from typing import Any, Final, Self, TypeVar

from dispatchtorch._base.late import inspect
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.tensor.key import marking
from dispatchtorch.tensor.tensor import inference

__all__ = [
    "enable_grad",
    "enforce_grad_layout_policy",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "is_multithreading_enabled",
    "no_grad",
    "set_grad_enabled",
    "set_multithreading_enabled",
]

F = TypeVar("F", bound=Callable[..., Any])


class _Switch:
    """A value of `modes.grad` for a block or a function."""

    _value: bool

    def __enter__(self) -> Self:
        self._before = modes.grad
        modes.grad = modes.recording if self._value else False
        return self

    def __exit__(self, *exc: object) -> None:
        modes.grad = modes.recording if self._before else False

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
        modes.grad = modes.recording if self._value else False

    def __enter__(self) -> Self:
        modes.grad = modes.recording if self._value else False
        return self

    def _again(self) -> Self:
        return type(self)(self._value)

    def __call__(self, function: F) -> F:
        """Returns the function, run in this mode; the mode outside is put back."""
        modes.grad = modes.recording if self._before else False
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
        _set_inference(self._on)
        return self

    def __exit__(self, *exc: object) -> None:
        super().__exit__()
        _set_inference(self._outer)


_threads: Final[set[int]] = set()  # those in inference mode


def _set_inference(on: bool) -> None:
    modes.inference = inference.here = on
    if on:
        _threads.add(threading.get_ident())
    else:
        _threads.discard(threading.get_ident())
    marking.on = bool(_threads)


def is_grad_enabled() -> bool:
    """Returns whether operations are being recorded."""
    return bool(modes.grad)


def is_inference_mode_enabled() -> bool:
    """Returns whether `inference_mode` is on."""
    return modes.inference


class _Setting:
    """A switch that PyTorch has for its engine: it is remembered, and there is nothing here that it would change."""

    _now: bool = True

    def __init__(self, mode: bool) -> None:
        kind = type(self)
        self.prev, self.mode = kind._now, mode
        kind._now = mode

    def __enter__(self) -> None:
        return None

    def __exit__(self, *args: object) -> None:
        type(self)._now = self.prev


class set_multithreading_enabled(_Setting):
    """Says whether backward may use several threads. It uses that of its caller only, so this changes nothing."""

    def clone(self) -> set_multithreading_enabled:
        """Returns another one with the same mode."""
        return type(self)(self.mode)


class enforce_grad_layout_policy(_Setting):
    """Says whether ``.grad`` gets its tensor's strides. It gets those it was computed with: nothing changes."""

    def __init__(self, enable: bool = True) -> None:
        super().__init__(enable)


def is_multithreading_enabled() -> bool:
    """Returns what `set_multithreading_enabled` was last told."""
    return set_multithreading_enabled._now
