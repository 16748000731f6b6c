"""How a node's gradients are computed: for ops of plain derivatives a function is written that asks nothing in vain.

It takes what was saved, sees that nobody has written it since, and evaluates the expressions whose gradients somebody
wants. Knows no op and no engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dispatchtorch.dispatch.node import FREED, Node, freed_error, saved_error
from dispatchtorch.dispatch.source import written
from dispatchtorch.tensor.tensor import Tensor, new

__all__ = ["make_derive"]

_NAMES: Final[dict[str, Any]] = {
    "FREED": FREED, "Tensor": Tensor, "__name__": __name__, "freed_error": freed_error, "new": new,
    "saved_error": saved_error,
}  # fmt: skip


def make_derive(
    expressions: Sequence[Callable[..., Any]],
    sources: Sequence[Sequence[int]],
    tensors: Sequence[tuple[int, bool]],
    count: int,
    keeps: bool,
) -> Callable[[Node, Any], Sequence[Any]]:
    """Returns a function of a node of one output and the gradient there: the gradients for its edges.

    ``sources``: for each expression, where its arguments are: below ``count`` in what was saved, then g, then the
    output. ``tensors``: which saved arguments are tensors, and whether they may be numbers. ``keeps``: whether
    anything saved can have been freed.
    """
    several = len(expressions) > 1
    lines: list[str] = []
    used = sorted({s for given in sources for s in given if s < count})
    saves_out = any(s == count + 1 for given in sources for s in given)
    if keeps or used:
        lines.append("saved = node.saved")
    if keeps:
        lines += ["if saved is FREED:", "    raise freed_error()"]
    lines += [f"s{i} = saved[{i}]" for i in used]
    checked = [(i, numbers) for i, numbers in tensors if i in used]
    if checked:
        lines.append("versions = node.versions")
        for i, numbers in checked:
            known = f"isinstance(s{i}, Tensor)" if numbers else f"s{i} is not None"
            lines += [f"if {known} and s{i}._cell is not None:"]
            lines += [f"    if s{i}._cell.version != (0 if versions is None else versions[{i}]):"]
            lines += [f"        raise saved_error(s{i}, 0 if versions is None else versions[{i}])"]
    if saves_out:
        lines += [
            "if node.out is None:",
            "    raise freed_error()",
            "raw, key, cell, version = node.out[0]",
            "if cell is not None and cell.version != version:",
            "    node.unpack_out()",
            "out = new(Tensor)",
            "out._a, out._key, out._extra, out._cell, out._edge = raw, key, None, None, node",
        ]
    calls = [
        f"rule{r}({', '.join([f's{s}' if s < count else 'g' if s == count else 'out' for s in given])})"
        for r, given in enumerate(sources)
    ]
    if several:
        lines.append(f"{', '.join([f'e{r}' for r in range(len(calls))])} = node.edges")
        calls = [f"None if e{r} is None else {call}" for r, call in enumerate(calls)]
    names = ", ".join([f"rule{r}" for r in range(len(calls))])
    source = "\n".join(
        [
            f"def make({names}):",
            "    def derive(node, g):",
            *[f"        {line}" for line in lines],
            f"        return ({', '.join(calls)},)",
            "    return derive",
        ]
    )
    return written(source, "derivative", _NAMES)(*expressions)  # type: ignore[no-any-return]  # a function
