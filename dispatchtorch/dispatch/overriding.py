"""``__torch_function__``: calls that somebody wants to see or answer himself.

Nothing of this costs an ordinary program anything. The public functions are left alone until there is somebody who
might want to see calls: a subclass of Tensor, a class with ``__torch_function__`` that an op was given, or a mode that
was entered. Then their code is exchanged for one that asks first; they stay the same objects, so that a program's
tables of functions keep working. Methods of a subclass are its own, made when the class is.
"""

from __future__ import annotations

import functools
import threading
import types
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Final

from dispatchtorch.dispatch.recoding import Body, calling
from dispatchtorch.tensor.tensor import Parameter, Tensor

__all__ = [
    "BaseTorchFunctionMode",
    "DisableTorchFunction",
    "DisableTorchFunctionSubclass",
    "TorchFunctionMode",
    "arm",
    "body_of",
    "disabled_torch_function_impl",
    "dispatch",
    "exchange",
    "is_overriding",
    "overloaded_args",
    "public_surface",
    "register_surface",
    "state",
]


class _State(threading.local):
    """One thread's modes, and what is switched off."""

    modes: tuple[Any, ...] = ()
    off: bool = False  # for objects
    all_off: bool = False  # for modes too


state: Final = _State()
_subclasses: Final[set[type]] = set()  # of Tensor, those that answer calls
_BASIC: Final = frozenset(
    {Tensor, Parameter, int, float, bool, complex, str, bytes, type(None), type(Ellipsis), slice, dict, set, type}
)


def disabled_torch_function_impl(cls: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """Returns the plain call's result: as ``__torch_function__`` of a class, it says that the class wants no calls."""
    with DisableTorchFunctionSubclass():
        return func(*args, **(kwargs or {}))


def is_overriding(value: Any) -> bool:
    """Returns whether a value's class answers calls itself."""
    kind = type(value)
    if kind in _BASIC:
        return False
    if issubclass(kind, Tensor):
        return kind in _subclasses
    found = getattr(kind, "__torch_function__", None)
    return found is not None and _is_live(found)


def _is_live(found: Any) -> bool:
    return getattr(found, "__func__", found) is not disabled_torch_function_impl


def overloaded_args(values: Iterable[Any]) -> list[Any]:
    """Returns the values whose classes answer calls, one a class, subclasses before their bases."""
    found: list[Any] = []
    for value in values:
        kind = type(value)
        if kind in _BASIC:
            continue
        if kind is list or kind is tuple:
            members: Iterable[Any] = [m for m in value if type(m) not in _BASIC and is_overriding(m)]
        else:
            members = (value,) if is_overriding(value) else ()
        for member in members:
            if any(type(member) is type(other) for other in found):
                continue
            place = next((i for i, o in enumerate(found) if issubclass(type(member), type(o))), len(found))
            found.insert(place, member)
    return found


def dispatch(func: Any, found: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Returns what the innermost mode, or the first of the arguments that answers, makes of a call.

    TypeError where all return NotImplemented.
    """
    kinds = tuple([type(value) for value in found])
    modes = state.modes
    if modes and not state.all_off:
        mode = modes[-1]
        state.modes = modes[:-1]
        try:
            got = mode.__torch_function__(func, kinds, args, kwargs)
        finally:
            state.modes = modes
        if got is not NotImplemented:
            return got
    for value in found:
        got = value.__torch_function__(func, kinds, args, kwargs)
        if got is not NotImplemented:
            return got
    name = resolved_name(func)
    if name.startswith("torch.nn.functional."):
        raise TypeError(
            f"no implementation found for '{name}' on types that implement __torch_function__: {list(kinds)}"
            + (f" nor was it found on the currently active mode {modes[-1]}" if modes else "")
        )
    lines = [f"  - mode object {modes[-1]}"] if modes else []
    lines += [f"  - tensor subclass {kind}" for kind in kinds]
    raise TypeError(
        f"Multiple dispatch failed for '{name}'; all __torch_function__ handlers returned NotImplemented:\n\n"
        + "\n".join(lines)
        + "\n\nFor more information, try re-running with TORCH_LOGS=not_implemented"
    )


_names: Final[dict[int, str]] = {}  # id of a public function -> its name


def resolved_name(func: Any) -> str:
    """Returns a public function's name, "torch.add" or "torch.Tensor.add"."""
    if isinstance(func, types.MethodWrapperType) and isinstance(func.__self__, property):
        owner = next((n for n, v in vars(Tensor).items() if v is func.__self__), "property")
        return f"torch.Tensor.{owner}.{func.__name__}"
    known = _names.get(id(func))
    if known is not None:
        return known
    return f"{getattr(func, '__module__', '')}.{getattr(func, '__name__', repr(func))}"


# --- code that asks first --------------------------------------------------------------------------------------------


class _Guard:
    """A public function's two codes, and what a call does where somebody may want to see it."""

    def __init__(self, function: types.FunctionType, name: str, func: Any) -> None:
        self.function, self.name = function, name
        self.func = func  # what is passed on: the function itself, or a property's ``__get__``
        self.plain = (function.__code__, function.__defaults__, function.__kwdefaults__)
        self.clone = types.FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
        )
        self.clone.__kwdefaults__ = function.__kwdefaults__
        self.asking: types.CodeType | None = None

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not state.off or (state.modes and not state.all_off):
            found = [] if state.off else overloaded_args([*args, *kwargs.values()] if kwargs else args)
            if found or (state.modes and not state.all_off):
                return dispatch(self.func, found, args, kwargs)
        return self.clone(*args, **kwargs)

    def arm(self) -> None:
        """Exchanges the code."""
        function = self.function
        if self.asking is None:
            self.asking = calling(self, function)
        function.__defaults__, function.__kwdefaults__ = None, None
        function.__code__ = self.asking

    def disarm(self) -> None:
        """Puts the code back."""
        function = self.function
        function.__code__, function.__defaults__, function.__kwdefaults__ = self.plain


def body_of(function: types.FunctionType) -> Body:
    """Returns what a function does, whether or not it asks first at the moment."""
    guard = _guards.get(id(function))
    if guard is not None:
        return guard.plain
    return function.__code__, function.__defaults__, function.__kwdefaults__


def exchange(function: types.FunctionType, body: Body) -> None:
    """Gives a function something else to do, beneath the question whether somebody wants the call."""
    guard = _guards.get(id(function))
    if guard is None:
        changed = [function]
    else:
        changed = [guard.clone] if function.__code__ is guard.asking else [guard.clone, function]
        guard.plain = body
    for each in changed:
        each.__code__, each.__defaults__, each.__kwdefaults__ = body


def public_surface() -> dict[str, Any]:
    """Returns public functions and properties by full name, of those rooms that are open."""
    found: dict[str, Any] = {}
    for surface in _surfaces:
        found.update(surface())
    return found


_guards: Final[dict[int, _Guard]] = {}
_public: Final[dict[str, Any]] = {}
_surfaces: Final[list[Callable[[], dict[str, Any]]]] = []
_armed: Final = {"level": 0}  # 0: nobody asks; 1: there are classes that might; 2: a mode is on


def register_surface(surface: Callable[[], dict[str, Any]]) -> None:
    """Adds a function that returns public functions and properties by full name: asked when somebody wants calls."""
    _surfaces.append(surface)


def _is_quick(function: Any) -> bool:
    """Returns whether an op itself notices arguments that answer calls, so that no code need be exchanged."""
    op = getattr(function, "op", None) or getattr(getattr(function, "__wrapped__", None), "op", None)
    return op is not None and op.pointwise


def arm(level: int) -> None:
    """Makes the public functions ask: those that take no note themselves (1), or all (2). Level 1 stays."""
    before = _armed["level"]
    if before == 0 and level == 0:
        return
    _armed["level"] = level
    for surface in _surfaces:
        for name, value in surface().items():
            _public.setdefault(name, value)
            for function, func in _functions_of(name, value):
                guard = _guards.get(id(function))
                if guard is None:
                    guard = _guards[id(function)] = _Guard(function, name, func)
                    _names.setdefault(id(func), name)
    for guard in _guards.values():
        is_function = isinstance(guard.func, types.FunctionType)
        if level == 2 or (level == 1 and is_function and not _is_quick(guard.function)):
            guard.arm()
        else:
            guard.disarm()


# Operators are shown as the methods they stand for, as in PyTorch.
_MEANT: Final = {
    "__abs__": "abs", "__add__": "add", "__iadd__": "add_", "__imul__": "mul_", "__isub__": "sub_", "__mul__": "mul",
    "__matmul__": "matmul", "__neg__": "neg", "__radd__": "add", "__rmul__": "mul", "__sub__": "sub",
    "__truediv__": "div", "__gt__": "gt", "__ge__": "ge", "__lt__": "lt", "__le__": "le", "__pow__": "pow",
}  # fmt: skip


def _shown(name: str, function: Any) -> Any:
    """Returns the function that a method is shown as, under a name that a program can read."""
    meant = vars(Tensor).get(_MEANT.get(name, ""))
    if meant is not None:
        return meant
    if function.__name__ != name and vars(Tensor).get(function.__name__) is not function:
        function.__name__ = function.__qualname__ = name
    return function


def _functions_of(name: str, value: Any) -> list[tuple[types.FunctionType, Any]]:
    if isinstance(value, types.FunctionType):
        method = name.removeprefix("torch.Tensor.")
        return [(value, value if method == name else _shown(method, value))]
    if isinstance(value, property):
        pairs = ((value.fget, value.__get__), (value.fset, value.__set__), (value.fdel, value.__delete__))
        return [(f, func) for f, func in pairs if isinstance(f, types.FunctionType)]
    return []


def public_function(name: str) -> Any:
    """Returns the public function with the name of an op, made to ask from now on; None for an op that has none."""
    ensure_armed()
    return _public.get(f"torch.{name}") or _public.get(f"torch.Tensor.{name}")


def ensure_armed() -> None:
    """Makes functions ask from now on, because there is a class that might want calls."""
    if _armed["level"] == 0:
        arm(1)


def surface_changed() -> None:
    """Takes note of public functions that have come since."""
    if _armed["level"]:
        arm(_armed["level"])


# --- modes and switches ----------------------------------------------------------------------------------------------


class TorchFunctionMode:
    """Sees every call within its ``with`` block: write ``__torch_function__(self, func, types, args, kwargs)``.

    >>> class Names(torch.overrides.TorchFunctionMode):
    ...     def __torch_function__(self, func, types, args=(), kwargs=None):
    ...         print(func.__name__)
    ...         return func(*args, **(kwargs or {}))
    >>> with Names():
    ...     _ = torch.ones(2).sum()
    ones
    sum
    """

    inner: TorchFunctionMode

    def __init__(self) -> None:
        pass

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError

    def __enter__(self) -> Any:
        state.modes = (*state.modes, self)
        _modes_entered(1)
        return self

    def __exit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        state.modes = state.modes[:-1]
        _modes_entered(-1)

    @classmethod
    def push(cls, *args: Any, **kwargs: Any) -> Any:
        """Returns a new mode; the class itself is called for that now."""
        warnings.warn("`Mode.push()` is no longer necessary and can be replaced with just `with Mode()`", stacklevel=2)
        return cls(*args, **kwargs)


_lock: Final = threading.Lock()
_entered: Final = {"count": 0, "rest": 0}


def _modes_entered(change: int) -> None:
    with _lock:
        before = _entered["count"]
        _entered["count"] = before + change
        if before == 0:
            _entered["rest"] = _armed["level"]
            arm(2)
        elif before + change == 0:
            arm(max(_entered["rest"], 1 if _subclasses else 0))


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that calls what it sees."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


class DisableTorchFunctionSubclass:
    """Lets calls pass arguments that would answer them, within the block; modes see them still."""

    def __enter__(self) -> None:
        self._before = state.off
        state.off = True

    def __exit__(self, *exc: object) -> None:
        state.off = self._before


class DisableTorchFunction:
    """Lets calls pass arguments and modes alike, within the block."""

    def __enter__(self) -> None:
        self._before = (state.off, state.all_off)
        state.off = state.all_off = True

    def __exit__(self, *exc: object) -> None:
        state.off, state.all_off = self._before


# --- subclasses of Tensor --------------------------------------------------------------------------------------------

_OWN: Final = frozenset(
    {
        "__class_getitem__", "__dict__", "__doc__", "__hash__", "__init__", "__init_subclass__", "__module__",
        "__new__", "__slots__", "__torch_function__", "__weakref__", "_make_subclass", "__class__", "__annotations__",
        "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__subclasshook__", "__subclasscheck__",
    }
)  # fmt: skip
_BARE: Final = frozenset({"_base", "grad", "_grad"})  # results that stay what they are


def _tensor_torch_function(cls: type[Tensor], func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    """Returns the plain call's result, its tensors made instances of the subclass."""
    if not all(issubclass(cls, kind) for kind in types):
        return NotImplemented
    kwargs = kwargs or {}
    with DisableTorchFunctionSubclass():
        got = func(*args, **kwargs)
    if isinstance(func, _METHOD_WRAPPER) and resolved_name(func).split(".")[2] in _BARE:
        return got
    return _as_class(got, cls, [a for a in (*args, *kwargs.values()) if type(a) is Tensor])


_METHOD_WRAPPER: Final = types.MethodWrapperType


def _as_class(got: Any, cls: type[Tensor], given: list[Any]) -> Any:
    if isinstance(got, Tensor):
        if cls is Tensor or isinstance(got, cls):
            return got
        if type(got) is Tensor and not any(got is g for g in given):
            got.__class__ = cls  # nobody else has seen it
            return got
        return vars(Tensor)["as_subclass"](got, cls)
    if isinstance(got, (tuple, list)) and type(got).__name__ != "Size":
        members = [_as_class(member, cls, given) for member in got]
        return type(got)(*members) if hasattr(got, "_fields") else type(got)(members)
    return got


_OPERATORS: Final = frozenset(
    f"__{side}{name}__"
    for name in [
        "add",
        "sub",
        "mul",
        "truediv",
        "floordiv",
        "mod",
        "pow",
        "matmul",
        "and",
        "or",
        "xor",
        "lshift",
        "rshift",
    ]
    for side in ("", "r")
)


def _guarded_method(function: Callable[..., Any], func: Any, name: str = "") -> Callable[..., Any]:
    is_operator = name in _OPERATORS

    @functools.wraps(function)
    def method(*args: Any, **kwargs: Any) -> Any:
        if not state.off:
            found = overloaded_args([*args, *kwargs.values()] if kwargs else args)
            if found:
                try:
                    return dispatch(func, found, args, kwargs)
                except TypeError:
                    if is_operator:  # Python asks the other operand, or says so in its own words
                        return NotImplemented
                    raise
        return function(*args, **kwargs)

    return method


def _pieces(self: Any) -> Any:
    return iter(self.unbind(0))


def _guarded_property(given: property) -> property:
    return property(
        given.fget and _guarded_method(given.fget, given.__get__),
        given.fset and _guarded_method(given.fset, given.__set__),
        given.fdel and _guarded_method(given.fdel, given.__delete__),
        given.__doc__,
    )


def prepare_subclass(cls: type[Tensor]) -> None:
    """Gives a new subclass of Tensor methods that ask ``__torch_function__`` first; called when the class is made."""
    found = getattr(cls, "__torch_function__", None)
    if cls.__module__.partition(".")[0] == __name__.partition(".")[0] or not _is_live(found):
        return
    bases = [c for c in cls.__mro__ if c is not Tensor and not issubclass(Tensor, c)]
    own: set[str] = {name for c in bases for name in vars(c)}
    for name, value in vars(Tensor).items():
        if name in _OWN or name in own or (name.startswith("_") and not name.startswith("__")):
            continue
        if isinstance(value, types.FunctionType):
            setattr(cls, name, _pieces if name == "__iter__" else _guarded_method(value, _shown(name, value), name))
        elif isinstance(value, property):
            setattr(cls, name, _guarded_property(value))
    _subclasses.add(cls)
    ensure_armed()


def _init_subclass(cls: type[Tensor], /, **kwargs: Any) -> None:
    prepare_subclass(cls)


# Members of the class that live a layer above it.
Tensor.__torch_function__ = classmethod(_tensor_torch_function)  # type: ignore[attr-defined]  # see above
Tensor.__init_subclass__ = classmethod(_init_subclass)  # type: ignore[assignment,method-assign]  # see above
Parameter.__torch_function__ = classmethod(disabled_torch_function_impl)  # type: ignore[attr-defined]  # see above
