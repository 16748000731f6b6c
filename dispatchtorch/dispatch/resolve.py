"""How an op finds its kernel on a backend: the ladder, climbed once per (op, backend) and remembered in plans."""

from __future__ import annotations

import warnings
from typing import Any, Final

from dispatchtorch._base import config
from dispatchtorch._base.dtypes import DType, by_name
from dispatchtorch.dispatch.modes import modes
from dispatchtorch.dispatch.op import LIST, TABLE, TENSOR, Op
from dispatchtorch.dispatch.sparse import SparseMet
from dispatchtorch.plugin import numpylike
from dispatchtorch.plugin.backend import Backend, Kernel, KernelCall, Ladder, LadderStep
from dispatchtorch.plugin.manager import manager
from dispatchtorch.plugin.selection import get_backend
from dispatchtorch.tensor.key import Key, intern_key
from dispatchtorch.tensor.sparse import is_sparse_key
from dispatchtorch.tensor.tensor import Tensor, read, wrap

__all__ = ["NoKernelError", "climb", "explain", "kernel_for", "result_key", "writer_for"]


class NoKernelError(NotImplementedError):
    """No rung of the ladder gave a kernel; the message is the ladder."""


def climb(op: Op, backend: Backend, key: Key | None = None) -> tuple[Kernel | None, Ladder]:
    """Returns the kernel for an op on a backend, not yet bound, and the ladder that led to it."""
    ladder = Ladder(op.name.strip("_"), backend.name)
    plugins = manager()
    chosen: Kernel | None = None

    def rung(name: str, found: Kernel | None, yes: str, no: str) -> None:
        nonlocal chosen
        take = chosen is None and found is not None
        ladder.steps.append(LadderStep(name, yes if found is not None else no, take))
        if take:
            chosen = found

    rung(
        "override hook",
        plugins.kernel_override(op.name.strip("_"), backend.name),
        "a plugin's kernel",
        "no plugin answers",
    )
    own = backend.kernels.get(op.name) or backend.kernels.get(op.name.strip("_"))  # its author may know either name
    rung("backend kernel", own, "the backend's own", "the backend gives none")
    shared = numpylike.KERNELS.get(op.name)
    rung(
        "numpylike kernel",
        None if shared is None else _over(shared, backend.namespace),
        "the shared kernel over the backend's namespace",
        "no shared kernel",
    )
    named = op.kernel_name
    direct = getattr(backend.namespace, named, None) if named else None
    rung("array API name", direct, f"namespace.{named}", f"no namespace.{named}" if named else "no such name given")
    rung(
        "decomposition",
        _decomposition(op, key) if op.decomposed and key is not None else None,
        "the op's own body",
        "the op is a primitive" if not op.decomposed else "the op's own body",
    )
    if op.decomposed and key is None and chosen is None:
        ladder.steps[-1].taken = True
    policy = config.current().fallback
    fallback = None
    if policy != "error" and chosen is None and not op.decomposed and backend.name != "numpy":
        fallback = _host_fallback(op, backend, warn=policy == "warn")
    rung("host fallback", fallback, f"through the host ({policy})", f"not used ({policy})")
    return chosen, ladder


def kernel_for(op: Op, key: Key, call: KernelCall) -> Kernel:
    """Returns the bound kernel, wrapped by every plugin that asks; NoKernelError prints the ladder."""
    backend = key.backend
    if is_sparse_key(key):
        raise SparseMet
    names = (op.name, op.name.strip("_"))
    gap = next((g for g in backend.gaps if g.op in names and (not g.dtypes or key.dtype.name in g.dtypes)), None)
    chosen, ladder = climb(op, backend, key)
    if chosen is None:
        reason = "" if gap is None else f"\nthe backend says: {gap.reason}"
        raise NoKernelError(f"no kernel for {op.name} on backend {backend.name!r}{reason}\n{ladder}")
    bound = backend.bind(chosen, call)
    wrapped: Kernel = manager().wrap_kernel(op.name.strip("_"), backend.name, bound)[0]
    return wrapped


def writer_for(op: Op, backend: Backend) -> Kernel | None:
    """Returns what writes an op's result into its first array; None where there is none or a plugin wants calls."""
    name = op.name.strip("_")
    plugins, writer = manager(), backend.writers.get(op.name)
    if writer is None or plugins.kernel_override(name, backend.name) is not None:
        return None
    return backend.quiet(writer) if plugins.wrap_kernel(name, backend.name, writer)[0] is writer else None


def explain(name: str, backend: str | None = None) -> Ladder:
    """Returns the resolution ladder of the op called ``name``; KeyError for an unknown op."""
    op = TABLE.get(name) or TABLE.get("_" + name)
    if op is None:
        raise KeyError(f"no op called {name!r}")
    return climb(op, get_backend(backend))[1]


def _over(shared: Kernel, namespace: Any) -> Kernel:
    def kernel(*args: Any) -> Any:
        return shared(namespace, *args)

    kernel.__name__ = shared.__name__
    return kernel


def _decomposition(op: Op, key: Key) -> Kernel:
    """Returns a kernel over raw arrays that runs the op's body without recording."""

    def kernel(*args: Any) -> Any:
        def lift(value: Any, kind: int) -> Any:
            if kind == TENSOR and hasattr(value, "shape"):
                return wrap(value, result_key(key, value))
            if kind == LIST:
                return [wrap(v, result_key(key, v)) for v in value]
            return value

        before, modes.grad = modes.grad, False
        try:
            out = op.body(*[lift(a, k) for a, k in zip(args, op.kinds, strict=True)])
        finally:
            modes.grad = before
        return read(out) if isinstance(out, Tensor) else tuple(read(o) for o in out)

    kernel.__name__ = op.name
    return kernel


def _host_fallback(op: Op, backend: Backend, *, warn: bool) -> Kernel:
    host = get_backend("numpy")
    chosen, ladder = climb(op, host)
    if chosen is None:
        raise NoKernelError(f"no kernel for {op.name} on the host either\n{ladder}")
    on_host = host.bind(chosen, KernelCall(op.name))

    def kernel(*args: Any) -> Any:
        if warn:
            warnings.warn(f"{op.name} has no kernel on {backend.name!r}: it runs through the host", stacklevel=2)
        moved = [backend.to_host(a) if hasattr(a, "shape") else a for a in args]
        out = on_host(*moved)
        back = [backend.from_host(o, "cpu") for o in (out if isinstance(out, tuple) else (out,))]
        return tuple(back) if isinstance(out, tuple) else back[0]

    return kernel


_dtypes: Final[dict[Any, DType]] = {}


def result_key(key: Key, raw: Any) -> Key:
    """Returns the key of a result ``raw`` of an op whose arguments had ``key``'s backend and device."""
    dtype = _dtypes.get(raw.dtype)
    if dtype is None:
        dtype = _dtypes[raw.dtype] = by_name(key.backend.dtype_name(raw))
    return intern_key(key.backend, key.device, dtype, not raw.shape)
