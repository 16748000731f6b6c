"""What the table of optimizers does not ask: averages, swapping, cycles, recorded steps, a line search. From torch."""

import warnings

import pytest

import dispatchtorch as torch

swa = torch.optim.swa_utils
schedules = torch.optim.lr_scheduler


def parameter(*values):
    return torch.tensor(values or (1.0, 2.0), requires_grad=True)


def test_an_averaged_model_is_the_mean_of_what_it_saw():
    model = torch.nn.BatchNorm1d(1)
    mean, moving = swa.AveragedModel(model), swa.AveragedModel(model, avg_fn=swa.get_ema_avg_fn(0.5))
    both = swa.AveragedModel(model, use_buffers=True)
    for value in (1.0, 2.0, 6.0):
        with torch.no_grad():
            model.weight.fill_(value)
        model.num_batches_tracked.fill_(int(value))
        for averaged in (mean, moving, both):
            averaged.update_parameters(model)
    assert mean.module.weight.item() == pytest.approx(3.0)
    assert moving.module.weight.item() == pytest.approx(3.75)
    assert mean.module.num_batches_tracked.item() == 6
    assert both.module.num_batches_tracked.item() == 2
    assert mean.n_averaged.item() == 3
    assert next(iter(mean.state_dict())) == "n_averaged"
    with pytest.raises(ValueError, match=r"Invalid decay value 2 provided. Please provide a value in \[0,1\] range."):
        swa.get_ema_multi_avg_fn(2)
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn should be provided"):
        swa.AveragedModel(model, avg_fn=swa.get_swa_avg_fn(), multi_avg_fn=swa.get_swa_multi_avg_fn())


def test_batch_statistics_are_taken_anew():
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(1)).eval()
    swa.update_bn([torch.tensor([[1.0], [3.0]]), (torch.tensor([[5.0], [7.0]]), "label")], model)
    norm = model[0]
    assert norm.running_mean.item() == pytest.approx(4.0)
    assert norm.running_var.item() == pytest.approx(2.0)
    assert norm.momentum == 0.1
    assert not model.training


def rates(schedule, optimizer, steps):
    seen = []
    for _ in range(steps):
        seen.append(round(optimizer.param_groups[0]["lr"], 6))
        optimizer.step()
        schedule.step()
    return seen


def test_the_averaging_schedule_goes_to_its_rate_and_stays():
    optimizer = torch.optim.SGD([parameter()], lr=1.0)
    assert rates(swa.SWALR(optimizer, 0.2, 2, "linear"), optimizer, 4) == [1.0, 0.6, 0.2, 0.2]
    optimizer = torch.optim.SGD([parameter()], lr=1.0)
    assert rates(swa.SWALR(optimizer, 0.2, 4), optimizer, 3) == [1.0, 0.882843, 0.6]


def test_a_cycle_goes_up_and_down_and_momentum_against_it():
    optimizer = torch.optim.Adam([parameter()], lr=1.0)
    schedule = schedules.CyclicLR(optimizer, 0.1, 0.5, step_size_up=2, mode="triangular2")
    assert rates(schedule, optimizer, 7) == [0.1, 0.3, 0.5, 0.3, 0.1, 0.2, 0.3]
    assert optimizer.param_groups[0]["betas"] == (pytest.approx(0.875), 0.999)
    saved = schedule.state_dict()
    assert saved["_scale_fn_custom"] is None
    other = schedules.CyclicLR(optimizer, 0.1, 0.5, step_size_up=2)
    other.load_state_dict(saved)
    assert (other.mode, other.last_epoch) == ("triangular2", 7)
    assert saved["_scale_fn_custom"] is None
    with pytest.raises(ValueError, match="mode is invalid and scale_fn is None"):
        schedules.CyclicLR(optimizer, 0.1, 0.5, mode="round")


def test_others_parameters_are_swapped_in_for_a_block():
    w, v = parameter(1.0), parameter(5.0)
    optimizer = torch.optim.SGD([w], lr=0.5, momentum=0.5)
    w.grad, v.grad = torch.ones(1), torch.ones(1)
    optimizer.step()
    saved = optimizer.state_dict()
    saved["param_groups"][0]["lr"] = 1.0
    with torch.optim.swap_in_optimizer_params_and_state(optimizer, {"v": v}, saved):
        optimizer.step()
    assert (w.item(), v.item()) == (0.5, 3.5)
    assert optimizer.param_groups[0]["params"][0] is w
    assert optimizer.param_groups[0]["lr"] == 0.5
    with (
        pytest.raises(RuntimeError, match="got extra keys \\[4\\]"),
        torch.optim.swap_in_optimizer_params_and_state(optimizer, {"v": v}, {**saved, "state": {4: {}}}),
    ):
        pass


def test_a_differentiable_step_has_a_derivative_by_gradient_rate_and_start():
    start, grad, rate = parameter(1.0), parameter(2.0), torch.tensor(0.5, requires_grad=True)
    w = start.clone()
    optimizer = torch.optim.SGD([w], lr=rate, momentum=0.9, differentiable=True)
    w.grad = grad
    optimizer.step()
    w.backward()
    assert (start.grad.item(), rate.grad.item()) == (1.0, -2.0)
    with pytest.raises(RuntimeError, match="`fused` does not support `differentiable`"):
        torch.optim.Adam([w], fused=True, differentiable=True)
    with pytest.raises(RuntimeError, match=r"`fused` and `foreach` cannot be `True` together\."):
        torch.optim.AdamW([w.detach()], fused=True, foreach=True)


def test_the_line_search_finds_the_bottom_of_rosenbrocks_valley():
    w = parameter(-1.2, 1.0)
    optimizer = torch.optim.LBFGS([w], max_iter=60, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == pytest.approx(24.2)
    assert closure().item() < 1e-8
    assert sorted(optimizer.state[w]) == [
        "H_diag", "al", "d", "func_evals", "n_iter", "old_dirs", "old_stps", "prev_flat_grad", "prev_loss", "ro", "t",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="LBFGS doesn't support per-parameter options"):
        torch.optim.LBFGS([{"params": [w]}, {"params": [parameter()]}])


def test_old_checkpoints_lack_options_and_have_plain_steps():
    w = parameter()
    optimizer = torch.optim.ASGD([w])
    old = {"step": 3, "eta": 0.5, "mu": 1, "ax": torch.zeros(2)}
    group = {"lr": 0.5, "lambd": 1e-4, "alpha": 0.75, "t0": 1e6, "weight_decay": 0, "params": [0]}
    optimizer.load_state_dict({"state": {0: old}, "param_groups": [group]})
    w.grad = torch.ones(2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()
    assert optimizer.state[w]["step"].item() == 4
    assert optimizer.param_groups[0]["foreach"] is None


def test_an_intermediate_that_keeps_its_gradient_may_be_optimized():
    w = parameter() * 2
    with pytest.raises(ValueError, match="can't optimize a non-leaf Tensor"):
        torch.optim.SGD([w])
    w.retain_grad()
    torch.optim.SGD([w])
