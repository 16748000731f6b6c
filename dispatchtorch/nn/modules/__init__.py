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
from dispatchtorch.nn.modules import channelshuffle as channelshuffle
from dispatchtorch.nn.modules import distance as distance
from dispatchtorch.nn.modules import fold as fold
from dispatchtorch.nn.modules import linear_cross_entropy as linear_cross_entropy
from dispatchtorch.nn.modules import pixelshuffle as pixelshuffle
from dispatchtorch.nn.modules import utils as utils
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
# Where torch has them; the files here are smaller than torch's.
_HOMES = {
    activation: (attention.MultiheadAttention,),
    container: (parameter_container.ParameterDict, parameter_container.ParameterList),
    loss: (sequence_loss.CTCLoss, sequence_loss.LinearCrossEntropyLoss),
    pooling: (
        norm_pool.FractionalMaxPool2d, norm_pool.FractionalMaxPool3d, norm_pool.LPPool1d, norm_pool.LPPool2d,
        norm_pool.LPPool3d, norm_pool.MaxUnpool1d, norm_pool.MaxUnpool2d, norm_pool.MaxUnpool3d, norm_pool._LPPoolNd,
        norm_pool._MaxUnpoolNd,
    ),
}  # fmt: skip
for _file, _members in _HOMES.items():
    for _member in _members:
        setattr(_file, _member.__name__, _member)

__all__ = sorted({"Module", *(name for family in _FAMILIES for name in family.__all__)})
