"""What a function can get at: the way from it to every tensor, and what lies on the way.

A program stands for a function only as long as the function would find the same things. Bytecode is not read: from the
function's closure, the globals and attributes that its code names, and its arguments, containers and objects are
walked, and what leads to a tensor that a program uses becomes a guard. The same walk says, after a trace, which slots
the function has written. Must not know: programs, traces.
"""

from __future__ import annotations

import functools
import types
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import DType
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.random.generator import Generator
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["MISSING", "Guards", "Reach", "Slot", "restored"]

_BUDGET: Final = 20_000  # things to look at: a data set in a global is not walked to its end
_LONG: Final = 4096  # containers longer than this are data
_PLAIN: Final = (bool, int, float, complex, str, bytes, type(None), DType, Device)
_CLOSED: Final = (type, types.ModuleType, Generator, types.BuiltinFunctionType, *_PLAIN)
MISSING: Final = object()
_TABLES: Final = ("_modules", "_parameters", "_buffers")


class Slot:
    """One place that holds something: an entry of a dict or list, or a cell of a closure."""

    __slots__ = ("container", "key")

    def __init__(self, container: Any, key: Any) -> None:
        self.container = container
        self.key = key

    def get(self) -> Any:
        """Returns what is there now; an object that is nowhere else where there is nothing."""
        try:
            if type(self.container) is types.CellType:
                return self.container.cell_contents
            if isinstance(self.container, dict):
                return self.container.get(self.key, MISSING)  # a look-up would fill a defaultdict
            return self.container[self.key]
        except (IndexError, ValueError):
            return MISSING

    def put(self, value: Any) -> None:
        """Puts something there."""
        if value is MISSING:
            del self.container[self.key]
        elif type(self.container) is types.CellType:
            self.container.cell_contents = value
        else:
            self.container[self.key] = value


class Step(NamedTuple):
    """One step of the way to a thing: from which thing, through which slot (None within a tuple), under what name."""

    source: int
    slot: Slot | None
    name: str


class Reach:
    """Everything that a function and its arguments lead to."""

    def __init__(self, function: Any, arguments: Sequence[Any] = ()) -> None:
        self.ways: dict[int, list[Step]] = {}  # id of a thing -> the steps that end there; the first is the shortest
        self.things: dict[int, Any] = {}
        self.containers: dict[int, tuple[Any, Any]] = {}  # with what they held
        self.modules: list[Module] = []
        self.words: set[Any] = set()  # names and strings in the code that was reached
        self._plain: list[tuple[Slot, Any, str]] = []
        self._waiting: deque[tuple[Any, str]] = deque()
        self._found(function, 0, None, "")
        for i, leaf in enumerate(arguments):
            if not isinstance(leaf, Tensor):
                self._found(leaf, 0, None, f"argument {i}")
        while self._waiting and len(self.things) < _BUDGET:
            thing, name = self._waiting.popleft()
            for slot, child, label in self._parts(thing, name):
                self._found(child, id(thing), slot, label)

    def _found(self, thing: Any, source: int, slot: Slot | None, name: str) -> None:
        if isinstance(thing, _PLAIN) and slot is not None:
            self._plain.append((slot, thing, name))
            return
        ways = self.ways.setdefault(id(thing), [])
        ways.append(Step(source, slot, name))
        if len(ways) > 1 or isinstance(thing, _CLOSED):
            return
        self.things[id(thing)] = thing
        if not isinstance(thing, Tensor):
            self._waiting.append((thing, name))

    # --- what a thing is made of -------------------------------------------------------------------------------------

    def _parts(self, thing: Any, name: str) -> Iterator[tuple[Slot | None, Any, str]]:
        if isinstance(thing, types.FunctionType):
            return self._of_function(thing)
        if isinstance(thing, types.MethodType):
            return iter([(None, thing.__self__, type(thing.__self__).__name__), (None, thing.__func__, name)])
        if isinstance(thing, functools.partial):
            return iter([(None, part, name) for part in (thing.func, *thing.args, *thing.keywords.values())])
        if isinstance(thing, (dict, list, deque)):
            return self._of_container(thing, name)
        if isinstance(thing, (tuple, set, frozenset)):
            return iter([(None, part, f"{name}[{i}]") for i, part in enumerate(thing)] if len(thing) <= _LONG else [])
        if isinstance(thing, Module):
            return self._of_module(thing, name)
        return self._of_object(thing, name)

    def _of_function(self, function: types.FunctionType) -> Iterator[tuple[Slot | None, Any, str]]:
        if function.__module__ is not None and function.__module__.partition(".")[0] == "dispatchtorch":
            self.words.update(function.__code__.co_names)
            return
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            slot = Slot(cell, None)
            value = slot.get()
            if value is not MISSING:
                self._keep(cell, value)
                yield slot, value, name
        for code in _codes(function.__code__):
            self.words.update(code.co_names)
            self.words.update(c for c in code.co_consts if isinstance(c, str))
            for name in code.co_names:
                if name in function.__globals__:
                    yield Slot(function.__globals__, name), function.__globals__[name], name
        for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            yield None, value, function.__name__

    def _of_container(self, thing: Any, name: str) -> Iterator[tuple[Slot | None, Any, str]]:
        if len(thing) > _LONG:
            return
        self._keep(thing, thing.copy())
        items = thing.items() if isinstance(thing, dict) else enumerate(thing)
        for key, value in list(items):
            yield Slot(thing, key), value, f"{name}[{_shown(key)}]"

    def _of_module(self, module: Module, name: str) -> Iterator[tuple[Slot | None, Any, str]]:
        self.modules.append(module)
        forward = getattr(type(module), "forward", None)
        if isinstance(forward, types.FunctionType):
            yield None, forward, f"{name}.forward"
        own = module.__dict__
        for table in _TABLES:
            inside = own.get(table)
            if inside:
                self._keep(inside, inside.copy())
                for key, value in list(inside.items()):
                    yield Slot(inside, key), value, f"{name}.{key}"
        self._keep(own, own.copy())
        for key, value in list(own.items()):
            if key not in _TABLES and (not key.startswith("_") or key in self.words):
                yield Slot(own, key), value, f"{name}.{key}"

    def _of_object(self, thing: Any, name: str) -> Iterator[tuple[Slot | None, Any, str]]:
        own = getattr(thing, "__dict__", None)
        if type(own) is not dict or len(own) > _LONG:
            return
        if "__wrapped__" in own:  # a function in disguise: a compiled one, a cached one
            yield None, own["__wrapped__"], name
            return
        self._keep(own, own.copy())
        for key, value in list(own.items()):
            yield Slot(own, key), value, f"{name}.{key}"

    def _keep(self, container: Any, held: Any) -> None:
        self.containers.setdefault(id(container), (container, held))

    # --- questions ---------------------------------------------------------------------------------------------------

    def slots_of(self, thing: Any) -> list[Slot | None]:
        """Returns the slots that hold a thing, as far as they were found."""
        return [step.slot for step in self.ways.get(id(thing), ())]

    def name_of(self, thing: Any) -> str:
        """Returns how a program would name a thing: ``model.weight``; nothing where it was not found."""
        ways = self.ways.get(id(thing))
        return ways[0].name if ways else ""

    def way_to(self, thing: Any) -> Iterator[tuple[Slot, Any, str]]:
        """Yields the slots on the shortest way to a thing, with what they hold."""
        at = id(thing)
        while at:
            ways = self.ways.get(at)
            if not ways:
                return
            source, slot, name = ways[0]
            if slot is not None:
                yield slot, self.things[at], name
            at = source

    def plain(self) -> list[tuple[Slot, Any, str]]:
        """Returns the slots of numbers, words and the like that the code names, with what they hold."""
        return [
            (slot, value, name)
            for slot, value, name in self._plain
            if type(slot.container) is types.CellType or slot.key in self.words
        ]

    def changes(self) -> list[tuple[Any, Any]]:
        """Returns the containers that are no longer what they were, with what they held."""
        return [(container, held) for container, held in self.containers.values() if not _same(container, held)]


def restored(container: Any, held: Any) -> None:
    """Makes a container what it was."""
    if type(container) is types.CellType:
        container.cell_contents = held
    elif isinstance(container, dict):
        if list(container) == list(held):
            for key, value in held.items():
                if container[key] is not value:
                    container[key] = value
        else:
            container.clear()
            container.update(held)
    else:
        container.clear()
        container.extend(held)


def _same(container: Any, held: Any) -> bool:
    if type(container) is types.CellType:
        return Slot(container, None).get() is held
    if len(container) != len(held):
        return False
    if isinstance(container, dict):
        return all(container.get(key, MISSING) is value for key, value in held.items())
    return all(now is before for now, before in zip(container, held, strict=True))


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yields a function's code and that of the functions within."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _said(value: Any) -> str:
    return "nothing" if value is MISSING else repr(value) if isinstance(value, _PLAIN) else f"a {type(value).__name__}"


def _shown(key: Any) -> str:
    return "a tensor" if isinstance(key, Tensor) else repr(key) if isinstance(key, (str, int)) else type(key).__name__


class Guards:
    """Slots that have to hold what they held: the very same things, and equal plain values."""

    def __init__(self) -> None:
        self.same: list[tuple[Slot, Any, str]] = []
        self.equal: list[tuple[Slot, Any, str]] = []
        self._seen: set[tuple[int, Any]] = set()

    def add(self, slot: Slot, thing: Any, name: str, plain: bool = False) -> None:
        """Adds a slot; twice the same one counts once."""
        mark = (id(slot.container), id(slot.key) if isinstance(slot.key, Tensor) else slot.key)
        if mark not in self._seen:
            self._seen.add(mark)
            (self.equal if plain else self.same).append((slot, thing, name))

    def broken(self) -> str:
        """Returns what is no longer as it was, in words; nothing where all holds."""
        for slot, thing, name in self.same:
            if slot.get() is not thing:
                return f"{name} is another object"
        for slot, value, name in self.equal:
            now = slot.get()
            if now is not value and (type(now) is not type(value) or now != value):
                return f"{name} was {_said(value)} and is {_said(now)}"
        return ""
