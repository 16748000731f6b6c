"""Modules that learn their sizes from the first input, and parameters without a shape."""

import copy
import io
import pickle

import pytest

import dispatchtorch as torch
from dispatchtorch import nn


def test_a_lazy_module_becomes_the_module_it_stands_for() -> None:
    torch.manual_seed(0)
    layer = nn.LazyLinear(2)
    assert repr(layer) == "LazyLinear(in_features=0, out_features=2, bias=True)"
    assert repr(layer.state_dict()["weight"]) == "<UninitializedParameter>"
    weight = layer.weight
    out = layer(torch.ones(1, 3))
    assert [round(v, 4) for v in out[0].tolist()] == [-0.1812, -0.0347]
    assert type(layer) is nn.Linear
    assert layer.in_features == 3
    assert layer.weight is weight  # an optimizer that has it keeps it
    assert type(weight) is nn.Parameter


def test_lazy_modules_are_cast_and_moved_before_they_know_their_sizes() -> None:
    net = nn.Sequential(nn.LazyConv2d(3, 2), nn.LazyBatchNorm2d()).double()
    assert net(torch.ones(1, 2, 4, 4, dtype=torch.float64)).dtype is torch.float64
    assert net[1].running_mean.shape == (3,)
    assert type(net[1]) is nn.BatchNorm2d
    assert [name for name, _ in net[1].named_buffers()] == ["running_mean", "running_var", "num_batches_tracked"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_of_a_lazy_module_are_lazy(copied: object) -> None:
    again = copied(nn.LazyLinear(2))  # type: ignore[operator]  # a function
    assert again.has_uninitialized_params()
    assert again(torch.ones(1, 3)).shape == (1, 2)


def test_a_state_gives_a_lazy_module_its_shape() -> None:
    layer = nn.LazyLinear(2)
    layer.load_state_dict(nn.Linear(5, 2).state_dict())
    assert layer.weight.shape == (2, 5)
    assert layer(torch.ones(1, 5)).shape == (1, 2)
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized parameter"):
        nn.Linear(2, 2).load_state_dict(nn.LazyLinear(2).state_dict())


def test_lazy_modules_go_through_a_file() -> None:
    file = io.BytesIO()
    torch.save(nn.LazyConv1d(2, 3), file)
    file.seek(0)
    assert torch.load(file, weights_only=False)(torch.ones(1, 4, 5)).shape == (1, 2, 3)


@pytest.mark.parametrize(
    "use", [lambda p: p + 1, lambda p: torch.add(p, 1), lambda p: p.numel(), lambda p: p.detach(), lambda p: p[0]]
)
def test_nothing_is_computed_from_what_has_no_shape(use: object) -> None:
    with pytest.raises(ValueError, match="Attempted to use an uninitialized parameter in"):
        use(nn.UninitializedParameter())  # type: ignore[operator]  # a function


def test_an_uninitialised_parameter_is_materialised_once() -> None:
    parameter = nn.UninitializedParameter(dtype=torch.float64)
    assert (parameter.dtype, parameter.requires_grad, parameter.size()) == (torch.float64, True, (0,))
    parameter.materialize((2, 3))
    assert type(parameter) is nn.Parameter
    assert (parameter.shape, parameter.dtype, parameter.requires_grad) == ((2, 3), torch.float64, True)


def test_a_module_that_leaves_something_uninitialised_says_so() -> None:
    class Forgetful(nn.modules.lazy.LazyModuleMixin, nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.UninitializedParameter()

        def initialize_parameters(self, input: torch.Tensor) -> None:
            pass

    with pytest.raises(RuntimeError, match="module Forgetful has not been fully initialized"):
        Forgetful()(torch.ones(1))
    with pytest.raises(RuntimeError, match=r"Expected 3D \(unbatched\) or 4D \(batched\) input to LazyConv2d"):
        nn.LazyConv2d(1, 1)(torch.ones(2))
    with pytest.raises(RuntimeError, match="Can't share memory on an uninitialized parameter"):
        nn.LazyLinear(1).share_memory()


def test_a_buffer_is_a_marked_tensor() -> None:
    data = torch.ones(2)
    buffer = nn.Buffer(data, persistent=False)
    assert type(buffer) is torch.Tensor
    assert isinstance(buffer, nn.Buffer)
    assert not isinstance(data, nn.Buffer)
    assert buffer.data_ptr() == data.data_ptr()
    module = nn.Module()
    module.kept = buffer
    assert [name for name, _ in module.named_buffers()] == ["kept"]
    assert list(module.state_dict()) == []
