"""A compiled function: which program serves a call, when one is made, and when the call runs as it is written.

Calls of one kind have the same structure, shapes, dtypes and constants; each kind has programs of its own, for each
state that the function was found in. Where the backend has no compiler, or a call cannot be traced, calls run eagerly.
"""

from __future__ import annotations

import functools
import inspect
import logging
import time
import traceback
import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, Final

from dispatchtorch._base.dtypes import get_default_dtype
from dispatchtorch._base.host import np
from dispatchtorch._base.pytree import TreeSpec, tree_flatten
from dispatchtorch.amp.casting import casts
from dispatchtorch.compiler.guards import content
from dispatchtorch.compiler.marks import stance
from dispatchtorch.compiler.program import Program
from dispatchtorch.compiler.recording import UntraceableError
from dispatchtorch.compiler.report import Counts, Explanation, Facts
from dispatchtorch.compiler.trace import trace
from dispatchtorch.dispatch.modes import anomaly, modes
from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.plugin.selection import default_backend
from dispatchtorch.tensor.lens import is_contiguous
from dispatchtorch.tensor.tensor import Parameter, Tensor

__all__ = ["Compiled", "reset"]

LOG: Final = logging.getLogger("dispatchtorch.compiler")
MOST: Final = 8  # programs a function, as in torch (recompile_limit)
_ALL: Final[weakref.WeakSet[Compiled]] = weakref.WeakSet()
LONG: Final = 100  # calls that ran as other programs since
_HERE: Final = str(Path(__file__).resolve().parents[1])


@dataclass
class _Kind:
    """Calls of one kind: same structure, shapes, dtypes and constants."""

    programs: list[Program] = field(default_factory=list)
    failures: int = 0
    eager: str = ""  # why such calls are never traced


class _Very:
    """An argument that no dict takes for a key: an object is itself only, an array what it holds."""

    __slots__ = ("_fact", "_mark")

    def __init__(self, fact: Any) -> None:
        self._fact = fact  # so that nothing else gets its id
        held = content(fact) if isinstance(fact, np.ndarray) else None
        self._mark = id(fact) if held is None else held

    def __hash__(self) -> int:
        return hash(self._mark)

    def __eq__(self, other: object) -> bool:
        return type(other) is _Very and self._mark == other._mark


def _very(fact: Any) -> Any:
    """Returns a fact as it is, if it can be hashed and compared."""
    try:
        hash(fact)
    except (TypeError, ValueError, RuntimeError):
        return _Very(fact)
    return _Very(fact) if is_dataclass(fact) and not isinstance(fact, TreeSpec) else fact


class Compiled:
    """A function whose calls run as programs."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        fullgraph: bool = False,
        disable: bool = False,
        donate: bool = True,
        limit: int | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._fullgraph, self._donate, self._limit = fullgraph, donate, limit or MOST
        self._off = disable or getattr(function, "_torchdynamo_disable", False)
        self._kinds: dict[Any, _Kind] = {}
        self._full = False  # as many programs as there may be
        self._moving: set[tuple[int, str]] = set()
        self._facts: list[tuple[Program, str, float]] = []
        self.counts = Counts()
        _ALL.add(self)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Returns what the function returns, with all that it does."""
        if self._off or tracing.now is not None or stance.name == "force_eager":
            return self._eagerly(args, kwargs)
        leaves: Sequence[Any]
        if kwargs:
            leaves, spec = tree_flatten((args, kwargs))
        else:
            leaves, spec = args, None
            for a in args:
                kind = type(a)
                if kind is not Tensor and kind is not Parameter:
                    leaves, spec = tree_flatten((args, kwargs))
                    break
        backend: Backend | None = None
        facts: list[Any] = [spec, modes.grad, modes.inference, get_default_dtype(), anomaly.on]
        if casts.on:
            facts.append(tuple(casts.on.items()))
        cells = 0
        for leaf in leaves:
            if isinstance(leaf, Tensor):
                key, extra = leaf._key, leaf._extra
                backend = backend or key.backend.engine
                facts += (key, leaf._a.shape, leaf._edge is None)
                if extra is not None:
                    if extra.lens is not None and not is_contiguous(extra.lens):
                        facts.append(extra.lens.strides)
                    if extra.grad is not None:
                        facts += ("grad", extra.grad._key, extra.grad._a.shape)
                cells += 1
            else:
                facts += (type(leaf), leaf if type(leaf) is not float or leaf else repr(leaf))  # 0.0 is not -0.0
        if cells > 1 and len({id(_memory_of(leaf)) for leaf in leaves if isinstance(leaf, Tensor)}) < cells:
            facts.append(_aliases(leaves))
        backend = backend or default_backend().engine
        if "trace" not in backend.capabilities:
            return self._eagerly(args, kwargs)
        mark = tuple(facts)
        try:
            calls = self._kinds.get(mark)
        except (TypeError, ValueError, RuntimeError):  # an argument that is no key of a dict, or cannot be compared
            mark = tuple([_very(fact) for fact in facts])
            calls = self._kinds.get(mark)
        if calls is None:
            if self._full:
                return self._eagerly(args, kwargs)
            calls = self._kinds[mark] = _Kind()
        elif calls.eager:
            return self._eagerly(args, kwargs)
        for program in calls.programs:
            if program.holds() and (not (program.given or program.same) or program.takes(leaves)):
                counts = self.counts
                program.last = counts.runs = counts.runs + 1
                return program.run(program, leaves)
        return self._compiled_now(calls, backend, args, kwargs)

    def _eagerly(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.counts.eager += 1
        return self._function(*args, **kwargs)

    # --- one more program --------------------------------------------------------------------------------------------

    def _compiled_now(self, calls: _Kind, backend: Backend, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        leaves, spec = tree_flatten((args, kwargs))
        why = self._reason(calls, leaves)
        if why:
            if stance.name == "fail_on_recompile":
                raise RuntimeError(f"Detected recompile when torch.compile stance is 'fail_on_recompile'. {why}")
            if stance.name == "eager_on_recompile":
                return self._eagerly(args, kwargs)
            LOG.info("%s is compiled again: %s", _name(self._function), why)
        self._retire()
        if sum(len(k.programs) for k in self._kinds.values()) >= self._limit:
            if not self._full:  # said once, and not for each new number among the arguments
                self._full = True
                self._give_up(calls, f"There are {self._limit} programs already, and one more would be needed: {why}")
            return self._eagerly(args, kwargs)
        begin = time.perf_counter()
        try:
            program = trace(self._function, leaves, spec, backend, self._moving, self._donate)
        except Exception as error:  # whatever stops a trace: a value that is asked for, or an error of the call's own
            return self._untraced(calls, error, backend, args, kwargs)
        seconds = time.perf_counter() - begin
        if program.keeps:
            self._give_up(calls, "It keeps a tensor that it made where no run can put one: assign it to an attribute")
            return program.run(program, leaves)
        calls.programs.append(program)
        if why:
            self.counts.recompiles.append(why)
        self._facts.append((program, _described(leaves), seconds))
        self.counts.traces += 1
        LOG.info("traced %s: %d steps in %.3f s", _name(self._function), program.equations, seconds)
        self.counts.runs += 1
        program.last = self.counts.runs
        return program.run(program, leaves)

    def _retire(self) -> None:
        """Forgets programs that have not run for long and whose state is another one: checkpoints are loaded."""
        for calls in self._kinds.values():
            kept = [p for p in calls.programs if self.counts.runs - p.last < LONG or not p.broken()[0]]
            calls.programs[:] = kept

    def _reason(self, calls: _Kind, leaves: Sequence[Any]) -> str:
        """Returns why the programs that are there do not serve; nothing where there is none."""
        reasons = []
        for program in calls.programs:
            why, moved = program.broken()
            reasons.append(why or "its state is another one")
            self._moving |= moved
        if reasons:
            return "; ".join(dict.fromkeys(reasons))
        known = list(dict.fromkeys(described for _, described, _ in self._facts))
        return f"the arguments are {_described(leaves)} and were {' or '.join(known)}" if known else ""

    def _untraced(
        self, calls: _Kind, error: Exception, backend: Backend, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        where = _line_of(error) or _start_of(self._function)
        asked = backend.asks_for_value(error)
        words = "the value of a tensor is asked for, and a program has none" if asked else _first_line(error)
        why = f"{where}: {words}"
        strict = f"fullgraph=True, but {_name(self._function)} cannot become one program. At {why}"
        if self._fullgraph and (asked or isinstance(error, UntraceableError)):
            raise UntraceableError(strict) from error
        result = self._eagerly(args, kwargs)  # raises the call's own error, if it is one
        if self._fullgraph:
            raise UntraceableError(strict) from error
        calls.failures += 1
        if calls.failures > 1:  # what a first call makes once may be there at the second
            self._give_up(calls, why)
        return result

    def _give_up(self, calls: _Kind, why: str) -> None:
        calls.eager = why
        self.counts.fallbacks.append(why)
        warnings.warn(f"{_name(self._function)} runs eagerly. {why}", UserWarning, stacklevel=_outside())

    # --- what became of it -------------------------------------------------------------------------------------------

    def explain(self) -> Explanation:
        """Returns how many programs there are and why, printable."""
        facts = [
            Facts(
                described, p.equations, p.inputs, p.outputs, p.taken, p.donated_bytes, p.runs, seconds, p.seconds,
                p.goes_back,
            )
            for p, described, seconds in self._facts
        ]  # fmt: skip
        return Explanation(_name(self._function), tuple(facts), self.counts)

    def reset(self) -> None:
        """Forgets all programs."""
        self._kinds.clear()
        self._full = False
        self._facts.clear()
        self._moving.clear()


def reset() -> None:
    """Forgets all programs of all functions: they are compiled again when they are called."""
    for one in list(_ALL):
        one.reset()


def _aliases(leaves: Sequence[Any]) -> tuple[int, ...]:
    """Returns for each tensor the number of the first that is the same one, and of the first in the same memory."""
    first: dict[int, int] = {}
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    return tuple([first.setdefault(id(x), i) for i, t in enumerate(tensors) for x in (t, _memory_of(t))])


def _memory_of(t: Tensor) -> Any:
    """Returns what is the same for all tensors in one storage."""
    cell = t._cell
    return t if cell is None or cell.storage is None else cell.storage


def _described(leaves: Sequence[Any]) -> str:
    shown = []
    for leaf in leaves:
        if isinstance(leaf, Tensor):
            grad = ", requires_grad" if leaf._key.requires else ""
            shown.append(f"{leaf._key.dtype.name}{list(leaf._a.shape)}{grad}")
        else:
            shown.append(repr(leaf)[:40])
    return f"({', '.join(shown)})" + ("" if modes.grad else " without gradients")


def _name(function: Any) -> str:
    owner = getattr(function, "__self__", None)
    if owner is not None and getattr(function, "__name__", "") == "__call__":
        return type(owner).__name__
    return getattr(function, "__qualname__", None) or type(function).__name__


def _first_line(error: BaseException) -> str:
    line = (str(error).splitlines() or [""])[0]
    return line if isinstance(error, UntraceableError) else f"{type(error).__name__}: {line}"


def _is_own(filename: str) -> bool:
    """Returns whether a line is this package's own, a backend's or a library's, and not the user's."""
    return (
        filename.startswith(_HERE) or "site-packages" in filename or "dispatchtorch_" in filename
        or filename == "<string>"  # made functions: dispatch/
    )  # fmt: skip


def _line_of(error: BaseException) -> str:
    """Returns the innermost line that is the user's."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _is_own(f.filename)]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _start_of(function: Any) -> str:
    """Returns where a function begins."""
    code = getattr(inspect.unwrap(getattr(function, "__func__", function)), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else _name(function)


def _outside() -> int:
    """Returns the stack level of the user's line, for a warning that is raised by the caller."""
    frames = traceback.extract_stack()[:-2]
    return next((i for i, f in enumerate(reversed(frames), 2) if not _is_own(f.filename)), 2)
