"""The rows of torch's table of modules: each is one question about one module, asked of torch and of dispatchtorch.

A row passes when every sample of it does. What torch itself refuses is no row. Knows nothing of reporting.
"""

from __future__ import annotations

import copy
import inspect
import io
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.testing._internal.common_modules import ModuleErrorEnum, module_db

import dispatchtorch as ours
from tests.oracle.bridge import Missing, compare, tensors, to_ours, to_torch
from tests.oracle.rows import Outcome, Row, derivatives, tolerance_of

__all__ = ["KINDS", "NOT_ASKED", "entries", "rows"]

KINDS = (
    "init", "signature", "attributes", "repr", "forward", "noncontiguous", "grad", "state", "modes", "copies", "error",
)  # fmt: skip
FORWARD = ("float32", "float64", "bfloat16", "float16", "complex64", "complex128")

# Entries that cannot apply, with the reason.
NOT_ASKED: dict[str, str] = {}

_MISREAD = {"nn.CTCLoss"}  # PyTorch 2.13 takes labels that are not contiguous for others

# Results whose sums are taken in another order than torch's, in the dtype itself.
_LOOSE = {"float32": (2e-5, 2e-5), "bfloat16": (2e-2, 2e-2), "float16": (2e-3, 2e-3), "complex64": (2e-5, 2e-5)}


@dataclass
class Sample:
    """How a module is made and called, in one library's values."""

    made: tuple[tuple[Any, ...], dict[str, Any]]
    called: tuple[tuple[Any, ...], dict[str, Any]]
    training: bool

    def text(self) -> str:
        """Returns the sample in words."""

        def word(v: Any) -> str:
            if hasattr(v, "dtype") and hasattr(v, "shape"):
                return f"{str(v.dtype).removeprefix('torch.')}{list(v.shape)}"
            return " ".join(repr(v).split())[:60]

        parts = [[*map(word, args), *(f"{k}={word(v)}" for k, v in named.items())] for args, named in self.both()]
        mode = "" if self.training else " eval"
        return f"({', '.join(parts[0])})({', '.join(parts[1])}){mode}"[:300]

    def both(self) -> tuple[Any, Any]:
        """Returns what it is made of and what it is called with."""
        return self.made, self.called


def entries() -> Iterator[Any]:
    """Yields torch's entries that can apply."""
    for info in module_db:
        if info.name not in NOT_ASKED:
            yield info


def rows(info: Any, limit: int | None = None) -> Iterator[Row]:
    """Yields the rows of an entry; ``limit``: samples a row."""
    supported = [str(d).removeprefix("torch.") for d in info.supported_dtypes("cpu")]

    def row(kind: str, detail: str, ask: Callable[[Any, str, int | None], Outcome]) -> Row:
        return Row(info.name, kind, detail, lambda: ask(info, detail, limit))

    for dtype in ("float32", "float64"):
        yield row("init", dtype, _init)
    for kind, ask in _ONCE.items():
        yield row(kind, "float32", ask)
    for dtype in FORWARD:
        if dtype in supported or not dtype.startswith("complex"):
            yield row("forward", dtype, _forward)
    yield row("noncontiguous", "float64", _noncontiguous)
    for dtype in ("float32", "float64"):
        yield row("grad", dtype, _grad)
    if info.module_error_inputs_func is not None:
        for training in (True, False):
            wrong = info.module_error_inputs_func(info, "cpu", torch.float32, False, training)
            for i, _ in enumerate(wrong):
                detail = f"{i}{'' if training else ' eval'}"
                yield Row(info.name, "error", detail, lambda i=i, t=training: _error(info, i, t))


# --- both sides ------------------------------------------------------------------------------------------------------


def _module_to_ours(module: torch.nn.Module) -> Any:
    """Returns our module of the same class, with the same attributes, parameters and children."""
    kind = _class(type(module))
    made = kind.__new__(kind)
    ours.nn.Module.__init__(made)
    own = dict(vars(module))
    for name, child in own.pop("_modules").items():
        made._modules[name] = None if child is None else _module_to_ours(child)
    for table in ("_parameters", "_buffers"):
        for name, member in own.pop(table).items():
            getattr(made, table)[name] = None if member is None else to_ours(member)
    made.__dict__.update({k: _mine(v) for k, v in own.items() if not k.startswith("_") or k == "_qkv_same_embed_dim"})
    made.__dict__["_non_persistent_buffers_set"] = set(module._non_persistent_buffers_set)
    return made


def _class(kind: type) -> Any:
    found = getattr(ours.nn, kind.__name__, None)
    if found is None:
        for module in vars(ours.nn.modules).values():
            found = found or getattr(module, kind.__name__, None)
    if found is None:
        raise Missing(f"no {kind.__module__}.{kind.__name__}")
    return found


def _mine(value: Any, known: dict[int, Any] | None = None) -> Any:
    """Returns our version of a value; a tensor that is there twice is one tensor here too."""
    seen = {} if known is None else known
    if isinstance(value, torch.nn.Module):
        return _module_to_ours(value)
    if type(value) in (list, tuple):
        return type(value)(_mine(v, seen) for v in value)
    if type(value) is dict:
        return {k: _mine(v, seen) for k, v in value.items()}
    if isinstance(value, torch.Tensor):
        if id(value) not in seen:
            seen[id(value)] = to_ours(value)
        return seen[id(value)]
    return to_ours(value)


def _both(info: Any, dtype: str, training: bool, requires_grad: bool, limit: int | None) -> Iterator[Any]:
    """Yields samples as torch sees them."""
    torch.manual_seed(0)
    kind = getattr(torch, dtype)
    found = info.module_inputs_func(info, "cpu", kind, requires_grad, training)
    if limit is not None and len(found) > limit:
        step = len(found) / limit
        found = [found[int(i * step)] for i in range(limit)]
    for one in found:
        made, called = one.constructor_input, one.forward_input
        yield Sample((made.args, made.kwargs), (called.args, called.kwargs) if called else ((), {}), training)


def _samples(info: Any, dtype: str, limit: int | None, requires_grad: bool = False) -> Iterator[tuple[Sample, Sample]]:
    """Yields samples of both modes as torch and as dispatchtorch see them."""
    for training in (True, False):
        for theirs in _both(info, dtype, training, requires_grad, limit if limit is None else (limit + 1) // 2):
            (margs, mkwargs), (cargs, ckwargs) = theirs.both()
            mine = Sample((_mine(margs), _mine(mkwargs)), _mine((cargs, ckwargs)), training)
            yield theirs, mine


def _make(kind: Any, sample: Sample, library: Any, dtype: str, seed: int = 1) -> Any:
    library.manual_seed(seed)
    args, kwargs = copy.deepcopy(sample.made) if library is torch else sample.made
    module = kind(*args, **kwargs)
    module.to(getattr(library, dtype))
    return module.train(sample.training)


def _call(module: Any, sample: Sample, library: Any, seed: int = 2) -> Any:
    library.manual_seed(seed)
    args, kwargs = sample.called
    return module(*args, **kwargs)


def _pairs(
    info: Any, dtype: str, limit: int | None, requires_grad: bool = False
) -> Iterator[tuple[Sample, Sample, Any, Any]]:
    """Yields samples and modules of both, with torch's initial values in each."""
    kind = _class(info.module_cls)
    for theirs, mine in _samples(info, dtype, limit, requires_grad):
        try:
            wanted = _make(info.module_cls, theirs, torch, dtype)
        except Exception:
            continue
        yield theirs, mine, _make(kind, mine, ours, dtype), wanted


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


def _tolerance(info: Any, dtype: str) -> tuple[float, float] | None:
    own, loose = tolerance_of(info, getattr(torch, dtype)), _LOOSE.get(dtype)
    return (max(own[0], loose[0]), max(own[1], loose[1])) if own and loose else own or loose


def _each(
    info: Any,
    dtype: str,
    limit: int | None,
    question: Callable[[Sample, Sample, Any, Any], str | None],
    requires_grad: bool = False,
) -> Outcome:
    """Asks of every sample; the answer is what differs, or None where torch refuses."""
    asked = 0
    for theirs, mine, got, wanted in _pairs(info, dtype, limit, requires_grad):
        try:
            problem = question(theirs, mine, got, wanted)
        except Exception as error:
            return Outcome("fail", f"{theirs.text()}: {_told(error)}", asked)
        if problem is None:
            continue
        asked += 1
        if problem:
            return Outcome("fail", f"{theirs.text()}: {problem}", asked)
    return Outcome("pass" if asked else "none", samples=asked)


def _refused(function: Callable[[], Any]) -> tuple[Any, bool]:
    try:
        return function(), False
    except Exception:
        return None, True


# --- questions -------------------------------------------------------------------------------------------------------


def _members(module: Any) -> list[tuple[str, Any]]:
    named = list(module.named_parameters(remove_duplicate=False))
    return named + list(module.named_buffers(remove_duplicate=False))


def _same_members(got: Any, wanted: Any, tolerance: tuple[float, float] | None) -> str:
    mine, theirs = _members(got), _members(wanted)
    if [n for n, _ in mine] != [n for n, _ in theirs]:
        return f"names {[n for n, _ in mine]} for {[n for n, _ in theirs]}"
    for (name, a), (_, b) in zip(mine, theirs, strict=True):
        if a.requires_grad != b.requires_grad:
            return f"{name} requires_grad {a.requires_grad}"
        problem = compare(a, b, tolerance)
        if problem:
            return f"{name}{problem}"
    return ""


def _accepts_dtype(kind: Any) -> bool:
    return "dtype" in inspect.signature(kind.__init__).parameters


def _init(info: Any, dtype: str, limit: int | None) -> Outcome:
    """Parameters and buffers after construction from a seed: names, order, dtypes and bits."""
    kind = _class(info.module_cls)
    asked = 0
    for theirs, mine in _samples(info, "float32", limit):
        if _accepts_dtype(info.module_cls) and dtype != "float32":
            theirs.made[1]["dtype"], mine.made[1]["dtype"] = getattr(torch, dtype), getattr(ours, dtype)
        torch.manual_seed(7)
        wanted, refused = _refused(lambda s=theirs: info.module_cls(*copy.deepcopy(s.made[0]), **s.made[1]))
        if refused:
            continue
        asked += 1
        try:
            ours.manual_seed(7)
            got = kind(*mine.made[0], **mine.made[1])
            if info.is_lazy:
                for one, sample, library in ((wanted, theirs, torch), (got, mine, ours)):
                    one.to(library.float32)
                    _call(one, sample, library)
            problem = _same_members(got, wanted, (0.0, 0.0))
            problem = problem or compare(ours.rand(3), torch.rand(3), (0.0, 0.0), at="the next number")
        except Exception as error:
            problem = _told(error)
        if problem:
            return Outcome("fail", f"{theirs.text()}: {problem}", asked)
    return Outcome("pass" if asked else "none", samples=asked)


def _signature(info: Any, dtype: str, limit: int | None) -> Outcome:
    """Names, order, kinds and defaults of what makes and what calls the module."""
    kind = _class(info.module_cls)
    for name in ("__init__", "forward"):
        wanted = inspect.signature(getattr(info.module_cls, name))
        got = inspect.signature(getattr(kind, name))

        def told(signature: inspect.Signature) -> list[str]:
            return [
                f"{p.name}={_plain(p.default)}" if p.default is not p.empty else f"{p.kind.name} {p.name}"
                for p in signature.parameters.values()
            ]

        if told(got) != told(wanted):
            return Outcome("fail", f"{name}{told(got)} for {told(wanted)}", 1)
    return Outcome("pass", samples=1)


def _plain(value: Any) -> str:
    text = getattr(value, "__name__", repr(value))
    return text.replace("dispatchtorch.", "torch.")


def _attributes(info: Any, dtype: str, limit: int | None) -> Outcome:
    """What programs read from a module: its plain attributes, and the list of constants."""

    def question(theirs: Sample, mine: Sample, got: Any, wanted: Any) -> str:
        for name, value in vars(wanted).items():
            if name.startswith("_") or not isinstance(value, (bool, int, float, str, tuple, list, type(None))):
                continue
            if not hasattr(got, name):
                return f"no attribute {name}"
            if repr(getattr(got, name)) != repr(value) and not isinstance(value, list):
                return f"{name}: {getattr(got, name)!r} for {value!r}"
        return ""

    return _each(info, dtype, limit, question)


def _repr(info: Any, dtype: str, limit: int | None) -> Outcome:
    """What is printed, alone and nested."""

    def question(theirs: Sample, mine: Sample, got: Any, wanted: Any) -> str:
        if repr(got) != repr(wanted):
            return f"{got!r} for {wanted!r}"
        nested = [repr(lib.nn.Sequential(m, lib.nn.ModuleList([m]))) for lib, m in ((ours, got), (torch, wanted))]
        return "" if nested[0] == nested[1] else f"{nested[0]} for {nested[1]}"

    return _each(info, dtype, limit, question)


def _forward(info: Any, dtype: str, limit: int | None, requires_grad: bool = False) -> Outcome:
    """What comes out, and what the call has done to the buffers."""
    tolerance = _tolerance(info, dtype)

    def question(theirs: Sample, mine: Sample, got: Any, wanted: Any) -> str | None:
        out, refused = _refused(lambda: _call(wanted, theirs, torch))
        if refused:
            return None
        result = _call(got, mine, ours)
        return compare(result, out, tolerance) or _same_members(got, wanted, tolerance)

    return _each(info, dtype, limit, question)


def _strided(t: torch.Tensor) -> torch.Tensor:
    """Returns the same values, not contiguous in memory."""
    if t.dim() == 0 or t.layout is not torch.strided:
        return t
    wide = torch.stack([t.detach(), t.detach()], -1)[..., 0]
    return wide.requires_grad_(t.requires_grad)


def _noncontiguous(info: Any, dtype: str, limit: int | None) -> Outcome:
    """Inputs that are not contiguous give the same results and gradients."""
    if info.name in _MISREAD:
        return _grad(info, dtype, limit, lambda t: _strided(t) if t.is_floating_point() else t)
    return _grad(info, dtype, limit, _strided)


def _replaced(value: Any, change: Callable[[Any], Any], known: dict[int, Any] | None = None) -> Any:
    seen = {} if known is None else known
    if isinstance(value, torch.Tensor):
        if id(value) not in seen:
            seen[id(value)] = change(value)
        return seen[id(value)]
    if isinstance(value, (list, tuple)):
        return type(value)(_replaced(v, change, seen) for v in value)
    return {k: _replaced(v, change, seen) for k, v in value.items()} if isinstance(value, dict) else value


def _grad(info: Any, dtype: str, limit: int | None, change: Callable[[Any], Any] = lambda t: t) -> Outcome:
    """The gradients of inputs and parameters."""
    tolerance = _tolerance(info, dtype)

    def question(theirs: Sample, mine: Sample, got: Any, wanted: Any) -> str | None:
        theirs = Sample(theirs.made, _replaced(theirs.called, change), theirs.training)
        mine = Sample(mine.made, _mine(theirs.called), mine.training)

        def leaves(module: Any, sample: Sample, kind: type) -> list[Any]:
            return [t for t in (*tensors(sample.called, kind), *module.parameters()) if t.requires_grad]

        with torch.random.fork_rng():
            if _refused(lambda: _call(copy.deepcopy(wanted), theirs, torch))[1]:
                return None
        if info.is_lazy:
            _call(wanted, theirs, torch), _call(got, mine, ours)
        right, refused = _refused(
            lambda: derivatives(
                lambda: _call(wanted, theirs, torch), leaves(wanted, theirs, torch.Tensor), torch, second=False
            )
        )
        if refused or right is None:
            return None
        found = derivatives(lambda: _call(got, mine, ours), leaves(got, mine, ours.Tensor), ours, second=False)
        return "no derivative" if found is None else compare(found, right, tolerance)

    return _each(info, dtype, limit, question, requires_grad=True)


def _state(info: Any, dtype: str, limit: int | None) -> Outcome:
    """Keys and metadata of the state; it loads in both directions; what does not fit is told in torch's words."""

    def question(theirs: Sample, mine: Sample, got: Any, wanted: Any) -> str | None:
        if info.is_lazy:
            if _refused(lambda: _call(wanted, theirs, torch))[1]:
                return None
            _call(got, mine, ours)
        right, left = wanted.state_dict(), got.state_dict()
        if list(right) != list(left):
            return f"keys {list(left)} for {list(right)}"
        if dict(right._metadata) != dict(left._metadata):
            return f"metadata {dict(left._metadata)} for {dict(right._metadata)}"
        doubled = {k: v * 2 if v.is_floating_point() else v + 1 for k, v in right.items()}
        got.load_state_dict({k: to_ours(v) for k, v in doubled.items()})
        wanted.load_state_dict({k: to_torch(v) for k, v in got.state_dict().items()})
        problem = _same_members(got, wanted, (0.0, 0.0))
        if problem:
            return problem
        wrong = {k: v.new_zeros((*v.shape, 2)) if i else v for i, (k, v) in enumerate(doubled.items())}
        for state in ({"odd": torch.ones(1), **dict(list(doubled.items())[1:])}, wrong):
            said = []
            for module, given in ((wanted, state), (got, {k: to_ours(v) for k, v in state.items()})):
                try:
                    said.append(repr(module.load_state_dict(given)))
                except RuntimeError as error:
                    said.append(str(error))
            if said[0] != said[1]:
                return f"{said[1]!r} for {said[0]!r}"
        return ""

    return _each(info, dtype, limit, question)


def _modes(info: Any, dtype: str, limit: int | None) -> Outcome:
    """train, eval, requires_grad_, zero_grad, half and apply on the whole tree."""

    def question(theirs: Sample, mine: Sample, got: Any, wanted: Any) -> str | None:
        if info.is_lazy:
            if _refused(lambda: _call(wanted, theirs, torch))[1]:
                return None
            _call(got, mine, ours)
        for change in (
            lambda m, lib: m.eval(),
            lambda m, lib: m.train(),
            lambda m, lib: m.requires_grad_(False),
            lambda m, lib: m.half(),
            lambda m, lib: m.to(lib.float64),
            lambda m, lib: m.bfloat16(),
            lambda m, lib: m.to_empty(device="cpu").float().apply(_zeroed),
        ):
            said = []
            for module, library in ((got, ours), (wanted, torch)):
                if library is ours and ours.ones(1).device.type != "cpu":
                    return ""
                change(module, library)
                flags = [(n, type(m).__name__, m.training) for n, m in module.named_modules()]
                facts = [(n, str(t.dtype), t.requires_grad) for n, t in _members(module)] if not info.is_lazy else []
                said.append((flags, facts, len(list(module.children()))))
            if said[0] != said[1]:
                return f"{said[0]} for {said[1]}"
        return ""

    return _each(info, dtype, limit, question)


def _zeroed(module: Any) -> None:
    for p in module.parameters(recurse=False):
        if not type(p).__name__.startswith("Uninitialized"):
            p.data.zero_()


def _copies(info: Any, dtype: str, limit: int | None) -> Outcome:
    """A copy, a pickle and a saved file give the same module."""

    def question(theirs: Sample, mine: Sample, got: Any, wanted: Any) -> str | None:
        if _refused(lambda: _call(wanted, theirs, torch))[1]:
            return None
        for make in (copy.deepcopy, copy.copy, lambda m: pickle.loads(pickle.dumps(m)), _saved):
            again = make(got)
            if repr(again) != repr(got):
                return f"copied {again!r} for {got!r}"
            if list(again.state_dict()) != list(got.state_dict()):
                return "other keys after copying"
            if make is copy.copy:
                continue
            right = to_torch_all(_call(copy.deepcopy(got), mine, ours))
            problem = compare(_call(again, mine, ours), right, (0.0, 0.0))
            if problem:
                return f"after copying{problem}"
            if any(a is b for a, b in zip(again.parameters(), got.parameters(), strict=True)):
                return "the copy shares parameters"
        return ""

    return _each(info, dtype, limit, question)


def to_torch_all(value: Any) -> Any:
    """Returns a nested value with torch's tensors for ours."""
    if isinstance(value, ours.Tensor):
        return to_torch(value)
    if isinstance(value, (list, tuple)):
        return [to_torch_all(v) for v in value]
    return value


def _saved(module: Any) -> Any:
    file = io.BytesIO()
    ours.save(module, file)
    file.seek(0)
    return ours.load(file, weights_only=False)


_ONCE: dict[str, Callable[[Any, str, int | None], Outcome]] = {
    "signature": _signature,
    "attributes": _attributes,
    "repr": _repr,
    "state": _state,
    "modes": _modes,
    "copies": _copies,
}


def _error(info: Any, index: int, training: bool) -> Outcome:
    """Type and sentence of an error, at construction or at the call."""
    torch.manual_seed(0)
    wrong = info.module_error_inputs_func(info, "cpu", torch.float32, False, training)[index]
    made, called = wrong.module_error_input.constructor_input, wrong.module_error_input.forward_input
    given = Sample((made.args, made.kwargs), (called.args, called.kwargs) if called else ((), {}), training)
    mine = Sample(*((_mine(a), _mine(k)) for a, k in given.both()), training)
    said: list[BaseException | None] = []
    for kind, sample in ((info.module_cls, given), (_class(info.module_cls), mine)):
        said.append(None)
        try:
            module = kind(*sample.made[0], **sample.made[1]).train(training)
            if wrong.error_on is not ModuleErrorEnum.CONSTRUCTION_ERROR:
                module(*sample.called[0], **sample.called[1])
        except Exception as error:
            said[-1] = error
    theirs, own = said
    if theirs is None:
        return Outcome("refused", "torch raises nothing here")
    if own is None:
        return Outcome("fail", f"type: {given.text()}: no error, wanted {_told(theirs)}", 1, False)
    if not isinstance(own, type(theirs)):
        return Outcome("fail", f"type: {given.text()}: {_told(own)} for {_told(theirs)}", 1, False)
    equal = str(own).splitlines()[:1] == str(theirs).splitlines()[:1]
    if equal or (wrong.error_regex and re.search(wrong.error_regex, str(own))):
        return Outcome("pass", samples=1, message_equal=equal)
    return Outcome("fail", f"message: {given.text()}: {_told(own)} for {_told(theirs)}", 1, False)
