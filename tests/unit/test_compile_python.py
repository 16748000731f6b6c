"""Python around a compiled function that changes between calls or by them: numbers, lists, classes, hooks."""

import random

import pytest

import dispatchtorch as torch
from dispatchtorch import nn

jax = pytest.importorskip("jax")

X = (1.0, 2.0)


@pytest.fixture(autouse=True)
def _on_jax():
    with torch.use_backend("jax"):
        yield


def same_as_eager(play):
    """Plays with and without a compiler; returns the compiled functions."""
    made = []

    def compiled(function):
        made.append(torch.compile(function))
        return made[-1]

    wanted = play(lambda function: function)
    assert play(compiled) == wanted
    return made


def test_numbers_in_lists_dicts_classes_slots_and_methods_are_read_at_each_call():
    def play(compiled):
        class Settings:
            rate = 2.0

        class Holder:
            __slots__ = ("scale", "w")

        class Thing:
            def __init__(self):
                self._power, self.table, self.names = 1.0, {"t": [2.0]}, {"a"}

            @property
            def double(self):
                return self._power * 2

            def inner(self, x):
                return x * self.double * self.table["t"][0] * (2 if "b" in self.names else 1)

            def outer(self, x):
                return self.inner(x) * Settings.rate * holder.scale * holder.w + numbers[0]

        holder, thing, numbers = Holder(), Thing(), [1.0]
        holder.scale, holder.w = 3.0, torch.ones(2)
        run, x = compiled(thing.outer), torch.tensor(X)
        seen = [run(x).tolist()]

        def after(change):
            change()
            seen.append(run(x).tolist())

        after(lambda: numbers.__setitem__(0, 5.0))
        after(lambda: setattr(thing, "_power", 7.0))
        after(lambda: thing.table["t"].__setitem__(0, 11.0))
        after(lambda: setattr(thing, "table", {"t": [13.0]}))
        after(lambda: setattr(Settings, "rate", -1.0))
        after(lambda: (setattr(holder, "scale", 17.0), setattr(holder, "w", torch.zeros(2) + 2)))
        after(lambda: thing.names.add("b"))
        return seen

    (run,) = same_as_eager(play)
    assert (run.counts.traces, run.counts.eager) == (8, 0)


def test_functions_objects_and_lists_may_be_exchanged():
    def play(compiled):
        class Scale:
            def __init__(self, by):
                self.by = by

            def __call__(self, x):
                return x * self.by

        act, scale, weights = torch.relu, Scale(2.0), [torch.ones(2)]

        def work(x):
            for w in weights:
                x = x * w
            return scale(act(x))

        run, x = compiled(work), -torch.tensor(X)
        seen = [run(x).tolist()]
        act = torch.tanh
        seen.append(run(x).tolist())
        scale = Scale(3.0)
        seen.append(run(x).tolist())
        weights.append(torch.ones(2) * 4)
        seen.append(run(x).tolist())
        del weights[0]
        return [*seen, run(x).tolist()]

    same_as_eager(play)


def test_a_counter_is_counted_and_costs_no_program():
    def play(compiled):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.w, self.calls, self.last = nn.Parameter(torch.ones(2)), 0, ""

            def forward(self, x):
                nonlocal total
                self.calls += 1
                total += 2
                self.last = "forward"
                names.append("x")
                return (x * self.w).detach()

        net, total, names = Net(), 0, []
        run = compiled(lambda x: net(x))
        return [run(torch.tensor(X)).tolist() for _ in range(4)], net.calls, net.last, total, names

    (run,) = same_as_eager(play)
    assert (run.counts.traces, run.counts.runs) == (1, 4)


def test_a_counter_that_is_read_is_a_program_each():
    def play(compiled):
        count, log = 0, []

        def work(x):
            nonlocal count
            count += 1
            log.append(x.detach().sum())
            return x * count if count % 2 else x * len(log)

        run = compiled(work)
        return [run(torch.tensor(X)).tolist() for _ in range(4)], count, [one.item() for one in log]

    (run,) = same_as_eager(play)
    assert "count was 1 and is 2" in run.counts.recompiles[1]


@pytest.mark.filterwarnings("ignore:.*runs eagerly")
def test_what_cannot_be_done_again_runs_eagerly():
    def play(compiled):
        random.seed(0)
        queue, flags, items, out = [1.0, 2.0, 3.0], {"a": 1}, iter([5.0, 6.0, 7.0]), []
        loader = iter(torch.utils.data.DataLoader(torch.arange(6.0), batch_size=2))
        optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], 0.1)

        def set_rate(x):
            optimizer.param_groups[0]["lr"] *= 0.5
            return x

        def fill(x, into):
            into.append(x)
            return x

        runs = [
            compiled(lambda x: x * queue.pop()),
            compiled(lambda x: x * random.random()),
            compiled(lambda x: x * next(items)),
            compiled(lambda x: x * next(loader).sum()),
            compiled(lambda x: x * flags.pop("a", 0)),
            compiled(set_rate),
        ]
        filling = compiled(fill)
        seen = []
        for _ in range(3):
            seen += [run(torch.tensor(X)).tolist() for run in runs]
            filling(torch.ones(1), out)
        return seen, queue, flags, len(out), optimizer.param_groups[0]["lr"], random.random()

    runs = same_as_eager(play)
    assert [run.counts.traces for run in runs[:4]] == [0] * 4
    assert "iterator, items" in runs[2].counts.fallbacks[0]
    assert "lr is set here" in runs[5].counts.fallbacks[0]


@pytest.mark.filterwarnings("ignore:Full backward hook is firing")
def test_hooks_and_layers_that_come_and_go():
    def play(compiled):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())

        def work(x):
            model.zero_grad()
            loss = model(x).sum()
            loss.backward()
            return loss.detach()

        run, x, seen = compiled(work), torch.tensor([X]), []

        def look():
            seen.append([run(x).item(), *model[0].weight.grad.flatten().tolist()])

        look()
        for put in (
            lambda: model[0].register_forward_hook(lambda module, args, out: out * 2),
            lambda: model[0].weight.register_hook(lambda g: g * 3),
            lambda: model.register_full_backward_hook(lambda module, gi, go: None),
        ):
            handle = put()
            look()
            handle.remove()
            look()
        model.append(nn.ReLU())
        look()
        return [[round(value, 4) for value in one] for one in seen]

    same_as_eager(play)


def test_a_hook_after_accumulation_returns_nothing():
    w = torch.ones(2, requires_grad=True)
    w.register_post_accumulate_grad_hook(lambda p: p.grad)
    with pytest.raises(RuntimeError, match="Tensor post accumulate grad hooks should return None"):
        w.sum().backward()


def test_arguments_have_gradients():
    def play(compiled):
        def step(params, x):
            ((x @ params[0]) + params[1]).square().mean().backward()
            return sum(p.grad.square().sum() for p in params)

        def descend(params):
            with torch.no_grad():
                for p in params:
                    p -= 0.1 * p.grad
                    p.grad = None

        params = [torch.ones(2, 1, requires_grad=True), torch.zeros(1, requires_grad=True)]
        run, down, seen = compiled(step), compiled(descend), []
        for i in range(4):
            seen.append(round(run(params, torch.tensor([X])).item(), 3))
            held = params[0].grad
            seen.append(round(run(params, torch.tensor([X])).item(), 3))
            assert params[0].grad is held
            if i % 2:
                down(params)
                seen.append(params[0].grad)
        return seen, [p.flatten().tolist() for p in params]

    same_as_eager(play)


@pytest.mark.filterwarnings("ignore:.*runs eagerly")
def test_backward_goes_on_through_the_history_of_an_argument():
    def play(compiled):
        w, run = torch.ones(2, requires_grad=True), compiled(lambda x: (x * 3).sum().backward())
        for _ in range(3):
            run(w * 2)
        return w.grad.tolist()

    same_as_eager(play)


def test_gradients_that_are_returned_are_the_gradients():
    model = nn.Linear(2, 1)

    @torch.compile
    def work(x):
        model.zero_grad()
        model(x).sum().backward()
        return model.weight.grad, model.weight.grad.t(), model.weight.data.t()

    for _ in range(2):
        grad, turned, weight = work(torch.tensor([X]))
    assert grad is model.weight.grad
    assert work.counts.fallbacks == []
    grad.zero_()
    assert turned.flatten().tolist() == [0.0, 0.0]
    weight.zero_()
    assert model.weight.tolist() == [[0.0, 0.0]]


def test_schedules_of_schedules_and_of_ones_own():
    def play(compiled):
        schedules = torch.optim.lr_scheduler

        class Own(schedules.LRScheduler):
            def get_lr(self):
                self.asked = getattr(self, "asked", 0) + 1
                return [base / (1 + self.asked) for base in self.base_lrs]

        seen = []
        for make in (
            lambda o: schedules.SequentialLR(
                o, [schedules.LinearLR(o, total_iters=2), schedules.ExponentialLR(o, 0.5)], [2]
            ),
            lambda o: schedules.ChainedScheduler([schedules.ConstantLR(o), schedules.ExponentialLR(o, 0.9)]),
            lambda o: schedules.CosineAnnealingWarmRestarts(o, 2),
            Own,
        ):
            w = torch.ones(2, requires_grad=True)
            optimizer = torch.optim.SGD([w], 0.1)
            schedule = make(optimizer)

            def step(w=w, optimizer=optimizer, schedule=schedule):
                optimizer.zero_grad()
                (w * w).sum().backward()
                optimizer.step()
                schedule.step()

            run = compiled(step)
            for _ in range(4):
                run()
                seen.append(round(optimizer.param_groups[0]["lr"], 7))
            seen.append([round(value, 5) for value in w.tolist()])
        return seen

    runs = same_as_eager(play)
    assert [run.counts.traces for run in runs] == [1] * 4


def test_kinds_of_arguments():
    run = torch.compile(lambda x, n: 1 / (x * n))
    assert run(torch.ones(1), 0.0).item() == -run(torch.ones(1), -0.0).item()

    class Box:
        __hash__ = None

        def __init__(self, by):
            self.by = by

    scale, box = torch.compile(lambda x, b: x * b.by), Box(2.0)
    assert [scale(torch.ones(1), box).item() for _ in range(2)] == [2.0, 2.0]
    box.by = 3.0
    assert scale(torch.ones(1), box).item() == 3.0
    assert (scale.counts.traces, scale.counts.eager) == (2, 0)


def test_the_limit_is_told_once_and_kinds_do_not_pile_up():
    run = torch.compile(lambda x, n: x + n, recompile_limit=2)
    x = torch.zeros(1)
    with pytest.warns(UserWarning, match="There are 2 programs already") as told:
        found = [run(x, n).item() for n in range(20)]
    assert found == list(range(20))
    assert len(told) == 1
    assert len(run._kinds) == 3


@pytest.mark.filterwarnings("ignore:.*runs eagerly")
def test_gradients_that_are_views_of_one_buffer():
    def play(compiled):
        model = nn.Linear(2, 1)
        nn.init.ones_(model.weight)
        flat = torch.zeros(3)
        model.weight.grad, model.bias.grad = flat[:2].view(1, 2), flat[2:]

        def work(x):
            flat.zero_()
            model(x).sum().backward()
            flat.mul_(0.5)

        run, length = compiled(work), compiled(lambda: flat.sum() + model.weight.grad.sum())
        seen = []
        for i in range(3):
            run(torch.tensor([X]) * i)
            seen += [flat.tolist(), model.weight.grad.tolist(), length().item()]
        return seen

    same_as_eager(play)


def test_an_attribute_of_a_class_may_be_hidden_by_the_objects_own():
    def play(compiled):
        class Box:
            mask = None
            by = 2.0

        box, x = Box(), torch.tensor(X)
        run = compiled(lambda x: x * box.by if box.mask is None else x * box.mask)
        seen = [run(x).tolist()]
        box.by = 3.0
        seen.append(run(x).tolist())
        for mask in (torch.zeros(2), None, torch.ones(2)):
            box.mask = mask
            seen.append(run(x).tolist())
        return seen

    same_as_eager(play)
