"""Asks torch's table of optimizers: ``python -m tests.oracle.optimdb --backend numpy [-k PART] [--kind walk]``.

Kinds: ``walk`` (ten steps from the same start, parameters and state compared), ``recorded`` (gradients through a
differentiable step), ``exchange`` (a state taken over half-way, in both directions), ``schedule`` and ``error``.
"""

from __future__ import annotations

import re
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.testing._internal import common_optimizers as table

import dispatchtorch as ours
from tests.oracle.asking import main_of
from tests.oracle.bridge import compare, to_ours, to_torch
from tests.oracle.rows import Outcome, Row

__all__ = ["KINDS", "entries", "main", "rows"]

KINDS = ("walk", "recorded", "exchange", "schedule", "error")
STEPS = 10
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.complex64)
# Ten steps add up what one op may differ by; half precision rounds every intermediate of a fused step elsewhere.
TOLERANCES = {
    torch.float32: (2e-4, 2e-5),
    torch.float64: (1e-8, 1e-9),
    torch.bfloat16: (4e-2, 2e-2),
    torch.complex64: (2e-4, 2e-5),
}
# Muon computes its direction in bfloat16, whatever the parameters are; a recorded step of torch's Adam has its bias
# corrections in float32.
MUON, RECORDED = (1e-2, 5e-3), (1e-6, 1e-6)


def _tolerance(info: Any, dtype: torch.dtype) -> tuple[float, float]:
    return max(MUON, TOLERANCES[dtype]) if info.name == "Muon" else TOLERANCES[dtype]


# --- a small program in either library -------------------------------------------------------------------------------


class Program:
    """Parameters, a loss and an optimizer in one library; made twice from the same numbers."""

    def __init__(self, lib: Any, info: Any, kwargs: dict[str, Any], dtype: torch.dtype) -> None:
        self.lib, self.sparse = lib, info.only_supports_sparse_grads
        made = torch.Generator().manual_seed(3)
        real = torch.float32 if dtype is torch.bfloat16 else dtype
        shapes = ((5, 3), (4, 5)) if info.name == "Muon" else ((5, 3), (5,))
        start = [torch.randn(s, generator=made, dtype=real).to(dtype) for s in shapes]
        inputs = torch.randn(3, generator=made, dtype=real).to(dtype)
        take: Any = to_ours if lib is ours else lambda v: v.clone() if isinstance(v, torch.Tensor) else v
        self.params = [take(t).requires_grad_() for t in start]
        self.inputs = take(inputs)
        self.kwargs = {k: take(v) for k, v in kwargs.items()}
        self.closed = info.step_requires_closure
        self.optimizer = getattr(lib.optim, info.name)(self.params, **self.kwargs)

    def loss(self) -> Any:
        """Returns the loss, after gradients are put into the parameters."""
        self.optimizer.zero_grad()
        first, second = self.params
        if second.dim() == 2:
            out = second.mv(first.mv(self.inputs))
        else:
            out = first.mv(self.inputs) + second
        if out.dtype is self.lib.complex64:
            out = out.abs()
        loss = out.pow(2).sum()
        loss.backward()
        return loss

    def step(self, number: int) -> None:
        """Takes one step."""
        if self.sparse:
            rows = self.lib.tensor([[number % 5, (number + 2) % 5]])
            for p in self.params:
                p.grad = self.lib.sparse_coo_tensor(rows, p.detach()[rows[0]] * 2, tuple(p.shape))
            self.optimizer.step()
        elif self.closed:
            self.optimizer.step(self.loss)
        else:
            self.loss()
            self.optimizer.step()


def _states(mine: Program, theirs: Program, tolerance: tuple[float, float]) -> str:
    got, wanted = mine.optimizer.state_dict(), theirs.optimizer.state_dict()
    for a, b in zip(got["param_groups"], wanted["param_groups"], strict=True):
        if sorted(a) != sorted(b):
            return f"group {sorted(a)} for {sorted(b)}"
    for key, slots in wanted["state"].items():
        if sorted(got["state"][key]) != sorted(slots):
            return f"state {sorted(got['state'][key])} for {sorted(slots)}"
        if theirs.closed:
            continue  # what is kept of a line search is compared where it matters, in the parameters
        for name, value in slots.items():
            problem = compare(got["state"][key][name], value, tolerance, at=f"state {name}")
            if problem:
                return problem
    return ""


def _params(mine: Program, theirs: Program, tolerance: tuple[float, float], at: str) -> str:
    return compare([p.detach() for p in mine.params], [p.detach() for p in theirs.params], tolerance, at=at)


def _walk(info: Any, kwargs: dict[str, Any], dtype: torch.dtype) -> str:
    mine, theirs = Program(ours, info, kwargs, dtype), Program(torch, info, kwargs, dtype)
    for number in range(STEPS):
        mine.step(number)
        theirs.step(number)
        problem = _params(mine, theirs, _tolerance(info, dtype), f"step {number + 1}")
        if problem:
            return problem
    return _states(mine, theirs, _tolerance(info, dtype))


def _carried(state: Any, to: Any) -> Any:
    """Returns a saved state in the other library."""
    if isinstance(state, ours.Tensor) and to is torch:
        return to_torch(state)
    if isinstance(state, torch.Tensor) and to is ours:
        return to_ours(state)
    if isinstance(state, dict):
        return {k: _carried(v, to) for k, v in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(_carried(v, to) for v in state)
    return state


def _exchange(info: Any, kwargs: dict[str, Any], dtype: torch.dtype) -> str:
    for old, new in ((torch, ours), (ours, torch)):
        first, second = Program(old, info, kwargs, dtype), Program(new, info, kwargs, dtype)
        for number in range(4):
            first.step(number)
        second.optimizer.load_state_dict(_carried(first.optimizer.state_dict(), new))
        with new.no_grad():
            for p, q in zip(second.params, first.params, strict=True):
                p.copy_(_carried(q.detach(), new))
        for number in range(4, 8):
            first.step(number)
            second.step(number)
        mine, theirs = (first, second) if old is ours else (second, first)
        problem = _params(mine, theirs, _tolerance(info, dtype), f"from {old.__name__}")
        if problem:
            return problem
    return ""


def _recorded(info: Any, kwargs: dict[str, Any], dtype: torch.dtype) -> str:
    """Compares gradients of what a step arrives at, by the starting point and the gradients that were used."""
    got: list[list[Any]] = []
    for lib in (ours, torch):
        take: Any = to_ours if lib is ours else lambda v: v.clone() if isinstance(v, torch.Tensor) else v
        made = torch.Generator().manual_seed(5)
        leaves = [take(torch.randn(4, generator=made, dtype=dtype)).requires_grad_() for _ in range(2)]
        moved = leaves[0].clone()
        chosen = {k: take(v) for k, v in kwargs.items()}
        optimizer = getattr(lib.optim, info.name)([moved], **chosen)
        moved.grad = leaves[1]
        optimizer.step()
        (moved * moved.abs()).sum().backward()
        got.append([leaf.grad for leaf in leaves])
    return compare(got[0], got[1], max(RECORDED, TOLERANCES[dtype]), at="gradient")


# --- schedules and errors --------------------------------------------------------------------------------------------


def _own(function: Any) -> Any:
    """Returns one of the table's lambdas over our schedules."""
    world = {
        name: getattr(ours.optim.lr_scheduler, name, value) if isinstance(value, type) else value
        for name, value in function.__globals__.items()
    }
    return types.FunctionType(function.__code__, world, function.__name__, function.__defaults__, function.__closure__)


def _schedule(info: Any, makers: list[Any]) -> str:
    seen: list[list[float]] = []
    states: list[list[str]] = []
    for lib in (ours, torch):
        program = Program(lib, info, {}, torch.float32)
        schedules = [(_own(m) if lib is ours else m)(program.optimizer) for m in makers]
        rates = []
        for number in range(12):
            program.step(number)
            for schedule in schedules:
                schedule.step(1.0) if type(schedule).__name__ == "ReduceLROnPlateau" else schedule.step()
            rates.append(float(program.optimizer.param_groups[0]["lr"]))
        seen.append(rates)
        states.append([str(sorted(s.state_dict())) for s in schedules])
    if states[0] != states[1]:
        return f"state {states[0]} for {states[1]}"
    return compare(seen[0], seen[1], (1e-12, 1e-15), at="rates")


def _translated(value: Any, known: dict[int, Any]) -> Any:
    if isinstance(value, torch.Tensor):
        if id(value) not in known:
            made = to_ours(value)
            if value.grad is not None:
                made.grad = to_ours(value.grad)
            known[id(value)] = made
        return known[id(value)]
    if isinstance(value, dict):
        return {k: _translated(v, known) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_translated(v, known) for v in value)
    return value


def _failure(lib: Any, info: Any, one: Any) -> BaseException | None:
    given = one.optimizer_error_input
    known: dict[int, Any] = {}
    params, kwargs = given.params, dict(given.kwargs)
    if params is None:
        params = [torch.nn.Parameter(torch.ones(1, 1))]
    if lib is ours:
        params, kwargs = _translated(params, known), _translated(kwargs, known)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error" if one.error_type is UserWarning else "ignore")
            optimizer = getattr(lib.optim, info.name)(params, **kwargs)
            if one.error_on is table.OptimizerErrorEnum.STEP_ERROR:
                optimizer.step()
    except Exception as error:
        return error
    return None


def _error(info: Any, one: Any) -> str:
    got, wanted = _failure(ours, info, one), _failure(torch, info, one)
    if wanted is None:
        return "" if got is None else f"{type(got).__name__}: {got}; torch takes it"
    if got is None:
        return f"nothing for {type(wanted).__name__}: {wanted}"
    if type(got).__name__ != type(wanted).__name__:
        return f"type {type(got).__name__} ({got}) for {type(wanted).__name__} ({wanted})"
    return "" if re.search(one.error_regex, str(got)) and str(got) == str(wanted) else f"{got}\n   for {wanted}"


# --- rows ------------------------------------------------------------------------------------------------------------


def entries() -> Iterator[Any]:
    """Yields torch's entries."""
    yield from table.optim_db


def rows(info: Any, limit: int | None = None) -> Iterator[Row]:
    """Yields everything there is to ask of an optimizer; ``limit``: walks of a dtype, None for all."""

    def row(kind: str, detail: str, ask: Callable[..., str], *given: Any) -> Row:
        def asked() -> Outcome:
            problem = ask(info, *given)
            return Outcome("fail" if problem else "pass", problem, 1, not problem)

        return Row(info.name, kind, detail, asked)

    yield from _walks(info, row, limit)
    for i, makers in enumerate(info.scheduler_inputs):
        yield row("schedule", str(i), _schedule, makers)
    for one in info.optim_error_inputs_func("cpu", torch.float32):
        yield row("error", one.optimizer_error_input.desc, _error, one)


def _walks(info: Any, row: Callable[..., Row], limit: int | None) -> Iterator[Row]:
    for dtype in DTYPES:
        if dtype.is_complex and (not info.supports_complex or info.only_supports_sparse_grads):
            continue
        inputs = table._get_optim_inputs_including_global_cliquey_kwargs("cpu", dtype, info)
        for one in inputs[:limit]:
            kwargs = one.kwargs
            if kwargs.get("fused") and dtype.is_complex:
                continue
            detail = f"{str(dtype).removeprefix('torch.')} {one.desc}"
            if kwargs.get("differentiable"):
                if dtype in (torch.float32, torch.float64):
                    yield row("recorded", detail, _recorded, kwargs, dtype)
                continue
            yield row("walk", detail, _walk, kwargs, dtype)
            if dtype is torch.float32:
                yield row("exchange", detail, _exchange, kwargs, dtype)


def main(argv: list[str] | None = None) -> int:
    """Returns 0; prints failures and shares."""
    return main_of("optimdb", KINDS, entries, rows, argv)


if __name__ == "__main__":
    sys.exit(main())
