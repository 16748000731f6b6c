"""The bases of pipes: one for samples in a row, one for samples by place; and who may be called on them.

A pipe in a row has one valid iterator: making another one resets the pipe, and the old one then raises. Must not know:
which pipes there are.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, TypeVar

from dispatchtorch.utils.data.datapipes.annotations import PipeType, type_of_bases
from dispatchtorch.utils.data.dataset import Dataset, IterableDataset

__all__ = ["DFIterDataPipe", "DataChunk", "IterDataPipe", "MapDataPipe"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_FEEDBACK = (
    "\nFor feedback regarding this single iterator per IterDataPipe constraint, feel free "
    "to comment on this issue: https://github.com/pytorch/data/issues/45."
)


class DataChunk(list[T]):
    """A batch that is a list and shows its items."""

    def __init__(self, items: Iterable[T]) -> None:
        super().__init__(items)
        self.items = list(self)

    def as_str(self, indent: str = "") -> str:
        """Returns the items as text."""
        return indent + "[" + ", ".join(str(item) for item in self) + "]"

    def raw_iterator(self) -> Iterator[T]:
        """Returns an iterator over the items."""
        return iter(self.items)


def _described(pipe: Any) -> str:
    """Returns the call that would make a pipe again, as far as it keeps what it was given."""
    parts = []
    for name in inspect.signature(type(pipe)).parameters:
        if name in vars(pipe):
            value = vars(pipe)[name]
            parts.append(f"{name}={value.__name__ if inspect.isfunction(value) else repr(value)}")
    return f"{type(pipe).__name__}({', '.join(sorted(parts))})"


class _Only:
    """The iterator of a pipe, as long as nobody asks the pipe for another one."""

    def __init__(self, pipe: IterDataPipe[Any], source: Iterator[Any]) -> None:
        self._pipe = pipe
        self._source = source
        self._turn: int | None = None
        if not inspect.isgenerator(source):
            self._take_turn()

    def _take_turn(self) -> None:
        pipe = self._pipe
        self._turn = pipe._valid_iterator_id = 0 if pipe._valid_iterator_id is None else pipe._valid_iterator_id + 1
        pipe._number_of_samples_yielded = 0
        pipe.reset()

    def __iter__(self) -> _Only:
        return self

    def __next__(self) -> Any:
        pipe = self._pipe
        if self._turn is None:  # a generator begins when it is asked for its first sample
            self._take_turn()
        elif pipe._valid_iterator_id != self._turn:
            raise RuntimeError(
                "This iterator has been invalidated because another iterator has been created from the same "
                f"IterDataPipe: {_described(pipe)}\nThis may be caused by multiple references to the same "
                f"IterDataPipe. We recommend using `.fork()` if that is necessary.{_FEEDBACK}"
            )
        try:
            sample = next(self._source)
        except StopIteration:
            raise
        except Exception as error:
            if inspect.isgenerator(self._source):
                _say_whose(error, pipe)
            raise
        pipe._number_of_samples_yielded += 1
        return sample


def _say_whose(error: Exception, pipe: Any) -> None:
    """Adds to an exception's message which pipe raised it, the innermost one."""
    whose = f"\nThis exception is thrown by __iter__ of {_described(pipe)}"
    if not error.args or not isinstance(error.args[0], str):
        error.args = (whose,)
    elif not any(words in error.args[0] for words in ("thrown by __iter__ of", "single iterator per IterDataPipe")):
        error.args = (error.args[0] + whose, *error.args[1:])


def _only(function: Callable[[Any], Iterator[Any]]) -> Callable[[Any], Iterator[Any]]:
    @functools.wraps(function)
    def begin(self: Any) -> Iterator[Any]:
        return _Only(self, function(self))

    return begin


class _Callable:
    """What both kinds of pipes do: functions that are registered are methods of every pipe."""

    functions: ClassVar[dict[str, Callable[..., Any]]]
    _quote: ClassVar[str] = "'"

    def __getattr__(self, name: str) -> Any:
        function = type(self).functions.get(name)
        if function is None:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}{self._quote}")
        return functools.partial(function, self)

    @classmethod
    def register_function(cls, function_name: str, function: Callable[..., Any]) -> None:
        """Makes a function of a pipe a method of all pipes of this kind."""
        cls.functions[function_name] = function

    @classmethod
    def register_datapipe_as_function(
        cls, function_name: str, cls_to_register: Callable[..., Any], enable_df_api_tracing: bool = False
    ) -> None:
        """Makes the construction of a pipe over another one a method of all pipes of this kind."""
        if function_name in cls.functions:
            raise Exception(f"Unable to add DataPipe function name {function_name} as it is already taken")
        cls.functions[function_name] = cls_to_register

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.functions]

    def __repr__(self) -> str:
        return type(self).__qualname__

    __str__ = __repr__


class IterDataPipe(_Callable, IterableDataset[T_co]):
    """Samples in a row, from ``__iter__`` of a subclass; ``reset`` is called before each pass.

    >>> from dispatchtorch.utils.data.datapipes.iter import IterableWrapper
    >>> list(IterableWrapper(range(5)).map(lambda x: x * x).filter(lambda x: x > 1).batch(2))
    [[4, 9], [16]]
    """

    functions: ClassVar[dict[str, Callable[..., Any]]] = {}
    type: ClassVar[PipeType] = PipeType(Any)
    _quote: ClassVar[str] = ""  # torch's sentence ends before it
    _valid_iterator_id: int | None = None
    _number_of_samples_yielded = 0

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.type = type_of_bases(cls, "IterDataPipe") or cls.type
        if "__iter__" in cls.__dict__:
            cls.__iter__ = _only(cls.__dict__["__iter__"])  # type: ignore[method-assign]  # every subclass's own one

    def __iter__(self) -> Iterator[T_co]:
        return self  # a subclass has __next__, or an __iter__ of its own

    def reset(self) -> None:
        """Brings the pipe back to its beginning; a subclass with buffers empties them here."""


class DFIterDataPipe(IterDataPipe[Any]):
    """A pipe of data frames."""

    def _is_dfpipe(self) -> bool:
        return True


class MapDataPipe(_Callable, Dataset[T_co]):
    """Samples by place, from ``__getitem__`` of a subclass.

    >>> from dispatchtorch.utils.data.datapipes.map import SequenceWrapper
    >>> list(SequenceWrapper(range(3)).map(lambda x: x + 1))
    [1, 2, 3]
    """

    functions: ClassVar[dict[str, Callable[..., Any]]] = {}
    type: ClassVar[PipeType] = PipeType(Any)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.type = type_of_bases(cls, "MapDataPipe") or cls.type
