"""What all of linear algebra shares: the list of ``torch.linalg``, checks of shapes and dtypes, and reading ``info``.

A factorisation returns an ``info`` beside its result, 0 for each matrix that went well, as LAPACK's routines do.
Nothing here computes; must not know which factorisations there are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, TypeVar

from dispatchtorch.dispatch.table import COMPOSITES, FUNCTIONS, METHODS, with_out
from dispatchtorch.ops.matmul import conj
from dispatchtorch.ops.samples import Maker, Sample, Sampler
from dispatchtorch.tensor.tensor import Tensor, read

__all__ = [
    "LINALG", "LinAlgError", "batch_element", "check_floating", "check_matrix", "check_square", "converged", "culprit",
    "definite", "herm", "holds", "linalg", "require_tensor", "square", "squares", "symmetric",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

LINALG: Final[dict[str, Callable[..., Any]]] = {}  # torch.linalg's functions by name


class LinAlgError(RuntimeError):
    """A matrix does not have what was asked for: it is singular, or not positive-definite."""


LinAlgError.__name__ = LinAlgError.__qualname__ = "_LinAlgError"


def linalg(
    *, out: bool = True, names: tuple[str, ...] = (), method: bool = False, samples: Sampler | None = None
) -> Callable[[F], F]:
    """Declares ``linalg_NAME`` as ``torch.linalg.NAME``; ``names`` are names that the torch namespace has for it."""

    def declare(body: F) -> F:
        public: Callable[..., Any] = _typed(body)
        public = with_out(public) if out else public
        LINALG[body.__name__.removeprefix("linalg_")] = public
        for name in names:
            FUNCTIONS[name] = public
            if method:
                METHODS[name] = public
        body.samples = samples  # type: ignore[attr-defined]  # read by the conformance kit
        COMPOSITES[body.__name__] = body
        return body

    return declare


def _typed(body: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function with torch's TypeError for a first argument that is no tensor, asked when it fails."""
    first = body.__code__.co_varnames[0]
    if "Tensor" not in str(body.__annotations__.get(first, "")) or "[" in str(body.__annotations__[first]):
        return body

    @functools.wraps(body)
    def typed(*args: Any, **kwargs: Any) -> Any:
        try:
            return body(*args, **kwargs)
        except AttributeError:
            require_tensor(body.__name__, **{first: args[0] if args else kwargs.get(first)})
            raise

    return typed


# --- what can be wrong ------------------------------------------------------------------------------------------------


def require_tensor(name: str, **given: Any) -> None:
    """Raises torch's TypeError where an argument is no tensor."""
    for position, (argument, value) in enumerate(given.items()):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{name}(): argument '{argument}' (position {position + 1}) must be Tensor, not {type(value).__name__}"
            )


def check_floating(name: str, a: Tensor, *, low: bool = False, kernel: str = "") -> None:
    """Raises torch's error unless ``a`` has a floating or complex dtype, and unless ``low`` is set one that LAPACK has.

    Where torch finds out about half precision in a ``kernel``, the error is another one, which names that.
    """
    if a._key.dtype.category < 2:
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {a._key.dtype.legacy}")
    if not low and a._key.dtype.itemsize == 2:
        if kernel:
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{a._key.dtype.legacy}'")
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {a._key.dtype.legacy}")


def check_matrix(name: str, a: Tensor, argument: str = "A", *, kernel: str = "") -> None:
    """Raises torch's error unless ``a`` holds matrices of a floating or complex dtype."""
    if len(a._a.shape) < 2:
        raise RuntimeError(f"{name}: The input tensor {argument} must have at least 2 dimensions.")
    check_floating(name, a, kernel=kernel)


def check_square(name: str, a: Tensor, *, typed: bool = True, kernel: str = "") -> None:
    """Raises torch's error unless ``a`` holds square matrices, and where ``typed`` of a floating or complex dtype."""
    if len(a._a.shape) < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if typed:
        check_floating(name, a, kernel=kernel)
    rows, columns = a._a.shape[-2:]
    if rows != columns:
        raise RuntimeError(f"{name}: A must be batches of square matrices, but they are {rows} by {columns} matrices")


# --- what a library found ---------------------------------------------------------------------------------------------


def culprit(info: Tensor) -> tuple[int, int]:
    """Returns which matrix of a batch failed first and its ``info``; (0, 0) where all went well or nobody can know.

    Inside a library's own trace there are no values to look at, and nothing is known.
    """
    try:
        raw = read(info)
        if not bool((raw != 0).any()):
            return 0, 0
    except TypeError:  # a traced array
        return 0, 0
    for i, code in enumerate(info.reshape(-1).tolist()):
        if code:
            return i, code
    return 0, 0


def batch_element(info: Tensor, i: int) -> str:
    """Returns how messages name a matrix of a batch, nothing where there is only one."""
    return f"(Batch element {i}): " if len(info._a.shape) else ""


def holds(condition: Tensor) -> bool:
    """Returns whether a condition is met; True where nobody can know, in a library's own trace."""
    try:
        return bool(read(condition).all())
    except TypeError:  # a traced array
        return True


def converged(call: Callable[[], Any], error: Callable[[], Exception]) -> Any:
    """Returns what ``call`` gives; raises ``error()`` where the library gives up."""
    try:
        return call()
    except Exception as raised:
        if type(raised).__name__ == "LinAlgError":
            raise error() from None
        raise


# --- small things -----------------------------------------------------------------------------------------------------


def herm(x: Tensor) -> Tensor:
    """Returns the conjugate transpose."""
    return conj(x.transpose(-2, -1))


def square(make: Maker, *batch: int) -> Tensor:
    """Returns matrices far from singular, for samples."""
    return make(*batch, 3, 3) + 5 * FUNCTIONS["eye"](3)  # type: ignore[no-any-return]  # the maker's tensors are tensors


def definite(make: Maker, *batch: int) -> Tensor:
    """Returns Hermitian matrices with a large diagonal, for samples: positive-definite, alike on every backend."""
    a = make(*batch, 3, 3)
    return (a + herm(a)) * 0.25 + 4 * FUNCTIONS["eye"](3)  # type: ignore[no-any-return]  # as above


def symmetric(make: Maker, *batch: int) -> Tensor:
    """Returns Hermitian matrices with eigenvalues far from each other, for samples."""
    a = make(*batch, 3, 3)
    return (a + herm(a)) * 0.25 + FUNCTIONS["diag"](FUNCTIONS["arange"](3) * 3.0)  # type: ignore[no-any-return]  # as above


def squares(make: Maker) -> Any:
    """Samples of one argument: a square matrix, and a batch of them."""
    yield Sample((square(make),))
    yield Sample((square(make, 2),))
