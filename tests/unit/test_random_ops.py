"""Random ops give torch's numbers for a seed, in torch's order, and obey the rules of writes and of histories.

The literal numbers are torch 2's; the streams below the ops have their own test.
"""

import pytest

import dispatchtorch as torch


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def rounded(t):
    return [round(v, 4) for v in t.detach().reshape(-1).tolist()]


def test_each_new_tensor_continues_one_stream():
    assert rounded(torch.rand(3)) == [0.4963, 0.7682, 0.0885]
    assert torch.randint(10, (4,)).tolist() == [0, 3, 9, 7]
    assert torch.randperm(5).tolist() == [3, 2, 1, 4, 0]
    assert rounded(torch.randn(2)) == [0.21, 0.9056]


def test_a_generator_is_used_instead_of_the_default_one():
    before = torch.get_rng_state().tolist()
    first = torch.rand(2, generator=torch.Generator().manual_seed(0))
    assert rounded(first) == [0.4963, 0.7682]
    assert torch.get_rng_state().tolist() == before


def test_memory_order_decides_which_number_goes_where():
    t = torch.empty(2, 3).t()
    assert t.uniform_() is t
    assert rounded(t) == [0.4963, 0.132, 0.7682, 0.3074, 0.0885, 0.6341]
    torch.manual_seed(0)
    like = torch.rand_like(torch.empty(2, 3).t())
    assert like.stride() == (1, 3)
    assert rounded(like) == rounded(t)


def test_a_view_is_filled_in_its_base():
    base = torch.zeros(3, 2)
    before = base.data_ptr()
    base[1].bernoulli_(torch.ones(2))
    assert base.tolist() == [[0, 0], [1, 1], [0, 0]]
    assert base.data_ptr() == before
    assert base._version == 1


def test_dtypes_and_out():
    assert torch.randint(3, (2,)).dtype is torch.int64
    assert torch.randint(3, (2,), dtype=torch.float32).dtype is torch.float32
    out = torch.empty(0)
    assert torch.rand(2, out=out) is out
    assert out.shape == (2,)
    wide = torch.empty(2, dtype=torch.float64)
    torch.randn(2, out=wide)
    assert wide.dtype is torch.float64
    with pytest.raises(RuntimeError, match=r"^dtype Double does not match dtype of out parameter \(Float\)$"):
        torch.rand(2, dtype=torch.float64, out=torch.empty(2))


def test_what_was_overwritten_gets_a_zero_gradient():
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    y.normal_()
    assert y.grad_fn.name() == "NormalBackward0"
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 0]
    z = x * 2
    z[:2].uniform_()
    x.grad = None
    z.sum().backward()
    assert x.grad.tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: torch.rand(-1), RuntimeError, "Trying to create tensor with negative dimension -1: [-1]"),
        (
            lambda: torch.rand(2, dtype=torch.int64),
            NotImplementedError,
            "\"check_uniform_bounds\" not implemented for 'Long'",
        ),
        (
            lambda: torch.randint(5, 3, (2,)),
            RuntimeError,
            "random_ expects 'from' to be less than 'to', but got from=5 >= to=3",
        ),
        (
            lambda: torch.randint(3, 2),
            TypeError,
            "randint(): argument 'size' (position 2) must be tuple of ints, not int",
        ),
        (lambda: torch.normal(0.0, -1.0, (2,)), RuntimeError, "normal expects std >= 0.0, but found std -1"),
        (
            lambda: torch.multinomial(torch.ones(3), 4),
            RuntimeError,
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement",
        ),
        (
            lambda: torch.randperm(300, dtype=torch.uint8),
            RuntimeError,
            "value cannot be converted to type uint8_t without overflow",
        ),
        (
            lambda: torch.ones(3).uniform_(2, 1),
            RuntimeError,
            "uniform_ expects to return a [from, to) range, but found from=2 > to=1",
        ),
        (
            lambda: torch.ones(3, requires_grad=True).normal_(),
            RuntimeError,
            "a leaf Variable that requires grad is being used in an in-place operation.",
        ),
    ],
)
def test_errors_are_torchs(call, error, message):
    before = torch.get_rng_state().tolist()
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message
    assert torch.get_rng_state().tolist() == before


def test_a_refused_write_leaves_the_tensor_as_it_was():
    t = torch.ones(3)
    with pytest.raises(RuntimeError, match="to be in"):
        t.bernoulli_(2.0)
    assert t.tolist() == [1, 1, 1]
    assert t._version == 0
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
        t.expand(2, 3).uniform_()
