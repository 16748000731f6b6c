"""State that a compiled function overwrites, keeps, shares or is given anew from outside."""

import copy
import gc

import numpy as np
import pytest

import dispatchtorch as torch
from dispatchtorch import nn
from dispatchtorch.compiler import compiled

jax = pytest.importorskip("jax")


@pytest.fixture(autouse=True)
def _on_jax():
    with torch.use_backend("jax"):
        yield


def counter(size=1000, **options):
    state = torch.zeros(size)

    @torch.compile(**options)
    def step(x):
        state.add_(x)

    return state, step


def place(t):
    return t._a.unsafe_buffer_pointer()


def test_memory_of_state_is_used_again():
    state, step = counter()
    step(torch.tensor(1.0))  # a first run keeps everything until it has succeeded
    held = []
    for _ in range(3):
        before = place(state)
        step(torch.tensor(1.0))
        held.append(place(state) == before)
    assert held == [True, True, True]
    assert state[0].item() == 4.0
    assert step.explain().graphs[0].donated_bytes == 4000


def test_memory_that_somebody_else_holds_is_not():
    state, step = counter()
    step(torch.tensor(1.0))
    shown, alias, raw = state.detach().numpy(), state.detach(), state._a
    exchanged, copied = np.from_dlpack(state), state.clone()
    for _ in range(3):
        step(torch.tensor(1.0))
    assert shown[0] == exchanged[0] == copied[0].item() == float(raw[0]) == 1.0
    assert alias[0].item() == state[0].item() == 4.0  # an alias is the same memory, as in eager
    saved = state.data
    step(torch.tensor(1.0))
    assert saved[0].item() == 5.0


def test_two_holders_of_one_array_stay_two():
    first = torch.zeros(3)
    second = first.detach().clone()
    second._a = first._a  # as a library may do that gives out its own array again

    @torch.compile
    def step():
        first.add_(1)
        second.add_(10)

    for _ in range(3):
        step()
    assert (first.tolist(), second.tolist()) == ([3.0] * 3, [30.0] * 3)


def test_donation_can_be_declined():
    state, step = counter(options={"donate": False})
    for _ in range(2):
        step(torch.tensor(1.0))
    raw = state._a
    step(torch.tensor(1.0))
    assert float(raw[0]) == 2.0


def test_a_program_that_fails_says_what_is_lost(monkeypatch):
    _, step = counter()
    for _ in range(2):
        step(torch.tensor(1.0))
    program = next(iter(step._kinds.values())).programs[0]

    def failing(taken, lent, given):
        for array in taken:
            array.delete()
        raise RuntimeError("RESOURCE_EXHAUSTED")

    monkeypatch.setattr(program, "compiled", failing)
    with pytest.raises(RuntimeError, match="load the last checkpoint"):
        step(torch.tensor(1.0))


def test_a_first_run_that_fails_loses_nothing(monkeypatch):
    state, step = counter()
    trace = compiled.trace

    def failing(taken, lent, given):
        for array in taken:
            array.delete()
        raise MemoryError

    def traced(*args):
        program = trace(*args)
        program.compiled = failing
        return program

    monkeypatch.setattr(compiled, "trace", traced)
    with pytest.raises(MemoryError):
        step(torch.tensor(1.0))
    assert state.tolist() == [0.0] * 1000


def test_an_error_in_the_function_leaves_everything_as_it_was():
    class Thing:
        kept = None

    thing, seen, w = Thing(), [], torch.ones(2)

    @torch.compile
    def wrong(x):
        w.mul_(2)
        thing.kept = w * 3
        seen.append(w.sum())
        raise KeyError("mine")

    for times in (1, 2):
        with pytest.raises(KeyError, match="mine"):
            wrong(torch.ones(1))
        assert w.tolist() == [2.0**times] * 2  # what eager does before it fails, once a call
        assert thing.kept.tolist() == [3 * 2.0**times] * 2
        assert [s.item() for s in seen] == [4.0, 8.0][:times]


def test_new_tensors_in_attributes_lists_and_tuples():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.state = nn.LSTMCell(3, 4), (torch.zeros(2, 4), torch.zeros(2, 4))

        def forward(self, x):
            h, c = self.cell(x, self.state)
            self.state = (h.detach(), c.detach())
            return h

    def play(compiled):
        torch.manual_seed(0)
        net, losses = Net(), []
        optimizer = torch.optim.Adam(net.parameters(), 1e-2)
        average = {}

        def step(x):
            optimizer.zero_grad()
            loss = net(x).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            average["w"] = average["w"] * 0.9 + net.cell.bias_hh.detach() if average else net.cell.bias_hh.detach() * 1

        run = torch.compile(step) if compiled else step
        for i in range(6):
            if i == 4:
                net.state = (torch.zeros(2, 4), torch.zeros(2, 4))
            run(torch.randn(2, 3))
        return [x.item() for x in losses] + net.state[1].flatten().tolist() + average["w"].tolist(), run

    with torch.use_backend("numpy"):
        wanted, _ = play(False)
    got, run = play(True)
    assert got == pytest.approx(wanted, rel=1e-3, abs=1e-5)
    assert (run.counts.eager, run.counts.traces) == (0, 2)  # an average begins otherwise than it goes on


def test_checkpoints_and_new_data_are_taken_up():
    model = nn.Linear(3, 1)
    optimizer = torch.optim.Adam(model.parameters(), 0.1)

    def step(x):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    run, x = torch.compile(step), torch.ones(2, 3)
    run(x)
    saved = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    wanted = [run(x).item() for _ in range(3)]
    model.load_state_dict(saved[0])
    optimizer.load_state_dict(saved[1])
    assert [run(x).item() for _ in range(3)] == wanted
    model.weight.data = torch.full((1, 3), 2.0)
    with torch.no_grad():
        model.bias.zero_()
    assert run(x).item() == 36.0
    assert ["another object" in why or ".data" in why for why in run.counts.recompiles] == [True, True]


def test_numbers_and_modules_that_the_code_names_are_guarded():
    scale = 2.0
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.0))
    nn.init.ones_(model[0].weight)
    nn.init.zeros_(model[0].bias)
    run = torch.compile(lambda x: model(x).detach() * scale)
    x = torch.ones(1, 2)
    assert run(x).tolist() == [[4.0, 4.0]]
    scale = 3.0
    assert run(x).tolist() == [[6.0, 6.0]]
    model[1].p = 1.0
    assert run(x).tolist() == [[0.0, 0.0]]
    model[1] = nn.Identity()
    assert run(x).tolist() == [[6.0, 6.0]]
    assert "scale was 2.0 and is 3.0" in run.counts.recompiles[0]


def test_tied_weights_and_a_generator_of_ones_own():
    table = nn.Embedding(5, 3)
    out = nn.Linear(3, 5, bias=False)
    out.weight = table.weight
    optimizer = torch.optim.SGD(table.parameters(), 0.1)
    generator = torch.Generator()
    generator.manual_seed(3)

    def step(i):
        optimizer.zero_grad()
        noise = torch.rand(2, 3, generator=generator)
        loss = out(table(i) + noise).square().mean()
        loss.backward()
        optimizer.step()

    run = torch.compile(step)
    for _ in range(3):
        run(torch.tensor([1, 4]))
    assert out.weight is table.weight
    assert torch.equal(out.weight.grad, table.weight.grad)
    other = torch.Generator()
    other.manual_seed(3)
    torch.rand(6, 3, generator=other)
    assert torch.rand(1, generator=generator).item() == torch.rand(1, generator=other).item()


def test_nothing_that_is_made_during_a_trace_is_kept_for_the_next():
    for _ in range(2):
        w = torch.ones(3, requires_grad=True)

        @torch.compile(fullgraph=True)
        def step(x, w=w):
            torch.nn.functional.interpolate((w * x)[None, None], scale_factor=2, mode="linear").sum().backward()

        step(torch.ones(3))
        program = next(iter(step._kinds.values())).programs[0]
        assert not any(isinstance(a, jax.core.Tracer) for a in program.lasting)
        assert w.grad.tolist() == [2.0] * 3


def test_arguments_in_memory_that_is_written_are_what_they_are_in_eager():
    state = torch.zeros(4)

    def work(x, y):
        x.add_(1)
        state.add_(10)
        return y * 1

    run = torch.compile(work)
    free, other = torch.zeros(2), torch.zeros(2)
    for times in (1, 2):
        assert run(free, other).tolist() == [0.0, 0.0]
        assert free.tolist() == [times] * 2
    base = torch.zeros(4)
    assert run(base[:2], base[1:3]).tolist() == [1.0, 0.0]
    assert base.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert run(torch.zeros(2), state[:2]).tolist() == [40.0, 40.0]
    assert run(state[:2], torch.zeros(2)).tolist() == [0.0, 0.0]
    assert state.tolist() == [51.0, 51.0, 50.0, 50.0]
    assert run.counts.runs == 2


def test_a_parameter_that_is_frozen_is_left_alone():
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    @torch.compile
    def step(x):
        optimizer.zero_grad()
        model(x).sum().backward()
        optimizer.step()

    step(torch.ones(1, 2))
    model.weight.requires_grad_(False)
    before = model.weight.tolist()
    step(torch.ones(1, 2))
    step(torch.ones(1, 2))
    assert model.weight.tolist() == before
    assert step.counts.recompiles == ["a tensor requires a gradient now, or does no longer"]


def test_state_that_the_collector_does_not_list_is_found_and_the_collector_stays_as_it_was():
    def ran(state, step):
        for _ in range(3):
            step(torch.tensor(1.0))
        return state[:2].tolist()

    assert ran(*counter()) == [3.0, 3.0]
    assert gc.get_freeze_count() == 0
    state, step = counter()
    gc.freeze()
    try:
        assert ran(state, step) == [3.0, 3.0]
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
