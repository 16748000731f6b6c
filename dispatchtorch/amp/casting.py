"""What autocast does to a call: functions of the lists get code that casts arguments first, while some thread wants it.

Outside of autocast nobody pays: the functions' own code is put back when the last thread leaves. Within, a function of
a list calls the others without casts, as in PyTorch: what `cdist` multiplies stays in float32.
Must not know: context managers, gradient scalers.
"""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Iterator
from typing import Any, Final

from dispatchtorch._base.dtypes import DType, float32, float64
from dispatchtorch.amp.policies import ASIDE, LOWER, POLICIES, PROMOTE, applies
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.op import TABLE
from dispatchtorch.dispatch.overriding import body_of, exchange, public_surface
from dispatchtorch.dispatch.recoding import Body, calling
from dispatchtorch.dispatch.table import COMPOSITES
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["Casts", "casts", "rearm"]

_ROOMS: Final = ("torch.", "torch.Tensor.", "torch.nn.functional.")


class Casts(threading.local):
    """One thread's autocast, as calls see it."""

    on: dict[str, DType] = {}  # noqa: RUF012 - never written into, always put anew
    keeping: bool = True
    kept: dict[Any, tuple[Tensor, Tensor]] = {}  # noqa: RUF012 - as above


casts: Final = Casts()


class _Caster:
    """One function's other code: casts arguments by the policy for their device, then does what the function does."""

    def __init__(self, function: types.FunctionType, name: str) -> None:
        self.function, self.name = function, name
        self.policies = {kind: table[name] for kind, table in POLICIES.items() if name in table}
        self.plain = body_of(function)
        self.own = types.FunctionType(
            self.plain[0], function.__globals__, function.__name__, self.plain[1], function.__closure__
        )
        self.own.__kwdefaults__ = self.plain[2]
        self.casting: Body = (calling(self, self.own), None, None)

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        on = casts.on
        if not on:
            return self.own(*args, **kwargs)
        kind = next((t._key.device.type for t in _tensors((args, kwargs)) if t._key.device.type in on), None)
        policy = None if kind is None else self.policies.get(kind)
        if kind is None or policy is None or not applies(self.name, args, kwargs):
            return self.own(*args, **kwargs)
        if policy != ASIDE:
            args, kwargs = self._cast(policy, kind, on, args, kwargs)
        casts.on = {}
        try:
            return self.own(*args, **kwargs)
        finally:
            casts.on = on

    @staticmethod
    def _cast(policy: str, kind: str, on: dict[str, DType], args: Any, kwargs: Any) -> tuple[Any, Any]:
        to = on[kind] if policy == LOWER else float32
        if policy == PROMOTE:
            to = _widest(on[kind], (args, kwargs), kind)
        return _cast(args, kind, to, on[kind]), _cast(kwargs, kind, to, on[kind])


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for member in value:
            yield from _tensors(member)
    elif isinstance(value, dict):
        for member in value.values():
            yield from _tensors(member)


def _is_eligible(t: Tensor, kind: str) -> bool:
    dtype = t._key.dtype
    return dtype.is_floating_point and dtype is not float64 and t._key.device.type == kind


def _widest(lower: DType, value: Any, kind: str) -> DType:
    """Returns the dtype in which several tensors meet: float32 if one of them has it."""
    found = {t._key.dtype for t in _tensors(value) if _is_eligible(t, kind)}
    if found - {lower, float32}:
        raise RuntimeError("Unexpected floating ScalarType in at::autocast::prioritize")
    return float32 if float32 in found else lower


def _cast(value: Any, kind: str, to: DType, lower: DType) -> Any:
    if isinstance(value, Tensor):
        if value._key.dtype is to or not _is_eligible(value, kind):
            return value
        if to is lower and casts.keeping and _is_kept(value):
            return _kept(value, to)
        return value.to(to)
    if type(value) in (list, tuple):
        return type(value)(_cast(member, kind, to, lower) for member in value)
    if type(value) is dict:
        return {name: _cast(member, kind, to, lower) for name, member in value.items()}
    return value


def _is_kept(t: Tensor) -> bool:
    return bool(t._key.requires and t._edge is None and t._key.dtype is float32 and not t._key.view)


def _kept(t: Tensor, to: DType) -> Tensor:
    """Returns the cast of a parameter, made once while it is not written, so that its gradient is added up before."""
    place = (id(t), t._version, to, bool(modes.grad))
    found = casts.kept.get(place)
    if found is None:
        found = (t, t.to(to))
        casts.kept = {**casts.kept, place: found}
    return found[1]


# --- putting the code in place ---------------------------------------------------------------------------------------

_lock: Final = threading.Lock()
_wanted: Final[dict[str, int]] = {}  # kind of device -> how many threads have it on
_casters: Final[dict[int, _Caster]] = {}
_seen: Final[dict[str, frozenset[str]]] = {}  # kind of device -> the rooms that were open when functions were looked up
_of_kind: Final[dict[str, list[_Caster]]] = {}


def rearm(kind: str, change: int) -> None:
    """Counts a thread that switches autocast on (1) or off (-1); the first and the last exchange functions' code."""
    if not change:
        return
    with _lock:
        before = any(_wanted.values())
        _wanted[kind] = _wanted.get(kind, 0) + change
        after = any(_wanted.values())
        if after and change > 0:
            for caster in _casters_of(kind):
                exchange(caster.function, caster.casting)
        elif before and not after:
            for caster in _casters.values():
                exchange(caster.function, caster.plain)


def _casters_of(kind: str) -> list[_Caster]:
    opened = frozenset(name for name in ("nn.functional", "linalg", "fft") if f"dispatchtorch.{name}" in sys.modules)
    if _seen.get(kind) != opened:
        _of_kind[kind] = list(_found(POLICIES.get(kind, {})))
        _seen[kind] = opened
    return _of_kind[kind]


def _found(names: dict[str, str]) -> Iterator[_Caster]:
    """Yields the casters of all functions that the names mean, down to the one that others call from within."""
    surface = public_surface()
    for name in names:
        known: list[Any] = [surface.get(room + name) for room in _ROOMS]
        known.append(COMPOSITES.get(name.replace(".", "_")))
        if name in TABLE:
            known.append(TABLE[name].entry)
        for function in known:
            while isinstance(function, types.FunctionType):
                caster = _casters.get(id(function))
                if caster is None:
                    caster = _casters[id(function)] = _Caster(function, name)
                yield caster
                function = getattr(function, "__wrapped__", None)
