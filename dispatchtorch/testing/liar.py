"""Liars: one kernel made wrong by a thousandth, or one derivative by a hundredth, to see whether the kit notices.

A kernel lies through the plugin hook that any instrument uses; a derivative lies in the op table. `paths` finds the
checks that reach the liar and runs them until one objects. Knows the op table and the kit; no backend by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from dispatchtorch.dispatch.op import TABLE, Op, Rule
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.plugin import hookimpl
from dispatchtorch.plugin.backend import Kernel
from dispatchtorch.plugin.manager import manager
from dispatchtorch.tensor.tensor import Tensor
from dispatchtorch.testing.conformance.cases import Case, cases
from dispatchtorch.testing.conformance.checks import ASPECTS

__all__ = ["Check", "Paths", "lies_of", "lying_derivative", "lying_kernel", "paths", "tell"]

Check = tuple[str, str, str]  # case, aspect, dtype
KERNEL_ERROR: Final = 1e-3
DERIVATIVE_ERROR: Final = 1e-2
_TRIED: Final = (
    ("forward", "float32"), ("gradient", "float32"), ("forward", "float64"), ("forward", "int64"), ("forward", "bool"),
    ("forward", "complex64"), ("gradient", "complex64"), ("inplace", "float32"), ("aliasing", "float32"),
    ("gradcheck", "float64"), ("gradgradcheck", "float64"),
)  # fmt: skip


class _Wrapper:
    """A plugin that puts ``change(op, kernel)`` in the place of kernels; None leaves one alone."""

    def __init__(self, change: Callable[[str, Kernel], Kernel | None]) -> None:
        self._change = change

    @hookimpl
    def dispatchtorch_wrap_kernel(self, op: str, backend: str, kernel: Kernel) -> Kernel | None:
        """Returns the changed kernel."""
        return self._change(op, kernel)


@contextmanager
def _registered(change: Callable[[str, Kernel], Kernel | None]) -> Iterator[None]:
    plugin = _Wrapper(change)
    name = manager().register(plugin, "liar")
    try:
        yield
    finally:
        manager().unregister(name)


# --- lies ------------------------------------------------------------------------------------------------------------


def _wrong(out: Any) -> Any:
    """Returns a result that is off: floats by a thousandth, integers by one, bools the other way round."""
    kind = str(out.dtype)
    if "bool" in kind:
        return ~out
    if "int" in kind:
        return out + out.dtype.type(1) if hasattr(out.dtype, "type") else out + 1
    return (out * (1 + KERNEL_ERROR) + KERNEL_ERROR).astype(out.dtype)


@contextmanager
def lying_kernel(op: str, output: int = 0) -> Iterator[None]:
    """Makes one output of an op's kernel wrong inside the block, on every backend and in every plan."""

    def change(name: str, kernel: Kernel) -> Kernel | None:
        if name != op.strip("_"):  # hooks know an op by its public name
            return None

        def lie(*args: Any) -> Any:
            out = kernel(*args)
            if isinstance(out, (tuple, list)):
                return tuple(_wrong(o) if i == output else o for i, o in enumerate(out))
            return _wrong(out)

        return lie

    with _registered(change):
        yield


@contextmanager
def _expression(op: Op, rule: Rule, replacement: Callable[..., Any]) -> Iterator[None]:
    """Puts another expression into the table; the op's shortcut, which holds the old one, is left aside meanwhile."""
    before, shortcut = rule.expression, op.derive
    rule.expression, op.derive = replacement, op.backward
    try:
        yield
    finally:
        rule.expression, op.derive = before, shortcut


def _shifted(g: Any) -> Any:
    """Returns a gradient that is off by a hundredth, also where it is 0."""
    if not isinstance(g, Tensor):
        return g
    return METHODS["add"](g * (1 + DERIVATIVE_ERROR), METHODS["eq"](g, 0).to(g.dtype) * DERIVATIVE_ERROR)


@contextmanager
def lying_derivative(op: Op, number: int, position: int = 0) -> Iterator[None]:
    """Makes one derivative wrong inside the block: rule ``number``, for the ``position``-th parameter it serves."""
    rule = op.rules[number]
    honest = rule.expression

    def lie(*args: Any) -> Any:
        got = honest(*args)
        if isinstance(got, (tuple, list)):
            one = position if rule.count > 1 else None  # a rule for a list of tensors is wrong for all of them
            return type(got)(_shifted(g) if one in (None, i) else g for i, g in enumerate(got))
        return _shifted(got)

    with _expression(op, rule, lie):
        yield


# --- who would notice ------------------------------------------------------------------------------------------------


class Paths:
    """Which checks run which kernels and derivatives, found by running all of them once."""

    def __init__(self) -> None:
        self.kernels: dict[str, list[Check]] = {}
        self.outputs: dict[str, int] = {}  # the largest number of results a kernel gave
        self.rules: dict[tuple[str, int], list[Check]] = {}


def paths(names: frozenset[str] = frozenset(), tried: tuple[tuple[str, str], ...] = _TRIED) -> Paths:
    """Returns what the kit's checks of these cases (all, if none are named) reach on the selected backend."""
    found = Paths()
    now: list[Check] = []

    def change(name: str, kernel: Kernel) -> Kernel:
        def traced(*args: Any) -> Any:
            out = kernel(*args)
            _note(found.kernels, name, now)
            found.outputs[name] = max(found.outputs.get(name, 1), len(out) if isinstance(out, (tuple, list)) else 1)
            return out

        return traced

    with ExitStack() as stack:
        for op in TABLE.values():
            for number, rule in enumerate(op.rules):
                traced_rule = _traced_rule(rule.expression, found.rules, (op.name, number), now)
                stack.enter_context(_expression(op, rule, traced_rule))
        stack.enter_context(_registered(change))
        for case in cases().values():
            if not names or case.name in names:
                _walk(case, tried, found, now)
    return found


def _walk(case: Case, tried: tuple[tuple[str, str], ...], found: Paths, now: list[Check]) -> None:
    for aspect, dtype in tried:
        if aspect == "inplace" and case.inplace is None:
            continue
        now[:] = [(case.name, aspect, dtype)]
        if not _objection(now[0]):
            continue
        for checks in (*found.kernels.values(), *found.rules.values()):  # honest, and yet refused: no witness
            if checks and checks[-1] == now[0]:
                checks.pop()


def _note(where: dict[Any, list[Check]], key: Any, now: list[Check]) -> None:
    checks = where.setdefault(key, [])
    if now and (not checks or checks[-1] != now[0]):
        checks.append(now[0])


def _traced_rule(honest: Callable[..., Any], where: dict[Any, list[Check]], key: Any, now: list[Check]) -> Any:
    def traced(*args: Any) -> Any:
        _note(where, key, now)
        return honest(*args)

    return traced


def _objection(check: Check) -> str:
    """Returns what a check says, "" where it is content."""
    name, aspect, dtype = check
    try:
        ASPECTS[aspect](cases()[name], dtype)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def tell(checks: list[Check], owner: str) -> str:
    """Returns the objection of the first check that notices the lie being told, "" where none does.

    The owner's own checks are asked first.
    """
    for check in sorted(checks, key=lambda c: c[0].strip("_") != owner.strip("_")):
        said = _objection(check)
        if said:
            return said
    return ""


def lies_of(op: Op) -> list[tuple[int, int]]:
    """Returns (rule, position) for each derivative of an op."""
    return [(i, p) for i, rule in enumerate(op.rules) for p in range(rule.count)]
