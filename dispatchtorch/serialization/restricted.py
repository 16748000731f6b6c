"""A pickle machine that knows only data: no import, no call but to guarded constructors.

It reads the instructions that ``torch.save`` writes (protocol 2) and refuses every other. Whatever is wrong with a
stream becomes an UnpicklingError. Must not know: archives, storages' bytes, what a tensor is.
"""

from __future__ import annotations

import pickle
import struct
import warnings
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import IO, Any, Final

from dispatchtorch.serialization import allowed

__all__ = ["RestrictedUnpickler", "python3_name"]

_LONGEST_NAME: Final = 1024
_SIZED: Final = frozenset({str, bytes, bytearray, tuple, list, dict, set, OrderedDict, Counter})
_DICTS: Final = (dict, OrderedDict, Counter)


def python3_name(module: str, name: str) -> tuple[str, str]:
    """Returns the present module and name of what protocol 2 writes as Python 2 called it."""
    if (module, name) in NAME_MAPPING:
        return NAME_MAPPING[module, name]
    return IMPORT_MAPPING.get(module, module), name


class RestrictedUnpickler:
    """Reads one object; ``persistent_load`` gives the storages.

    ``available``: how many bytes the file can still give, so that no length in the stream is believed beyond it.
    """

    def __init__(
        self, file: IO[bytes], available: int, persistent_load: Callable[[Any], Any], encoding: str = "utf-8"
    ) -> None:
        self._file = file
        self._left = available
        self._copies = 4 * available + (1 << 16)
        self._persistent_load = persistent_load
        self._encoding = encoding
        self._memo: dict[int, Any] = {}
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []

    def load(self) -> Any:
        """Returns the object; UnpicklingError for anything that is not allowed or makes no sense."""
        operations = _OPERATIONS
        try:
            while True:
                code = self._read(1)[0]
                if code == pickle.STOP[0]:
                    return self._stack.pop()
                operation = operations.get(code)
                if operation is None:
                    raise pickle.UnpicklingError(f"Unsupported operand {code}")
                operation(self)
        except RecursionError:
            raise pickle.UnpicklingError("the checkpoint is nested too deeply") from None
        except (pickle.UnpicklingError, EOFError, RuntimeError):
            raise  # sentences of their own: of this machine, of an archive, of a device that is missing
        except IndexError:
            raise pickle.UnpicklingError("the stream takes more from the stack than it has put there") from None
        except MemoryError:
            raise pickle.UnpicklingError("the checkpoint asks for more memory than there is") from None
        except Exception as error:
            raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from error

    # --- bytes -------------------------------------------------------------------------------------------------------

    def _read(self, count: int) -> bytes:
        if count > self._left:
            raise EOFError("Ran out of input")
        data = self._file.read(count)
        if len(data) != count:
            raise EOFError("Ran out of input")
        self._left -= count
        return data

    def _line(self) -> str:
        line = self._file.readline(min(_LONGEST_NAME, max(self._left, 0)))
        self._left -= len(line)
        if not line.endswith(b"\n"):
            raise pickle.UnpicklingError("a name in the stream does not end")
        return line[:-1].decode("utf-8")

    def _text(self) -> None:
        (count,) = struct.unpack("<I", self._read(4))
        self._stack.append(str(self._read(count), "utf-8", "surrogatepass"))

    def _short_bytes(self) -> None:
        data = self._read(self._read(1)[0])
        self._stack.append(data if self._encoding == "bytes" else data.decode(self._encoding))

    def _integer(self, layout: str) -> int:
        return int(struct.unpack(layout, self._read(struct.calcsize(layout)))[0])

    def _float(self) -> None:
        self._stack.append(struct.unpack(">d", self._read(8))[0])

    def _long(self) -> None:
        self._stack.append(pickle.decode_long(self._read(self._read(1)[0])))

    def _protocol(self) -> None:
        protocol = self._read(1)[0]
        if protocol != 2:
            warnings.warn(
                f"Detected pickle protocol {protocol} in the checkpoint, which was not the default pickle protocol "
                "used by `torch.load` (2). The weights_only Unpickler might not support all instructions implemented "
                "by this protocol, please file an issue for adding support if you encounter this.",
                stacklevel=4,
            )

    # --- names and calls ---------------------------------------------------------------------------------------------

    def _global(self) -> None:
        module, name = python3_name(self._line(), self._line())
        path = f"{module}.{name}"
        if module in allowed.BLOCKED:
            raise pickle.UnpicklingError(allowed.blocked_or_unknown(module, name))
        try:
            found = allowed.allowed(path)
        except KeyError:
            try:
                found = allowed.users_global(path)
            except KeyError:
                raise pickle.UnpicklingError(allowed.blocked_or_unknown(module, name)) from None
        self._stack.append(found)

    def _call(self) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        build = allowed.constructor(function)
        if build is None and allowed.is_users(function):
            build = function
        if build is None:
            owner = f" which belongs to {_shown(function.__self__)}" if hasattr(function, "__self__") else ""
            raise pickle.UnpicklingError(f"Trying to call reduce for unrecognized function {_shown(function)}{owner}")
        if type(arguments) is not tuple:
            raise pickle.UnpicklingError(f"the arguments of a call must be a tuple, but got {type(arguments)}")
        self._count_copy(arguments)
        self._stack.append(build(*arguments))

    def _new(self) -> None:
        arguments, kind = self._stack.pop(), self._stack.pop()
        if type(arguments) is not tuple:
            raise pickle.UnpicklingError(f"the arguments of a call must be a tuple, but got {type(arguments)}")
        build = allowed.constructor(kind) if isinstance(kind, type) else None
        self._count_copy(arguments)
        if build is not None:
            self._stack.append(build(*arguments))
        elif isinstance(kind, type) and allowed.is_users(kind):
            self._stack.append(kind.__new__(kind, *arguments))
        else:
            raise pickle.UnpicklingError(
                "Can only create new object for nn.Parameter or classes allowlisted via `add_safe_globals` but got "
                f"{_shown(kind)}"
            )

    def _build(self) -> None:
        state = self._stack.pop()
        target = self._stack[-1]
        kind = type(target)
        self._count_copy((state,))
        if kind is OrderedDict:
            target.__dict__.update(_names(state))
        elif allowed.is_users(kind):
            _set_state(target, state)
        else:
            raise pickle.UnpicklingError(
                "Can only build Tensor, Parameter, OrderedDict or types allowlisted via `add_safe_globals`, but got "
                f"{kind}"
            )

    def _count_copy(self, arguments: tuple[Any, ...]) -> None:
        """Counts what a constructor may copy: a stream can name one long text again and again at two bytes each."""
        for value in arguments:
            if type(value) in _SIZED:
                self._copies -= len(value)
                if type(value) is tuple:
                    self._copies -= sum([len(part) for part in value if type(part) in _SIZED])
        if self._copies < 0:
            raise pickle.UnpicklingError("the checkpoint copies more than a file of its size can need")

    def _persistent(self) -> None:
        saved = self._stack.pop()
        if type(saved) is not tuple:
            raise pickle.UnpicklingError(f"persistent_load id must be tuple or int, but got {type(saved)}")
        if not saved or type(saved[0]) not in (str, bytes) or saved[0] not in ("storage", b"storage"):
            raise pickle.UnpicklingError(
                f"Only persistent_load of storage is allowed, but got {type(saved[0]) if saved else saved}"
            )
        self._stack.append(self._persistent_load(saved))

    # --- stack and containers ----------------------------------------------------------------------------------------

    def _mark(self) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        items = self._stack
        self._stack = self._marks.pop()
        return items

    def _tuple_of_marked(self) -> None:
        items = self._since_mark()
        self._stack.append(tuple(items))

    def _tuple(self, count: int) -> None:
        if len(self._stack) < count:
            raise IndexError
        self._stack[-count:] = [tuple(self._stack[-count:])]

    def _append(self, items: list[Any], word: str) -> None:
        target = self._stack[-1]
        if type(target) is not list:
            raise pickle.UnpicklingError(f"Can only {word} lists, but got {type(target)}")
        target.extend(items)

    def _set_items(self, items: list[Any], word: str) -> None:
        target = self._stack[-1]
        if type(target) not in _DICTS:
            raise pickle.UnpicklingError(
                f"Can only {word} for dict, collections.OrderedDict, collections.Counter, but got {type(target)}"
            )
        if len(items) % 2:
            raise pickle.UnpicklingError("a key in the stream has no value")
        for key, value in zip(items[::2], items[1::2]):
            target[allowed.check_key(key)] = value

    def _set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set_items([key, value], "SETITEM")

    def _append_one(self) -> None:
        item = self._stack.pop()
        self._append([item], "append to")

    def _get(self, index: int) -> None:
        try:
            self._stack.append(self._memo[index])
        except KeyError:
            raise pickle.UnpicklingError(f"Memo value not found at index {index}") from None

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]


def _shown(thing: Any) -> str:
    """Returns how an object names itself if that is safe to ask: a nest from a stream may have no end."""
    return repr(thing) if isinstance(thing, type) or callable(thing) else f"an object of {type(thing)}"


def _names(state: Any) -> dict[str, Any]:
    if type(state) is not dict or not all(type(name) is str for name in state):
        raise pickle.UnpicklingError(f"the attributes of an object must be a dict, but got {type(state)}")
    return state


def _set_state(target: Any, state: Any) -> None:
    """Gives an object of a class that the user allowed its state, as pickle does."""
    if hasattr(target, "__setstate__"):
        target.__setstate__(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        target.__dict__.update(_names(state))
    for name, value in _names(slots).items() if slots else ():
        setattr(target, name, value)


Machine = RestrictedUnpickler
_OPERATIONS: Final[dict[int, Callable[[Machine], None]]] = {
    code[0]: operation
    for code, operation in (
        (pickle.PROTO, Machine._protocol),
        (pickle.GLOBAL, Machine._global),
        (pickle.REDUCE, Machine._call),
        (pickle.NEWOBJ, Machine._new),
        (pickle.BUILD, Machine._build),
        (pickle.BINPERSID, Machine._persistent),
        (pickle.MARK, Machine._mark),
        (pickle.TUPLE, Machine._tuple_of_marked),
        (pickle.TUPLE1, lambda m: m._tuple(1)),
        (pickle.TUPLE2, lambda m: m._tuple(2)),
        (pickle.TUPLE3, lambda m: m._tuple(3)),
        (pickle.APPEND, Machine._append_one),
        (pickle.APPENDS, lambda m: m._append(m._since_mark(), "extend")),
        (pickle.SETITEM, Machine._set_item),
        (pickle.SETITEMS, lambda m: m._set_items(m._since_mark(), "SETITEMS")),
        (pickle.NONE, lambda m: m._stack.append(None)),
        (pickle.NEWFALSE, lambda m: m._stack.append(False)),
        (pickle.NEWTRUE, lambda m: m._stack.append(True)),
        (pickle.EMPTY_TUPLE, lambda m: m._stack.append(())),
        (pickle.EMPTY_LIST, lambda m: m._stack.append([])),
        (pickle.EMPTY_DICT, lambda m: m._stack.append({})),
        (pickle.EMPTY_SET, lambda m: m._stack.append(set())),
        (pickle.BININT, lambda m: m._stack.append(m._integer("<i"))),
        (pickle.BININT1, lambda m: m._stack.append(m._integer("<B"))),
        (pickle.BININT2, lambda m: m._stack.append(m._integer("<H"))),
        (pickle.BINFLOAT, Machine._float),
        (pickle.BINUNICODE, Machine._text),
        (pickle.SHORT_BINSTRING, Machine._short_bytes),
        (pickle.LONG1, Machine._long),
        (pickle.BINGET, lambda m: m._get(m._integer("<B"))),
        (pickle.LONG_BINGET, lambda m: m._get(m._integer("<I"))),
        (pickle.BINPUT, lambda m: m._put(m._integer("<B"))),
        (pickle.LONG_BINPUT, lambda m: m._put(m._integer("<I"))),
    )
}
