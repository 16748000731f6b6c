"""The product of a sparse and a dense matrix in numpy: the i-th element of every row at once, row lengths falling."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from dispatchtorch.plugin import Kernel

__all__ = ["KERNELS"]

Array = np.ndarray[Any, Any]

_FEW: Final = 8  # so many rows or fewer go on one by one, each as a product of a vector and a matrix


def _spmm(values: Array, dense: Array, rows: Array, columns: Array, count: int) -> Array:
    out = np.zeros((count, dense.shape[1]), dense.dtype)
    if not rows.size or not out.size:
        return out
    if (rows[1:] < rows[:-1]).any():
        order = np.argsort(rows, kind="stable")
        rows, columns, values = rows[order], columns[order], values[order]
    starts = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1])))
    lengths = np.diff(starts, append=rows.size)
    longest_first = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[longest_first], lengths[longest_first]
    left = np.searchsorted(-lengths, -np.arange(lengths[0]), side="left")  # rows that have an i-th element
    sums = np.zeros((starts.size, dense.shape[1]), dense.dtype)
    done = 0
    while done < left.size and left[done] > _FEW:
        here = starts[: left[done]] + done
        part = dense.take(columns[here], axis=0)
        part *= values[here, None]
        sums[: left[done]] += part
        done += 1
    if done < left.size:
        for row in range(left[done]):
            rest = slice(starts[row] + done, starts[row] + lengths[row])
            sums[row] += values[rest] @ dense.take(columns[rest], axis=0)
    out[rows[starts]] = sums
    return out


KERNELS: Final[dict[str, Kernel]] = {"_spmm": _spmm}
