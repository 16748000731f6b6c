"""The rows of torch's op table: each is one question about one op, asked of torch and of dispatchtorch.

A row passes when every sample of it does. What torch itself refuses is no row. Knows nothing of reporting.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.testing._internal.common_device_type import toleranceOverride
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import DecorateInfo, SampleInput

import dispatchtorch as ours
from tests.oracle.bridge import Missing, compare, equivalent, sharing, tensors, to_ours, to_torch

__all__ = [
    "FORWARD",
    "KINDS",
    "NOT_ASKED",
    "RANDOM_GAUGE",
    "Outcome",
    "Row",
    "derivatives",
    "entries",
    "full_name",
    "rows",
    "samples_of",
    "tolerance_of",
]

FORWARD = ("float32", "int64", "bool", "complex64", "float16", "bfloat16", "float64", "complex128")
KINDS = ("forward", "grad", "gradgrad", "gradgradcheck", "method", "inplace", "out", "operator", "error")

# Entries that cannot apply, with the reason.
NOT_ASKED = {
    "jiterator_unary": "CUDA only",
    "jiterator_binary": "CUDA only",
    "jiterator_4inputs_with_extra_args": "CUDA only",
    "jiterator_binary_return_by_ref": "CUDA only",
    "jiterator_2inputs_2outputs": "CUDA only",
    "torch.ops.aten._flash_attention_forward": "CUDA only",
    "torch.ops.aten._efficient_attention_forward": "CUDA only",
    "torch.ops.aten._safe_softmax.default": "an internal name of PyTorch's compiler",
    "sparse.sampled_addmm": "sparse CSR",
    "sparse.mm.reduce": "sparse CSR",
    "_unsafe_masked_index": "an internal name of PyTorch's compiler",
    "_unsafe_masked_index_put_accumulate": "an internal name of PyTorch's compiler",
    "_native_batch_norm_legit": "an internal name of PyTorch's compiler",
    "_batch_norm_with_update": "an internal name of PyTorch's compiler",
    "nn.functional.scaled_mm": "float8 on CUDA only",
}

# Results without a meaning of their own: only shape and dtype are compared.
_UNDEFINED = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted"}


@dataclass
class Outcome:
    """What became of a row."""

    status: str  # "pass", "fail", "refused" (torch refuses it itself), "none" (no sample)
    reason: str = ""
    samples: int = 0
    message_equal: bool | None = None


@dataclass
class Row:
    """One question: ``ask()`` says what became of it."""

    op: str
    kind: str
    detail: str
    ask: Callable[[], Outcome] = field(repr=False)

    @property
    def name(self) -> str:
        """Returns the row's name."""
        return f"{self.op}/{self.kind}/{self.detail}"


def entries() -> Iterator[Any]:
    """Yields torch's entries that can apply."""
    for op in op_db:
        if op.name not in NOT_ASKED and full_name(op) not in NOT_ASKED:
            yield op


def full_name(op: Any) -> str:
    return op.name + (f".{op.variant_test_name}" if op.variant_test_name else "")


def tolerance_of(op: Any, dtype: torch.dtype) -> tuple[float, float] | None:
    """Returns torch's own tolerance for an op on the CPU where it has one."""
    found = None
    for decorator in op.decorators:
        if not isinstance(decorator, DecorateInfo) or decorator.device_type not in (None, "cpu"):
            continue
        for one in decorator.decorators:
            if isinstance(one, toleranceOverride) and dtype in one.d:
                rule = one.d[dtype]
                if found is None or rule.rtol > found[0]:
                    found = (rule.rtol, rule.atol)
    if found is None:
        return None
    default = {torch.float16: (1e-3, 1e-5), torch.bfloat16: (1.6e-2, 1e-5), torch.float32: (1.3e-6, 1e-5)}
    rtol, atol = default.get(dtype, (1e-7, 1e-7) if dtype in (torch.float64, torch.complex128) else (1.3e-6, 1e-5))
    return max(found[0], rtol), max(found[1], atol)


def _gives_up_gradgrad(op: Any) -> bool:
    """Returns whether torch's own entry skips gradgradcheck, or says that it fails."""
    return any(
        isinstance(d, DecorateInfo)
        and d.cls_name == "TestBwdGradients"
        and d.test_name in (None, "test_fn_gradgrad")
        and d.is_active("TestBwdGradients", "test_fn_gradgrad", "cpu", torch.float64, {})
        and any(getattr(one, "__module__", "") == "unittest.case" for one in d.decorators)
        for d in op.decorators
    )


def _dtype(name: str) -> torch.dtype:
    return getattr(torch, name)  # type: ignore[no-any-return]  # a dtype by its name


def rows(op: Any, limit: int | None = None) -> Iterator[Row]:
    """Yields the rows of an entry; ``limit``: samples a row."""
    name = full_name(op)
    supported = op.supported_dtypes("cpu")
    for dtype in FORWARD:
        if _dtype(dtype) in supported:
            yield Row(name, "forward", dtype, lambda d=dtype: _forward(op, d, limit))
    backward = op.supported_backward_dtypes("cpu") if op.supports_autograd else set()
    for dtype in ("float64", "complex128"):
        if _dtype(dtype) in backward:
            yield Row(name, "grad", dtype, lambda d=dtype: _grad(op, d, limit, second=False))
            if op.supports_gradgrad:
                yield Row(name, "gradgrad", dtype, lambda d=dtype: _grad(op, d, limit, second=True))
    if op.supports_autograd and op.supports_gradgrad and torch.float64 in backward and not _gives_up_gradgrad(op):
        yield Row(name, "gradgradcheck", "float64", lambda: _gradgradcheck(op, limit))
    first = next((d for d in FORWARD if _dtype(d) in supported), None)
    if first is None:
        return
    if op.method_variant is not None:
        yield Row(name, "method", first, lambda: _forward(op, first, limit, op.method_variant))
    if op.inplace_variant is not None:
        yield Row(name, "inplace", first, lambda: _inplace(op, first, limit, op.inplace_variant))
    if op.operator_variant is not None:
        yield Row(name, "operator", first, lambda: _forward(op, first, limit, op.operator_variant))
    if op.inplace_operator_variant is not None:
        yield Row(
            name, "operator", f"in-place {first}", lambda: _inplace(op, first, limit, op.inplace_operator_variant)
        )
    if op.supports_out:
        yield Row(name, "out", first, lambda: _out(op, first, limit))
    if op.error_inputs_func is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(0)
            wrong = list(op.error_inputs("cpu"))
        for i, _ in enumerate(wrong):
            yield Row(name, "error", str(i), lambda i=i: _error(op, i))


def samples_of(op: Any, dtype: str, limit: int | None, requires_grad: bool = False) -> list[SampleInput]:
    torch.manual_seed(0)
    found = list(op.sample_inputs("cpu", _dtype(dtype), requires_grad=requires_grad))
    if limit is not None and len(found) > limit:  # spread over the list: its kinds of sample stand in runs
        step = len(found) / limit
        found = [found[int(i * step)] for i in range(limit)]
    return found


def _call(function: Any, sample: Any) -> Any:
    return function(sample.input, *sample.args, **sample.kwargs)


def _mine(sample: Any) -> SampleInput:
    return SampleInput(to_ours(sample.input), args=to_ours(tuple(sample.args)), kwargs=to_ours(dict(sample.kwargs)))


def _seeded(function: Callable[[], Any], library: Any) -> Any:
    library.manual_seed(1)
    return function()


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"


def _describe(sample: Any) -> str:
    def text(v: Any) -> str:
        if isinstance(v, torch.Tensor):
            return f"{str(v.dtype).removeprefix('torch.')}{list(v.shape)}"
        if isinstance(v, (list, tuple)):
            return "(" + ", ".join(map(text, v)) + ")"
        return repr(v)[:60]

    parts = [text(sample.input), *map(text, sample.args), *(f"{k}={text(v)}" for k, v in sample.kwargs.items())]
    return "(" + ", ".join(parts)[:300] + ")"


def _forward(op: Any, dtype: str, limit: int | None, variant: Any = None) -> Outcome:
    theirs = variant if variant is not None else op.op
    mine = equivalent(theirs)
    tolerance = tolerance_of(op, _dtype(dtype))
    asked = 0
    for sample in samples_of(op, dtype, limit):
        try:
            wanted = _seeded(lambda s=sample: _call(theirs, s), torch)
        except Exception:
            continue
        asked += 1
        again = _mine(sample)
        try:
            got = _seeded(lambda s=again: _call(mine, s), ours)
        except Exception as error:
            return Outcome("fail", f"{_describe(sample)}: {_told(error)}", asked)
        problem = compare(got, wanted, tolerance, values=op.name not in _UNDEFINED)
        if problem and op.name not in _UNDEFINED:
            problem = _gauge_free(op, sample, got, wanted, tolerance) and problem
        if problem:
            return Outcome("fail", f"{_describe(sample)}{problem}", asked)
    return Outcome("pass" if asked else "none", samples=asked)


# Factors that are unique up to signs, phases or a basis: what they say is compared by putting them together again.
def _columns(u: Any) -> Any:
    return u.abs()


def _named(result: Any, index: Any, sample: Any, dim: int | None) -> tuple[Any, Any]:
    """Returns a result with its places, as the values that these name: which of equal elements is left open."""
    source = sample.input.detach()
    index = to_torch(index) if isinstance(index, ours.Tensor) else index
    if dim is None or not source.dim():
        return result, to_ours(source.reshape(-1)[index])
    kept = index if index.dim() == source.dim() else index.unsqueeze(dim)
    return result, to_ours(source.gather(dim, kept).reshape(index.shape))


def _along(sample: Any, place: int, default: int = -1) -> int:
    """Returns the dim of a call: a keyword, or the argument at a place."""
    found = sample.kwargs.get("dim", sample.args[place] if len(sample.args) > place else default)
    return int(found)


def _sorted(result: Any, sample: Any) -> Any:
    stable = sample.kwargs.get("stable", sample.args[2] if len(sample.args) > 2 else False)
    return result if stable else _named(result[0], result[1], sample, _along(sample, 0))


def _argsorted(result: Any, sample: Any) -> Any:
    return result if sample.kwargs.get("stable") else _named((), result, sample, _along(sample, 0))


TOGETHER: dict[str, Callable[..., Any]] = {
    "sort": _sorted,
    "argsort": _argsorted,
    "topk": lambda r, s: _named(r[0], r[1], s, _along(s, 1)),
    "kthvalue": lambda r, s: _named(r[0], r[1], s, _along(s, 1)),
    "mode": lambda r, s: _named(r[0], r[1], s, _along(s, 0)),
    "linalg.eig": lambda r, s: (r[0], _columns(r[1])),
    "linalg.eigh": lambda r, s: (r[0], _columns(r[1])),
    "linalg.svd": lambda r, s: (r[1], _columns(r[0][..., : r[1].shape[-1]]), _columns(r[2][..., : r[1].shape[-1], :])),
    "svd": lambda r, s: (r[1], _columns(r[0][..., : r[1].shape[-1]]), _columns(r[2][..., : r[1].shape[-1]])),
    "svd_lowrank": lambda r, s: (r[1], _columns(r[0]), _columns(r[2])),
    "pca_lowrank": lambda r, s: (r[1], _columns(r[0]), _columns(r[2])),
}


RANDOM_GAUGE = frozenset({*TOGETHER, "lobpcg", "linalg.qr", "qr", "geqrf", *_UNDEFINED})  # no one answer


def _wanted(value: Any) -> Any:
    """Returns torch's side of a comparison with every tensor as torch's."""
    if isinstance(value, ours.Tensor):
        return to_torch(value)
    return tuple(map(_wanted, value)) if isinstance(value, tuple) else value


def _gauge_free(op: Any, sample: Any, got: Any, wanted: Any, tolerance: Any) -> str:
    together = TOGETHER.get(op.name)
    if together is None:
        return "differs"
    return compare(together(got, sample), _wanted(together(wanted, sample)), tolerance or (1e-4, 1e-4))


def _inplace(op: Any, dtype: str, limit: int | None, variant: Any) -> Outcome:
    mine = equivalent(variant)
    tolerance = tolerance_of(op, _dtype(dtype))
    asked = 0
    for sample in samples_of(op, dtype, limit):
        if sample.broadcasts_input:
            continue
        again = _mine(sample)
        target = sample.input.clone() if isinstance(sample.input, torch.Tensor) else [t.clone() for t in sample.input]
        refused: BaseException | None = None
        try:
            torch.manual_seed(1)
            variant(target, *sample.args, **sample.kwargs)
        except Exception as error:
            refused = error
        asked += 1
        own = again.input.clone() if isinstance(again.input, ours.Tensor) else [t.clone() for t in again.input]
        try:
            ours.manual_seed(1)
            returned = mine(own, *again.args, **again.kwargs)
        except Exception as error:
            if refused is not None and isinstance(error, type(refused)):
                continue
            return Outcome(
                "fail", f"{_describe(sample)}: {_told(error)}" + (f" for {_told(refused)}" if refused else ""), asked
            )
        if refused is not None:
            return Outcome("fail", f"{_describe(sample)}: no error, wanted {_told(refused)}", asked)
        if isinstance(own, ours.Tensor) and returned is not own:
            return Outcome("fail", f"{_describe(sample)}: does not return its tensor", asked)
        problem = compare(own, target, tolerance)
        if problem:
            return Outcome("fail", f"{_describe(sample)}{problem}", asked)
    return Outcome("pass" if asked else "none", samples=asked)


def _out(op: Any, dtype: str, limit: int | None) -> Outcome:
    """The result goes into given tensors: of the right size, of size nought, of a wrong size, of a wrong dtype."""
    mine = equivalent(op.op)
    tolerance = tolerance_of(op, _dtype(dtype))
    asked = 0
    for sample in samples_of(op, dtype, limit if limit is not None else 6):
        try:
            wanted = _seeded(lambda s=sample: _call(op.op, s), torch)
        except Exception:
            continue
        if not isinstance(wanted, torch.Tensor) and not (
            isinstance(wanted, tuple) and all(isinstance(t, torch.Tensor) for t in wanted)
        ):
            continue
        for way in _WAYS:
            if way == "strided" and op.name in _OVERRUNS:
                continue
            asked += 1
            problem = _out_way(op, mine, sample, wanted, tolerance, way)
            if problem:
                return Outcome("fail", f"{_describe(sample)} {way}: {problem}", asked)
    return Outcome("pass" if asked else "none", samples=asked)


_WAYS = ("right", "empty", "larger", "strided", "integer")
_OVERRUNS = {
    "tril",
    "triu",
    "lu_unpack",
    "narrow_copy",
    "nn.functional.avg_pool3d",
    "linalg.lu",
}  # PyTorch 2.13 writes these beyond the memory of a strided out=


def _given(t: torch.Tensor, way: str) -> torch.Tensor:
    if way == "right":
        return torch.full_like(t, 1, memory_format=torch.contiguous_format)
    if way == "empty":
        return t.new_empty((0,))
    if way == "larger":
        return t.new_ones((*t.shape, 2))
    if way == "strided":
        return t.new_ones((*t.shape[::-1], 2))[..., 0].permute(tuple(range(t.dim()))[::-1])
    return torch.ones(t.shape, dtype=torch.int32)


def _out_way(op: Any, mine: Any, sample: Any, wanted: Any, tolerance: Any, way: str) -> str:
    single = isinstance(wanted, torch.Tensor)
    theirs = [_given(t, way) for t in ([wanted] if single else wanted)]
    own = [to_ours(t) for t in theirs]
    before = [t.data_ptr() for t in own]
    refused = None
    with warnings.catch_warnings(record=True) as theirs_told:
        warnings.simplefilter("always")
        try:
            torch.manual_seed(1)
            op.op(sample.input, *sample.args, **sample.kwargs, out=theirs[0] if single else tuple(theirs))
        except Exception as error:
            refused = error
    again = _mine(sample)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            ours.manual_seed(1)
            mine(again.input, *again.args, **again.kwargs, out=own[0] if single else tuple(own))
        except Exception as error:
            if refused is not None and isinstance(error, type(refused)):
                return ""
            return _told(error) + (f" for {_told(refused)}" if refused else "")
    if refused is not None:
        return f"no error, wanted {_told(refused)}"
    problem = compare(own, theirs, tolerance, values=op.name not in _UNDEFINED)
    if problem and (single or not _same_together(op, sample, own, theirs, tolerance)):
        return problem
    if way in ("right", "strided") and [t.data_ptr() for t in own] != before:
        return "out= moved to other memory"
    if way == "larger":
        resized = [any("was resized" in str(w.message) for w in ws) for ws in (theirs_told, told)]
        if resized[0] != resized[1]:
            return f"resize warning {resized[1]} for {resized[0]}"
    return ""


def _same_together(op: Any, sample: Any, own: Any, theirs: Any, tolerance: Any) -> bool:
    return op.name in TOGETHER and not _gauge_free(op, sample, tuple(own), tuple(theirs), tolerance)


def _leaves(sample: Any, kind: type) -> list[Any]:
    return [t for t in tensors((sample.input, sample.args, sample.kwargs), kind) if t.requires_grad]


def _differentiable(result: Any, kind: type) -> list[Any]:
    return [t for t in tensors(result, kind) if t.requires_grad]


def _grad(op: Any, dtype: str, limit: int | None, second: bool) -> Outcome:
    mine = equivalent(op.op)
    tolerance = tolerance_of(op, _dtype(dtype))
    asked = 0
    for sample in samples_of(op, dtype, limit, requires_grad=True):
        process = sample.output_process_fn_grad
        again = _mine(sample)
        try:
            torch.manual_seed(1)
            wanted = derivatives(
                lambda s=sample, p=process: p(_call(op.op, s)), _leaves(sample, torch.Tensor), torch, second
            )
        except Exception:
            continue
        if wanted is None:
            continue
        asked += 1
        try:
            own_process = _process(process)
            ours.manual_seed(1)
            got = derivatives(
                lambda s=again, p=own_process: p(_call(mine, s)), _leaves(again, ours.Tensor), ours, second
            )
        except Exception as error:
            return Outcome("fail", f"{_describe(sample)}: {_told(error)}", asked)
        if got is None and any(t.numel() for t in wanted if t is not None):
            return Outcome("fail", f"{_describe(sample)}: no derivative", asked)
        if got is None:
            continue
        problem = compare(got, wanted, tolerance)
        if problem:
            return Outcome("fail", f"{_describe(sample)}{problem}", asked)
    return Outcome("pass" if asked else "none", samples=asked)


def _process(function: Any) -> Any:
    return equivalent(function) if (getattr(function, "__module__", "") or "").startswith("torch") else function


def _cotangents(outs: list[Any], library: Any, start: int = 0, places: list[int] | None = None) -> list[Any]:
    """Returns seeds that both libraries make alike."""
    made = []
    for i, o in zip(places if places is not None else range(len(outs)), outs, strict=True):
        count = 1
        for n in o.shape:
            count *= n
        line = torch.cos(torch.arange(count, dtype=torch.float64) * 0.7 + start + i) + 0.25
        line = line.reshape(tuple(o.shape))
        if o.is_complex():
            line = line + 0.5j * line.flip(0) if line.dim() else line + 0.5j * line
        line = line.to(getattr(torch, str(o.dtype).removeprefix("torch.")))
        made.append(line if library is torch else to_ours(line))
    return made


def derivatives(function: Callable[[], Any], leaves: list[Any], library: Any, second: bool) -> Any:
    kind = library.Tensor
    if not leaves:
        return None
    outs = _differentiable(function(), kind)
    if not outs:
        return None
    seeds = _cotangents(outs, library)
    if second:
        seeds = [s.requires_grad_() for s in seeds]
    grads = library.autograd.grad(outs, leaves, seeds, create_graph=second, allow_unused=True)
    if not second:  # of a tensor without elements, None says as much as a gradient
        return [library.zeros_like(t) if g is None and not t.numel() else g for g, t in zip(grads, leaves, strict=True)]
    places = [i for i, g in enumerate(grads) if g is not None and g.requires_grad]
    firsts = [grads[i] for i in places]
    if not firsts:
        return None
    inputs = [*leaves, *seeds]
    again = library.autograd.grad(firsts, inputs, _cotangents(firsts, library, 5, places), allow_unused=True)
    # Nought and None mean the same here.
    return [library.zeros_like(t) if g is None else g for g, t in zip(again, inputs, strict=True)]


def _plain(function: Any, *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


def _gradgradcheck(op: Any, limit: int | None) -> Outcome:
    """Finite differences of our own first derivative, on the smallest samples."""
    mine = equivalent(op.op)
    # torch's entries say so where an op wants its input made hermitian or triangular first; masks are ours to keep.
    wrapper = _plain if "masked" in op.gradcheck_wrapper.__name__ else equivalent(op.gradcheck_wrapper)
    asked = 0
    samples = samples_of(op, "float64", None, requires_grad=True)
    samples = sorted(samples, key=lambda s: sum(t.numel() for t in _leaves(s, torch.Tensor)))
    samples = [s for s in samples if 0 < sum(t.numel() for t in _leaves(s, torch.Tensor)) <= 200][:3]
    for sample in samples:
        again = _mine(sample)
        process = _process(sample.output_process_fn_grad)
        inputs = _leaves(again, ours.Tensor)

        def call(*values: Any, s: Any = again, leaves: Any = inputs, p: Any = process) -> Any:
            filled = dict(zip(map(id, leaves), values, strict=True))
            ours.manual_seed(1)
            made = _with(s, filled)
            return p(wrapper(mine, made.input, *made.args, **made.kwargs))

        try:
            if not _differentiable(call(*inputs), ours.Tensor):
                continue
            asked += 1
            ours.autograd.gradgradcheck(call, inputs, gen_non_contig_grad_outputs=False, atol=1e-4, rtol=1e-3)
        except Exception as error:
            text = " ".join(str(error).split())[:220]
            return Outcome("fail", f"{_describe(sample)}: {type(error).__name__}: {text}", asked)
    return Outcome("pass" if asked else "none", samples=asked)


def _with(sample: Any, filled: dict[int, Any]) -> SampleInput:
    def put(v: Any) -> Any:
        if isinstance(v, ours.Tensor):
            return filled.get(id(v), v)
        if isinstance(v, (list, tuple)):
            return type(v)(map(put, v))
        return {k: put(x) for k, x in v.items()} if isinstance(v, dict) else v

    return SampleInput(put(sample.input), args=put(tuple(sample.args)), kwargs=put(dict(sample.kwargs)))


def _error(op: Any, index: int) -> Outcome:
    """Type and sentence of the error; a sentence counts by torch's own pattern, and whether it is equal is told too."""
    torch.manual_seed(0)
    wrong = list(op.error_inputs("cpu"))[index]
    sample = wrong.sample_input
    theirs: BaseException | None = None
    try:
        _call(op.op, sample)
    except Exception as error:
        theirs = error
    if theirs is None:
        return Outcome("refused", "torch raises nothing here")
    try:
        mine = equivalent(op.op)
        with sharing((sample.input, sample.args, sample.kwargs)):
            again = _mine(sample)
        got = _call(mine, again)
    except Missing as error:
        return Outcome("fail", f"type: {error}", 1, False)
    except Exception as error:
        text, wanted = str(error), str(theirs)
        if not isinstance(error, type(theirs)):
            return Outcome("fail", f"type: {_describe(sample)}: {_told(error)} for {_told(theirs)}", 1, False)
        pattern = wrong.error_regex
        equal = text.splitlines()[:1] == wanted.splitlines()[:1]
        if equal or (pattern and re.search(pattern, text)):
            return Outcome("pass", samples=1, message_equal=equal)
        return Outcome("fail", f"message: {_describe(sample)}: {_told(error)} for {_told(theirs)}", 1, False)
    del got
    return Outcome("fail", f"type: {_describe(sample)}: no error, wanted {_told(theirs)}", 1, False)
