"""What a checkpoint calls things: torch's names for our types and functions, and ours for torch's.

A checkpoint knows only dotted names. Classes and functions of this package are written under the public name that torch
has for them, so that torch finds its own; on reading, names under ``torch`` are looked up here. Must not know: files,
archives, pickle streams.
"""

from __future__ import annotations

import importlib
import sys
from types import BuiltinFunctionType, FunctionType
from typing import Any, Final

from dispatchtorch._base.dtypes import ALL, DType

__all__ = [
    "Global",
    "StorageType",
    "full_path",
    "is_alias",
    "is_own",
    "locate",
    "public_name",
    "storage_name",
    "storage_types",
    "torch_global",
]

OWN: Final = "dispatchtorch"
# Where torch shows a thing under a stable name; the first that shows this very object gives the name.
_DOORS: Final = (
    "", ".nn", ".nn.functional", ".optim", ".optim.lr_scheduler", ".optim.swa_utils", ".utils.data", ".nn.parameter",
    ".nn.init", ".nn.utils.parametrize", ".nn.utils.parametrizations", ".nn.utils.prune", ".nn.utils.rnn",
    ".distributions", ".linalg", ".fft", ".special",
)  # fmt: skip

# torch defines these below the door; the file there is called as the one here, but for the names in the second table.
_DEEP: Final = ("torch.nn.modules.", "torch.optim.")
_ELSEWHERE: Final = {
    "Adafactor": "torch.optim",
    "AdamW": "torch.optim.adamw",
    "Buffer": "torch.nn.parameter",
    "CTCLoss": "torch.nn.modules.loss",
    "ChannelShuffle": "torch.nn.modules.channelshuffle",
    "CosineSimilarity": "torch.nn.modules.distance",
    "Fold": "torch.nn.modules.fold",
    "FractionalMaxPool2d": "torch.nn.modules.pooling",
    "FractionalMaxPool3d": "torch.nn.modules.pooling",
    "DataParallel": "torch.nn.parallel.data_parallel",
    "InstanceNorm1d": "torch.nn.modules.instancenorm",
    "InstanceNorm2d": "torch.nn.modules.instancenorm",
    "InstanceNorm3d": "torch.nn.modules.instancenorm",
    "LPPool1d": "torch.nn.modules.pooling",
    "LPPool2d": "torch.nn.modules.pooling",
    "LPPool3d": "torch.nn.modules.pooling",
    "LinearCrossEntropyLoss": "torch.nn.modules.loss",
    "MaxUnpool1d": "torch.nn.modules.pooling",
    "MaxUnpool2d": "torch.nn.modules.pooling",
    "MaxUnpool3d": "torch.nn.modules.pooling",
    "Muon": "torch.optim",
    "MultiheadAttention": "torch.nn.modules.activation",
    "PairwiseDistance": "torch.nn.modules.distance",
    "Parameter": "torch.nn.parameter",
    "ParameterDict": "torch.nn.modules.container",
    "ParameterList": "torch.nn.modules.container",
    "PixelShuffle": "torch.nn.modules.pixelshuffle",
    "PixelUnshuffle": "torch.nn.modules.pixelshuffle",
    "Unfold": "torch.nn.modules.fold",
    "UninitializedBuffer": "torch.nn.parameter",
    "UninitializedParameter": "torch.nn.parameter",
}

_OF_STORAGE: Final = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "LongStorage": "int64",
    "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
    "BoolStorage": "bool", "BFloat16Storage": "bfloat16", "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
}  # fmt: skip
_STORAGE_OF: Final = {dtype: name for name, dtype in _OF_STORAGE.items()}
_DTYPES: Final = {dtype.name: dtype for dtype in ALL}


class Global:
    """A name to be written into a stream, for something that need not exist here under that name."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __call__(self, *args: Any) -> Any:
        """Raises TypeError: it is only callable so that a pickler takes it for a constructor."""
        raise TypeError(f"{self.module}.{self.name} is a name to be written, not to be called")

    def __repr__(self) -> str:
        return f"Global({self.module}.{self.name})"


class StorageType:
    """What ``torch.FloatStorage`` means in a checkpoint: an element type, or none for bytes."""

    __slots__ = ("dtype", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        found = _OF_STORAGE.get(name)
        self.dtype: DType | None = None if found is None else _DTYPES[found]

    def __repr__(self) -> str:
        return f"StorageType(dtype={self.dtype})"


def storage_types() -> dict[str, StorageType]:
    """Returns the storage types that can be read, by their names in a checkpoint."""
    found = {f"torch.{name}": StorageType(name) for name in _OF_STORAGE}
    untyped = StorageType("UntypedStorage")
    return {**found, "torch.UntypedStorage": untyped, "torch.storage.UntypedStorage": untyped}


_globals: Final[dict[tuple[str, str], Global]] = {}


def torch_global(module: str, name: str) -> Global:
    """Returns the one object that stands for a name, so that a stream can refer back to it."""
    found = _globals.get((module, name))
    if found is None:
        found = _globals[module, name] = Global(module, name)
    return found


def storage_name(dtype: DType) -> str | None:
    """Returns torch's storage type of a dtype ("FloatStorage"); None for one that torch keeps as bytes."""
    return _STORAGE_OF.get(dtype.name)


def full_path(thing: Any) -> str:
    """Returns module and qualified name, joined by a dot."""
    return f"{thing.__module__}.{thing.__qualname__}"


def is_own(thing: Any) -> bool:
    """Returns whether a value is a class or function of this package."""
    if not isinstance(thing, (type, FunctionType, BuiltinFunctionType)):
        return False
    module = getattr(thing, "__module__", None)
    return isinstance(module, str) and (module == OWN or module.startswith(OWN + "."))


def _door(thing: Any) -> str | None:
    """Returns the public module that shows this very thing under its own name; None where none does."""
    head, _, rest = str(thing.__qualname__).partition(".")
    for door in _DOORS:
        shown = vars(sys.modules[OWN + door]).get(head) if OWN + door in sys.modules else None
        for part in rest.split(".") if rest else ():
            shown = getattr(shown, part, None)
        if shown is thing:
            return "torch" + door
    return None


def public_name(thing: Any) -> Global:
    """Returns the name under which torch pickles a class or function that is here too."""
    name, module = str(thing.__qualname__), "torch" + str(thing.__module__).removeprefix(OWN)
    door = _door(thing)
    if name in _ELSEWHERE and door in ("torch.nn", "torch.optim"):
        module = _ELSEWHERE[name]
    elif door is not None and not (door in ("torch.nn", "torch.optim") and module.startswith(_DEEP)):
        module = door
    return torch_global(module, name)


def is_alias(thing: Any, path: str) -> bool:
    """Returns whether a checkpoint that says ``path`` means this class or function."""
    own = full_path(thing)
    if path == own:
        return True
    if not is_own(thing):
        return False
    public = public_name(thing)
    return path in (f"{public.module}.{public.name}", f"{_door(thing)}.{public.name}", "torch" + own.removeprefix(OWN))


def locate(module: str, name: str) -> Any:
    """Returns our counterpart of a thing of torch's; AttributeError or ImportError where there is none.

    Imports modules of this package, so it serves only files that are trusted.
    """
    problem: Exception | None = None
    for place in _places(module):
        try:
            found: Any = importlib.import_module(place)
            for part in name.split("."):
                found = getattr(found, part)
            return found
        except (ImportError, AttributeError) as error:
            problem = problem or error
    raise AttributeError(f"the checkpoint needs {module}.{name}, which dispatchtorch does not have") from problem


def _places(module: str) -> list[str]:
    """Returns the modules in which to look, from the parallel one up to the package."""
    parts = module.split(".")
    parts[0] = OWN
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
