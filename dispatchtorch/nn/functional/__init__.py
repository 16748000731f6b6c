"""``torch.nn.functional``: layers as functions, one file a family."""

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

_FAMILIES = (
    activation, affine, attention, classes, conv, dropping, grouped, loss, margin, norm_pool, normalization,
    padding, pool, resampling, vision,
)  # fmt: skip
__all__ = sorted({name for family in _FAMILIES for name in family.__all__})
