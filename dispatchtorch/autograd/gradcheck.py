"""Checks of derivatives against finite differences: torch's ``gradcheck`` and ``gradgradcheck``.

Jacobians are lists of rows of Python numbers, one row an input element and one column an output element, as torch
prints them. Knows tensors and the engine; values leave through ``tolist`` and come back through ``new_tensor``, so it
runs on every backend and needs no array library of its own.
"""

from __future__ import annotations

import cmath
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from dispatchtorch._base.dtypes import DType
from dispatchtorch._base.pytree import tree_leaves, tree_map
from dispatchtorch.autograd.api import grad
from dispatchtorch.autograd.forward_ad import dual_level, make_dual, unpack_dual
from dispatchtorch.autograd.grad_mode import enable_grad
from dispatchtorch.dispatch.table import FUNCTIONS, METHODS
from dispatchtorch.tensor.lens import Lens
from dispatchtorch.tensor.tensor import Tensor, lens_of

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Function = Callable[..., Any]
Jacobian = list[list[complex]]
_PARTS: Final = ("imag", "real")  # the order in which torch looks at complex outputs
_NONDETERMINISTIC: Final = """

NOTE: If your op relies on non-deterministic operations i.e., it is listed here:
https://pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html
this failure might be expected.

If you are adding a new operator, please file an issue and then use one of the
workarounds. The workaround depends on how your test invokes gradcheck/gradgradcheck.
If the test
- manually invokes gradcheck/gradgradcheck, then call gradcheck/gradgradcheck
  with `nondet_tol=<tol>` as a keyword argument.
- is OpInfo-based (e.g., in test_ops_gradients.py), then modify the OpInfo for the test
  to have `gradcheck_nondet_tol=<tol>`.
- is a Module test (e.g., in common_nn.py), then modify the corresponding
  module_test entry to have `gradcheck_nondet_tol=<tol>`
"""


class GradcheckError(RuntimeError):
    """A derivative differs from the finite difference; the message shows both."""


def gradcheck(
    func: Function,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Returns whether the derivatives of ``func`` at ``inputs`` agree with central differences of step ``eps``.

    Each output is differentiated alone, so undefined gradients of the others are always covered; ``fast_mode`` is
    accepted and checks every element all the same. Raises GradcheckError where they do not agree, unless
    ``raise_exception`` is False; ValueError where no input requires a gradient.
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_grad and not check_backward_ad:
        raise AssertionError("Setting check_batched_grad=True requires check_backward_ad to be True")
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError("Setting check_batched_forward_grad=True requires check_forward_ad to be True")
    if check_batched_forward_grad:
        raise NotImplementedError("gradcheck: batched forward gradients are not available in dispatchtorch")
    given = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    try:
        if check_backward_ad:
            _check(func, given, eps, atol, rtol, nondet_tol, check_grad_dtypes)
        else:
            _check_inputs(given)
        if check_forward_ad:
            _check_forward(func, given, eps, atol, rtol)
        if check_batched_grad:
            _check_batched(func, given)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Function,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Returns whether the second derivatives of ``func`` agree with differences of its first ones.

    ``grad_outputs`` are drawn uniformly from [-1, 1) where not given. Raises as `gradcheck` does.
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    given = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    if grad_outputs is None:
        grads = tuple(_random_like(o, gen_non_contig_grad_outputs) for o in _outputs(func(*given)))
    else:
        grads = (grad_outputs,) if isinstance(grad_outputs, Tensor) else tuple(grad_outputs)
    count = len(grads)

    def first_derivative(*args: Any) -> tuple[Tensor, ...]:
        own, cotangents = args[: len(args) - count], args[len(args) - count :]
        own = tuple(a.requires_grad_() if _is_wanted(a) else a for a in own)
        wanted = [a for a in _tensors(own) if _is_wanted(a)]
        outputs = [o for o in _outputs(func(*own)) if o.requires_grad]
        got = grad(outputs, wanted, cotangents, create_graph=True, allow_unused=True)
        return tuple(g for g in got if isinstance(g, Tensor))

    return gradcheck(
        first_derivative,
        (*given, *grads),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
    )


# --- what goes in and comes out --------------------------------------------------------------------------------------


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def _is_wanted(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _is_continuous(t: Tensor) -> bool:
    return t.dtype.is_floating_point or t.dtype.is_complex


def _outputs(result: Any) -> list[Tensor]:
    """Returns the outputs that can have a derivative."""
    return [o for o in _tensors(result) if _is_continuous(o) and o.requires_grad]


def _random_like(output: Tensor, strided: bool) -> Tensor:
    shape = (*output.shape, 2) if strided else tuple(output.shape)
    drawn: Tensor = METHODS["uniform_"](METHODS["new_empty"](output, shape), -1, 1)
    return (drawn[..., 0] if strided else drawn).requires_grad_()


def _check_inputs(given: tuple[Any, ...]) -> list[Tensor]:
    wanted = []
    for i, t in enumerate(_tensors(given)):
        if not _is_wanted(t):
            continue
        if t.dtype.name not in ("float64", "complex128"):
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This check "
                "will likely fail if all the inputs are not of double precision floating point or complex. ",
                stacklevel=4,
            )
        lens: Lens = lens_of(t)
        if any(stride == 0 and size > 1 for size, stride in zip(lens.shape, lens.strides, strict=True)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to compute the numerical gradients correctly. You should call .contiguous "
                "on the input before passing it to gradcheck."
            )
        wanted.append(t)
    if not wanted:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True."
        )
    return wanted


# --- jacobians -------------------------------------------------------------------------------------------------------


def _numbers(t: Tensor) -> list[complex]:
    """Returns all values, row by row."""
    found: Any = t.detach().tolist()
    while isinstance(found, list) and found and isinstance(found[0], list):
        found = [x for row in found for x in row]
    return found if isinstance(found, list) else [found]


def _like(t: Tensor, values: Sequence[complex], dtype: DType | None = None) -> Tensor:
    return METHODS["new_tensor"](t, list(values), dtype).reshape(tuple(t.shape))  # type: ignore[no-any-return]  # a method of the table


def _part(values: Sequence[complex], part: str) -> list[complex]:
    return [complex(v).imag if part == "imag" else v.real for v in values] if part else list(values)


def _numerical(values: Callable[[], list[list[complex]]], t: Tensor, eps: float, count: int) -> list[Jacobian]:
    """Returns one jacobian an output: central differences as ``t`` is stepped, element by element."""
    at = _numbers(t)
    directions = (1, 1j) if t.dtype.is_complex else (1,)
    rows: list[Jacobian] = [[] for _ in range(count)]
    data = t.detach()

    def stepped(i: int, step: complex) -> list[list[complex]]:
        METHODS["copy_"](data, _like(t, [v + step if j == i else v for j, v in enumerate(at)]))
        return values()

    try:
        for i in range(len(at)):
            total: list[list[complex]] = []
            for direction in directions:
                high, low = stepped(i, eps * direction), stepped(i, -eps * direction)
                slope = [
                    [(b - a) / (2 * eps) * direction for a, b in zip(x, y, strict=True)]
                    for x, y in zip(low, high, strict=True)
                ]
                total = _added(total, slope) if total else slope
            for o in range(count):
                rows[o].append(total[o])
    finally:
        METHODS["copy_"](data, _like(t, at))
    return rows


def _added(one: list[list[complex]], other: list[list[complex]]) -> list[list[complex]]:
    return [[a + b for a, b in zip(x, y, strict=True)] for x, y in zip(one, other, strict=True)]


def _analytical(output: Tensor, inputs: Sequence[Tensor], unit: complex) -> list[Jacobian]:
    """Returns one jacobian an input: a backward pass for each element of the output, with cotangent ``unit``."""
    count = output.numel()
    rows: list[Jacobian] = [[[0.0] * count for _ in range(t.numel())] for t in inputs]
    for j in range(count):
        seed = _like(output, [unit if i == j else 0.0 for i in range(count)])
        got = grad(output, inputs, seed, retain_graph=True, allow_unused=True)
        for jacobian, g in zip(rows, got, strict=True):
            if isinstance(g, Tensor):
                for row, value in zip(jacobian, _numbers(g), strict=True):
                    row[j] = value
    return rows


def _is_close(a: complex, b: complex, rtol: float, atol: float) -> bool:
    if a == b:
        return True
    return abs(a - b) <= atol + rtol * abs(b) and cmath.isfinite(b)


def _all(a: Jacobian, b: Jacobian) -> Iterator[tuple[complex, complex]]:
    for row, other in zip(a, b, strict=True):
        yield from zip(row, other, strict=True)


# --- the check -------------------------------------------------------------------------------------------------------


def _check(
    func: Function, given: tuple[Any, ...], eps: float, atol: float, rtol: float, nondet_tol: float, dtypes: bool
) -> None:
    wanted = _check_inputs(given)
    with enable_grad():
        outputs = _outputs(func(*given))
    if not outputs:
        _check_flat(func, given, wanted, eps)
        return
    parts = _PARTS if any(o.dtype.is_complex for o in outputs) else ("",)
    for part in parts:

        def values(part: str = part) -> list[list[complex]]:
            found = [o for o in _tensors(func(*given)) if _is_continuous(o)]
            return [_part(_numbers(o), part if o.dtype.is_complex else "") for o in found]

        numerical = [_numerical(values, t, eps, len(values())) for t in wanted]
        with enable_grad():
            traced = [o for o in _tensors(func(*given)) if _is_continuous(o)]
        for i, output in enumerate(traced):
            if not output.requires_grad or (part == "imag" and not output.dtype.is_complex):
                continue
            unit = 1j if part == "imag" else 1.0
            analytical = _analytical(output, wanted, unit)
            _compare(i, part, wanted, [n[i] for n in numerical], analytical, rtol, atol)
            again = _analytical(output, wanted, unit)
            pairs = zip(analytical, again, strict=True)
            if any(abs(a - b) > nondet_tol for x, y in pairs for a, b in _all(x, y)):
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times "
                    "gives different values, although analytical gradient matches numerical gradient."
                    f"The tolerance for nondeterminism was {nondet_tol}." + _NONDETERMINISTIC
                )
    with enable_grad():
        outputs = _outputs(func(*given))
    _check_scaling(outputs, wanted, dtypes)


def _check_flat(func: Function, given: tuple[Any, ...], wanted: list[Tensor], eps: float) -> None:
    """Raises GradcheckError where outputs without history change with the inputs."""
    count = len(_tensors(func(*given)))

    def values() -> list[list[complex]]:
        return [[complex(v) for v in _numbers(o)] for o in _tensors(func(*given))]

    for t in wanted:
        for jacobian in _numerical(values, t, eps, count):
            if any(value != 0 for row in jacobian for value in row):
                raise GradcheckError("Numerical gradient for function expected to be zero")


def _compare(
    i: int,
    part: str,
    inputs: Sequence[Tensor],
    numerical: Sequence[Jacobian],
    analytical: Sequence[Jacobian],
    rtol: float,
    atol: float,
) -> None:
    prefix = ""
    if part:
        name = "imaginary" if part == "imag" else "real"
        prefix = f"While considering the {name} part of complex outputs only, "
    for j, (t, n, a) in enumerate(zip(inputs, numerical, analytical, strict=True)):
        if not all(_is_close(x, y, rtol, atol) for x, y in _all(a, n)):
            shown = [METHODS["new_tensor"](t, rows) for rows in (n, a)]
            raise GradcheckError(
                f"{prefix}Jacobian mismatch for output {i} with respect to input {j},\n"
                f"numerical:{shown[0]}\nanalytical:{shown[1]}\n"
            )


def _check_scaling(outputs: Sequence[Tensor], inputs: Sequence[Tensor], dtypes: bool) -> None:
    """Raises GradcheckError where a zero gradient does not stay zero, or changes its dtype."""
    seeds = [METHODS["new_zeros"](o, tuple(o.shape)) for o in outputs]
    got = grad(outputs, inputs, seeds, retain_graph=True, allow_unused=True)
    found: list[Any] = list(got)  # None for an input that was not used
    for g, t in zip(found, inputs, strict=True):
        if g is None:
            continue
        if any(value != 0 for value in _numbers(g)):
            raise GradcheckError("backward not multiplied by grad_output")
        if dtypes and g.dtype is not t.dtype:
            raise GradcheckError("grad is incorrect type")


# --- forward mode and batches ----------------------------------------------------------------------------------------


def _check_forward(func: Function, given: tuple[Any, ...], eps: float, atol: float, rtol: float) -> None:
    """Raises GradcheckError where tangents differ from differences; real inputs and outputs only."""
    wanted = [t for t in _tensors(given) if _is_wanted(t)]
    if any(t.dtype.is_complex for t in wanted):
        raise NotImplementedError("gradcheck: forward mode of complex inputs is not available in dispatchtorch")

    def values() -> list[list[complex]]:
        return [_numbers(o) for o in _tensors(func(*given)) if _is_continuous(o)]

    count = len(values())
    for j, t in enumerate(wanted):
        numerical = _numerical(values, t, eps, count)
        rows: list[Jacobian] = [[] for _ in range(count)]
        for e in range(t.numel()):
            for row, tangent in zip(rows, _tangents(func, given, t, e), strict=True):
                row.append(tangent)
        for i in range(count):
            if not all(_is_close(x, y, rtol, atol) for x, y in _all(rows[i], numerical[i])):
                shown = [METHODS["new_tensor"](t, jacobian) for jacobian in (numerical[i], rows[i])]
                raise GradcheckError(
                    f"Jacobian computed with forward mode mismatch for output {i} with respect to input {j},\n"
                    f"numerical:{shown[0]}\nanalytical:{shown[1]}\n"
                )


def _tangents(func: Function, given: tuple[Any, ...], t: Tensor, e: int) -> list[list[complex]]:
    """Returns each output's derivative along one element of ``t``."""
    direction = _like(t, [1.0 if k == e else 0.0 for k in range(t.numel())])
    with dual_level(), enable_grad():
        duals = tree_map(lambda a: make_dual(a, direction) if a is t else a, given)
        found: list[list[complex]] = []
        for output in _tensors(func(*duals)):
            if _is_continuous(output):
                tangent = unpack_dual(output).tangent
                found.append([0.0] * output.numel() if tangent is None else _numbers(tangent))
    return found


def _check_batched(func: Function, given: tuple[Any, ...]) -> None:
    """Raises GradcheckError where gradients for several cotangents at once differ from those for each."""
    wanted = [t for t in _tensors(given) if _is_wanted(t)]
    with enable_grad():
        outputs = _outputs(func(*given))
    for i, output in enumerate(outputs):
        seeds = [_random_like(output, False).detach() for _ in range(2)]
        each = [grad(output, wanted, seed, retain_graph=True, allow_unused=True) for seed in seeds]
        batch = FUNCTIONS["stack"](seeds)
        together = grad(output, wanted, batch, retain_graph=True, allow_unused=True, is_grads_batched=True)
        for j, got in enumerate(together):
            want = [row[j] for row in each]
            if not isinstance(got, Tensor) or not all(isinstance(w, Tensor) for w in want):
                continue
            pairs = zip(_numbers(got), [v for w in want for v in _numbers(w)], strict=True)
            if not all(_is_close(a, b, 1e-5, 1e-8) for a, b in pairs):
                raise GradcheckError(
                    f"For output {i} and input {j}:\n\ngradcheck or gradgradcheck failed while testing batched "
                    f"gradient computation.\n\nGot:\n{got}\n\nExpected:\n{FUNCTIONS['stack'](want)}\n"
                )
