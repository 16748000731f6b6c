"""Decorators for pipes: their names as methods, whether they are the same each time, whether types are kept to."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, get_type_hints

from dispatchtorch.utils.data.datapipes.datapipe import IterDataPipe, MapDataPipe

__all__ = [
    "argument_validation", "functional_datapipe", "guaranteed_datapipes_determinism", "non_deterministic",
    "runtime_validation", "runtime_validation_disabled",
]  # fmt: skip

C = TypeVar("C")


class functional_datapipe:
    """Gives a pipe's class a name under which all pipes have it as a method."""

    def __init__(self, name: str, enable_df_api_tracing: bool = False) -> None:
        self.name = name
        self.enable_df_api_tracing = enable_df_api_tracing

    def __call__(self, cls: C) -> C:
        owner = getattr(cls, "__self__", cls)
        kind = owner.cls if isinstance(owner, non_deterministic) else cls
        if not isinstance(kind, type) or not issubclass(kind, (IterDataPipe, MapDataPipe)):
            raise TypeError("`functional_datapipe` can only decorate IterDataPipe")
        base: Any = IterDataPipe if issubclass(kind, IterDataPipe) else MapDataPipe
        base.register_datapipe_as_function(self.name, cls, enable_df_api_tracing=self.enable_df_api_tracing)
        return cls


class _Switch:
    """A setting of the process that a ``with`` block changes, or a plain call for good."""

    value: bool
    _to: bool

    def __init__(self) -> None:
        self.prev = type(self).value
        type(self).value = self._to

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        type(self).value = self.prev


class guaranteed_datapipes_determinism(_Switch):
    """Refuses pipes that are not the same each time, from now on or in a ``with`` block."""

    value = False
    _to = True


class runtime_validation_disabled(_Switch):
    """Lets samples pass unchecked, from now on or in a ``with`` block."""

    value = False
    _to = True


class non_deterministic:
    """Marks a pipe that is not the same each time, always or if a function of its arguments says so."""

    cls: type[IterDataPipe[Any]] | None = None

    def __init__(self, arg: type[IterDataPipe[Any]] | Callable[..., bool]) -> None:
        if isinstance(arg, type):
            if not issubclass(arg, IterDataPipe):
                raise TypeError(
                    f"Only `IterDataPipe` can be decorated with `non_deterministic`, but {arg.__name__} is found"
                )
            self.cls = arg
        elif callable(arg):
            self.deterministic_fn = arg
        else:
            raise TypeError(f"{arg} can not be decorated by non_deterministic")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.cls is not None:
            if guaranteed_datapipes_determinism.value:
                raise TypeError(
                    f"{self.cls.__name__} is non-deterministic, but you set 'guaranteed_datapipes_determinism'. You "
                    "can turn off determinism for this DataPipe if that is acceptable for your application"
                )
            return self.cls(*args, **kwargs)
        kind = args[0]
        if not (isinstance(kind, type) and issubclass(kind, IterDataPipe)):
            raise TypeError(f"Only `IterDataPipe` can be decorated, but {kind.__name__} is found")
        self.cls = kind
        return self.deterministic_wrapper_fn

    def deterministic_wrapper_fn(self, *args: Any, **kwargs: Any) -> Any:
        """Returns the pipe, if the arguments make it one that may be used."""
        assert self.cls is not None
        varies = self.deterministic_fn(*args, **kwargs)
        if not isinstance(varies, bool):
            raise TypeError(
                "deterministic_fn of `non_deterministic` decorator is required to return a boolean value, but "
                f"{type(varies)} is found"
            )
        if varies and guaranteed_datapipes_determinism.value:
            raise TypeError(
                f"{self.cls.__name__} is non-deterministic with the inputs, but you set "
                "'guaranteed_datapipes_determinism'. You can turn off determinism for this DataPipe if that is "
                "acceptable for your application"
            )
        return self.cls(*args, **kwargs)


def argument_validation(f: Callable[..., C]) -> Callable[..., C]:
    """Returns a function that refuses pipes whose samples are not of the type that its annotations say."""
    signature, hints = inspect.signature(f), get_type_hints(f)

    @functools.wraps(f)
    def checked(*args: Any, **kwargs: Any) -> C:
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            hint: Any = hints.get(name)
            kind: Any = getattr(hint, "__origin__", hint)
            if not (isinstance(kind, type) and issubclass(kind, IterDataPipe)):
                continue
            if not isinstance(value, IterDataPipe):
                raise TypeError(f"Expected argument '{name}' as a IterDataPipe, but found {type(value)}")
            wanted = type(kind.type)(hint.__args__[0]) if kind is not hint else kind.type
            if not value.type.issubtype(wanted):
                raise TypeError(
                    f"Expected type of argument '{name}' as a subtype of hint {wanted}, but found {value.type}"
                )
        return f(*args, **kwargs)

    return checked


def runtime_validation(f: Callable[[Any], Iterator[Any]]) -> Callable[[Any], Iterator[Any]]:
    """Returns an ``__iter__`` that raises RuntimeError for a sample that is not of its pipe's type."""
    if f.__name__ != "__iter__":
        raise TypeError(f"Can not decorate function {f.__name__} with 'runtime_validation'")

    @functools.wraps(f)
    def checked(self: Any) -> Iterator[Any]:
        for sample in f(self):
            if not runtime_validation_disabled.value and not self.type.issubtype_of_instance(sample):
                raise RuntimeError(
                    f"Expected an instance as subtype of {self.type}, but found {sample}({type(sample)})"
                )
            yield sample

    return checked
