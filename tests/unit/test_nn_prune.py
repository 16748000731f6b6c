"""Pruning: masks that torch would draw, one on top of another, and their removal."""

import pytest

import dispatchtorch as torch
from dispatchtorch import nn
from dispatchtorch.nn.utils import prune


def seeded(*sizes: int) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(*sizes)


def test_masks_are_those_of_torch() -> None:
    layer = prune.random_unstructured(seeded(4, 2), "weight", 0.5)
    assert layer.weight_mask.flatten().tolist() == [1, 0, 1, 1, 1, 0, 0, 0]
    layer = prune.l1_unstructured(seeded(4, 2), "weight", 3)
    assert layer.weight_mask.flatten().tolist() == [0, 1, 1, 1, 1, 0, 0, 1]
    prune.random_structured(layer, "weight", 1, 0)  # on top of the first
    assert layer.weight_mask.flatten().tolist() == [0, 0, 0, 0, 1, 0, 0, 1]
    assert isinstance(next(iter(layer._forward_pre_hooks.values())), prune.PruningContainer)
    layer = prune.ln_structured(seeded(4, 2), "weight", 2, 2, 1)
    assert layer.weight_mask.flatten().tolist() == [0, 0, 1, 1, 0, 0, 1, 1]


def test_pruning_over_several_layers() -> None:
    first, second = seeded(2, 2), nn.Linear(2, 1)
    prune.global_unstructured([(first, "weight"), (second, "weight")], prune.L1Unstructured, amount=3)
    assert first.weight_mask.flatten().tolist() == [0, 0, 1, 1]
    assert second.weight_mask.flatten().tolist() == [0, 1]
    with pytest.raises(TypeError, match='Only "unstructured" PRUNING_TYPE supported'):
        prune.global_unstructured([(first, "weight")], prune.RandomStructured, amount=1)


def test_what_is_pruned_stays_nought_and_is_not_trained() -> None:
    layer = prune.l1_unstructured(seeded(4, 2), "weight", 3)
    assert list(layer.state_dict()) == ["bias", "weight_orig", "weight_mask"]
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    layer(torch.ones(1, 4))
    assert (layer.weight == 0).flatten().tolist() == [True, False, False, False, False, True, True, False]
    original = layer.weight_orig
    prune.remove(layer, "weight")
    assert layer.weight is original
    assert list(layer.state_dict()) == ["bias", "weight"]
    assert not prune.is_pruned(layer)
    with pytest.raises(ValueError, match=r"Parameter 'weight' of module Linear\(.*\) has to be pruned before"):
        prune.remove(layer, "weight")


@pytest.mark.parametrize(
    ("amount", "error", "sentence"),
    [
        ("x", TypeError, r"Invalid type for amount: x\. Must be int or float\."),
        (-1, ValueError, r"amount=-1 should either be a float in the range \[0, 1\] or a non-negative integer"),
        (1.5, ValueError, r"amount=1\.5 should either be a float in the range"),
        (9, ValueError, r"amount=9 should be smaller than the number of parameters to prune=8"),
    ],
)
def test_amounts_are_checked_and_nothing_is_left_behind(amount: object, error: type[Exception], sentence: str) -> None:
    layer = seeded(4, 2)
    with pytest.raises(error, match=sentence):
        prune.l1_unstructured(layer, "weight", amount)  # type: ignore[arg-type]  # that is the point
    assert list(layer.state_dict()) == ["bias", "weight"] or set(layer.state_dict()) == {"weight", "bias"}


def test_a_method_of_ones_own() -> None:
    class EveryOther(prune.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t: torch.Tensor, default_mask: torch.Tensor) -> torch.Tensor:
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    layer = seeded(2, 2)
    EveryOther.apply(layer, "bias")
    assert layer.bias_mask.tolist() == [0, 1]
    assert EveryOther().prune(torch.ones(4)).tolist() == [0, 1, 0, 1]
    with pytest.raises(ValueError, match="Structured pruning can only be applied to multidimensional tensors"):
        prune.random_structured(seeded(2, 2), "bias", 1, 0)
