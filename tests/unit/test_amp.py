"""Autocast and the scaler of gradients: what is cast, what is put back, what a bad gradient does. From torch."""

import pickle
import threading
import warnings

import pytest

import dispatchtorch as torch

F = torch.nn.functional
half, single = torch.bfloat16, torch.float32


def product():
    return torch.ones(2, 2) @ torch.ones(2, 2)


def test_products_are_lower_and_losses_single_within_the_block():
    x = torch.ones(2, 2)
    with torch.autocast("cpu"):
        assert product().dtype is half
        assert x.matmul(x).dtype is torch.mm(x, x).dtype is F.linear(x, x).dtype is half
        assert F.mse_loss(x.bfloat16(), x.bfloat16()).dtype is single
        assert torch.cat([x, x.bfloat16()]).dtype is single
        assert torch.stack([x.bfloat16()]).dtype is half
        assert (x + x).dtype is single
        assert (x.double() @ x.double()).dtype is torch.float64
        assert torch.cdist(x, x).dtype is single
        assert x.mv(x[0]).dtype is single
        assert torch.is_autocast_enabled("cpu")
        assert not torch.is_autocast_enabled()
    assert product().dtype is single
    assert not torch.is_autocast_enabled("cpu")


def test_blocks_nest_and_functions_are_decorated():
    with torch.autocast("cpu", dtype=torch.float16):
        with torch.autocast("cpu", enabled=False):
            assert product().dtype is single
        with torch.autocast("cpu", dtype=half):
            assert product().dtype is half
        assert product().dtype is torch.float16
        assert torch.get_autocast_dtype("cpu") is torch.float16
    assert torch.get_autocast_dtype("cpu") is half
    decorated = torch.autocast("cpu")(product)
    assert decorated().dtype is half
    assert decorated.__name__ == "product"
    with pytest.raises(ZeroDivisionError), torch.autocast("cpu"):
        1 / 0  # noqa: B018 - the block is left by an error
    assert product().dtype is single


def test_other_threads_are_not_asked():
    seen = []
    with torch.autocast("cpu"):
        thread = threading.Thread(target=lambda: seen.append(product().dtype))
        thread.start()
        thread.join()
    assert seen == [single]


def test_a_module_trains_and_its_gradients_are_single():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    with torch.autocast("cpu"):
        out = model(torch.ones(2, 3))
        loss = F.cross_entropy(out, torch.tensor([0, 1]))
    assert (out.dtype, loss.dtype) == (half, single)
    loss.backward()
    assert {p.grad.dtype for p in model.parameters()} == {single}


def test_a_parameter_is_cast_once_a_block():
    w = torch.ones(2, 2, requires_grad=True)
    with torch.autocast("cpu"):
        first, second = (torch.mm(w.detach(), w).grad_fn.next_functions[1][0] for _ in range(2))
        assert first is second
        with torch.no_grad():
            w.fill_(2.0)
        assert torch.mm(torch.ones(2, 2), w)[0, 0].item() == 4.0
    with torch.autocast("cpu", cache_enabled=False):
        first, second = (torch.mm(w.detach(), w).grad_fn.next_functions[1][0] for _ in range(2))
        assert first is not second


def test_who_wants_to_see_calls_sees_them_still():
    class Names(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(func.__name__)
            return func(*args, **(kwargs or {}))

    seen = []
    x = torch.ones(2, 2)
    with torch.autocast("cpu"):
        with Names():
            assert torch.mm(x, x).dtype is half
        assert torch.mm(x, x).dtype is half
    with Names():
        with torch.autocast("cpu"):
            assert torch.mm(x, x).dtype is half
        assert torch.mm(x, x).dtype is single
    assert torch.mm(x, x).dtype is single
    assert [name for name in seen if name == "mm"] == ["mm"] * 3


def test_what_there_is_not_is_said_in_torchs_words():
    with pytest.warns(UserWarning, match="In CPU autocast, but the target dtype is not supported"):
        block = torch.autocast("cpu", dtype=single)
    with block:
        assert product().dtype is single
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`, got: `<class 'int'>`"):
        torch.autocast(3)
    with pytest.raises(RuntimeError, match="Expected one of cpu, cuda"):
        torch.autocast("abacus")
    with pytest.raises(RuntimeError, match="unknown device type for autocast"):
        torch.is_autocast_enabled("meta")
    with pytest.raises(TypeError, match=r"autocast\(\)\(func\) requires a callable, but got int"):
        torch.autocast("cpu")(3)
    with pytest.warns(FutureWarning, match=r"`torch.cpu.amp.autocast\(args...\)` is deprecated"):
        torch.cpu.amp.autocast()
    with pytest.warns(DeprecationWarning, match="torch.get_autocast_cpu_dtype"):
        assert torch.get_autocast_cpu_dtype() is half


def test_a_function_casts_its_inputs_and_its_backward_knows():
    class Square(torch.autograd.Function):
        @staticmethod
        @torch.amp.custom_fwd(device_type="cpu", cast_inputs=single)
        def forward(ctx, a):
            ctx.save_for_backward(a)
            seen.append((a.dtype, torch.is_autocast_enabled("cpu")))
            return a @ a

        @staticmethod
        @torch.amp.custom_bwd(device_type="cpu")
        def backward(ctx, g):
            seen.append((g.dtype, torch.is_autocast_enabled("cpu")))
            (a,) = ctx.saved_tensors
            return g @ a.t() + a.t() @ g

    seen = []
    x = torch.ones(2, 2, dtype=half, requires_grad=True)
    with torch.autocast("cpu"):
        out = Square.apply(x)
    out.sum().backward()
    assert seen == [(single, False), (single, False)]
    assert x.grad.dtype is half


def scaled(value=2.0, **options):
    w = torch.tensor([1.0], requires_grad=True)
    scaler = torch.amp.GradScaler("cpu", **{"init_scale": 8.0, **options})
    optimizer = torch.optim.SGD([w], lr=0.5)
    scaler.scale((w * value).sum()).backward()
    return w, scaler, optimizer


def test_a_step_is_taken_with_the_true_gradient_and_the_factor_grows():
    w, scaler, optimizer = scaled(growth_interval=1)
    assert w.grad.item() == 16.0
    scaler.unscale_(optimizer)
    assert w.grad.item() == 2.0
    with pytest.raises(RuntimeError, match=r"unscale_\(\) has already been called on this optimizer"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"step\(\) has already been called since the last update\(\)."):
        scaler.step(optimizer)
    scaler.update()
    assert w.item() == 0.0
    assert scaler.get_scale() == 16.0
    scaler.update(4.0)
    assert scaler.state_dict() == {
        "scale": 4.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 1, "_growth_tracker": 0,
    }  # fmt: skip


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_with_an_infinite_gradient_is_skipped(fused):
    w, scaler, _ = scaled(float("inf"))
    optimizer = torch.optim.Adam([w], lr=0.5, fused=fused)
    scaler.step(optimizer)
    scaler.update()
    assert w.item() == 1.0
    assert scaler.get_scale() == 4.0
    w.grad = torch.tensor([8.0])
    scaler.step(optimizer)
    scaler.update()
    assert w.item() == pytest.approx(0.5)
    assert (scaler.get_scale(), scaler._get_growth_tracker()) == (4.0, 1)
    assert optimizer.state[w]["exp_avg"].item() == pytest.approx(0.2)


def test_a_scaler_is_saved_and_does_nothing_when_off():
    _, scaler, _ = scaled()
    again = pickle.loads(pickle.dumps(scaler))
    assert again.get_scale() == 8.0
    other = torch.amp.GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.get_scale() == 8.0
    off = torch.amp.GradScaler("cpu", enabled=False)
    assert off.scale(3) == 3
    assert off.state_dict() == {}
    with pytest.raises(AssertionError, match="Attempted update but _scale is None"):
        other.update()
    with pytest.raises(AssertionError, match="No inf checks were recorded prior to update"):
        scaler.update()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        old = torch.cpu.amp.GradScaler(init_scale=2.0)
    assert [str(w.message) for w in caught] == [
        "`torch.cpu.amp.GradScaler(args...)` is deprecated. Please use `torch.amp.GradScaler('cpu', args...)` instead."
    ]
    assert old.scale([torch.ones(1), (torch.ones(1),)])[1][0].item() == 2.0
