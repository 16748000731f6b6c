"""Text of a tensor, letter for letter as PyTorch 2.13 prints it.

For: ``repr(tensor)``, and the public print options. Assumes: host values come from a ``fetch`` callable that takes a
tuple of slices, so that printing the corners of a huge device tensor moves only these corners. Must not know: what a
tensor, a device or a backend is; all facts arrive as plain arguments, dtypes by their names.

The text is made in three steps: ``_column`` looks at the visible values and decides how one of them is written and how
wide that is, ``_write_block`` lays the cells out in nested brackets, ``_append_suffixes`` adds device, dtype and
history.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dispatchtorch._base.host import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Fetch = Callable[[tuple[slice, ...]], NDArray[Any]]


class PrintOptions:
    """How tensors are printed; ``sci_mode=None`` means that the values decide."""

    def __init__(
        self,
        precision: int = 4,
        threshold: float = 1000,
        edgeitems: int = 3,
        linewidth: int = 80,
        sci_mode: bool | None = None,
    ) -> None:
        self.precision = precision
        self.threshold = threshold
        self.edgeitems = edgeitems
        self.linewidth = linewidth
        self.sci_mode = sci_mode

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrintOptions) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]  # options change


_PROFILES = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}
_options = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Return nothing; change how tensors are printed from now on, in the whole process.

    Args:
        precision: digits after the point of floating-point values.
        threshold: a tensor with more elements than this is summarised.
        edgeitems: entries shown at each end of a summarised dim; 0 shows none of them.
        linewidth: columns after which a row is broken.
        profile: ``"default"``, ``"short"`` or ``"full"``; sets the four above, which then override it. Any other name
            changes nothing, as in PyTorch.
        sci_mode: scientific notation always (True), never (False) or by the values (None). Unlike the others it is set
            by every call: leaving it out returns to None.

    >>> with printoptions():
    ...     set_printoptions(profile="short", linewidth=40)
    ...     get_printoptions()
    {'precision': 2, 'threshold': 1000, 'edgeitems': 2, 'linewidth': 40, 'sci_mode': None}
    """
    chosen = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    base = _PROFILES.get(profile, _options) if profile is not None else _options
    for name, value in chosen.items():
        setattr(_options, name, getattr(base, name) if value is None else value)
    _options.sci_mode = sci_mode


def get_printoptions() -> dict[str, Any]:
    """Return the print options in force as a new dict, in a form that ``set_printoptions(**options)`` takes.

    >>> sorted(get_printoptions())
    ['edgeitems', 'linewidth', 'precision', 'sci_mode', 'threshold']
    """
    return dict(vars(_options))


@contextlib.contextmanager
def printoptions(**changes: Any) -> Iterator[None]:
    """Return a context manager that applies ``set_printoptions(**changes)`` and restores the old options at its end.

    >>> with printoptions(precision=2):
    ...     get_printoptions()["precision"]
    2
    """
    before = get_printoptions()
    set_printoptions(**changes)
    try:
        yield
    finally:
        set_printoptions(**before)


def render(
    fetch: Fetch | None,
    shape: Sequence[int],
    *,
    dtype: str,
    default_dtype: str,
    device: str | None,
    requires_grad: bool,
    grad_fn: str | None,
    head: str = "tensor",
) -> str:
    """Return the printed form of a tensor.

    Args:
        fetch: gives the host values under a tuple of slices, one for each dim; ``()`` asks for all of them. None stands
            for a tensor without values (the meta device), which prints ``...``.
        shape: the sizes.
        dtype: its name, without ``torch.``.
        default_dtype: the name of the default floating dtype; the dtype is only named where it could not be guessed.
        device: named when given; pass None for the device that need not be named.
        requires_grad: whether a leaf asks for a gradient; not looked at when there is a ``grad_fn``.
        grad_fn: class name of the backward node.
        head: what stands before the opening parenthesis.

    >>> values = np.array([[1.0, 2.5], [-3.0, np.nan]])
    >>> facts = dict(default_dtype="float32", device=None, requires_grad=True, grad_fn=None)
    >>> print(render(values.__getitem__, (2, 2), dtype="float64", **facts))
    tensor([[ 1.0000,  2.5000],
            [-3.0000,     nan]], dtype=torch.float64, requires_grad=True)
    """
    shape = tuple(int(size) for size in shape)
    opening = head + "("
    indent = len(opening) - (opening.rfind("\n") + 1)
    numel = math.prod(shape)
    is_guessable = dtype == default_dtype

    if fetch is None:
        body, is_sized = "...", True
    elif numel == 0:
        body, is_sized = "[]", len(shape) != 1
    else:
        body, is_sized = _write_values(fetch, shape, dtype, indent), not _options.edgeitems
        is_guessable = is_guessable or dtype in ("int64", "bool", _default_complex(default_dtype))

    suffixes = []
    if device is not None:
        suffixes.append(f"device='{device}'")
    if is_sized:
        suffixes.append(f"size={shape}")
    if not is_guessable:
        suffixes.append(f"dtype=torch.{dtype}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    return _append_suffixes(opening + body, suffixes, indent) + ")"


def _default_complex(default_dtype: str) -> str:
    """Return the complex dtype that needs no naming: only a float64 default makes it complex128."""
    return "complex128" if default_dtype == "float64" else "complex64"


def _append_suffixes(text: str, suffixes: Sequence[str], indent: int) -> str:
    """Return the text with its suffixes, each on the last line where that still fits, else on a new one."""
    used = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if used + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            used = indent + len(suffix)
        else:
            text += ", " + suffix
            used += len(suffix) + 2
    return text


# --- values: which are shown, and where ---


def _write_values(fetch: Fetch, shape: tuple[int, ...], dtype: str, indent: int) -> str:
    """Return the bracketed values of a tensor that has some."""
    edge = _options.edgeitems
    is_summary = math.prod(shape) > _options.threshold
    if is_summary and shape and not edge:
        return "[...]"
    has_gap = tuple(is_summary and size > 2 * edge for size in shape)
    values = _widen(_fetch_corners(fetch, shape, has_gap) if any(has_gap) else np.asarray(fetch(())), dtype)
    column = _column(values)
    if not shape:
        return column.cell(values.item())
    return _write_block(values, indent, has_gap, column)


def _fetch_corners(fetch: Fetch, shape: tuple[int, ...], has_gap: tuple[bool, ...]) -> NDArray[Any]:
    """Return the values with the middle left out in each dim that has a gap, moving nothing else to the host."""
    edge = _options.edgeitems
    pieces = [
        (slice(0, edge), slice(size - edge, size)) if gap else (slice(0, size),)
        for size, gap in zip(shape, has_gap, strict=True)
    ]

    def gather(index: tuple[slice, ...]) -> NDArray[Any]:
        dim = len(index)
        if dim == len(pieces):
            return np.asarray(fetch(index))
        return np.concatenate([gather((*index, piece)) for piece in pieces[dim]], axis=dim)

    return gather(())


def _widen(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Return the values in a type whose items are plain Python numbers; widening is exact, so no digit changes."""
    with np.errstate(all="ignore"):  # a signalling NaN is no reason to warn while printing
        if dtype.startswith("complex"):
            return values.astype(np.complex128)
        if dtype.startswith(("float", "bfloat")):
            return values.astype(np.float64)
    return values


def _write_block(values: NDArray[Any], indent: int, has_gap: tuple[bool, ...], column: _Column) -> str:
    """Return the nested brackets of values with at least one dim."""
    if values.ndim == 1:
        cells = [column.cell(value) for value in values.tolist()]
        if has_gap[0]:
            cells.insert(_options.edgeitems, " ...")
        per_line = max(1, (_options.linewidth - indent) // (column.width + 2))
        lines = [", ".join(cells[start : start + per_line]) for start in range(0, len(cells), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    blocks = [_write_block(block, indent + 1, has_gap[1:], column) for block in values]
    if has_gap[0]:
        blocks.insert(_options.edgeitems, "...")
    return "[" + ("," + "\n" * (values.ndim - 1) + " " * (indent + 1)).join(blocks) + "]"


# --- numbers: how one is written, and how much room it takes ---


class _Column(NamedTuple):
    """How to write one value, and the width by which a row is broken (a cell may be wider: a lone ``nan`` counts 1)."""

    width: int
    cell: Callable[[Any], str]


def _column(values: NDArray[Any]) -> _Column:
    """Return how these values are written side by side."""
    if values.dtype.kind == "c":
        return _complex_column(_float_column(values.real), _float_column(values.imag))
    return _float_column(values) if values.dtype.kind == "f" else _integer_column(values)


def _integer_column(values: NDArray[Any]) -> _Column:
    """Return the column of integers or bools; the extremes are the longest to write (``False`` is the least bool)."""
    width = max(len(str(values.min().item())), len(str(values.max().item())))
    return _Column(width, lambda value: str(value).rjust(width))


def _complex_column(real: _Column, imag: _Column) -> _Column:
    """Return the column of complex values; the real part is aligned, the imaginary one is not."""

    def cell(value: complex) -> str:
        tail = imag.cell(value.imag).lstrip() + "j"
        return real.cell(value.real) + (tail if tail.startswith("-") else "+" + tail)

    return _Column(real.width + imag.width + 1, cell)


def _float_column(values: NDArray[Any]) -> _Column:
    """Return the column of floating-point values.

    Zeros, infinities and NaN have no say in the notation or the width; with nothing else to go by, the width is 1.
    """
    telling = values[np.isfinite(values) & (values != 0)]
    if not telling.size:
        return _Column(1, _write_whole)
    write = _choose_notation(telling)
    # Length grows with magnitude in the fixed notations, and towards both ends in the scientific one: for each sign,
    # the extremes tell all.
    sides = [side for side in (telling[telling > 0], telling[telling < 0]) if side.size]
    width = max(len(write(end.item())) for side in sides for end in (side.min(), side.max()))
    return _Column(width, lambda value: write(value).rjust(width))


def _choose_notation(telling: NDArray[Any]) -> Callable[[float], str]:
    """Return the writer of one number that suits these non-zero finite ones."""
    precision = _options.precision
    if _is_scientific(telling) if _options.sci_mode is None else _options.sci_mode:
        return lambda value: f"{value:.{precision}e}"
    if np.array_equal(telling, np.ceil(telling)):
        return _write_whole
    return lambda value: f"{value:.{precision}f}"


def _is_scientific(telling: NDArray[Any]) -> bool:
    """Return whether fixed notation would lose small values or take too much room for large ones."""
    magnitudes = np.abs(telling)
    largest: float = magnitudes.max().item()
    smallest: float = magnitudes.min().item()
    return largest / smallest > 1000.0 or largest > 1.0e8 or smallest < 1.0e-4


def _write_whole(value: float) -> str:
    """Return an integral float with a bare point, which infinities and NaN go without."""
    return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"
