"""Compiled steps of every optimizer, with rates and options that change, scalers and clipped gradients."""

import numpy as np
import pytest

import dispatchtorch as torch
from dispatchtorch import nn

pytest.importorskip("jax")
F = nn.functional
CASES = {
    "NAdam": {"weight_decay": 0.1, "decoupled_weight_decay": True},
    "RAdam": {"lr": 0.1},
    "ASGD": {"t0": 2},
    "Adafactor": {"weight_decay": 0.1},
    "Rprop": {},
    "Adamax": {},
    "Adadelta": {},
    "Muon": {"weight_decay": 0.1},
}


@pytest.fixture(autouse=True)
def _on_jax():
    with torch.use_backend("jax"):
        yield


def steps(make, schedule, compiled, count=7):
    torch.manual_seed(0)
    model = nn.Linear(4, 3, bias=False)
    optimizer = make(model.parameters())
    moves = schedule(optimizer)

    def step(x):
        optimizer.zero_grad()
        loss = (model(x) - 1).square().mean()
        loss.backward()
        optimizer.step()
        moves.step()
        return loss

    run = torch.compile(step) if compiled else step
    losses = [run(torch.randn(5, 4)).item() for _ in range(count)]
    state = [v.sum().item() for one in optimizer.state.values() for v in one.values() if isinstance(v, torch.Tensor)]
    return losses + state, run


def compare(make, schedule):
    with torch.use_backend("numpy"):
        wanted, _ = steps(make, schedule, False)
    got, run = steps(make, schedule, True)
    assert got == pytest.approx(wanted, rel=2e-3 if "Muon" in repr(make) else 2e-4, abs=1e-5)
    assert run.counts.eager == 0
    return run.counts.traces


@pytest.mark.parametrize("name", CASES)
def test_a_rate_that_changes_at_each_step_is_one_program(name):
    def make(p):
        return getattr(torch.optim, name)(p, **CASES[name])

    make.__qualname__ = name
    assert compare(make, lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9)) == 1


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_an_option_that_changes_is_read_at_each_step_from_then_on(name):
    options = {"momentum": 0.9} if name == "SGD" else {"weight_decay": 0.1}

    def cycle(optimizer):
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=9)

    assert compare(lambda p: getattr(torch.optim, name)(p, lr=0.01, **options), cycle) == 2


def test_a_rate_that_stays_comes_back_or_changes_as_it_is_counts_at_each_step():
    w = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)

    @torch.compile
    def step():
        optimizer.zero_grad()
        (-w).sum().backward()
        optimizer.step()

    (group,), own, wanted = optimizer.param_groups, np.array(4.0), 0.0
    for rate in (1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.5, 1.0, 2, own, own):
        group["lr"] = rate
        step()
        wanted += float(rate)
        own *= 0.5  # the very same object is another number
        assert w.item() == wanted
    assert len(step.explain().graphs) == 1


def test_a_rate_that_is_a_tensor_is_read_at_each_step():
    w = torch.zeros(1, requires_grad=True)
    rate = torch.tensor(1.0)
    optimizer = torch.optim.SGD([w], lr=rate)

    @torch.compile
    def step():
        optimizer.zero_grad()
        (-w).sum().backward()
        optimizer.step()

    for value, wanted in ((1.0, 1.0), (0.5, 1.5), (0.25, 1.75)):
        rate.fill_(value)
        step()
        assert w.item() == wanted
    assert step.counts.traces == 1


def scaled(compiled, batches):
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)

    def step(x):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = (model(x) - 1).float().square().mean()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()

    run = torch.compile(step) if compiled else step
    seen = []
    for batch in batches:
        run(torch.tensor(batch))
        seen += [model.weight.sum().item(), scaler.get_scale()]
    return seen, run


def test_a_scaler_skips_the_step_of_a_gradient_that_is_not_finite():
    batches = [[[1.0, 2.0, 3.0, 4.0]], [[0.5, 0.0, 1.0, 1.0]], [[float("inf"), 0.0, 0.0, 0.0]], [[1.0, 1.0, 1.0, 1.0]]]
    with torch.use_backend("numpy"):
        wanted, _ = scaled(False, batches)
    got, run = scaled(True, batches)
    assert got == pytest.approx(wanted, rel=1e-3)
    assert wanted[2] == wanted[4]  # the third step was skipped
    assert (run.counts.eager, run.counts.traces) == (1, 1)


def test_several_micro_batches_and_gradients_that_are_zeroed_in_place():
    def run(compiled):
        torch.manual_seed(0)
        model = nn.Linear(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(x):
            for part in x.unbind():
                ((model(part) - 1).square().mean() / 3).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=False)

        act = torch.compile(step) if compiled else step
        for _ in range(4):
            act(torch.randn(3, 5, 4))
        gradient = model.weight.grad
        act(torch.randn(3, 5, 4))
        assert model.weight.grad is gradient
        return model.weight.flatten().tolist()

    with torch.use_backend("numpy"):
        wanted = run(False)
    assert run(True) == pytest.approx(wanted, rel=1e-4)


def test_what_cannot_be_compiled_says_why():
    embed = nn.Embedding(4, 2, sparse=True)
    optimizer = torch.optim.SparseAdam(embed.parameters())

    def step():
        optimizer.zero_grad()
        embed(torch.tensor([1, 2])).sum().backward()
        optimizer.step()

    run = torch.compile(step)
    run()
    with pytest.warns(UserWarning, match="runs eagerly"):
        run()
    assert optimizer.state[embed.weight]["step"] == 2


def test_averages_and_checkpoints_in_a_step():
    def play(compiled):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.Linear(3, 1))
        mean = torch.optim.swa_utils.AveragedModel(model)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(x):
            optimizer.zero_grad()
            torch.utils.checkpoint.checkpoint(model, x, use_reentrant=False).square().mean().backward()
            optimizer.step()
            mean.update_parameters(model)

        run = torch.compile(step, fullgraph=True) if compiled else step
        for _ in range(3):
            run(torch.randn(4, 3))
        return [*mean.module[0].weight.flatten().tolist(), mean.n_averaged.item(), torch.rand(1).item()]

    with torch.use_backend("numpy"):
        wanted = play(False)
    assert play(True) == pytest.approx(wanted, rel=1e-4, abs=1e-6)


def test_a_seed_in_the_function_is_no_part_of_a_program():
    def noise():
        torch.manual_seed(3)
        return torch.rand(2)

    run = torch.compile(noise)
    wanted = run().tolist()
    with pytest.warns(UserWarning, match="a generator is seeded"):
        assert run().tolist() == wanted
