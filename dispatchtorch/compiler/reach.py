"""What a function can get at: the way from it to every tensor, and what lies on the way.

A program stands for a function only as long as the function would find the same things. From the function's closure,
the globals and attributes that its code names, its arguments, containers, objects and the methods of their classes are
walked. What leads to a tensor that a program uses becomes a guard, and so does what lies in places that the code reads.
The same walk says, after a trace, which slots the function has written. Must not know: programs, traces.
"""

from __future__ import annotations

import functools
import sys
import types
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from dispatchtorch._base.host import np
from dispatchtorch.compiler.guards import is_plain
from dispatchtorch.compiler.names import Names
from dispatchtorch.compiler.slots import CONTAINERS, MISSING, Holding, Slot
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.random.generator import Generator
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["HOOK_TABLES", "Reach"]

_BUDGET: Final = 20_000  # things to look at: a data set in a global is not walked to its end
_LONG: Final = 4096  # containers longer than this are data
_CLOSED: Final = (Generator, types.BuiltinFunctionType)
_TABLES: Final = ("_modules", "_parameters", "_buffers")
HOOK_TABLES: Final = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_FOREIGN: Final = frozenset({*sys.stdlib_module_names, "numpy"} - {"__main__"})
_ASIDE: Final = frozenset(  # what no call of a method comes to by itself
    {
        "__init__", "__new__", "__init_subclass__", "__repr__", "__str__", "__del__", "__reduce__", "__reduce_ex__",
        "__getstate__", "__setstate__", "__deepcopy__", "__copy__", "__sizeof__", "__dir__", "__class_getitem__",
        "extra_repr", "reset_parameters",
    }
)  # fmt: skip
_ITERATORS: Final = tuple(
    type(one) for one in (iter([]), iter(()), iter(range(0)), iter({}), iter(set()), iter(""), iter({}.values()))
)
_WRAPPERS: Final = (enumerate, zip, map, filter, reversed)


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
        self.containers: dict[int, Holding] = {}
        self.modules: list[Module] = []
        self.names = Names()  # in the code that was reached
        self._iterators: list[tuple[Any, str]] = []
        self._own: set[int] = set()  # things within the library's own objects, and their containers
        self._tables: set[int] = set()
        self._cells: dict[int, str] = {}  # the names of closures' variables
        self._plain: list[tuple[int, Slot, Any, str]] = []
        self._namespaces: list[tuple[Any, str, set[str]]] = []  # classes and modules, with what was looked at
        self._waiting: deque[tuple[Any, str]] = deque()
        self._found(function, 0, None, "")
        for i, leaf in enumerate(arguments):
            if not isinstance(leaf, Tensor):
                self._found(leaf, 0, None, f"argument {i}")
        while self._waiting or self._looked_up():
            if len(self.things) >= _BUDGET:
                break
            thing, name = self._waiting.popleft()
            for slot, child, label in self._parts(thing, name):
                self._found(child, id(thing), slot, label)
        self._named = self._reads()

    def _found(self, thing: Any, source: int, slot: Slot | None, name: str) -> None:
        if is_plain(thing) and slot is not None:
            self._plain.append((source, slot, thing, name))
            return
        ways = self.ways.setdefault(id(thing), [])
        ways.append(Step(source, slot, name))
        if len(ways) > 1 or is_plain(thing):
            return
        self.things[id(thing)] = thing
        if source in self._own and isinstance(thing, (*CONTAINERS, tuple, set)):
            self._own.add(id(thing))
        if not isinstance(thing, (Tensor, *_CLOSED)):
            self._waiting.append((thing, name))

    # --- what a thing is made of -------------------------------------------------------------------------------------

    def _parts(self, thing: Any, name: str) -> Iterator[tuple[Slot | None, Any, str]]:
        if isinstance(thing, types.FunctionType):
            return self._of_function(thing)
        if isinstance(thing, types.MethodType):
            return iter([(None, thing.__self__, type(thing.__self__).__name__), (None, thing.__func__, name)])
        if isinstance(thing, functools.partial):
            return iter([(None, part, name) for part in (thing.func, *thing.args, *thing.keywords.values())])
        if isinstance(thing, CONTAINERS):
            return self._of_container(thing, name)
        if isinstance(thing, (tuple, set, frozenset)):
            if isinstance(thing, set) and len(thing) <= _LONG:
                self._keep(thing, thing.copy())
            return iter([(None, part, f"{name}[{i}]") for i, part in enumerate(thing)] if len(thing) <= _LONG else [])
        if isinstance(thing, (type, types.ModuleType)):
            if isinstance(thing, type):
                closed = _is_foreign(thing.__module__)
            else:
                closed = _is_foreign(thing.__name__) or _is_installed(thing)
            if not closed:
                self._namespaces.append((thing, name, set()))
            return iter(())
        if isinstance(thing, (property, staticmethod, classmethod, functools.cached_property)):
            inside = [getattr(thing, part, None) for part in ("fget", "fset", "__func__", "func")]
            return iter([(None, part, name) for part in inside if part is not None])
        if isinstance(thing, (types.GeneratorType, *_ITERATORS, *_WRAPPERS)) or type(thing).__module__ == "itertools":
            self._iterators.append((thing, name))
            return iter(())
        if isinstance(thing, Module):
            return self._of_module(thing, name)
        return self._of_object(thing, name)

    def _of_function(self, function: types.FunctionType) -> Iterator[tuple[Slot | None, Any, str]]:
        if _is_own(function.__module__):
            self.names.read.update(function.__code__.co_names)
            return
        if _is_foreign(function.__module__):
            return
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            slot = Slot(cell, name)
            value = slot.get()
            if value is not MISSING:
                self._keep(cell, value)
                self._cells[id(cell)] = name
                yield slot, value, name
        for code in self.names.add(function.__code__):
            for name in code.co_names:
                if name in function.__globals__:
                    self._keep_name(function.__globals__, name)
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
        kind: Any = type(module)
        yield None, kind, kind.__name__
        self.names.read |= _names_of(kind)
        own = module.__dict__
        for table in _TABLES:
            inside = own.get(table)
            if inside is not None:
                self._tables.add(id(inside))
                self._keep(inside, inside.copy())
                for key, value in list(inside.items()):
                    yield Slot(inside, key), value, f"{name}.{key}"
        for table in HOOK_TABLES:
            for hook in (own.get(table) or {}).values():
                yield None, hook, f"a hook of {name}"
        self._keep(own, own.copy())
        for key, value in list(own.items()):
            if key not in _machinery():
                yield Slot(own, key), value, f"{name}.{key}"

    def _of_object(self, thing: Any, name: str) -> Iterator[tuple[Slot | None, Any, str]]:
        kind = type(thing)
        own = getattr(thing, "__dict__", None)
        if type(own) is dict and len(own) <= _LONG:
            if "__wrapped__" in own:  # a function in disguise: a compiled one, a cached one
                yield None, own["__wrapped__"], name
                return
            if _is_own(kind.__module__):
                self._own.update((id(thing), id(own)))
            self._keep(own, own.copy())
            for key, value in list(own.items()):
                yield Slot(own, key), value, f"{name}.{key}"
        if not _is_foreign(kind.__module__) and not _is_installed(sys.modules.get(kind.__module__)):
            yield None, kind, kind.__name__
            slots = [key for base in kind.__mro__ for key in _slots_of(base) if key not in ("__dict__", "__weakref__")]
            held = {key: value for key in slots if (value := Slot(thing, key).get()) is not MISSING}
            if slots:
                self._keep(thing, {key: held.get(key, MISSING) for key in slots}, partial=True)
            for key, value in held.items():
                yield Slot(thing, key), value, f"{name}.{key}"

    def _looked_up(self) -> bool:
        """Looks for what the code names in the classes and modules that were found; returns whether there is more."""
        for space, name, done in list(self._namespaces):
            if isinstance(space, types.ModuleType):
                for key in (self.names.read & vars(space).keys()) - done:
                    done.add(key)
                    self._keep_name(vars(space), key)
                    self._found(vars(space)[key], id(space), Slot(vars(space), key), f"{name}.{key}")
                continue
            whole = not issubclass(space, Module) and any(_is_own(base.__module__) for base in space.__mro__)
            for base in space.__mro__:
                if _is_foreign(base.__module__):
                    continue
                for key, value in list(vars(base).items()):
                    special = key[:2] == "__"
                    wanted = isinstance(value, types.FunctionType) if special else whole or key in self.names.read
                    if wanted and key not in done and key not in _ASIDE:
                        done.add(key)
                        self._keep_name(base, key)
                        self._found(value, id(space), Slot(base, key), f"{name}.{key}")
        return bool(self._waiting)

    def _keep(self, container: Any, held: Any, partial: bool = False) -> None:
        self.containers.setdefault(id(container), Holding(container, held, partial))

    def _keep_name(self, space: Any, key: str) -> None:
        """Keeps one name of a namespace, which is not kept as a whole."""
        holding = self.containers.setdefault(id(space), Holding(space, {}, True))
        if holding.partial:
            holding.held.setdefault(key, Slot(space, key).get())

    # --- what is read ------------------------------------------------------------------------------------------------

    def _reads(self) -> set[int]:
        """Returns the things that the code may read, by the names and places on the ways to them."""
        targets: dict[int, list[tuple[int, Slot | None]]] = {}
        for thing, ways in self.ways.items():
            for source, slot, _ in ways:
                targets.setdefault(source, []).append((thing, slot))
        named, waiting = {0}, [0]
        while waiting:
            source = waiting.pop()
            for thing, slot in targets.get(source, ()):
                if thing not in named and (slot is None or self._is_read(slot, source)):
                    named.add(thing)
                    waiting.append(thing)
        return named

    def _is_read(self, slot: Slot, source: int) -> bool:
        """Returns whether the code reads a slot of a thing that it comes to."""
        container, own = slot.container, source in self._own
        if type(container) is types.CellType:
            return slot.key in self.names.read
        if id(container) in self._tables:
            return True
        if id(container) in self.things and isinstance(container, CONTAINERS) and not (own and type(slot.key) is str):
            return True
        if slot.key in self.names.read:
            return True
        return self.names.computed and not own and not isinstance(container, type)

    def plain(self) -> list[tuple[Slot, Any, str, int]]:
        """Returns the slots of numbers, words and the like that the code reads: what they hold, and in which thing."""
        return [
            (slot, value, name, source)
            for source, slot, value, name in self._plain
            if source in self._named and self._is_read(slot, source)
        ]

    def fixed(self) -> Iterator[tuple[Slot, Any, str]]:
        """Yields the slots of other things that the code reads: functions, objects, containers."""
        for mark, ways in self.ways.items():
            thing = self.things.get(mark)
            if thing is None or isinstance(thing, (Tensor, types.ModuleType)):
                continue
            for source, slot, name in ways:
                if slot is None or source not in self._named or source in self._own:
                    continue
                if self._is_read(slot, source) and slot.get() is thing:
                    yield slot, thing, name

    def held(self) -> Iterator[tuple[Any, str]]:
        """Yields the containers and arrays whose content the code may read, whatever is in them."""
        for mark in self._named:
            thing = self.things.get(mark)
            if isinstance(thing, (*CONTAINERS, set, np.ndarray)) and mark not in self._own:
                yield thing, self.ways[mark][0].name
        for module in self.modules:
            if module._modules or not _is_own(type(module).__module__):
                yield module._modules, f"{type(module).__name__}'s modules"

    def iterators(self) -> list[str]:
        """Returns the names of the iterators that the code reads: they move on when they are asked, and not back."""
        found = []
        for one, name in self._iterators:
            slots = [slot for source, slot, _ in self.ways[id(one)] if slot is not None and source in self._named]
            if any(self._key_of(s) in self.names.read for s in slots if id(s.container) not in self.things):
                found.append(name)
        return found

    def only_counts(self, slot: Slot) -> bool:
        """Returns whether the code does nothing with the number in a slot but add to it."""
        return not isinstance(slot.container, type) and self.names.only_counted(self._key_of(slot))

    def reads(self, slot: Slot) -> bool:
        """Returns whether the code may read a slot that it has written."""
        if isinstance(slot.container, CONTAINERS) and id(slot.container) in self.things:
            return id(slot.container) in self._named
        return self._key_of(slot) in self.names.read or self.names.computed

    def reads_list(self, grown: list[Any]) -> bool:
        """Returns whether the code does more with a list than to append to it."""
        return id(grown) in self._named

    def name_of_slot(self, slot: Slot) -> str:
        """Returns a slot's name."""
        return str(self._key_of(slot))

    def _key_of(self, slot: Slot) -> Any:
        return self._cells.get(id(slot.container)) if type(slot.container) is types.CellType else slot.key

    # --- questions ---------------------------------------------------------------------------------------------------

    def absent(self) -> Iterator[tuple[Slot, str]]:
        """Yields the attributes that the code reads of an object and finds in its class: the object may get its own."""
        for mark, thing in self.things.items():
            kind, own = type(thing), getattr(thing, "__dict__", None)
            if mark not in self._named or type(own) is not dict or isinstance(thing, (type, types.ModuleType)):
                continue
            for base in kind.__mro__:
                if _is_foreign(base.__module__):
                    continue
                for key, value in vars(base).items():
                    settable = is_plain(value) or isinstance(value, Tensor)
                    if settable and key in self.names.read and key[:2] != "__" and key not in own:
                        yield Slot(own, key), f"{kind.__name__}.{key}"

    def is_own(self, container: Any) -> bool:
        """Returns whether a container is part of one of the library's own objects, which say what changes."""
        return id(container) in self._own

    def slots_of(self, thing: Any) -> list[Slot | None]:
        """Returns the slots that hold a thing, as far as they were found."""
        return [step.slot for step in self.ways.get(id(thing), ())]

    def name_of(self, thing: Any) -> str:
        """Returns how a program would name a thing: ``model.weight``; nothing where it was not found."""
        ways = self.ways.get(id(thing))
        return ways[0].name if ways else ""

    def way_to(self, thing: Any) -> Iterator[tuple[Slot, Any, str]]:
        """Yields the slots on the shortest way to a thing, with what they hold."""
        return self.way_from(id(thing))

    def way_from(self, at: int) -> Iterator[tuple[Slot, Any, str]]:
        """Yields the same for a thing that is known by its id."""
        while at:
            ways = self.ways.get(at)
            if not ways:
                return
            source, slot, name = ways[0]
            if slot is not None:
                yield slot, self.things[at], name
            at = source

    def changes(self) -> list[Holding]:
        """Returns the containers that are no longer what they were."""
        return [holding for holding in self.containers.values() if not holding.same()]


def _is_own(module: str | None) -> bool:
    return (module or "").partition(".")[0] == "dispatchtorch"


def _is_foreign(module: str | None) -> bool:
    """Returns whether code is Python's or the library's own: nothing of the user's is kept in it."""
    top = (module or "").partition(".")[0]
    return top in _FOREIGN or _is_own(module)


def _is_installed(module: types.ModuleType | None) -> bool:
    """Returns whether a module is a package's, whose settings are not the user's state."""
    return "site-packages" in (getattr(module, "__file__", None) or "")


@functools.cache
def _machinery() -> frozenset[str]:
    """Returns the attributes that every module has; what a program has to know of them is asked for elsewhere."""
    return frozenset(vars(Module()))


@functools.cache
def _names_of(kind: Hashable) -> frozenset[str]:
    """Returns the names in the methods of the library's modules that a module's class extends."""
    found: set[str] = set()
    assert isinstance(kind, type)
    for base in kind.__mro__:
        if _is_own(base.__module__) and base is not Module and issubclass(base, Module):
            for key, value in vars(base).items():
                if isinstance(value, types.FunctionType) and key not in _ASIDE:
                    found.update(value.__code__.co_names)
    return frozenset(found)


def _slots_of(kind: type) -> list[str]:
    found = vars(kind).get("__slots__", ())
    names = (found,) if isinstance(found, str) else tuple(found)
    return [f"_{kind.__name__.lstrip('_')}{n}" if n[:2] == "__" and n[-2:] != "__" else n for n in names]


def _shown(key: Any) -> str:
    return "a tensor" if isinstance(key, Tensor) else repr(key) if isinstance(key, (str, int)) else type(key).__name__
