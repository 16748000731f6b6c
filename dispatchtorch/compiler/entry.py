"""``torch.compile``: what users call, with torch's checks of its options; modules that are compiled; `explain`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from dispatchtorch.compiler.compiled import Compiled
from dispatchtorch.compiler.report import Explanation
from dispatchtorch.nn.modules.module import Module

__all__ = ["InvalidBackend", "OptimizedModule", "compile", "explain", "list_backends"]

_BACKENDS: Final = ("cudagraphs", "inductor", "openxla", "tvm")  # torch's; all mean the tensors' own compiler
_DEBUGGING: Final = ("aot_eager", "eager", "eager_debug", "eager_noexcept")  # none at all
_MODES: Final = ("default", "lite", "reduce-overhead", "max-autotune-no-cudagraphs", "max-autotune")
_KNOWN: Final = {  # options, with the type that each has; all but the first are torch's and choose nothing here
    "donate": bool, "coordinate_descent_tuning": bool, "cpp_wrapper": bool, "epilogue_fusion": bool,
    "fallback_random": bool, "force_fuse_int_mm_with_mul": bool, "freezing": bool, "fx_graph_cache": bool,
    "max_autotune": bool, "max_autotune_gemm": bool, "max_autotune_pointwise": bool, "shape_padding": bool,
    "size_asserts": bool, "trace.enabled": bool, "trace.graph_diagram": bool, "triton.cudagraphs": bool,
    "triton.cudagraph_trees": bool, "guard_filter_fn": object, "max_autotune_gemm_backends": str,
}  # fmt: skip


class InvalidBackend(RuntimeError):  # torch's name for it
    """A compiler's name that nobody knows."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Invalid backend: {name!r}, see `torch._dynamo.list_backends()` for available backends.")


class OptimizedModule(Module):
    """A module whose calls run as programs; everything else is the module's own."""

    def __init__(self, module: Module, **options: Any) -> None:
        super().__init__()
        self._orig_mod = module
        self.__dict__["_compiled"] = Compiled(module.__call__, **options)
        self.__dict__["_options"] = options
        self.training = module.training

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Returns what the module returns."""
        return self.__dict__["_compiled"](*args, **kwargs)

    def explain(self) -> Explanation:
        """Returns what its calls have been compiled to."""
        found: Explanation = self.__dict__["_compiled"].explain()
        return found

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":
            return self._modules["_orig_mod"]
        return getattr(self._orig_mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("_orig_mod", "training") or name in self.__dict__ or "_orig_mod" not in self._modules:
            super().__setattr__(name, value)
        else:
            setattr(self._orig_mod, name, value)

    def __delattr__(self, name: str) -> None:
        if name in self.__dict__:
            super().__delattr__(name)
        else:
            delattr(self._orig_mod, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._orig_mod)})

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in super().__getstate__().items() if name != "_compiled"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__dict__["_compiled"] = Compiled(self._modules["_orig_mod"].__call__, **self.__dict__["_options"])


def list_backends(exclude_tags: Any = ("debug", "experimental")) -> list[str]:
    """Returns the names that `compile` takes for its ``backend``."""
    return sorted(_BACKENDS if "debug" in (exclude_tags or ()) else (*_BACKENDS, *_DEBUGGING))


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str | Callable[..., Any] | None = None,
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    name: str | None = None,
    disable: bool = False,
    recompile_limit: int | None = None,
    isolate_recompiles: bool = False,
    shapes_spec: Any = None,
) -> Any:
    """Returns a function or module whose calls become programs on a backend with a compiler; a decorator without one.

    ``fullgraph``: raise where a call cannot be traced, rather than run it eagerly. ``dynamic``: each new shape gets its
    own program whatever it says, up to ``recompile_limit`` (8). ``backend``: the names that torch lists all mean the
    compiler of the tensors' own backend; "eager" and "aot_eager" mean none. ``mode`` and ``options`` are checked as in
    torch and change nothing, but for ``options={"donate": False}``, with which a program gives back new memory and
    leaves the old as it was.

    >>> import dispatchtorch as torch
    >>> @torch.compile
    ... def double(x):
    ...     return x * 2
    >>> double(torch.tensor([1.0, 2.0]))
    tensor([2., 4.])
    """
    if model is None:
        return lambda found: compile(
            found, fullgraph=fullgraph, dynamic=dynamic, backend=backend, mode=mode, options=options, name=name,
            disable=disable, recompile_limit=recompile_limit,
        )  # fmt: skip
    if mode is not None and options is not None:
        raise RuntimeError("Either mode or options can be specified, but both can't be specified at the same time.")
    if not isinstance(dynamic, bool | None):
        raise AssertionError(f"Expected enable to be a bool, got {type(dynamic)}")
    if not callable(model):
        raise AssertionError(f"A callable function is expected, but {type(model)} is provided.")
    chosen = {
        "fullgraph": fullgraph,
        "disable": disable or not _compiles(backend, mode, options),
        "donate": (options or {}).get("donate", True),
        "limit": recompile_limit,
    }
    return OptimizedModule(model, **chosen) if isinstance(model, Module) else Compiled(model, **chosen)


def _compiles(backend: Any, mode: str | None, options: dict[str, Any] | None) -> bool:
    """Returns whether these options ask for a compiler; torch's errors for what does not exist."""
    if isinstance(backend, str) and backend not in (*_BACKENDS, *_DEBUGGING):
        raise InvalidBackend(backend)
    if backend is not None and not isinstance(backend, str):
        raise NotImplementedError("torch.compile(backend=a function): programs here are not torch.fx graphs")
    if backend in (None, "inductor"):
        if mode is not None and mode not in _MODES:
            raise RuntimeError(f"Unrecognized mode={mode}, should be one of: {', '.join(_MODES)}")
        for option, value in (options or {}).items():
            known = _KNOWN.get(option.replace("-", "_"))
            if known is None:
                raise RuntimeError(f"Unexpected optimization option {option}, known options are {list(_KNOWN)}")
            if known is not object and type(value) is not known:
                raise RuntimeError(
                    f"Unexpected type of attr {option}, got {type(value).__name__} should be {known.__name__}"
                )
    return backend not in _DEBUGGING


def explain(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Returns a function that calls ``function`` once and returns what that has been compiled to, an `Explanation`.

    >>> def double(x):
    ...     return x * 2
    >>> torch.compiler.explain(double)(torch.ones(2)).graph_count <= 1
    True
    """

    def inner(*args: Any, **kwargs: Any) -> Explanation:
        compiled = compile(function)
        compiled(*args, **kwargs)
        found: Explanation = compiled.explain()
        return found

    return inner(*args, **kwargs) if args or kwargs else inner
