"""Reading einsum's equations: which subscripts each operand and the output have, with torch's complaints.

Must not know what is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dispatchtorch.tensor.tensor import Tensor

__all__ = ["expand_ellipses", "from_sublists", "output_of", "parse"]

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ELLIPSIS: Final = "..."


def _label(value: int) -> str:
    if not 0 <= value < 52:
        raise ValueError(
            f"einsum(): not recognized subscript {value} in the sublist format, subscripts must be within the "
            "range [0, 52)"
        )
    return _LETTERS[value]


def from_sublists(args: Sequence[Any]) -> tuple[str, list[Tensor]]:
    """Returns the equation and operands of the form ``(a, [0, 1], b, [1, 2], [0, 2])``."""

    def text(sublist: Sequence[Any]) -> str:
        return "".join(_ELLIPSIS if s is Ellipsis else _label(int(s)) for s in sublist)

    operands = list(args[0 : len(args) // 2 * 2 : 2])
    equation = ",".join(text(s) for s in args[1::2])
    if len(args) % 2:
        equation += "->" + text(args[-1])
    return equation, operands


def _subscripts(text: str, operand: int, where: str, start: int) -> list[str]:
    """Returns the subscripts of one operand (or of the output, as operand -1), an ellipsis as "..."."""
    found: list[str] = []
    i = 0
    while i < len(text):
        c = text[i]
        if c == " ":
            i += 1
        elif c == ".":
            if _ELLIPSIS in found:
                whose = "the output" if operand < 0 else f"operand {operand}"
                raise RuntimeError(f"einsum(): found '.' for {whose} for which an ellipsis was already found")
            if text[i : i + 3] != _ELLIPSIS:
                whose = "the output" if operand < 0 else f"operand {operand}"
                raise RuntimeError(f"einsum(): found '.' for {whose} that is not part of any ellipsis")
            found.append(_ELLIPSIS)
            i += 3
        elif c in _LETTERS:
            found.append(c)
            i += 1
        else:
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {start + i} in the equation string, subscripts must "
                "be in [a-zA-Z]"
            )
    return found


def parse(equation: str, operands: Sequence[Tensor]) -> tuple[list[list[str]], list[str] | None]:
    """Returns the subscripts of each operand, and of the output where the equation has an arrow."""
    left, arrow, right = equation.partition("->")
    inputs: list[list[str]] = []
    start = 0
    for number, part in enumerate(left.split(",")):
        inputs.append(_subscripts(part, number, "input", start))
        start += len(part) + 1
    if len(inputs) != len(operands):
        which = "fewer" if len(operands) < len(inputs) else "more"
        raise RuntimeError(f"einsum(): {which} operands were provided than specified in the equation")
    return inputs, _subscripts(right, -1, "output", len(left) + 2) if arrow else None


def expand_ellipses(inputs: list[list[str]], operands: Sequence[Tensor]) -> tuple[list[list[str]], list[str]]:
    """Returns subscripts in which ellipses became numbers counted from the back: "0" is the last ellipsis dimension."""
    widest = 0
    result: list[list[str]] = []
    for number, (labels, t) in enumerate(zip(inputs, operands, strict=True)):
        ndim = len(t._a.shape)
        named = len(labels) - (_ELLIPSIS in labels)
        if _ELLIPSIS not in labels and named != ndim:
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({named}) does not match the number of dimensions "
                f"({ndim}) for operand {number} and no ellipsis was given"
            )
        if named > ndim:
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({named}) is more than the number of dimensions "
                f"({ndim}) for operand {number}"
            )
        hidden = ndim - named
        widest = max(widest, hidden if _ELLIPSIS in labels else 0)
        result.append([x for label in labels for x in (_numbers(hidden) if label == _ELLIPSIS else [label])])
    return result, _numbers(widest)


def _numbers(count: int) -> list[str]:
    return [str(i) for i in range(count - 1, -1, -1)]


def output_of(inputs: list[list[str]], output: list[str] | None, hidden: list[str]) -> list[str]:
    """Returns the output's subscripts; without an arrow those that appear once, in alphabetical order."""
    every = [label for labels in inputs for label in labels if not label.isdigit()]
    if output is None:
        return hidden + sorted(label for label in set(every) if every.count(label) == 1)
    for label in output:
        if label != _ELLIPSIS and output.count(label) > 1:
            raise RuntimeError(f"einsum(): output subscript {label} appears more than once in the output")
        if label != _ELLIPSIS and label not in every:
            raise RuntimeError(
                f"einsum(): output subscript {label} does not appear in the equation for any input operand"
            )
    return [x for label in output for x in (hidden if label == _ELLIPSIS else [label])]
