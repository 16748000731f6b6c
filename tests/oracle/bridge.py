"""Carries values and functions from torch to dispatchtorch and compares what comes back.

A torch function is found here under the same dotted name; a Python function of torch's own tests (a lambda over
``torch``) is run again with ``torch`` meaning dispatchtorch. Knows nothing of rows or of how a run is reported.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import types
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.testing._internal.opinfo.core import OpInfo

import dispatchtorch as ours
from dispatchtorch._base.device import Device
from dispatchtorch.plugin.selection import default_backend
from dispatchtorch.tensor import interop

__all__ = ["Missing", "compare", "equivalent", "name_of", "sharing", "tensors", "to_ours", "to_torch"]


class Missing(AttributeError):
    """There is no function of this name here."""


# --- functions ------------------------------------------------------------------------------------------------------

_ROOMS = {
    "torch": torch,
    "torch.Tensor": torch.Tensor,
    "torch.nn.functional": torch.nn.functional,
    "torch.linalg": torch.linalg,
    "torch.fft": torch.fft,
    "torch.special": torch.special,
    "torch.signal.windows": torch.signal.windows,
    "torch.sparse": torch.sparse,
    "torch.masked": torch.masked,
}


@functools.cache
def _paths() -> dict[int, str]:
    found: dict[int, str] = {}
    for path, room in _ROOMS.items():
        for name in dir(room):
            value = getattr(room, name, None)
            if callable(value):
                found.setdefault(id(value), f"{path}.{name}")
    return found


# Private names of PyTorch's that stand behind public ones.
_PUBLIC = {
    "torch.nn.functional._threshold": "torch.nn.functional.threshold",
    "torch._segment_reduce": "torch.segment_reduce",
}


def _lookup(path: str) -> Any:
    found: Any = ours
    path = _PUBLIC.get(path, path)
    for part in path.split(".")[1:]:
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise Missing(f"no {path}") from error
    return found


def equivalent(function: Any) -> Any:
    """Returns our function for one of torch's; Missing where there is none."""
    if isinstance(function, functools.partial):
        return functools.partial(
            equivalent(function.func),
            *map(to_ours, function.args),
            **{k: to_ours(v) for k, v in function.keywords.items()},
        )
    if getattr(function, "__name__", "") == "wrapper_set_seed":
        return _seeded
    if function is None or getattr(function, "__module__", None) in ("operator", "_operator", "builtins", "math"):
        return function
    if id(function) in _paths():
        return _lookup(_paths()[id(function)])
    module = getattr(function, "__module__", None) or ""
    if isinstance(function, types.FunctionType):
        if module.startswith("torch.testing._internal") or module == "__main__":
            return _rebuilt(function)
        return _lookup(f"{module}.{function.__qualname__}")
    if isinstance(function, types.MethodDescriptorType):
        return _lookup(f"torch.Tensor.{function.__name__}")
    name = getattr(function, "__name__", "")
    for prefix, room in (("linalg_", "torch.linalg"), ("special_", "torch.special"), ("fft_", "torch.fft")):
        if name.startswith(prefix):
            return _lookup(f"{room}.{name.removeprefix(prefix)}")
    if module.startswith("torch._ops"):
        return _lookup("torch.ops." + str(function).removeprefix("aten.").join(("aten.", "")))
    if name:
        return _lookup(f"torch.{name}")
    raise Missing(f"no counterpart of {function!r}")


def name_of(function: Any) -> str:
    """Returns the dotted name, after ``torch.``, of one of torch's functions that has one here."""
    found = (
        _paths().get(id(function)) or f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', '')}"
    )
    if not found.startswith("torch.") or "<" in found or found.startswith("torch.testing"):
        raise Missing(f"no name for {function!r}")
    found = found.replace("torch.functional.", "torch.").replace("torch._tensor.", "torch.")
    _lookup(found)
    return found.removeprefix("torch.")


_REBUILT: dict[int, tuple[Any, Any]] = {}  # with the source, so that its identity is nobody else's


def _rebuilt(function: types.FunctionType) -> Any:
    """Returns a function of torch's tests over our functions: its globals and its closure are translated."""
    known = _REBUILT.get(id(function))
    if known is not None:
        return known[1]
    world = _World(function.__globals__)
    cells = tuple(types.CellType(_translate(cell.cell_contents)) for cell in function.__closure__ or ())
    made = types.FunctionType(function.__code__, world, function.__name__, function.__defaults__, cells)
    made.__kwdefaults__ = function.__kwdefaults__
    _REBUILT[id(function)] = (function, made)
    return made


class _World(dict[str, Any]):
    """Globals of a translated function: each name is translated when it is first read."""

    def __init__(self, source: Mapping[str, Any]) -> None:
        super().__init__()
        self._source = source
        self["__builtins__"] = {**vars(builtins)}
        for name, value in source.items():
            if name == "torch":
                self[name] = ours
            elif isinstance(value, types.ModuleType) and value.__name__.startswith("torch"):
                if value.__name__ == "torch.nn.functional":
                    self[name] = ours.nn.functional
            elif name == "wrapper_set_seed":
                self[name] = _seeded
            elif isinstance(value, (types.FunctionType, functools.partial)):
                self[name] = _Later(value)
            elif not name.startswith("__"):
                self[name] = value


def _seeded(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Returns a call's result from the seed that torch's tests set; the stream goes on as if nothing had been drawn."""
    state = ours.get_rng_state()
    ours.manual_seed(42)
    try:
        return function(*args, **kwargs)
    finally:
        ours.set_rng_state(state)


class _Later:
    """A function that is translated when it is first called."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return equivalent(self._source)(*args, **kwargs)


def _translate(value: Any) -> Any:
    if value is torch:
        return ours
    if isinstance(value, (torch.Tensor, torch.dtype)):
        return to_ours(value)
    if callable(value) and not isinstance(value, (type, OpInfo)):
        return equivalent(value)
    return value


# --- values ---------------------------------------------------------------------------------------------------------


def _host(t: torch.Tensor) -> np.ndarray[Any, Any]:
    t = t.detach().resolve_conj().resolve_neg().clone()  # a storage that numpy has seen cannot be resized
    if t.dtype is torch.bfloat16:
        return t.contiguous().view(torch.int16).numpy().view(interop.host_dtype(ours.bfloat16))
    return t.contiguous().numpy()


_SHARED: dict[int, Any] = {}  # id of a tensor -> ours, while arguments that share memory are carried over


@contextlib.contextmanager
def sharing(value: Any) -> Iterator[None]:
    """Carries the tensors of a nested value over so that those which share memory share ours too."""
    found = [t for t in tensors(value, torch.Tensor) if t.layout is torch.strided and t.device.type == "cpu"]
    bases: dict[int, Any] = {}
    for t in found:
        place = t.untyped_storage().data_ptr()
        if place and sum(o.untyped_storage().data_ptr() == place for o in found) > 1 and id(t) not in _SHARED:
            if place not in bases:
                count = t.untyped_storage().nbytes() // t.element_size()
                bases[place] = _tensor(t.detach().as_strided((count,), (1,), 0).clone())
            _SHARED[id(t)] = bases[place].as_strided(tuple(t.shape), t.stride(), t.storage_offset())
    try:
        yield
    finally:
        _SHARED.clear()


def _tensor(t: torch.Tensor) -> Any:
    if id(t) in _SHARED:
        return _SHARED[id(t)]
    backend = default_backend()
    place = Device(backend.devices[0])
    if t.layout is not torch.strided:
        if t.layout is torch.sparse_coo:
            made = ours.sparse_coo_tensor(_tensor(t._indices()), _tensor(t._values()), tuple(t.shape))
            return made.coalesce() if t.is_coalesced() else made
        raise Missing(f"layout {t.layout}")
    if (t.is_contiguous() and t.storage_offset() == 0) or t.numel() == 0:
        made = interop.from_host(np.array(_host(t), order="C"), place, backend)
    else:  # a part of some memory: as_strided and the like see all of it
        plain = t.detach().resolve_conj().resolve_neg() if (t.is_conj() or t.is_neg()) else t.detach()
        count = plain.untyped_storage().nbytes() // plain.element_size()
        whole = plain.as_strided((count,), (1,), 0)
        base = interop.from_host(np.array(_host(whole), order="C"), place, backend)
        made = base.as_strided(tuple(plain.shape), plain.stride(), plain.storage_offset()).detach()
    if t.requires_grad:
        made.requires_grad_()
    return made


def to_ours(value: Any) -> Any:
    """Returns our version of an argument, whatever it is."""
    if isinstance(value, torch.nn.Parameter):
        return ours.nn.Parameter(_tensor(value.detach()), value.requires_grad)
    if isinstance(value, torch.Tensor):
        return _tensor(value)
    if isinstance(value, torch.nn.Module) and not [*value.parameters(), *value.buffers()]:
        return getattr(ours.nn, type(value).__name__)()  # torch's samples make such ones by default
    if isinstance(value, torch.Size):
        return ours.Size(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(to_ours, value))
    if isinstance(value, (list, tuple)):
        return type(value)(map(to_ours, value))
    if isinstance(value, dict):
        return {k: to_ours(v) for k, v in value.items()}
    if isinstance(value, torch.dtype):
        return getattr(ours, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return ours.device(str(value)) if value.type != "cpu" else ours.device(default_backend().devices[0])
    if isinstance(value, (torch.memory_format, torch.layout)):
        return getattr(ours, str(value).removeprefix("torch."))
    if value == "cpu" and type(value) is str:
        return default_backend().devices[0]
    if isinstance(value, types.FunctionType) and (value.__module__ or "").startswith("torch"):
        return equivalent(value)
    return value


def tensors(value: Any, kind: type) -> Iterator[Any]:
    """Yields the tensors of a nested value, in order."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, (list, tuple)):
        for member in value:
            yield from tensors(member, kind)
    elif isinstance(value, dict):
        for member in value.values():
            yield from tensors(member, kind)


def to_torch(t: Any) -> torch.Tensor:
    """Returns a torch tensor with the values of one of ours."""
    if getattr(t, "is_sparse", False):
        made = torch.sparse_coo_tensor(to_torch(t._indices()), to_torch(t._values()), tuple(t.shape))
        return made.coalesce() if t.is_coalesced() else made
    host = np.array(interop.to_host(t.detach()), order="C")
    if host.dtype.name == "bfloat16":
        return torch.from_numpy(host.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(host)


# --- comparing ------------------------------------------------------------------------------------------------------


def compare(got: Any, wanted: Any, tolerance: tuple[float, float] | None, *, values: bool = True, at: str = "") -> str:
    """Returns what differs between our result and torch's; the empty string where nothing does."""
    if isinstance(wanted, torch.Tensor):
        return _compare_tensors(got, wanted, tolerance, values, at)
    if isinstance(got, ours.Tensor):
        return f"{at}: a tensor, wanted {type(wanted).__name__}"
    if isinstance(wanted, (list, tuple)):
        if not isinstance(got, (list, tuple)) or len(got) != len(wanted):
            return f"{at}: wanted {len(wanted)} results, got {type(got).__name__}"
        for i, (g, w) in enumerate(zip(got, wanted, strict=True)):
            problem = compare(g, w, tolerance, values=values, at=f"{at}[{i}]")
            if problem:
                return problem
        return ""
    if isinstance(wanted, (torch.dtype, torch.device, torch.layout)):
        same = str(got) == str(wanted) or (isinstance(wanted, torch.device) and isinstance(got, Device))
        return "" if same else f"{at}: {got} for {wanted}"
    if isinstance(wanted, (bool, int, float, complex)) and values:
        rtol, atol = tolerance or (1e-7, 1e-7)
        if type(got) is not type(wanted):
            return f"{at}: {type(got).__name__} for {type(wanted).__name__}"
        same = np.isclose(got, wanted, rtol, atol, equal_nan=True)
        return "" if same else f"{at}: {got} for {wanted}"
    return "" if not values or got == wanted or wanted is None is got else f"{at}: {got!r} for {wanted!r}"


def _compare_tensors(got: Any, wanted: torch.Tensor, tolerance: Any, values: bool, at: str) -> str:
    if not isinstance(got, ours.Tensor):
        return f"{at}: {type(got).__name__} for a tensor"
    if str(got.dtype) != str(wanted.dtype):
        return f"{at}: dtype {got.dtype} for {wanted.dtype}"
    if tuple(got.shape) != tuple(wanted.shape):
        return f"{at}: shape {tuple(got.shape)} for {tuple(wanted.shape)}"
    if wanted.layout is torch.sparse_coo:
        if not got.is_sparse:
            return f"{at}: dense for sparse"
        got, wanted = got.to_dense(), wanted.to_dense()
    if not values:
        return ""
    mine = to_torch(got)
    wanted = wanted.detach().resolve_conj().resolve_neg()
    rtol, atol = tolerance or (None, None)
    try:
        torch.testing.assert_close(mine, wanted, rtol=rtol, atol=atol, equal_nan=True)
    except AssertionError as error:
        lines = [line for line in str(error).splitlines() if "difference" in line or "Mismatched" in line]
        return f"{at}: values: " + "; ".join(lines or str(error).splitlines()[:1])
    return ""
