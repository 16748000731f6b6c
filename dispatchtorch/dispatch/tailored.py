"""Entries and plans that are written for the call they serve: source is put together, compiled once and kept.

An op's entry takes its arguments by name, so nothing is packed and nothing bound; it looks up a plan by the keys of its
tensors. The first call for a combination of keys goes through `general`, which refuses what is wrong. If it succeeds, a
plan is written that does the same without a question that these keys have answered: which arguments are arrays, whether
views have to be looked after, what a node keeps. Calls with equal facts share the compiled source.
Must not know which ops there are. Plans of one and two elementwise arguments are in `plans`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any, Final, NamedTuple

from dispatchtorch._base.dtypes import FLOATING, DType
from dispatchtorch.dispatch.general import finish, general
from dispatchtorch.dispatch.lifting import lifting_plan, wrapping
from dispatchtorch.dispatch.modes import anomaly, modes
from dispatchtorch.dispatch.node import Node, next_seq
from dispatchtorch.dispatch.op import ABSENT, DTYPE, LIST, TENSOR, Op
from dispatchtorch.dispatch.promotion import NUMBERS, MixedBackendsError, leading_key, recover
from dispatchtorch.dispatch.record import record, refresh
from dispatchtorch.dispatch.resolve import result_key
from dispatchtorch.dispatch.source import written
from dispatchtorch.dispatch.sparse import SparseMet
from dispatchtorch.dispatch.strides import LAID_ALIKE, laid_like
from dispatchtorch.plugin.backend import Backend
from dispatchtorch.tensor.key import Key, marking
from dispatchtorch.tensor.sparse import is_sparse_key
from dispatchtorch.tensor.tensor import Parameter, Tensor, cell_of, marked, new, read

__all__ = ["make_tailored_entry", "written_plan"]

MOST: Final = 2048  # plans of one op: lists of tensors may never repeat
_Facts = Any  # the key of the only tensor, or a tuple of what is known of each


# --- entries ----------------------------------------------------------------------------------------------------------


def make_tailored_entry(op: Op) -> Callable[..., Any]:
    """Returns the function that a call of the op goes through; that of an internal op is written at its first call."""
    find = op.plans.get

    def entry(*args: Any, **kwargs: Any) -> Any:
        return _settled(entry, op, find)(*args, **kwargs)

    if not op.name.startswith("_"):  # not to be found waiting by who exchanges the code of public functions
        _settled(entry, op, find)
    return entry


def _settled(entry: Any, op: Op, find: Any) -> Any:
    """Returns an entry that has got the code for the op's signature, which names things of this module.

    Where somebody has given it other code meanwhile (autocast does) it keeps that, and what is returned is a function
    beside it.
    """
    made = op.written_entry
    if made is None:
        body = written(_entry_source(op), "entry", _NAMES)(entry, find, op).__code__
        names = (*op.params, *body.co_varnames[op.arity :])
        code = body.replace(co_varnames=names, co_name=op.name, co_qualname=op.name)
        defaults = tuple([d for d in op.defaults if d is not ABSENT])
        made = op.written_entry = FunctionType(code, globals(), op.name, defaults, entry.__closure__)
    if entry.__code__.co_freevars != made.__code__.co_freevars:
        return made
    entry.__code__, entry.__defaults__ = made.__code__, made.__defaults__
    return entry


def _entry_source(op: Op) -> str:
    """Returns the source of an entry: find out the keys, look up the plan, call it."""
    args = "".join([f"a{i}, " for i in range(op.arity)])
    before: list[str] = []
    facts: list[str] = []
    for i, kind in enumerate(op.kinds):
        if kind == LIST:
            before += [
                f"f{i} = a{i}[0]._key",
                f"for t in a{i}:",
                f"    if t._key is not f{i}:",
                f"        f{i} = tuple([t._key for t in a{i}])",
                "        break",
            ]
            facts.append(f"f{i}")
        elif kind == TENSOR and (op.pointwise or op.numbers[i]):
            before += [f"f{i} = type(a{i})", f"if f{i} is Tensor or f{i} is Parameter:", f"    f{i} = a{i}._key"]
            facts.append(f"f{i}")
        elif kind == TENSOR and op.defaults[i] is None:
            facts.append(f"None if a{i} is None else a{i}._key")
        elif kind == TENSOR:
            facts.append(f"a{i}._key")
    only = len(facts) == 1 and LIST not in op.kinds
    return "\n".join(
        [
            "def make(entry, find, op):",
            f"    def body({args}):",
            "        try:",
            *[f"            {line}" for line in before],
            f"            facts = {facts[0] if only else '(' + ''.join([f + ', ' for f in facts]) + ')'}",
            "        except (AttributeError, IndexError, TypeError):",
            f"            return general(op, ({args}))",
            "        plan = find(facts)",
            "        if plan is None:",
            f"            return _first(op, entry, facts, ({args}))",
            f"        return plan({args})",
            "    return body",
        ]
    )


# --- plans ------------------------------------------------------------------------------------------------------------


def _refused(op: Op, lead: Key, kernel: Any, raws: Sequence[Any], args: Sequence[Any], error: Exception) -> Any:
    """Returns what the kernel gives with warnings off; or raises torch's error for arguments that it refused."""
    assert op.refuse is not None  # only plans of such ops come here
    op.refuse(*args)
    if isinstance(error, RuntimeWarning):
        return lead.backend.quiet(kernel)(*raws)
    raise error


_NAMES: Final[dict[str, Any]] = {  # what source may name beside what it is made of
    "FLOATING": FLOATING, "Node": Node, "Parameter": Parameter, "Tensor": Tensor, "__name__": __name__,
    "cell_of": cell_of, "finish": finish, "laid_like": laid_like, "marked": marked, "marking": marking, "modes": modes,
    "new": new, "next_seq": next_seq, "read": read, "record": record, "recover": recover, "refresh": refresh,
    "refused": _refused,
}  # fmt: skip


class _Natives(dict[Any, Any]):
    """A backend's dtypes, each asked for once."""

    def __init__(self, backend: Backend) -> None:
        super().__init__({None: None})
        self.backend = backend

    def __missing__(self, dtype: DType) -> Any:
        native = self[dtype] = self.backend.dtype(dtype.name)
        return native


class _Results(dict[Any, Any]):
    """The keys of results by the library's dtype: with dimensions, without, and both again with a gradient or None."""

    def __init__(self, lead: Key) -> None:
        super().__init__()
        self.lead = lead

    def of(self, raw: Any) -> tuple[Any, ...]:
        """Returns the four keys for a raw result whose dtype is met for the first time."""
        key = result_key(self.lead, raw)
        found = self[raw.dtype] = _four(key)
        return found


def _four(key: Key) -> tuple[Any, ...]:
    plain, zero = key.fresh(False), key.fresh(True)
    if key.dtype.category < FLOATING:
        return plain, zero, None, None
    return plain, zero, plain.as_requires(True), zero.as_requires(True)


class _Call(NamedTuple):
    """What a plan's source depends on."""

    # per parameter: t a tensor, v one with the mark of a view, l and w lists of such, d a dtype, n a number that is
    # converted, s the rest
    forms: str
    native: bool
    pointwise: bool
    refuses: bool  # whether the op says itself what is wrong when the kernel refuses
    several: bool
    alike: bool  # whether the result is told to lie as the arguments do
    track: str  # "" nothing is recorded, "node" here, "record" by the function of that name
    edges: tuple[int, ...]  # parameters that gradients go to, -1 for one that requires none
    saved: tuple[bool, ...]
    facts: tuple[tuple[int, bool], ...]  # (parameter, whether its shape is kept, or else its dtype)
    saves_out: bool


def _first(op: Op, entry: Callable[..., Any], facts: _Facts, args: tuple[Any, ...]) -> Any:
    """Returns the result of the first call for a combination of keys, after which there is a plan if there can be."""
    for value, kind in zip(args, op.kinds, strict=True):
        for t in value if kind == LIST else (value,):
            if isinstance(t, Tensor) and t._key.view and refresh(t):
                return entry(*args)  # with the key that it has now
    if op.refuse is not None:
        over = wrapping(facts)
        if over is not None:
            return lifting_plan(entry, over)(*args)
        try:
            if not is_sparse_key(leading_key(op, facts)):
                op.refuse(*args)
        except (MixedBackendsError, SparseMet):
            pass  # in the words of the general path
    result = general(op, args)
    plan = _plan(op, entry, args, result)
    if plan is not None:
        if len(op.plans) >= MOST:
            op.plans.clear()
        op.plans[facts] = plan
    return result


def _plan(op: Op, entry: Callable[..., Any], args: tuple[Any, ...], result: Any) -> Callable[..., Any] | None:
    """Returns the plan for calls like one that has just succeeded; None where each has to be looked at anew."""
    several = type(result) is tuple
    if not several and type(result) is not Tensor:
        return None
    keys: list[Any] = []
    listed: list[Key] = []
    forms = ""
    for value, kind, numbers in zip(args, op.kinds, op.numbers, strict=True):
        key: Any = None
        if kind == TENSOR and isinstance(value, Tensor):
            key = value._key
            forms += "v" if key.view else "t"
        elif kind == TENSOR and value is not None:
            if type(value) not in NUMBERS or not numbers:
                return None
            key = type(value)
            forms += "s"
        elif kind == LIST:
            listed += [t._key for t in value]
            forms += "w" if any(t._key.view for t in value) else "l"
        else:
            forms += "d" if kind == DTYPE else "s"
        keys.append(key)
    tensors = [key for key in (*keys, *listed) if isinstance(key, Key)]
    try:
        lead = leading_key(op, [*keys, *listed])
    except (MixedBackendsError, SparseMet):
        return None
    if any(key.requires for key in tensors) and any(key.inference for key in tensors):
        return None  # it may have to be refused
    if op.pointwise:
        known = tuple([k.fresh(k.zero_dim) if isinstance(k, Key) else k for k, n in zip(keys, op.kinds) if n == TENSOR])
        kernel, lead, dtype = op.kernels.get(known, (None, lead, None))  # type: ignore[misc]  # of elementwise ops
    else:
        kernel, dtype = op.kernels.get((lead.backend, lead.device, lead.dtype)), None
    if kernel is None:
        return None
    return written_plan(op, entry, forms, keys, kernel, lead, dtype, listed=listed, several=several)


def written_plan(
    op: Op,
    entry: Callable[..., Any],
    forms: str,
    keys: Sequence[Any],
    kernel: Any,
    lead: Key,
    dtype: DType | None,
    *,
    listed: Sequence[Key] = (),
    several: bool = False,
    converted: dict[Any, Any] | None = None,
) -> Callable[..., Any]:
    """Returns the plan of calls with arguments of these forms (see `_Call`) and keys, which need no look any more.

    ``dtype`` is the result's where the op is elementwise. ``converted[y]`` is what a kernel gets for a number of the
    form n.
    """
    tensors = [key for key in (*keys, *listed) if isinstance(key, Key)]
    fixed: Any = None if op.refuse is None else _four(lead)
    if dtype is not None:
        key = lead.as_dtype(dtype).fresh(all(key.zero_dim for key in tensors))
        fixed = (key, key.as_requires(True) if dtype.category >= FLOATING else None)
    requires = any(key.requires for key in tensors) and (dtype is None or dtype.category >= FLOATING)
    call = _Call(
        forms,
        lead.native,
        op.pointwise,
        op.refuse is not None,
        several,
        not lead.native and any(k.view for k in tensors) and not several and (op.pointwise or op.name in LAID_ALIKE),
        *_history(op, keys, requires, several, bool(listed)),
    )
    make = written(_plan_source(call), "plan", _NAMES)
    dtypes = [key.dtype if isinstance(key, Key) else None for key in keys]
    given = (op, entry, kernel, lead, _Results(lead), fixed, _Natives(lead.backend), dtypes, converted)
    return make(*given)  # type: ignore[no-any-return]  # a function


def _history(op: Op, keys: Sequence[Any], requires: bool, several: bool, lists: bool) -> tuple[Any, ...]:
    """Returns the last five facts of a `_Call`: how its history is written."""
    nothing: tuple[Any, ...] = ((), (), (), False)
    if not requires or not op.rules:
        return "", *nothing
    if several or lists or anomaly.on:
        return "record", *nothing
    needs = [isinstance(key, Key) and key.requires for key in keys]
    edges = tuple([p if needs[p] else -1 for p in op.targets])
    saves = list(op.saves)
    if len(edges) == len(op.rules):
        wanted = {s for rule, edge in zip(op.rules, edges, strict=True) if edge >= 0 for s in rule.saves}
        saves = [i in wanted for i in range(op.arity)]
    facts = []
    for name in op.facts:
        param, _, fact = name.rpartition("_")
        place = op.params.index(param)
        facts.append((place if isinstance(keys[place], Key) else -1, fact == "shape"))
    return "node", edges, tuple(saves), tuple(facts), op.saves_out


def _plan_source(call: _Call) -> str:
    """Returns the source of a plan."""
    args = "".join([f"a{i}, " for i in range(len(call.forms))])
    one = "a{0}._a" if call.native else "read(a{0})"
    reads = {"t": one, "v": one, "l": "l{0}", "w": "l{0}", "d": "natives[a{0}]", "s": "a{0}", "n": "a{0}"}
    raws = "".join([reads[form].format(i) + ", " for i, form in enumerate(call.forms)])
    lines = _looked_after(call.forms, args)
    for i, form in enumerate(call.forms):
        if form in "lw":  # a comprehension would be a call more
            lines += [f"l{i} = []", f"for t in a{i}:", f"    l{i}.append({'t._a' if call.native else 'read(t)'})"]
    if call.pointwise:
        given = raws
        if "n" in call.forms:
            given = raws.replace(f"a{call.forms.index('n')}, ", "b, ")
            lines += [f"b = converted[a{call.forms.index('n')}]"]
        lines += [
            "try:",
            f"    a = kernel({given})",
            "except (ValueError, TypeError, RuntimeWarning, OverflowError) as error:",
            f"    a = recover(op, lead, kernel, ({raws}), error)",
        ]
    elif call.refuses:
        lines += ["try:", f"    a = kernel({raws})", "except Exception as error:"]
        lines += [f"    a = refused(op, lead, kernel, ({raws}), ({args}), error)"]
    else:
        lines += ["try:", f"    a = kernel({raws})"]
        lines += ["except RuntimeWarning:", f"    a = lead.backend.quiet(kernel)({raws})"]
    lines += _several(call, args) if call.several else _single(call, args)
    return "\n".join(
        [
            "def make(op, entry, kernel, lead, results, fixed, natives, dtypes, converted):",
            *(["    key, tracked_key = fixed"] if call.pointwise else []),
            f"    def plan({args}):",
            *[f"        {line}" for line in lines],
            "    return plan",
        ]
    )


def _looked_after(forms: str, args: str) -> list[str]:
    """Returns lines that bring the history of views up to date, and begin anew where that changes a key."""
    views = [i for i, form in enumerate(forms) if form == "v"]
    lists = [i for i, form in enumerate(forms) if form == "w"]
    if not views and not lists:
        return []
    if len(views) == 1 and not lists:
        return [f"if refresh(a{views[0]}):", f"    return entry({args})"]
    asked = [f"refresh(a{i})" for i in views] + [f"*[t._key.view and refresh(t) for t in a{i}]" for i in lists]
    return [f"if any([{', '.join(asked)}]):", f"    return entry({args})"]


def _tensor(indent: str, raw: str, key: str = "keys[0] if shape else keys[1]") -> list[str]:
    return [
        f"{indent}t = new(Tensor)",
        f"{indent}t._a = {raw}",
        f"{indent}t._key = {key}",
        f"{indent}t._edge = t._cell = t._extra = None",
        f"{indent}if marking.on:",
        f"{indent}    t._key = marked(t._key)",
    ]


def _single(call: _Call, args: str) -> list[str]:
    if call.pointwise:
        lines = _tensor("", "a", "key")
    elif call.refuses:
        lines = ["shape = a.shape", "keys = fixed", *_tensor("", "a")]
    else:
        lines = [
            "try:",
            "    shape = a.shape",
            "    keys = results[a.dtype]",
            "except (KeyError, AttributeError):",
            "    if isinstance(a, (tuple, list)):",
            f"        return finish(op, ({args}), a, lead, None)",
            "    keys = results.of(a)",
            *_tensor("", "a"),
        ]
    done = f"return laid_like(t, ({args}))" if call.alike else "return t"
    floating = "" if call.pointwise else " and keys[2] is not None"
    recorded = f"record(op, ({args}), (t,), several=False)"
    if call.track == "record":
        lines += [f"if modes.grad{floating}:", f"    {recorded}"]
    elif call.track == "node":
        lines += ["mode = modes.grad", f"if mode is True{floating}:", *[f"    {line}" for line in _node(call)]]
        lines += [f"elif mode{floating}:", f"    {recorded}"]
    return [*lines, done]


def _node(call: _Call) -> list[str]:
    """Returns lines that write the history of ``t``."""
    edges = [f"a{p}._edge or a{p}, " if p >= 0 else "None, " for p in call.edges]
    saved = [f"a{i}, " if on else "None, " for i, on in enumerate(call.saved)]
    facts = ["None, " if p < 0 else f"a{p}._a.shape, " if is_shape else f"dtypes[{p}], " for p, is_shape in call.facts]
    kept = [i for i, on in enumerate(call.saved) if on and call.forms[i] in "tv"]
    lines = [
        "t._key = tracked_key" if call.pointwise else "t._key = keys[2] if shape else keys[3]",
        "node = t._edge = new(Node)",
        "node.op = op",
        "node.seq = next_seq()",
        "node.shape = a.shape" if call.pointwise else "node.shape = shape",
        f"node.edges = ({''.join(edges)})",
        f"node.saved = ({''.join(saved + facts)})",
        "node.versions = None",
    ]
    if kept:
        versions = [
            f"0 if a{i}._cell is None else a{i}._cell.version, " if i in kept else "0, " for i in range(len(call.forms))
        ]
        lines += [
            f"if {' or '.join([f'a{i}._cell is not None' for i in kept])}:",
            f"    node.versions = ({''.join(versions + ['0, '] * len(facts))})",
        ]
    if call.saves_out:
        lines += ["node.out = ((a, t._key, cell_of(t), 0),)"]
    return lines


def _several(call: _Call, args: str) -> list[str]:
    lines = [
        "if type(a) is not tuple and type(a) is not list:",
        f"    return finish(op, ({args}), a, lead, None)",
        "outs = []",
        "for raw in a:",
        "    shape = raw.shape",
        "    keys = results.get(raw.dtype)",
        "    if keys is None:",
        "        keys = results.of(raw)",
        *_tensor("    ", "raw"),
        "    outs.append(t)",
    ]
    if call.track:
        lines += [
            "if modes.grad and any([t._key.dtype.category >= FLOATING for t in outs]):",
            f"    record(op, ({args}), outs, several=True)",
        ]
    return [*lines, "return tuple(outs)"]
