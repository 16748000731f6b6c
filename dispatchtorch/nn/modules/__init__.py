"""Layers and models as objects, one file a family."""

from dispatchtorch.nn.modules import (
    activation,
    adaptive,
    attention,
    batchnorm,
    container,
    conv,
    dropout,
    flatten,
    instancenorm,
    linear,
    loss,
    norm_pool,
    normalization,
    padding,
    parameter_container,
    pooling,
    rearranging,
    rnn,
    sequence_loss,
    sparse,
    transformer,
    upsampling,
)
from dispatchtorch.nn.modules.activation import *  # noqa: F403 - each family lists its names
from dispatchtorch.nn.modules.adaptive import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.attention import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.batchnorm import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.container import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.conv import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.dropout import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.flatten import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.instancenorm import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.lazy import LazyModuleMixin as LazyModuleMixin
from dispatchtorch.nn.modules.linear import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.loss import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.module import Module as Module
from dispatchtorch.nn.modules.norm_pool import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.normalization import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.padding import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.parameter_container import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.pooling import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.rearranging import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.rnn import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.sequence_loss import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.sparse import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.transformer import *  # noqa: F403 - as above
from dispatchtorch.nn.modules.upsampling import *  # noqa: F403 - as above

_FAMILIES = (
    activation, adaptive, attention, batchnorm, container, conv, dropout, flatten, instancenorm, linear, loss,
    norm_pool, normalization, padding, parameter_container, pooling, rearranging, rnn, sequence_loss, sparse,
    transformer, upsampling,
)  # fmt: skip
__all__ = sorted({"Module", *(name for family in _FAMILIES for name in family.__all__)})
