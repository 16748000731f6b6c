"""Compiled steps beside eager ones: the same numbers, the same state afterwards, step by step."""

import pytest

import dispatchtorch as torch
from dispatchtorch import nn

pytest.importorskip("jax")
F = nn.functional


@pytest.fixture(autouse=True)
def _on_jax():
    with torch.use_backend("jax"):
        yield


def eager():
    """Eager runs are NumPy's: the same seed gives the same numbers, and nothing has to be compiled op by op."""
    return torch.use_backend("numpy")


def alike(x, y, rtol=1e-3):
    return torch.allclose(x.to(backend="numpy"), y.to(backend="numpy"), rtol=rtol, atol=1e-5)


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Dropout2d(0.3)
        self.out = nn.Linear(4 * 9, 5)

    def forward(self, x):
        return self.out(F.max_pool2d(self.drop(F.relu(self.norm(self.conv(x)))), 2).flatten(1))


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm, self.out = nn.Embedding(11, 8), nn.LSTM(8, 6, batch_first=True), nn.Linear(6, 5)

    def forward(self, x):
        return self.out(self.lstm(self.embed(x))[0][:, -1])


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Embedding(11, 8), nn.Parameter(torch.zeros(6, 8))
        self.norm, self.attend = nn.LayerNorm(8), nn.MultiheadAttention(8, 2, dropout=0.1, batch_first=True)
        self.wide, self.out = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8)), nn.Linear(8, 5)

    def forward(self, x):
        h = self.embed(x) + self.place
        mask = torch.triu(torch.ones(6, 6, dtype=torch.bool), 1)
        h = h + self.attend(self.norm(h), self.norm(h), self.norm(h), attn_mask=mask, need_weights=False)[0]
        return self.out(h + self.wide(h))[:, -1]


def mlp():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 5))


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=1e-3, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=1e-2, amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-2),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=1e-2, momentum=0.5, centered=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=1e-2, lr_decay=0.1),
}
CASES = {
    "mlp": (mlp, lambda: torch.randn(8, 6), "sgd"),
    "convnet": (ConvNet, lambda: torch.randn(8, 1, 8, 8), "adam"),
    "lstm": (Tagger, lambda: torch.randint(0, 11, (8, 6)), "rmsprop"),
    "gpt": (Block, lambda: torch.randint(0, 11, (8, 6)), "sgd"),
    "adamw": (mlp, lambda: torch.randn(8, 6), "adamw"),
    "adagrad": (mlp, lambda: torch.randn(8, 6), "adagrad"),
}


def train(case, compiled, steps=6):
    """Returns losses, and the model and optimizer after some steps."""
    make, batch, kind = CASES[case]
    torch.manual_seed(0)
    model = make()
    optimizer = OPTIMIZERS[kind](model.parameters())
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        return loss

    run = torch.compile(step) if compiled else step
    losses = [run(batch(), torch.randint(0, 5, (8,))).item() for _ in range(steps)]
    return losses, model, optimizer, run


@pytest.mark.parametrize("case", CASES)
def test_a_step_is_the_eager_step(case):
    with eager():
        wanted, model, optimizer, _ = train(case, compiled=False)
    got, compiled, its_optimizer, run = train(case, compiled=True)
    assert (run.counts.eager, run.counts.traces, run.counts.runs, run.counts.fallbacks) == (0, 1, 6, [])
    assert got == pytest.approx(wanted, rel=1e-4)
    for (name, p), q in zip(model.state_dict().items(), compiled.state_dict().values(), strict=True):
        assert alike(p, q), name
    for p, q in zip(model.parameters(), compiled.parameters(), strict=True):
        assert alike(p.grad, q.grad)
        assert q._version >= 6
    assert optimizer.param_groups[0]["lr"] == its_optimizer.param_groups[0]["lr"]
    for before, after in zip(optimizer.state.values(), its_optimizer.state.values(), strict=True):
        for name, value in before.items():
            assert alike(torch.as_tensor(value), torch.as_tensor(after[name])), name


def test_the_stream_of_random_numbers_goes_on_as_in_eager():
    states = []
    for compiled in (False, True):
        with torch.use_backend("jax" if compiled else "numpy"):
            train("mlp", compiled)
        states.append(torch.get_rng_state().to(backend="numpy"))
    assert torch.equal(*states)


def test_two_optimizers_take_turns():
    def play(compiled):
        torch.manual_seed(0)
        maker, judge = nn.Linear(3, 4), nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
        first, second = torch.optim.Adam(maker.parameters(), 1e-2), torch.optim.Adam(judge.parameters(), 1e-2)

        def step(real):
            judge.zero_grad()
            ones, zeros = torch.ones(5, 1), torch.zeros(5, 1)
            fake = maker(torch.randn(5, 3))
            wrong = F.binary_cross_entropy_with_logits(judge(real), ones)
            wrong = wrong + F.binary_cross_entropy_with_logits(judge(fake.detach()), zeros)
            wrong.backward()
            second.step()
            maker.zero_grad()
            fooled = F.binary_cross_entropy_with_logits(judge(fake), ones)
            fooled.backward()
            first.step()
            return {"judge": wrong.detach(), "maker": fooled.detach()}

        run = torch.compile(step) if compiled else step
        return [[v.item() for v in run(torch.randn(5, 4)).values()] for _ in range(6)]

    with eager():
        wanted = [v for pair in play(False) for v in pair]
    assert [v for pair in play(True) for v in pair] == pytest.approx(wanted, rel=1e-4)


def test_gradients_accumulate_over_several_calls():
    def run(compiled):
        torch.manual_seed(0)
        model = nn.Linear(4, 2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

        def gather(x):
            (model(x).square().mean() / 3).backward()

        def move():
            optimizer.step()
            optimizer.zero_grad()

        gather, move = (torch.compile(gather), torch.compile(move)) if compiled else (gather, move)
        for i in range(9):
            gather(torch.randn(3, 4))
            if i % 3 == 2:
                move()
        return model.weight.detach().flatten().tolist()

    assert run(True) == pytest.approx(run(False), rel=1e-5)


def test_a_new_shape_a_mode_or_an_option_is_a_program_of_its_own():
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
    run = torch.compile(lambda x: model(x).detach())
    for x in (torch.ones(2, 3), torch.ones(4, 3)):
        for _ in range(3):
            run(x)
    assert run.counts.traces == 2
    model.eval()
    assert torch.equal(run(torch.ones(2, 3)), model[0](torch.ones(2, 3)))
    assert run.counts.traces == 3


def test_a_changed_rate_acts_without_another_trace():
    w = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=1.0)

    @torch.compile
    def step():
        optimizer.zero_grad()
        (-w).sum().backward()
        optimizer.step()

    for rate, wanted in ((1.0, 1.0), (1.0, 2.0), (0.5, 2.5), (0.25, 2.75)):
        optimizer.param_groups[0]["lr"] = rate
        step()
        assert w.item() == wanted
    assert step.counts.traces == 1


def test_views_see_what_a_program_writes():
    base = torch.zeros(4)
    part, pointer = base[1:3], base.data_ptr()

    @torch.compile
    def write(x):
        base[2] += x
        part.mul_(2)

    for _ in range(3):
        write(torch.tensor(1.0))
    assert (base.tolist(), part.tolist(), base.data_ptr()) == ([0.0, 0.0, 14.0, 0.0], [0.0, 14.0], pointer)


def test_what_is_kept_on_the_side_is_kept():
    class Memory(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = torch.zeros(2)

        def forward(self, x):
            self.hidden = (self.hidden + x).detach()
            return self.hidden * 1

    memory = Memory()
    run = torch.compile(memory)
    assert run(torch.ones(2)).tolist() == [1.0, 1.0]
    assert [run(torch.ones(2)).tolist()[0] for _ in range(3)] == [2.0, 3.0, 4.0]
    memory.hidden = torch.zeros(2)  # as one does between two sequences
    assert [run(torch.ones(2)).tolist()[0] for _ in range(2)] == [1.0, 2.0]
    assert memory.hidden.tolist() == [2.0, 2.0]
    assert run.explain().graph_count == 1


def test_arguments_are_written_and_returned():
    @torch.compile
    def add(x, y):
        x.add_(y)
        return x

    x = torch.zeros(2)
    for i in range(4):
        assert add(x, torch.ones(2)) is x
        assert x.tolist() == [i + 1.0] * 2


def test_a_value_that_is_asked_for_names_its_line():
    def branches(x):
        if x.sum() > 0:
            return x * 2
        return x * 3

    strict = torch.compile(branches, fullgraph=True)
    with pytest.raises(RuntimeError, match=r"test_compile\.py:\d+: the value of a tensor is asked for"):
        strict(torch.ones(2))
    lax = torch.compile(branches)
    lax(torch.ones(2))
    with pytest.warns(UserWarning, match=r"branches runs eagerly\. .*test_compile\.py:\d+"):
        assert lax(torch.ones(2)).tolist() == [2.0, 2.0]
    assert lax(-torch.ones(2)).tolist() == [-3.0, -3.0]


def test_an_error_of_the_call_is_the_calls_own_and_leaves_nothing_behind():
    w = torch.ones(3)

    @torch.compile
    def wrong(x):
        w.add_(1)
        return w @ x

    wrong(torch.ones(3))
    with pytest.raises(RuntimeError):
        wrong(torch.ones(4))
    with pytest.raises(RuntimeError):
        wrong(torch.ones(4))
    assert w.tolist() == [4.0, 4.0, 4.0]  # the line before the one that fails has run each time


def test_numpy_runs_it_as_it_is():
    with torch.use_backend("numpy"):
        run = torch.compile(lambda x: x * 2)
        assert [run(torch.ones(1)).item() for _ in range(3)] == [2.0] * 3
        assert run.counts.eager == 3
