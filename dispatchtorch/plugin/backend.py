"""The contract between dispatchtorch and an array library.

A backend states its differences: the namespace it has (the array API standard's names), how host arrays come in and
out, whether its arrays can be written, and kernels that are faster than the general ones. Promotion, broadcasting
rules, dims, views, gradients and error wording never reach it.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

if TYPE_CHECKING:
    from dispatchtorch.plugin.meshes import MeshBackend

__all__ = ["Array", "Backend", "BackendSpec", "Gap", "Halves", "Kernel", "KernelCall", "Traced"]

Array = Any  # an array of the backend's own library: opaque to the core
Kernel = Callable[..., Any]  # takes raw arrays, returns one or a tuple


class Gap(NamedTuple):
    """Something a backend cannot do, as data: shown by ``explain``, a strict xfail in the conformance kit."""

    op: str
    reason: str
    dtypes: tuple[str, ...] = ()  # empty: every dtype


class BackendSpec(NamedTuple):
    """What a plugin's light manifest says, without importing the array library."""

    name: str
    devices: tuple[str, ...]  # device types it serves, the first is its default: ("cpu",)
    load: str  # "package.module:ClassName" of the Backend, imported on selection
    requires: tuple[str, ...] = ()  # importable names it needs
    install: str = ""  # the command that installs them
    doc: str = ""
    priority: int = 0  # "auto" tries the highest first
    processes: str = ""  # "package.module:function" that joins processes, called before the backend is made; see below

    def join(self, address: str, size: int, rank: int, timeout: float) -> Callable[[], None]:
        """Returns what ends a group of processes, after this one has become number ``rank`` of ``size`` of it.

        The first process listens at ``address`` ("host:port"); the others have ``timeout`` seconds to find it. The
        function that `processes` names gets the same arguments. Afterwards devices are those of all processes.
        """
        module, _, attribute = self.processes.partition(":")
        end: Callable[[], None] = getattr(importlib.import_module(module), attribute)(address, size, rank, timeout)
        return end

    def instantiate(self) -> Backend:
        """Returns the backend; imports its library. Raises whatever that import raises."""
        module, _, attribute = self.load.partition(":")
        made = getattr(importlib.import_module(module), attribute)()
        if not isinstance(made, Backend):
            raise TypeError(f"backend {self.name!r}: {self.load} is not a dispatchtorch.plugin.Backend")
        return made


class KernelCall(NamedTuple):
    """How a bound kernel is going to be called; facts from the op's schema."""

    op: str
    static: tuple[int, ...] = ()  # positions of arguments that are neither arrays nor numbers (dims, dtypes, flags)
    zero_dim: bool = False  # all array arguments have no dimensions
    elementwise: bool = False
    dtype: str = ""  # of the result, for an elementwise op: a library whose own promotion differs casts to it


class Traced(NamedTuple):
    """A function that a library has traced.

    ``captured`` are the arrays that it read beside its arguments. ``compile(taken, kept)`` returns the program
    ``run(given_up, lent, given)``: arrays in place of the captured ones whose numbers are in ``taken``, whose memory
    it takes over, and in ``kept``, then the arguments; host arrays will do for those that are lent or given.
    ``split(count, seeds)`` cuts the function in two, see `Halves`.
    """

    captured: tuple[Array, ...]
    compile: Callable[[Sequence[int], Sequence[int]], Callable[[list[Array], list[Array], list[Array]], list[Array]]]
    split: Callable[[int, Sequence[int]], Halves]
    size: int  # how many steps the program has
    order: tuple[int, ...] = ()  # numbers of the results as they are made: the same in all processes that trace it


class Halves(NamedTuple):
    """A traced function in two: its first results, and the later ones, which need the captured arrays named as seeds.

    ``first`` gives its results and then the ``computed`` values that ``second`` needs of it. ``second`` captures
    nothing and takes, in this order: the ``captured`` arrays here, which the first captures too, the arguments whose
    numbers are in ``given``, those computed values, the seeds.
    """

    first: Traced
    second: Traced
    captured: tuple[Array, ...]
    given: tuple[int, ...]
    computed: int


class Backend(ABC):
    """One array library, serving one or more device types.

    A subclass gives the class variables and the abstract methods; ``aliasing`` decides the rest: "native" libraries
    (arrays can be written, views share memory) implement `strided`, `address` and `write`; "lens" libraries (immutable
    arrays) implement `set_at` and get views and in-place writes from `dispatchtorch.plugin.aliasing`.
    """

    name: ClassVar[str]
    devices: ClassVar[tuple[str, ...]]
    aliasing: ClassVar[Literal["native", "lens"]]
    capabilities: ClassVar[frozenset[str]] = frozenset()  # optional dtypes it has: "float64", "float16", ...
    kernels: Mapping[str, Kernel] = {}
    # native libraries, by the op's name: kernels that write the result into their first array, which is in C order and
    # shares no memory with the others, and return nothing; of ops whose result has the first one's shape and dtype
    writers: Mapping[str, Kernel] = {}
    gaps: tuple[Gap, ...] = ()
    below: Backend | None = None  # for a backend whose arrays hold tensors of another one: that one

    @property
    @abstractmethod
    def namespace(self) -> Any:
        """Returns the array-API namespace; kernels that are not given are looked up here by name."""

    @abstractmethod
    def from_host(self, host: Any, device: str) -> Array:
        """Returns a new array with the host array's values on ``device`` ("cpu", "cuda:1"); never aliases."""

    @abstractmethod
    def to_host(self, array: Array) -> Any:
        """Returns a numpy array with the values; may alias where the array already lives on the host."""

    def adopt(self, host: Any, device: str) -> Array:
        """Returns an array with the values of a host array that nobody else holds, and that may become the result."""
        return self.from_host(host, device)

    def place(self, array: Array, device: str) -> Array:
        """Returns a freshly made array on ``device``; the array itself where the backend has one device."""
        return array

    def dtype(self, name: str) -> Any:
        """Returns the library's spelling of a dtype name ("float32"); KeyError where it has none."""
        return getattr(self.namespace, "bool_" if name == "bool" else name)

    def dtype_name(self, array: Array) -> str:
        """Returns the dtype's name of an array."""
        return str(array.dtype)

    def bind(self, kernel: Kernel, call: KernelCall) -> Kernel:
        """Returns the kernel as it is going to be called: jitted, or made to return arrays for 0-d results."""
        return kernel

    def quiet(self, kernel: Kernel) -> Kernel:
        """Returns the kernel with the library's floating-point warnings silenced (x / 0 is inf, as in torch)."""
        return kernel

    def device_count(self) -> int:
        """Returns how many devices of the first type there are."""
        return 1

    def set_threads(self, count: int) -> None:
        """Lets a call use so many threads; does nothing where the library has no such setting."""

    def synchronize(self) -> None:
        """Waits until everything that was launched is done."""

    def forget(self) -> None:
        """Frees what is kept only to be faster next time, like compiled code; called by who runs very many shapes."""

    def copy(self, array: Array) -> Array:
        """Returns an array with the same values that a later write to ``array`` does not change."""
        return array if self.aliasing == "lens" else array.copy()

    def hold(self, value: Any) -> Array:
        """Returns an array of this backend that holds a value of the backend `below`."""
        raise NotImplementedError(f"backend {self.name!r} stands on no other")

    def severed(self, array: Array) -> Array:
        """Returns the array without a history of its own: itself but where a backend stands on another."""
        return array

    def number(self, value: Any, dtype: str) -> Any:
        """Returns a Python number as kernels take it: itself, or an array where converting it each time is slow."""
        return value

    # --- scale-out: for a library that spreads arrays over devices, which says so by the capability "sharding" ----
    def device_numbers(self, device_type: str) -> list[tuple[int, ...]]:
        """Returns for each process the numbers of its devices of a type, by which meshes name them."""
        return [(0,)]

    def on_mesh(
        self, device_type: str, shape: tuple[int, ...], numbers: tuple[int, ...], names: tuple[str, ...] = ()
    ) -> MeshBackend:
        """Returns the backend of arrays on a mesh: a grid of ``shape`` of the devices with these numbers, row-major.

        Devices of one type are counted over all processes, those of the first process first. ``names`` are those of the
        grid's dimensions. The same mesh is the same backend. RuntimeError where there are fewer devices.
        """
        raise NotImplementedError(
            f"backend {self.name!r} has no sharding: its arrays lie on one device and it runs in one process"
        )

    @property
    def engine(self) -> Backend:
        """Returns the backend whose compiler traces this one's arrays: itself, but for a mesh."""
        return self

    def settled(self, value: Array, before: Array | None) -> Array:
        """Returns what came out of a program where arrays of this backend lie; laid out like ``before``, if given."""
        return value

    def takes_out(self, kernel: Kernel) -> bool:
        """Returns whether ``kernel(a, b, out)`` writes a third argument; only true of a library's own functions."""
        return False

    # --- tracing: for a library with a compiler, which says so by the capability "trace" ---------------------------
    def trace(self, function: Callable[..., list[Array]], arrays: Sequence[Array]) -> Traced:
        """Returns a function of arrays as the library traces it on placeholders."""
        raise NotImplementedError(f"backend {self.name!r} has no compiler")

    def is_traced(self, array: Array) -> bool:
        """Returns whether an array is a placeholder of a trace."""
        return False

    def asks_for_value(self, error: BaseException) -> bool:
        """Returns whether an error says that the value of a placeholder was asked for."""
        return False

    def duplicate(self, array: Array) -> Array:
        """Returns an array with the same values in memory of its own, for a program to take over."""
        return self.namespace.asarray(array, copy=True)

    def is_gone(self, array: Array) -> bool:
        """Returns whether a program has taken over an array's memory."""
        return False

    def aside(self) -> AbstractContextManager[Any]:
        """Returns a context in which arrays are made outside of the trace that is going on."""
        return nullcontext()

    # --- native aliasing -------------------------------------------------------------------------------------------
    def strided(self, root: Array, shape: tuple[int, ...], strides: tuple[int, ...], offset: int) -> Array:
        """Returns a view of the flat, one-dimensional ``root``; strides and offset count elements."""
        raise NotImplementedError(f"backend {self.name!r} has native aliasing but does not implement strided()")

    def flat(self, array: Array) -> Array:
        """Returns the one-dimensional view over the memory that ``array`` spans, from its own first element on."""
        raise NotImplementedError(f"backend {self.name!r} has native aliasing but does not implement flat()")

    def address(self, array: Array) -> int:
        """Returns the address of the array's first element."""
        raise NotImplementedError(f"backend {self.name!r} has native aliasing but does not implement address()")

    def write(self, target: Array, value: Array) -> None:
        """Writes ``value``, broadcast and cast to the target's dtype, into ``target``."""
        target[...] = value

    # --- lens aliasing ---------------------------------------------------------------------------------------------
    def set_at(self, array: Array, index: Any, value: Array) -> Array:
        """Returns a copy of ``array`` with ``value`` at a static ``index``."""
        raise NotImplementedError(f"backend {self.name!r} has lens aliasing but does not implement set_at()")

    def reinterpret(self, array: Array, dtype: Any) -> Array:
        """Returns the bits of a flat array as elements of another dtype, which fill it without a rest."""
        return array.view(dtype)


class LadderStep:
    """One rung of the resolution ladder, for `explain`."""

    __slots__ = ("outcome", "rung", "taken")

    def __init__(self, rung: str, outcome: str, taken: bool = False) -> None:
        self.rung = rung
        self.outcome = outcome
        self.taken = taken


class Ladder:
    """Why an op got the kernel it got."""

    __slots__ = ("backend", "op", "steps")

    def __init__(self, op: str, backend: str) -> None:
        self.op = op
        self.backend = backend
        self.steps: list[LadderStep] = []

    def __str__(self) -> str:
        lines = [f"{self.op} on {self.backend}:"]
        lines += [f"  {'->' if s.taken else '  '} {s.rung}: {s.outcome}" for s in self.steps]
        return "\n".join(lines)
