"""What a checkpoint may name when only weights are wanted: a closed list, and what the user adds to it.

Everything on the list builds plain data from arguments that are checked first. Must not know: streams, archives.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import ALL, FLOAT8
from dispatchtorch.serialization import rebuild
from dispatchtorch.serialization.names import is_alias, storage_types
from dispatchtorch.tensor.tensor import Parameter, Size, Tensor

__all__ = [
    "BLOCKED", "add_safe_globals", "allowed", "check_key", "clear_safe_globals", "constructor", "get_safe_globals",
    "is_allowed", "is_users", "safe_globals", "users_global",
]  # fmt: skip

#: Modules of which nothing is ever taken, not even what the user allows.
BLOCKED: Final = frozenset({"sys", "os", "posix", "nt"})
_DEEPEST: Final = 64
_MOST_PARTS: Final = 10_000

SafeGlobal = Any  # a class or function, or a pair of one and its full path

_LACKING: Final = ("torch.float4_", "torch.quint", "torch.qint", "torch.QInt", "torch.QUInt")

_safe: set[SafeGlobal] = set()


def add_safe_globals(safe_globals: list[SafeGlobal]) -> None:
    """Marks classes and functions as safe to load with ``weights_only=True``.

    An entry may be a pair of the thing and the full path by which checkpoints name it.
    """
    global _safe
    _safe = _safe | set(safe_globals)


def get_safe_globals() -> list[SafeGlobal]:
    """Returns what the user has marked as safe."""
    return list(_safe)


def clear_safe_globals() -> None:
    """Forgets everything that was marked as safe."""
    global _safe
    _safe = set()


class safe_globals(AbstractContextManager[None]):
    """A ``with`` block in which some classes and functions are safe to load."""

    def __init__(self, safe_globals: list[SafeGlobal]) -> None:
        self.safe_globals = safe_globals

    def __enter__(self) -> None:
        add_safe_globals(self.safe_globals)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        global _safe
        _safe = _safe - set(self.safe_globals)


def _entry(entry: SafeGlobal) -> tuple[Any, str | None]:
    if not isinstance(entry, tuple):
        return entry, None
    if len(entry) != 2:
        raise ValueError(
            f"Expected tuple of length 2 (global, str of callable full path), but got tuple of length: {len(entry)}"
        )
    if type(entry[1]) is not str:
        raise TypeError(f"Expected second item in tuple to be str of callable full path, but got: {type(entry[1])}")
    return entry[0], entry[1]


def users_global(path: str) -> Any:
    """Returns what the user allowed under a full path; KeyError where nothing."""
    for entry in _safe:
        thing, name = _entry(entry)
        if name == path if name is not None else is_alias(thing, path):
            return thing
    raise KeyError(path)


def is_users(thing: Any) -> bool:
    """Returns whether the user allowed this very object."""
    return any(_entry(entry)[0] is thing for entry in _safe)


# --- guarded constructors --------------------------------------------------------------------------------------------


def check_key(key: Any) -> Any:
    """Returns a value that may be hashed; TypeError for a nest of tuples so deep or wide that hashing would not end."""
    todo, seen = [(key, 0)], 0
    while todo:
        value, depth = todo.pop()
        seen += 1
        if depth > _DEEPEST or seen > _MOST_PARTS:
            raise TypeError("a key of the checkpoint is a tuple nested too deeply")
        if isinstance(value, tuple):
            todo += [(part, depth + 1) for part in value]
    return key


def _pairs(value: Any) -> Iterable[tuple[Any, Any]]:
    pairs = list(value.items()) if type(value) in (dict, OrderedDict, Counter) else value
    if type(pairs) not in (list, tuple):
        raise TypeError("a dict is built from a dict or a list of pairs")
    for pair in pairs:
        if type(pair) not in (list, tuple) or len(pair) != 2:
            raise TypeError("a dict is built from pairs")
        check_key(pair[0])
    return list(pairs)


def _ordered(pairs: Any = ()) -> OrderedDict[Any, Any]:
    return OrderedDict(_pairs(pairs))


def _counter(counts: Any = ()) -> Counter[Any]:
    return Counter(dict(_pairs(counts)))


def _set(items: Any = ()) -> set[Any]:
    if type(items) not in (list, tuple):
        raise TypeError("a set is built from a list")
    return {check_key(item) for item in items}


def _complex(real: Any = 0.0, imaginary: Any = 0.0) -> complex:
    if type(real) not in (int, float) or type(imaginary) not in (int, float):
        raise TypeError("a complex number is built from two numbers")
    return complex(real, imaginary)


def _encode(text: Any, encoding: Any = "latin1", errors: Any = None) -> bytes:
    if type(text) is not str or encoding not in ("latin1", "latin-1") or errors is not None:
        raise TypeError("bytes in a checkpoint are text in latin1")
    return text.encode("latin1")


def _bytearray(data: Any = b"", encoding: Any = None) -> bytearray:
    if type(data) is str and encoding in ("latin1", "latin-1"):
        return bytearray(data, "latin1")
    if type(data) is not bytes or encoding is not None:  # a number would be a length to allocate
        raise TypeError("a bytearray in a checkpoint is made from bytes")
    return bytearray(data)


def _parameter(data: Any, requires_grad: Any = True) -> Parameter:
    return rebuild.rebuild_parameter(data, requires_grad)


_BUILDERS: Final[list[tuple[str, Any, Callable[..., Any]]]] = [
    ("collections.OrderedDict", OrderedDict, _ordered),
    ("collections.Counter", Counter, _counter),
    ("torch.nn.parameter.Parameter", Parameter, _parameter),
    ("torch.Size", Size, rebuild.size_of),
    ("torch.device", Device, rebuild.device_of),
    ("_codecs.encode", _encode, _encode),
    ("builtins.bytearray", bytearray, _bytearray),
    ("builtins.set", set, _set),
    ("builtins.complex", complex, _complex),
    *[(path, function, function) for path, function in rebuild.FUNCTIONS.items()],
]

_NAMED: Final[dict[str, Any]] = {
    **{path: thing for path, thing, _ in _BUILDERS},
    **{f"torch.{dtype.name}": dtype for dtype in (*ALL, *FLOAT8)},
    **storage_types(),
    "torch.Tensor": Tensor,
}
# By identity: values of a checkpoint are never compared, since comparing could run their code.
_CONSTRUCTORS: Final[dict[int, Callable[..., Any]]] = {id(thing): build for _, thing, build in _BUILDERS}


def allowed(path: str) -> Any:
    """Returns what a full path means by default; KeyError for what is not allowed."""
    if path.startswith(_LACKING):
        raise NotImplementedError(f"the checkpoint holds elements of {path}, which dispatchtorch does not have")
    return _NAMED[path]


def is_allowed(path: str) -> bool:
    """Returns whether a full path may be named in a checkpoint, by default or by the user's leave."""
    if path in _NAMED:
        return True
    try:
        users_global(path)
    except KeyError:
        return False
    return True


def constructor(thing: Any) -> Callable[..., Any] | None:
    """Returns the guarded function that builds what ``thing`` builds; None for what may not be called."""
    return _CONSTRUCTORS.get(id(thing))


def blocked_or_unknown(module: str, name: str) -> str:
    """Returns torch's sentence on a name that is not allowed."""
    path = f"{module}.{name}"
    if module in BLOCKED:
        return f"Trying to load unsupported GLOBAL {path} whose module {module} is blocked."
    path = path.removeprefix("builtins.")
    return (
        f"Unsupported global: GLOBAL {path} was not an allowed global by default. "
        f"Please use `torch.serialization.add_safe_globals([{path}])` or the "
        f"`torch.serialization.safe_globals([{path}])` context manager to allowlist this global "
        "if you trust this class/function."
    )
