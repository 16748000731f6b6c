"""``torch.nn.functional``: layers as functions, one file a family."""

from typing import Optional as Optional

from dispatchtorch.nn import _reduction
from dispatchtorch.nn import grad as grad
from dispatchtorch.nn.functional import (
    activation,
    affine,
    attention,
    classes,
    conv,
    dropping,
    grouped,
    loss,
    margin,
    norm_pool,
    normalization,
    padding,
    pool,
    resampling,
    vision,
)
from dispatchtorch.nn.functional.activation import *  # noqa: F403 - each family lists its names
from dispatchtorch.nn.functional.affine import *  # noqa: F403 - as above
from dispatchtorch.nn.functional.attention import *  # noqa: F403 - as above
from dispatchtorch.nn.functional.classes import *  # noqa: F403 - as above
from dispatchtorch.nn.functional.conv import *  # noqa: F403 - as above
from dispatchtorch.nn.functional.dropping import *  # noqa: F403 - as above
from dispatchtorch.nn.functional.grouped import *  # noqa: F403 - as above
from dispatchtorch.nn.functional.loss import *  # noqa: F403 - as above
from dispatchtorch.nn.functional.margin import *  # noqa: F403 - as above
from dispatchtorch.nn.functional.norm_pool import *  # noqa: F403 - as above
from dispatchtorch.nn.functional.normalization import *  # noqa: F403 - as above
from dispatchtorch.nn.functional.padding import *  # noqa: F403 - as above
from dispatchtorch.nn.functional.pool import *  # noqa: F403 - as above
from dispatchtorch.nn.functional.resampling import *  # noqa: F403 - as above
from dispatchtorch.nn.functional.vision import *  # noqa: F403 - as above
from dispatchtorch.nn.sizes import _list_with_default as _list_with_default
from dispatchtorch.nn.sizes import _pair as _pair
from dispatchtorch.nn.sizes import _single as _single
from dispatchtorch.nn.sizes import _triple as _triple
from dispatchtorch.overrides import handle_torch_function as handle_torch_function
from dispatchtorch.overrides import has_torch_function as has_torch_function
from dispatchtorch.overrides import has_torch_function_unary as has_torch_function_unary
from dispatchtorch.overrides import has_torch_function_variadic as has_torch_function_variadic

_Reduction = _reduction
_FAMILIES = (
    activation, affine, attention, classes, conv, dropping, grouped, loss, margin, norm_pool, normalization,
    padding, pool, resampling, vision,
)  # fmt: skip
__all__ = sorted({name for family in _FAMILIES for name in family.__all__})
