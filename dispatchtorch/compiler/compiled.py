"""``torch.compile``: which program serves a call, when one is made, and when the call runs as it is written.

The first call of a kind runs eagerly, so that what is made once (optimizer state) exists; the second is traced, and
from then on a program runs. Where the backend has no compiler, or a call cannot be traced, calls run eagerly.
"""

from __future__ import annotations

import functools
import gc
import logging
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dispatchtorch._base.pytree import tree_flatten
from dispatchtorch.compiler.program import Program
from dispatchtorch.compiler.trace import UntraceableError, trace
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.tracing import tracing
from dispatchtorch.nn.modules.module import Module
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.plugin.selection import default_backend
from dispatchtorch.tensor.tensor import Tensor, lens_of

__all__ = ["Compiled", "Counts", "OptimizedModule", "compile"]

LOG: Final = logging.getLogger("dispatchtorch.compiler")
MOST: Final = 8  # programs a function, as in torch (recompile_limit)
_HERE: Final = str(Path(__file__).resolve().parents[1])


@dataclass
class Counts:
    """How often what happened, for `explain`."""

    eager: int = 0
    traces: int = 0
    runs: int = 0
    fallbacks: list[str] = field(default_factory=list)  # why calls were not traced, with the line


@dataclass
class _Kind:
    """Calls of one kind: same structure, shapes, dtypes and constants."""

    programs: list[Program] = field(default_factory=list)
    warm: bool = False
    eager: str = ""  # why such calls are never traced


class Compiled:
    """A function whose calls run as programs."""

    def __init__(self, function: Callable[..., Any], *, fullgraph: bool = False, disable: bool = False) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._fullgraph, self._disabled = fullgraph, disable
        self._kinds: dict[Any, _Kind] = {}
        self.counts = Counts()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Returns what the function returns, with all that it does."""
        leaves, spec = tree_flatten((args, kwargs))
        first = next((leaf._key.backend for leaf in leaves if isinstance(leaf, Tensor)), None) or default_backend()
        backend = first.engine
        if self._disabled or tracing.now is not None or "trace" not in backend.capabilities:
            return self._eagerly(args, kwargs)
        facts = (spec, modes.grad, *[_fact(leaf) for leaf in leaves])
        try:
            kind = self._kinds.setdefault(facts, _Kind())
        except TypeError:  # an argument that is no key of a dict
            return self._eagerly(args, kwargs)
        if not kind.warm or kind.eager:
            kind.warm = True
            return self._eagerly(args, kwargs)
        for program in kind.programs:
            if program.holds():
                self.counts.runs += 1
                return program.run(leaves)
        if sum(len(k.programs) for k in self._kinds.values()) >= MOST:
            self._give_up(kind, f"there are {MOST} programs already: shapes or options change at every call")
            return self._eagerly(args, kwargs)
        return self._traced(kind, leaves, spec, backend, args, kwargs)

    def _eagerly(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.counts.eager += 1
        return self._function(*args, **kwargs)

    def _traced(
        self,
        kind: _Kind,
        leaves: Sequence[Any],
        spec: Any,
        backend: Backend,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        try:
            program = trace(self._function, leaves, spec, backend)
        except Exception as error:  # whatever stops a trace: a value that is asked for, or an error of the call's own
            where = _line_of(error)
            result = self._eagerly(args, kwargs)  # raises the call's own error, if it is one
            why = f"{where}: {type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            if self._fullgraph:
                raise UntraceableError(
                    f"fullgraph=True, but {_name(self._function)} cannot become one program. At {why}"
                ) from error
            self._give_up(kind, why)
            return result
        if program.keeps:
            self._give_up(kind, "It keeps a tensor that it made; write into one that is there already: copy_(), add_()")
            return program.run(leaves)
        program.guard(_modes_of(program))
        kind.programs.append(program)
        self.counts.traces += 1
        LOG.info("traced %s: %d steps; %d programs now", _name(self._function), program.equations, len(kind.programs))
        self.counts.runs += 1
        return program.run(leaves)

    def _give_up(self, kind: _Kind, why: str) -> None:
        kind.eager = why
        self.counts.fallbacks.append(why)
        warnings.warn(f"{_name(self._function)} runs eagerly. {why}", UserWarning, stacklevel=4)


def _fact(leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        lens = lens_of(leaf)
        return leaf._key, lens.shape, lens.strides, leaf._edge is None
    return type(leaf), leaf


def _name(function: Any) -> str:
    return getattr(function, "__qualname__", None) or type(function).__name__


def _line_of(error: BaseException) -> str:
    """Returns the innermost line that is not this package's own or a library's: the user's."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith(_HERE) and "site-packages" not in f.filename]
    own = [
        f for f in own if "dispatchtorch_" not in f.filename and f.filename != "<string>"
    ]  # made functions: dispatch/
    return f"{own[-1].filename}:{own[-1].lineno}" if own else "an unknown line"


def _modes_of(program: Program) -> Callable[[], tuple[bool, ...]]:
    """Returns what tells whether the modules of a program are still in the modes in which it was traced."""
    touched = {id(t) for t in program.tensors()}
    alive = [m for m in gc.get_objects() if isinstance(m, Module)]
    owners = {id(m) for m in alive if any(id(t) in touched for t in (*m._parameters.values(), *m._buffers.values()))}
    found: dict[int, Module] = {}
    for top in alive:
        family = list(top.modules())
        if any(id(m) in owners for m in family):
            found.update((id(m), m) for m in family)
    modules = tuple(found.values())
    return lambda: tuple([m.training for m in modules])


class OptimizedModule(Module):
    """A module whose calls run as programs; everything else is the module's own."""

    def __init__(self, module: Module, **options: Any) -> None:
        super().__init__()
        self._orig_mod = module
        self.__dict__["_compiled"] = Compiled(module.__call__, **options)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Returns what the module returns."""
        return self.__dict__["_compiled"](*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":
            return self._modules["_orig_mod"]
        return getattr(self._orig_mod, name)


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: Any = None,
    disable: bool = False,
) -> Any:
    """Returns a function or module whose calls become programs on a backend with a compiler; a decorator without one.

    ``fullgraph``: raise where a call cannot be traced, rather than run it eagerly. ``dynamic``, ``backend``, ``mode``
    and ``options`` choose among PyTorch's own compilers and are accepted: each new shape gets its own program.

    >>> import dispatchtorch as torch
    >>> @torch.compile
    ... def double(x):
    ...     return x * 2
    >>> double(torch.tensor([1.0, 2.0]))
    tensor([2., 4.])
    """
    if model is None:
        return lambda found: compile(found, fullgraph=fullgraph, disable=disable)
    if isinstance(model, Module):
        return OptimizedModule(model, fullgraph=fullgraph, disable=disable)
    if not callable(model):
        raise RuntimeError(f"torch.compile() expects a function or a module, not {type(model).__name__}")
    return Compiled(model, fullgraph=fullgraph, disable=disable)
