"""What an op is: one paragraph of source. Its signature is the schema, its body the decomposition, its decorator more.

`primitive` and `pointwise` make ops that have a kernel; `composite` (see `table`) is a plain function over ops.
Must not know which ops there are, nor any backend.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, Final, TypeAlias

from dispatchtorch._base.late import inspect
from dispatchtorch.dispatch.deriving import make_derive
from dispatchtorch.dispatch.node import Node
from dispatchtorch.dispatch.overlap import Inputs
from dispatchtorch.tensor.tensor import Tensor

__all__ = ["ABSENT", "DTYPE", "LIST", "NUMBER", "STATIC", "TABLE", "TENSOR", "MaskTensor", "Op", "Rule"]

MaskTensor: TypeAlias = Tensor  # annotates a bool argument that takes no part in promotion
TENSOR, LIST, NUMBER, STATIC, DTYPE = range(5)
TABLE: Final[dict[str, Op]] = {}  # every op that has a kernel, by name
_GIVEN: Final = ("g", "out", "needs")  # what a derivative may name besides the op's parameters and their facts
_FACTS: Final = (
    "_shape",
    "_dtype",
)  # `input_shape` is remembered without keeping `input` alive or checking its version


def kind_of(annotation: str) -> int:
    """Returns how an argument with this annotation travels to a kernel."""
    if "Tensor" in annotation:
        return LIST if "[" in annotation else TENSOR
    if "Number" in annotation:
        return NUMBER
    return DTYPE if annotation.startswith("DType") else STATIC


ABSENT: Final = object()  # where a parameter has no default


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Returns a plain function's parameter names; `inspect.signature` takes fifty times as long."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _defaults(function: Callable[..., Any], params: tuple[str, ...]) -> tuple[Any, ...]:
    positional = params[: function.__code__.co_argcount]
    given = function.__defaults__ or ()
    known = dict(zip(positional[len(positional) - len(given) :], given, strict=True)) | (function.__kwdefaults__ or {})
    return tuple([known.get(name, ABSENT) for name in params])


_LATE: Final = frozenset({"derive", "facts", "keeps", "rules", "saves", "saves_out", "simple", "targets"})


class Rule:
    """One derivative: which parameters it serves, the expression, and where its arguments come from."""

    __slots__ = ("count", "expression", "positions", "saves", "sources")

    def __init__(self, op: Op, names: str | tuple[str, ...], expression: Callable[..., Any]) -> None:
        targets = (names,) if isinstance(names, str) else names
        self.positions = tuple(op.params.index(n) for n in targets)
        self.count = len(targets)
        self.expression = expression
        pool = (*op.params, *op.facts, *_GIVEN)
        self.sources = tuple([pool.index(n) for n in _parameters(expression)])
        self.saves = frozenset(s for s in self.sources if s < op.arity)


class Op:
    """One entry of the op table that has a kernel."""

    facts: tuple[str, ...]  # "input_shape" and the like, named by derivatives
    rules: tuple[Rule, ...]
    saves: tuple[bool, ...]  # per parameter: whether a derivative names it
    saves_out: bool
    keeps: bool  # whether a node of this op keeps anything that can be written or freed
    targets: tuple[int, ...]  # the parameters that have a derivative
    simple: bool
    derive: Callable[[Node, Any], Sequence[Any]]  # `backward`, as short as the op allows
    entry: Callable[..., Any]  # what a call of the op goes through; set when it enters the table

    def __init__(
        self,
        body: Callable[..., Any],
        *,
        pointwise: bool,
        grad: Mapping[Any, Callable[..., Any]],
        dtype: str,
        kernel: str | None,
        node: str | Callable[[Node], str] | None,
        decomposed: bool,
        samples: Callable[..., Any] | None,
        check: Callable[[Sequence[Any], Any], None] | None = None,
        wide: bool = False,
        partial: bool = False,
        inputs: Inputs = "same",
    ) -> None:
        self.name = body.__name__
        self.doc = body.__doc__ or ""
        self.body = body
        self.inputs: Inputs = inputs  # whether what is read may share memory with what is written in place
        self.partial = partial  # a derivative gets None for an output that no gradient reached
        self.wide = wide  # beside a Python number, half precision is computed in float32, the number not rounded first
        self.decomposed = decomposed
        self.params = _parameters(body)
        notes = [str(body.__annotations__.get(name, "")) for name in self.params]
        self.kinds = tuple([kind_of(note) for note in notes])
        self.defaults = _defaults(body, self.params)
        self.arity = len(self.params)
        self.pointwise = pointwise
        self.dtype_rule = dtype
        self.kernel_name = kernel or (self.name.strip("_") if pointwise else "")
        self.samples = samples
        self.check = check  # (keys, common dtype): raises torch's error for dtypes the op refuses, once, when planned
        self.refuse: Callable[..., None] | None = (
            None  # (arguments): raises torch's error for those a primitive refuses
        )
        self.masks = tuple(["Mask" in note for note in notes])
        self.numbers = tuple(["Number" in note for note in notes])  # may be one
        self.number_first_out = True  # whether torch's form with a number first takes ``out=``
        self.plans: dict[Any, Callable[..., Any]] = {}
        self.inplace_plans: dict[Any, Any] = {}
        self.kernels: dict[Any, Callable[..., Any]] = {}
        self.written_entry: FunctionType | None = None  # what `entry` does, once it is written
        self.grad = grad
        self._node = node or self.name.strip("_").title().replace("_", "") + "Backward0"

    def __getattr__(self, name: str) -> Any:
        """Returns a fact about the derivatives, worked out when one is first asked for: imports are short."""
        if name not in _LATE:
            raise AttributeError(name)
        self._work_out(self.grad)
        return self.__dict__[name]

    def _work_out(self, grad: Mapping[Any, Callable[..., Any]]) -> None:
        named = [n for expression in grad.values() for n in _parameters(expression)]
        self.facts = tuple(dict.fromkeys(n for n in named if n not in self.params and n.endswith(_FACTS)))
        self.rules = tuple(Rule(self, names, expression) for names, expression in grad.items())
        used = {s for rule in self.rules for s in rule.sources}
        self.saves = tuple(i in used for i in range(self.arity))
        self.saves_out = self.arity + len(self.facts) + _GIVEN.index("out") in used
        self.keeps = self.saves_out or any(
            on and kind in (TENSOR, LIST) for on, kind in zip(self.saves, self.kinds, strict=True)
        )
        self.targets = tuple(p for rule in self.rules for p in rule.positions)
        self.simple = all(rule.count == 1 for rule in self.rules) and LIST not in self.kinds
        self.derive = self._derivation()

    def __repr__(self) -> str:
        return f"<op {self.name}{self.signature}>"

    @functools.cached_property
    def signature(self) -> inspect.Signature:
        """The schema; made when first asked for, since most calls are positional and import time counts."""
        return inspect.signature(self.body)

    def node_name(self, node: Node) -> str:
        """Returns the name that torch gives the node of this call."""
        return self._node if isinstance(self._node, str) else self._node(node)

    def facts_of(self, args: Sequence[Any]) -> list[Any]:
        """Returns the shapes and dtypes that the derivatives name, of these arguments."""
        found: list[Any] = []
        for name in self.facts:
            param, _, fact = name.rpartition("_")
            value = args[self.params.index(param)]
            members = value if isinstance(value, (list, tuple)) else [value]
            got = [
                None if not isinstance(m, Tensor) else tuple(m._a.shape) if fact == "shape" else m._key.dtype
                for m in members
            ]
            found.append(got if isinstance(value, (list, tuple)) else got[0])
        return found

    def forget(self) -> None:
        """Empties the plans: the next call asks the hooks again."""
        self.plans.clear()
        self.inplace_plans.clear()
        self.kernels.clear()

    def bind_arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        """Returns all arguments in the schema's order; TypeError in Python's words for a bad call."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}() {error}") from None
        bound.apply_defaults()
        return tuple(bound.arguments.values())

    def backward(self, node: Node, g: Any) -> Sequence[Any]:
        """Returns the gradients for the node's edges, by evaluating the derivative expressions over ops."""
        saved = node.unpack() if self.keeps else node.saved
        out = node.unpack_out() if self.saves_out else None
        edges = node.edges
        if self.simple:
            pool = (*saved, g, out)
            return [
                None if edge is None else rule.expression(*[pool[s] for s in rule.sources])
                for rule, edge in zip(self.rules, edges, strict=True)
            ]
        return self._backward_joint(edges, saved, g, out)

    def _derivation(self) -> Callable[[Node, Any], Sequence[Any]]:
        """Returns `backward` for nodes of one output, written for this op where each derivative has one target."""
        if not self.simple or not self.rules or LIST in self.kinds:
            return self.backward
        tensors = [(i, self.numbers[i] or self.pointwise) for i, kind in enumerate(self.kinds) if kind == TENSOR]
        rules = self.rules
        count = self.arity + len(self.facts)
        return make_derive([r.expression for r in rules], [r.sources for r in rules], tensors, count, self.keeps)

    def _backward_joint(self, edges: tuple[Any, ...], saved: tuple[Any, ...], g: Any, out: Any) -> Sequence[Any]:
        grads: list[Any] = []
        singles = sum(self.kinds[p] != LIST for p in self.targets)
        for rule in self.rules:
            count = sum(len(edges) - singles if self.kinds[p] == LIST else 1 for p in rule.positions)
            mine = edges[len(grads) : len(grads) + count]
            if all(e is None for e in mine):
                grads += [None] * count
                continue
            needs = tuple(e is not None for e in mine)
            pool = (*saved, g, out, needs)
            got = rule.expression(*[pool[s] for s in rule.sources])
            grads += [got] if isinstance(got, Tensor) or got is None else list(got)
        return grads
