"""What is true of every op: plain functions of a case and a dtype that raise AssertionError, one an aspect.

They run on the backend that is selected (`use_backend`). torch's answers come from the goldens; where an op has none,
the laws that need no oracle still hold: derivative against difference, in-place and ``out=`` against the plain form.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np

from dispatchtorch._base.device import Device
from dispatchtorch._base.dtypes import FLOATING, DType, by_name
from dispatchtorch.autograd import grad
from dispatchtorch.autograd.gradcheck import gradcheck as check_gradient
from dispatchtorch.autograd.gradcheck import gradgradcheck as check_second_gradient
from dispatchtorch.dispatch.table import METHODS
from dispatchtorch.ops.samples import Sample
from dispatchtorch.plugin.selection import default_backend
from dispatchtorch.random.generator import manual_seed
from dispatchtorch.tensor import interop
from dispatchtorch.tensor.tensor import Tensor, lens_of, storage_of
from dispatchtorch.testing.conformance.cases import Case, checksum, cotangent, leaves, tensors_in
from dispatchtorch.testing.conformance.exceptions import (
    COARSE,
    FIRST,
    LOOSE,
    OTHER_METHOD,
    SIGNLESS,
    STRICT_INPLACE,
    SYMMETRIC,
    TIES,
    TWICE,
    UNCALLED_INPLACE,
    UNDIFFERENCED,
    UNFITTED_OUT,
    UNGRADED,
    UNREFUSED_OUT,
    VALUELESS,
    WRITES,
)
from dispatchtorch.testing.goldens import Golden, Output, load

__all__ = ["ASPECTS", "aliasing", "forward", "gradcheck", "gradgradcheck", "gradient", "inplace", "method", "out"]

Host = np.ndarray[Any, Any]
SMALL: Final = 40  # elements: finite differences cost two calls for each
TOLERANCES: Final = {  # rtol, atol: what different libraries' own rounding leaves; a wrong kernel is far outside
    "float16": (4e-3, 1e-3),
    "bfloat16": (3e-2, 1e-2),
    "float32": (1e-4, 1e-5),
    "float64": (1e-7, 1e-9),
    "complex64": (1e-4, 1e-5),
    "complex128": (1e-7, 1e-9),
}


def call(function: Callable[..., Any], sample: Sample, **more: Any) -> Any:
    """Returns the function's result, drawn from the stream that the goldens were drawn from."""
    manual_seed(1)
    return function(*sample.args, **sample.kwargs, **more)


def _same(
    got: Any, expected: Host, kind: str, what: str, *, signless: bool = False, loose: bool = False, coarse: float = 0.0
) -> None:
    """Asserts that values are equal as far as their dtype goes, or as ``coarse`` allows."""
    rtol, atol = TOLERANCES.get(kind, (0.0, 0.0))
    rtol, atol = (max(rtol, coarse), max(atol, 1e-5)) if coarse and rtol else (rtol, atol)
    if loose and kind in ("float16", "bfloat16"):
        rtol, atol = rtol * 10, atol * 30
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, not {expected.shape}"
    wide = np.result_type(expected.dtype, np.float64) if expected.dtype.kind in "fc" else expected.dtype
    got, expected = got.astype(wide), expected.astype(wide)
    if signless:
        got, expected = np.abs(got), np.abs(expected)
    same = np.isclose(got, expected, rtol, atol, equal_nan=True) if rtol else got == expected
    assert same.all(), f"{what}:\n{got}\nis not\n{expected}"


def _samples(case: Case, dtype: str) -> Iterator[tuple[int, Sample, Golden | None]]:
    """Yields the calls of a dtype with torch's answers; those that torch refuses are left out where it knows the op."""
    goldens = load()
    known = case.name not in goldens.unknown
    if case.name.startswith("_") and by_name(dtype).category < FLOATING:
        return  # the function over it decides in which dtype an internal op is called
    for number, sample in enumerate(case.samples(dtype)):
        golden = goldens.find(case.name, number, dtype)
        if golden is None and (known or by_name(dtype).category != FLOATING):
            continue
        if golden is not None and golden.inputs != checksum(sample):
            golden = None if case.name in VALUELESS else _stale(case, number, dtype)
        yield number, sample, golden


def _stale(case: Case, number: int, dtype: str) -> Golden:
    raise AssertionError(
        f"{case.name}, sample {number}, {dtype}: its arguments are not those of the golden; run "
        "tests/parity/record_conformance.py"
    )


def _require(sample: Sample, golden: Golden | None = None) -> list[Tensor]:
    """Returns the call's floating tensors, made to want a gradient where torch can give one."""
    found = [t for t in tensors_in(sample) if t.dtype.is_floating_point or t.dtype.is_complex]
    asked = golden.asked if golden is not None and golden.asked else (True,) * len(found)
    return [t.requires_grad_() for t, wanted in zip(found, asked, strict=True) if wanted]


def _backward(result: Any, inputs: list[Tensor], **options: Any) -> tuple[Any, ...] | None:
    """Returns the gradients of the inputs for the kit's cotangents, None where the result has no history."""
    roots = [(i, r) for i, r in enumerate(leaves(result)) if isinstance(r, Tensor) and r.requires_grad]
    if not roots:
        return None
    seeds = [_tensor(cotangent(tuple(r.shape), r.dtype.name, i), r.dtype) for i, r in roots]
    return grad([r for _, r in roots], inputs, seeds, allow_unused=True, **options)


def _tensor(host: Host, dtype: DType) -> Tensor:
    backend = default_backend()
    return interop.from_host(np.asarray(host).astype(interop.host_dtype(dtype)), Device(backend.devices[0]), backend)


# --- against torch ---------------------------------------------------------------------------------------------------


def forward(case: Case, dtype: str) -> None:
    """Asserts that values, shapes and dtypes are torch's."""
    for number, sample, golden in _samples(case, dtype):
        before = [np.array(interop.to_host(t)) for t in tensors_in(sample)]
        got = list(leaves(call(case.function, sample)))
        if golden is None:
            continue
        what = f"{case.name}, sample {number}, {dtype}"
        if case.name.startswith("_"):
            del got[len(golden.outputs) :]  # an internal op may return more, for its own backward
        assert len(got) == len(golden.outputs), f"{what}: {len(got)} results, not {len(golden.outputs)}"
        for i, (leaf, expected) in enumerate(zip(got, golden.outputs, strict=True)):
            if i and (case.name in FIRST or (case.name in TIES and by_name(dtype).category < FLOATING)):
                continue
            _compare(case, leaf, expected, f"{what}, result {i}")
        if not case.name.endswith("_") and case.name not in WRITES:
            for t, host in zip(tensors_in(sample), before, strict=True):
                assert np.array_equal(interop.to_host(t), host, equal_nan=host.dtype.kind in "fc"), (
                    f"{what}: an argument changed"
                )


def _compare(case: Case, leaf: Any, expected: Output, what: str) -> None:
    if expected.dtype.startswith("text:"):
        assert str(leaf) == expected.dtype[5:], f"{what}: {leaf}, not {expected.dtype[5:]}"
        return
    if not isinstance(leaf, Tensor):
        _same(leaf, expected.values, expected.dtype, what)
        return
    assert leaf.dtype.name == expected.dtype, f"{what}: dtype {leaf.dtype.name}, not {expected.dtype}"
    assert tuple(leaf.shape) == expected.shape, f"{what}: shape {tuple(leaf.shape)}, not {expected.shape}"
    if case.name not in VALUELESS:
        name = case.name
        options: Any = {"signless": name in SIGNLESS, "loose": name in LOOSE, "coarse": COARSE.get(name, (0.0, ""))[0]}
        _same(interop.to_host(leaf), expected.values, expected.dtype, what, **options)


def gradient(case: Case, dtype: str) -> None:
    """Asserts that the gradients of all inputs are torch's, and that a second backward pass is refused."""
    for number, sample, golden in _samples(case, dtype):
        if golden is None or golden.grads is None or case.name in SIGNLESS or case.name in UNGRADED:
            continue
        what = f"gradient of {case.name}, sample {number}, {dtype}"
        inputs = _require(sample, golden)
        got = _backward(call(case.function, sample), inputs)
        assert got is not None, f"{what}: the result has no history"
        for i, (g, expected) in enumerate(zip(got, golden.grads, strict=True)):
            _compare_gradient(g, expected, inputs[i], f"{what}, input {i}", case.name)


def _compare_gradient(g: Any, expected: Host | None, t: Tensor, what: str, name: str) -> None:
    if not isinstance(g, Tensor):
        assert expected is None or not np.any(expected), f"{what}: none, not {expected}"
        return
    assert g.dtype is t.dtype, f"{what}: dtype {g.dtype}, not {t.dtype}"
    wanted = np.zeros(tuple(t.shape), interop.to_host(g).dtype) if expected is None else expected
    _same(interop.to_host(g), wanted, t.dtype.name, what, signless=name in SIGNLESS, loose=name in LOOSE)


def aliasing(case: Case, dtype: str) -> None:
    """Asserts that results share storage with arguments exactly where torch's do, and that views are lenses."""
    for number, sample, golden in _samples(case, dtype):
        if golden is None or case.name.endswith("_") or case.name.startswith("_"):
            continue
        inputs = tensors_in(sample)
        pointers = [storage_of(t).address() for t in inputs]
        results = list(leaves(call(case.function, sample)))
        for i, (leaf, expected) in enumerate(zip(results, golden.outputs, strict=not case.name.startswith("_"))):
            if not isinstance(leaf, Tensor) or not leaf.numel():
                continue
            what = f"{case.name}, sample {number}, result {i}"
            shared = [j for j, t in enumerate(inputs) if storage_of(leaf) is storage_of(t)]
            if expected.source < 0:
                assert not shared, f"{what}: shares the storage of an argument, which torch's does not"
                continue
            assert shared[:1] == [expected.source], f"{what}: is no view of argument {expected.source}"
            assert leaf.untyped_storage().data_ptr() == pointers[shared[0]], f"{what}: data_ptr of the storage moved"
            assert lens_of(leaf).offset == expected.offset, (
                f"{what}: offset {lens_of(leaf).offset}, not {expected.offset}"
            )
            strides = [
                (a, b) for a, b, n in zip(lens_of(leaf).strides, expected.strides, expected.shape, strict=True) if n > 1
            ]
            assert all(a == b for a, b in strides), f"{what}: strides {lens_of(leaf).strides}, not {expected.strides}"
            if all(b for _, b in strides):
                _lens_laws(case, sample, leaf, inputs[shared[0]], i, what)


def _lens_laws(case: Case, sample: Sample, view: Tensor, base: Tensor, i: int, what: str) -> None:
    """Asserts put-get (what is written through the view is read from the base) and get-put on the base's side."""
    pointer = base.untyped_storage().data_ptr()
    values = np.array(interop.to_host(view))
    changed = ~values if values.dtype.kind == "b" else values + values.dtype.type(1)
    METHODS["copy_"](view, _tensor(changed, view.dtype))
    again = list(leaves(call(case.function, sample)))[i]
    _same(interop.to_host(again), changed, "", f"{what}: a write through the view does not reach the base")
    host = np.array(interop.to_host(base))
    other = ~host if host.dtype.kind == "b" else host * host.dtype.type(2)
    METHODS["copy_"](base, _tensor(other, base.dtype))
    again = list(leaves(call(case.function, sample)))[i]
    _same(interop.to_host(view), interop.to_host(again), "", f"{what}: a write to the base does not reach the view")
    assert base.untyped_storage().data_ptr() == pointer, f"{what}: data_ptr of the storage moved by a write"


# --- against differences ---------------------------------------------------------------------------------------------


def gradcheck(case: Case, dtype: str = "float64") -> None:
    """Asserts that derivatives agree with finite differences."""
    _differences(case, dtype, check_gradient)


def gradgradcheck(case: Case, dtype: str = "float64") -> None:
    """Asserts that second derivatives agree with differences of the first ones."""
    _differences(case, dtype, check_second_gradient)


def _differences(case: Case, dtype: str, check: Callable[..., bool]) -> None:
    checked = 0
    for number, sample in enumerate(case.samples(dtype)):
        if (
            not sample.grad
            or UNDIFFERENCED.keys() & {case.name, f"{case.name}/{number}"}
            or sum(t.numel() for t in tensors_in(sample)) > SMALL
        ):
            continue
        golden = load().find(case.name, number, "float32")
        if golden is None and case.name not in load().unknown:
            continue
        inputs = _require(sample, golden)
        shown = len(golden.outputs) if golden is not None and case.name.startswith("_") else None
        if not inputs or checked == 2:
            continue

        def function(*given: Tensor, sample: Sample = sample, shown: int | None = shown) -> Any:
            found = iter(given)

            def put(value: Any) -> Any:
                if isinstance(value, Tensor) and value.requires_grad:
                    x = next(found)
                    return (x + x.transpose(-2, -1)) / 2 if case.name in SYMMETRIC else x
                return type(value)(put(v) for v in value) if type(value) in (list, tuple) else value

            args = put(sample.args)
            kwargs = {k: put(v) for k, v in sample.kwargs.items()}
            results = list(leaves(call(case.function, Sample(args, kwargs))))[:shown]
            return tuple(r for r in results if isinstance(r, Tensor) and r.dtype.category >= FLOATING)

        if not any(r.requires_grad for r in function(*inputs)):
            continue
        checked += 1
        if check is check_second_gradient and case.name in TWICE:
            continue
        check(function, tuple(inputs), atol=1e-4, nondet_tol=1e-12)


# --- one form against another ----------------------------------------------------------------------------------------


def inplace(case: Case, dtype: str) -> None:
    """Asserts that ``op_`` writes what the plain form returns, keeps the storage, refuses what cannot be written."""
    form = case.inplace
    assert form is not None
    for number, sample, _ in _samples(case, dtype):
        if case.name in UNCALLED_INPLACE or not sample.args or not isinstance(sample.args[0], Tensor):
            continue
        what = f"{case.name}_, sample {number}"
        expected = call(case.function, sample)
        target = case.samples(dtype)[number].args[0]
        written = Sample((target, *sample.args[1:]), sample.kwargs)
        pointer, host = target.untyped_storage().data_ptr(), np.array(interop.to_host(target))
        try:
            got = call(form, written)
        except RuntimeError:
            fits = expected.shape == target.shape and expected.dtype.category <= target.dtype.category
            fits = fits and (case.name not in STRICT_INPLACE or expected.dtype is target.dtype)
            assert not fits, f"{what}: refused although the result fits"
            assert np.array_equal(interop.to_host(target), host), f"{what}: refused, but the tensor has changed"
            continue
        assert got is target, f"{what}: did not return its own tensor"
        cast = interop.to_host(expected).astype(interop.to_host(target).dtype)
        _same(interop.to_host(target), cast, target.dtype.name, what)
        assert target.untyped_storage().data_ptr() == pointer, f"{what}: data_ptr of the storage moved"
    _inplace_gradient(case, form)


def _inplace_gradient(case: Case, form: Callable[..., Any]) -> None:
    """Asserts that backward through ``op_`` gives the plain form's gradient."""
    for number, sample, golden in _samples(case, "float32"):
        if golden is None or golden.grads is None or case.name in UNCALLED_INPLACE:
            continue
        if not isinstance(sample.args[0], Tensor) or golden.outputs[0].shape != tuple(sample.args[0].shape):
            continue
        if case.name in STRICT_INPLACE and golden.outputs[0].dtype != sample.args[0].dtype.name:
            continue
        inputs = _require(sample, golden)
        start = METHODS["clone"](sample.args[0])
        call(form, Sample((start, *sample.args[1:]), sample.kwargs))
        got = _backward(start, inputs)
        assert got is not None, f"{case.name}_, sample {number}: the result has no history"
        for i, (g, expected) in enumerate(zip(got, golden.grads, strict=True)):
            _compare_gradient(
                g, expected, inputs[i], f"gradient of {case.name}_, sample {number}, input {i}", case.name
            )


def out(case: Case, dtype: str) -> None:
    """Asserts that ``out=`` is written, resized if empty, and refused (unchanged) where it cannot hold the result."""
    form = case.with_out
    assert form is not None
    for number, sample, _ in _samples(case, dtype):
        what = f"{case.name}(out=), sample {number}"
        expected = call(case.function, sample)
        if not all(isinstance(x, Tensor) for x in leaves(expected)):
            continue
        wanted = list(leaves(expected))
        targets = [_tensor(np.full(tuple(x.shape), 1), x.dtype) for x in wanted]
        empties = [_tensor(np.zeros(0), x.dtype) for x in wanted]
        for given in (targets,) if case.name in UNFITTED_OUT else (targets, empties):
            with _no_resize_warning():
                got = call(form, sample, out=tuple(given) if isinstance(expected, tuple) else given[0])
            for x, t, r in zip(wanted, given, leaves(got), strict=True):
                assert r is t, f"{what}: did not return the given tensor"
                if case.name not in VALUELESS:
                    _same(interop.to_host(t), interop.to_host(x), t.dtype.name, what)
        if isinstance(expected, Tensor) and expected.dtype.category >= FLOATING and case.name not in UNREFUSED_OUT:
            _refused_out(form, sample, expected, what)


def _refused_out(form: Callable[..., Any], sample: Sample, expected: Tensor, what: str) -> None:
    small = _tensor(np.full(tuple(expected.shape), 1), by_name("int64"))
    try:
        call(form, sample, out=small)
    except (RuntimeError, TypeError):  # a TypeError where tensors are joined
        assert (interop.to_host(small) == 1).all(), f"{what}: refused, but the tensor has changed"
    else:
        raise AssertionError(f"{what}: a floating result went into an int64 tensor")


@contextmanager
def _no_resize_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="An output with one or more elements was resized")
        yield


def method(case: Case, dtype: str) -> None:
    """Asserts that the method gives what the function gives."""
    form = case.method
    assert form is not None
    for number, sample, _ in _samples(case, dtype):
        if not sample.args or not isinstance(sample.args[0], Tensor) or case.name in OTHER_METHOD:
            continue
        results = zip(leaves(call(case.function, sample)), leaves(call(form, sample)), strict=True)
        for a, b in results:
            if isinstance(a, Tensor) and case.name not in VALUELESS:
                _same(interop.to_host(b), interop.to_host(a), a.dtype.name, f"method {case.name}, sample {number}")


ASPECTS: Final[dict[str, Callable[[Case, str], None]]] = {
    "forward": forward,
    "gradient": gradient,
    "gradcheck": gradcheck,
    "gradgradcheck": gradgradcheck,
    "inplace": inplace,
    "out": out,
    "method": method,
    "aliasing": aliasing,
}
