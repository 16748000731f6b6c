"""What single ops ask of ``out=`` beyond the usual: exact dtypes, their own sentences, memory of their own. Data only.

The usual is in `dispatch/destination.py`: a dtype that the result can be cast to, no overlap, a warning when resized.
"""

from __future__ import annotations

from typing import Final

from dispatchtorch._base.dtypes import DType
from dispatchtorch.dispatch.destination import RULES, Rule, a_complex, a_floating, exact
from dispatchtorch.dispatch.inplace import can_cast

__all__: list[str] = []

_EXACT: Final = "Expected out tensor to have dtype {wanted_native}, but got {given_native} instead"
_FOUND: Final = "Found dtype {given} but expected {wanted}"
_SAFELY: Final = "Expected {what} to be safely castable from {{wanted}} dtype, but got {what} with dtype {{given}}"
_FACTORY: Final = "dtype {wanted} does not match dtype of out parameter ({given})"
_COUNT: Final = (
    "The number of elements in the out tensor of shape {given_shape} is {given_count} which does not match the "
    "computed number of elements {wanted_count}. Note that this may occur as a result of rounding error. The out "
    "tensor will be resized to a tensor of shape ({wanted_count},)."
)


def _anything(wanted: DType, given: DType) -> bool:
    return True


def _bool_or_uint8(wanted: DType, given: DType) -> bool:
    return given.name in ("bool", "uint8")


def _real(wanted: DType, given: DType) -> bool:
    return not given.is_complex


def _safely(name: str, *results: str) -> Rule:
    sentences = tuple(f"{name}: {_SAFELY.format(what=what)}" for what in results or ("result",))
    return Rule(sentence=sentences, inputs="any")


def _declare(rule: Rule, names: str) -> None:
    for name in names.split():
        RULES[name] = rule


# --- memory only --------------------------------------------------------------------------------------------------

_declare(
    Rule(inputs="any"),
    "expand_copy mvlgamma special_multigammaln mean ldexp nn_normalize special_ndtr",
)
_declare(Rule(inputs="any", inside=False), "std var nanmean")

# --- exactly the dtype of the result --------------------------------------------------------------------------------

_declare(
    Rule(exact, _EXACT),
    "addmm addmv baddbmm lu_unpack max min aminmax avg_pool2d avg_pool3d topk mm argsort "
    "index_copy index_add index_reduce sort scatter scatter_add scatter_reduce msort renorm tril triu "
    "linalg_det linalg_slogdet isin",
)
_declare(
    Rule(exact, _EXACT, inputs="any"),
    "softmax log_softmax "
    "diagonal_copy alias_copy as_strided_copy view_copy permute_copy split_with_sizes_copy split_copy slice_copy "
    "slice_scatter select_scatter diagonal_scatter unbind_copy unfold_copy squeeze_copy unsqueeze_copy transpose_copy "
    "t_copy select_copy detach_copy qr triangular_solve svd lu_solve "
    "linalg_cholesky linalg_cholesky_ex linalg_eigh linalg_eigvalsh linalg_ldl_factor linalg_ldl_factor_ex "
    "linalg_ldl_solve linalg_qr linalg_lu_factor linalg_lu_factor_ex linalg_lu linalg_lu_solve linalg_inv inverse "
    "linalg_inv_ex linalg_solve linalg_solve_ex linalg_svd linalg_svdvals logdet",
)
_declare(Rule(exact, _EXACT, inputs="apart"), "cross linalg_cross gather take_along_dim")
_declare(
    Rule(exact, _EXACT, inputs="any", inside=False),
    "argmax argmin bmm linear norm linalg_norm linalg_vector_norm",
)
_declare(
    Rule(exact, _FOUND),
    "abs absolute ceil conj_physical frac floor softshrink hardshrink gelu neg negative round sign sgn trunc fix "
    "softplus bitwise_not",
)
_declare(
    Rule(exact, "expected scalar type {wanted} but found {given}", inputs="any"),
    "linalg_solve_triangular native_batch_norm",
)
_declare(
    Rule(exact, "expected scalar type {wanted} but found {given}", inputs="any", warning=""),
    "log_sigmoid",
)
_declare(Rule(exact, "expected scalar_type {wanted} but found {given}"), "diff logcumsumexp")
_declare(
    Rule(exact, "expected scalar_type {wanted} but found {given}", inputs="any", inside=False),
    "cummax cummin",
)
_declare(
    Rule(
        exact,
        "addmv input tensors must have the same dtype, but got {given}, {wanted}, and {wanted}",
        inputs="any",
        inside=False,
    ),
    "mv matmul",
)
_declare(Rule(exact, "self and mat2 must have the same dtype, but got {given} and {wanted}", warning=""), "addbmm")
_declare(
    Rule(exact, "Expected object of scalar type {wanted} but got scalar type {given} for argument 'out'"),
    "complex polar",
)
_declare(
    Rule(exact, "quantile() out tensor must be same dtype as the input tensor", inputs="any"), "quantile nanquantile"
)
_HISTOGRAM: Final = "torch.histogram: input tensor and {0} tensor should have the same dtype, but got input "
_declare(
    Rule(
        exact,
        (
            _HISTOGRAM.format("hist") + "{wanted_native} and hist {given_native}",
            _HISTOGRAM.format("bin_edges") + "{wanted_native} and bin_edges {given_native} for dimension 0",
        ),
        inputs="any",
        inside=False,
    ),
    "histogram histc",
)
_declare(
    Rule(
        exact,
        "torch.searchsorted(): output tensor's dtype is wrong, it can only be Int(int32) or Long(int64) depending on "
        "whether out_int32 flag is True, but we got output tensor's dtype {given} and out_int32 flag is False",
    ),
    "bucketize searchsorted",
)
_declare(
    Rule(exact, "linalg.matrix_norm expected out tensor dtype {wanted} but got: {given}", inputs="any"),
    "linalg_matrix_norm",
)
_declare(
    Rule(
        exact,
        "Expected the dtype for input and out to match, but got {wanted} for input's dtype and {given} for out's "
        "dtype.",
        inputs="any",
        inside=False,
    ),
    "amax amin",
)
_declare(
    Rule(
        exact,
        (
            "torch.frexp() expects mantissa to have dtype {wanted_native} but got {given_native}",
            "torch.frexp() expects exponent to have {wanted_native} dtype but got {given_native}",
        ),
    ),
    "frexp",
)
_declare(
    Rule(
        exact,
        (
            "Expected tensor for 'values' to have the same type as tensor for argument #2 'self'; but type "
            "torch.{given}Tensor does not equal torch.{wanted}Tensor (while checking arguments for median)",
            "Expected tensor for argument #1 'indices' to have scalar type Long; but got torch.{given}Tensor instead "
            "(while checking arguments for median)",
        ),
    ),
    "median nanmedian",
)
_declare(
    Rule(
        exact,
        ("output values must be of same type as input", "output indices must be of scalar type Long"),
        inputs="apart",
    ),
    "kthvalue",
)
_declare(
    Rule(
        exact,
        (
            "expected scalar type '{wanted}' but got '{given}' for values output",
            "expected scalar type '{wanted}' but got '{given}' for indices output",
        ),
        quiet_scalar=True,
    ),
    "mode",
)
_declare(
    Rule(exact, "masked_select(): self and result must have the same scalar type", inputs="apart"), "masked_select"
)
_declare(Rule(exact, "index_select(): self and result must have the same scalar type", inputs="apart"), "index_select")
_declare(
    Rule(
        exact,
        "take(): self and out expected to have the same dtype, but got self.dtype = {wanted} and out.dtype = {given}",
        inputs="apart",
    ),
    "take",
)
_declare(
    Rule(
        exact,
        "Expected self.dtype() == output.dtype() to be true, but got false.  (Could this error message be improved?  "
        "If so, please report an enhancement request to PyTorch.)",
        inputs="any",
        inside=False,
        warning="",
    ),
    "narrow_copy",
)
_declare(Rule(exact, "heaviside is not yet implemented for tensors with different dtypes."), "heaviside")
_declare(
    Rule(
        exact,
        "torch.ormqr: Expected input and result to have the same dtype, but input has dtype{wanted} and result has "
        "dtype {given}",
        inputs="any",
    ),
    "ormqr",
)
_declare(
    Rule(
        exact,
        "the output given to float_power has dtype {given} but the operation's result requires dtype {wanted}",
    ),
    "float_power",
)
for _name in ("signbit", "isposinf", "isneginf"):
    RULES[_name] = Rule(exact, f"{_name} does not support non-boolean outputs.")
_declare(Rule(exact, "nan_to_num: dtype of out: {given} should be same as input: {wanted}"), "nan_to_num")
_declare(Rule(exact, "multinomial expects {wanted} tensor out, got: {given}", warning=""), "aten::multinomial")
_declare(
    Rule(
        exact,
        "tensordot: Expected the output tensor to have dtype {wanted}, but got an output tensor with dtype {given}",
        inputs="any",
    ),
    "tensordot",
)
_declare(Rule(exact, "Expected out type to be {wanted} but got {given}"), "where")
_declare(Rule(exact, "nonzero: Expected out tensor to have scalar type Long but got scalar type{given}"), "nonzero")
_declare(
    Rule(exact, "linalg.vecdot: Expected out of dtype{wanted} but found {given}", inputs="any", inside=False),
    "linalg_vecdot",
)
_declare(
    Rule(exact, "multi_dot(): expected out tensor to have dtype {wanted_native} but got {given_native}", inside=False),
    "linalg_multi_dot",
)
_declare(Rule(exact, "Expected result to be of dtype uint64, but got {given}", inside=False), "hash_tensor")
_declare(Rule(exact, "diag: result type {wanted} can't be cast to the desired out= type {given}", inputs="any"), "diag")

# --- a dtype that the result can be cast to, in other words -----------------------------------------------------------

_declare(
    Rule(
        sentence="torch.cat(): input types can't be cast to the desired output type {given}",
        error=TypeError,
        inputs="apart",
    ),
    "cat concat concatenate stack column_stack hstack vstack row_stack dstack",
)
_declare(
    Rule(
        sentence="torch.cat(): input types can't be cast to the desired output type {given}",
        error=TypeError,
        inputs="any",
    ),
    "chunk_cat",
)
RULES["mvlgamma"] = Rule(
    sentence="mvlgamma: result type {wanted} can't be cast to the desired output type {wanted}", inputs="any"
)
RULES["ldexp"] = Rule(sentence="ldexp can't be cast to the desired output type {given}")
_declare(
    Rule(sentence="logsumexp(): Expected floating point type for result tensor, but got: {given}", inputs="any"),
    "logsumexp special_logsumexp",
)
for _name in ("cholesky", "cholesky_inverse", "cholesky_solve"):
    RULES[_name] = _safely(_name)
for _name in ("pinv", "cond"):
    RULES[f"linalg_{_name}"] = _safely(f"linalg.{_name}")
for _name in ("matrix_power", "tensorinv", "tensorsolve"):
    RULES[f"linalg_{_name}"] = _safely(_name)
for _name in ("matrix_rank", "householder_product"):
    RULES[f"linalg_{_name}"] = _safely(f"torch.linalg.{_name}")
RULES["linalg_matrix_rank"] = RULES["linalg_matrix_rank"]._replace(inside=False)
RULES["linalg_eigvals"] = _safely("torch.linalg.eigvals", "eigenvalues")
RULES["linalg_eig"] = _safely("torch.linalg.eig", "eigenvalues", "eigenvectors")
RULES["linalg_lstsq"] = _safely("torch.linalg.lstsq", "solution", "residuals", "rank", "singular_values")
RULES["geqrf"] = _safely("torch.geqrf", "a", "tau")
for _name in ("all", "any"):
    RULES[_name] = Rule(
        _bool_or_uint8, f"{_name} only supports bool tensor for result, got: {{given}}", inputs="any", inside=False
    )
for _name in ("fft", "ifft", "rfft", "ihfft"):
    for _end, _said in (("", ""), ("2", "n"), ("n", "n")):
        _what = f"{_name}{_said} expects a complex output tensor, but got {{given}}"
        RULES[_name + _end] = Rule(a_complex, _what, inputs="same" if _end or _name != "hfft" else "any")
for _name in ("hfft", "irfft"):
    for _end, _said in (("", ""), ("2", "n"), ("n", "n")):
        _what = f"{_name}{_said} expects a floating point output tensor, but got {{given}}"
        RULES[_name + _end] = Rule(a_floating, _what, inputs="any")

# --- computed in the dtype of ``out=`` --------------------------------------------------------------------------------

for _name in ("cumsum", "cumprod"):
    RULES[_name] = Rule(exact, _EXACT, computed="always")
_declare(Rule(_anything, inputs="any", computed="always"), "sum prod")
_declare(Rule(can_cast, inputs="any", computed="castable"), "mean")
_declare(
    Rule(
        a_floating,
        "\"nansum_cpu\" not implemented for '{given}'",
        NotImplementedError,
        inputs="any",
        inside=False,
        computed="castable",
    ),
    "nansum nanmean",
)

# --- new tensors ------------------------------------------------------------------------------------------------------

_declare(Rule(exact, _FACTORY, warning="", inside=False, computed="always"), "ones zeros full empty eye")
_declare(Rule(exact, _FACTORY, warning=_COUNT, by_count=True, computed="always"), "arange")
_declare(Rule(exact, _FACTORY, warning="", by_count=True, computed="always"), "linspace logspace range range_")
_declare(Rule(warning=""), "aten::normal aten::rand aten::randn aten::randint aten::randperm")
_declare(
    Rule(_real, "\"bernoulli_tensor_cpu_self_\" not implemented for '{given}'", NotImplementedError, warning=""),
    "aten::bernoulli",
)
_declare(Rule(exact, _FACTORY, warning=_COUNT), "fftfreq rfftfreq")
