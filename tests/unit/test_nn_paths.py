"""Paths and members of torch.nn that programs and libraries import, and what stands behind them."""

import importlib

import pytest

import dispatchtorch as torch
from dispatchtorch import nn
from dispatchtorch.nn import attention


@pytest.mark.parametrize(
    "path",
    [
        "modules.utils._pair", "modules.batchnorm._BatchNorm", "modules.conv._ConvNd", "modules.conv._ConvTransposeNd",
        "modules.loss._Loss", "modules.pooling._AdaptiveAvgPoolNd", "modules.activation.MultiheadAttention",
        "modules.container.ParameterList", "modules.instancenorm._InstanceNorm", "modules.fold.Unfold",
        "modules.distance.CosineSimilarity", "modules.pixelshuffle.PixelShuffle", "modules.loss.CTCLoss",
        "modules.lazy.LazyModuleMixin", "modules.module._IncompatibleKeys", "common_types._size_2_t",
        "parallel.DistributedDataParallel", "utils.parametrizations.weight_norm", "utils.prune.BasePruningMethod",
        "functional.handle_torch_function", "functional._Reduction.get_enum", "functional.grad.conv2d_input",
    ],
)  # fmt: skip
def test_what_is_imported_by_this_path_is_there(path: str) -> None:
    here: object = nn
    for name in path.split("."):
        try:
            here = getattr(here, name)
        except AttributeError:
            here = importlib.import_module(f"{here.__name__}.{name}")  # type: ignore[attr-defined]  # a module
    assert here is not None


def test_a_convolution_of_ones_own_over_the_common_base() -> None:
    class Scaled(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self._conv_forward(x, self.weight * 2, self.bias)

    torch.manual_seed(0)
    plain = nn.Conv2d(1, 1, 2, padding=1, padding_mode="reflect", bias=False)
    scaled = Scaled(1, 1, 2, padding=1, padding_mode="reflect", bias=False)
    scaled.load_state_dict(plain.state_dict())
    x = torch.randn(1, 1, 3, 3)
    torch.testing.assert_close(scaled(x), 2 * plain(x))


def test_data_parallel_passes_through_and_names_what_it_wraps() -> None:
    model = nn.DataParallel(nn.Linear(2, 1))
    assert list(model.state_dict()) == ["module.weight", "module.bias"]
    assert model(torch.ones(3, 2)).shape == (3, 1)
    state = model.state_dict()
    nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    nn.Linear(2, 1).load_state_dict(state)
    with pytest.raises(NotImplementedError, match="several devices"):
        nn.DataParallel(nn.Linear(2, 1), device_ids=[0, 1])
    with pytest.raises(ValueError, match="Default process group has not been initialized"):
        nn.parallel.DistributedDataParallel(nn.Linear(2, 1))


def test_choices_of_attention_are_kept_while_they_last() -> None:
    assert int(attention.SDPBackend.EFFICIENT_ATTENTION) == 2
    q = torch.ones(1, 1, 2, 4)
    with attention.sdpa_kernel([attention.SDPBackend.MATH]):
        assert not torch.backends.cuda.flash_sdp_enabled()
        nn.functional.scaled_dot_product_attention(q, q, q)
    assert torch.backends.cuda.flash_sdp_enabled()
    with pytest.raises(ValueError, match="Unknown flash attention impl 'x'"):
        attention.activate_flash_attention_impl("x")


def test_gradients_of_convolutions_as_functions() -> None:
    weight, g = torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    assert nn.grad.conv2d_input((1, 1, 3, 3), weight, g)[0, 0].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert nn.grad.conv2d_weight(torch.ones(1, 1, 3, 3), weight.shape, g)[0, 0].tolist() == [[4, 4], [4, 4]]


def test_batch_norms_are_converted_with_what_they_hold() -> None:
    net = nn.Sequential(nn.BatchNorm1d(3, eps=1e-3), nn.ReLU()).eval()
    weight = net[0].weight
    made = nn.SyncBatchNorm.convert_sync_batchnorm(net)
    assert type(made[0]) is nn.SyncBatchNorm
    assert made[0].weight is weight
    assert (made[0].eps, made[0].training) == (1e-3, False)


def test_encoders_say_why_padding_is_not_left_out_and_leave_it_out_otherwise() -> None:
    with pytest.warns(UserWarning, match=r"is False because encoder_layer\.self_attn\.batch_first was not True"):
        nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8), 1)
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 1).eval()
    x, padding = torch.randn(1, 3, 4), torch.tensor([[False, False, True]])
    assert bool((encoder(x, src_key_padding_mask=padding)[0, 2] != 0).all())
    with torch.no_grad():
        assert encoder(x, src_key_padding_mask=padding)[0, 2].tolist() == [0, 0, 0, 0]


def test_attention_with_functions_of_indices() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 2, 5, 4).requires_grad_() for _ in range(3))
    flex = attention.flex_attention
    causal = flex.create_block_mask(lambda b, h, i, j: i >= j, None, None, 5, 5, BLOCK_SIZE=2)
    wanted = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(flex.flex_attention(q, k, v, block_mask=causal), wanted)
    assert (causal.shape, causal.kv_num_blocks.tolist()) == ((1, 1, 5, 5), [[[1, 1, 3]]])
    assert causal.kv_indices.tolist() == [[[[0, 1, 2], [1, 0, 2], [0, 1, 2]]]]
    assert causal.full_kv_num_blocks.tolist() == [[[0, 1, 0]]]
    assert causal.q_num_blocks.tolist() == [[[2, 2, 1]]]
    assert causal.to_dense().tolist() == [[[[1, 0, 0], [1, 1, 0], [1, 1, 1]]]]

    table = torch.zeros(2, 5, requires_grad=True)
    out = flex.flex_attention(q, k, v, score_mod=lambda s, b, h, i, j: s + table[h, j])
    torch.testing.assert_close(out, nn.functional.scaled_dot_product_attention(q, k, v))
    out.sum().backward()
    assert table.grad is not None

    none, lse = flex.flex_attention(
        q, k, v, block_mask=flex.create_block_mask(lambda b, h, i, j: i > 2, 1, 1, 5, 5), return_lse=True
    )
    assert none[0, 0, 0].tolist() == [0, 0, 0, 0]
    assert lse[0, 0, 0].item() == -float("inf")
    with pytest.raises(ValueError, match="Try setting enable_gqa=True for GQA"):
        flex.flex_attention(q, k[:, :1], v[:, :1])
