"""Groups, states, hooks and refusals of optimizers, in torch's words."""

import copy
import pickle
import warnings

import pytest

import dispatchtorch as torch
from dispatchtorch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook


def parameter(*values):
    return torch.tensor(values or (1.0, 2.0), requires_grad=True)


def with_grad(p):
    p.grad = torch.ones_like(p)
    return p


SGD = torch.optim.SGD


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda w: SGD([], 0.1), ValueError, "optimizer got an empty parameter list"),
        (
            lambda w: SGD(w, 0.1),
            TypeError,
            "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
            "torch.FloatTensor",
        ),
        (lambda w: SGD([w], -1), ValueError, "Invalid learning rate: -1"),
        (lambda w: SGD([w], torch.tensor([1.0, 2.0])), ValueError, "Tensor lr must be 1-element"),
        (
            lambda w: SGD([{"params": w}, {"params": [w]}], 0.1),
            ValueError,
            "some parameters appear in more than one parameter group",
        ),
        (lambda w: SGD([w * 2], 0.1), ValueError, "can't optimize a non-leaf Tensor"),
        (lambda w: SGD(["a"], 0.1), TypeError, "optimizer can only optimize Tensors, but one of the params is str"),
        (lambda w: SGD([{"lr": 2}], 0.1), KeyError, "'params'"),
        (
            lambda w: SGD([{"params": {w}}], 0.1),
            TypeError,
            "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
            "will change between runs. Please use a list instead.",
        ),
        (
            lambda w: SGD([w], 0.1, nesterov=True),
            ValueError,
            "Nesterov momentum requires a momentum and zero dampening",
        ),
        (
            lambda w: SGD([("a", w), parameter()], 0.1),
            ValueError,
            "all optimizer params should be with/without names. Some param names are missing",
        ),
        (
            lambda w: torch.optim.Adam([w], betas=(1.0, 0.9)),
            ValueError,
            "Invalid beta parameter at index 0: 1.0",
        ),
        (lambda w: SGD([w]).add_param_group(3), TypeError, "param_group must be a dict, but got <class 'int'>"),
        (
            lambda w: SGD([w]).load_state_dict({"state": {}, "param_groups": []}),
            ValueError,
            "loaded state dict has a different number of parameter groups",
        ),
        (
            lambda w: SGD([w]).load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]}),
            ValueError,
            "loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
        ),
        (lambda w: torch.optim.lr_scheduler.StepLR(w, 3), TypeError, "Tensor is not an Optimizer"),
        (lambda w: torch.optim.Optimizer([w], {}).step(), NotImplementedError, ""),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error) as caught:
        call(parameter())
    assert str(caught.value) == message


def test_duplicates_in_a_group_are_warned_of():
    w = parameter()
    with pytest.warns(UserWarning, match="duplicate parameters"):
        SGD([w, w], 0.1)


def test_repr_shows_each_group():
    optimizer = SGD([{"params": [parameter()], "lr": 0.5}, {"params": [parameter()]}], lr=0.2)
    assert repr(optimizer) == (
        "SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n"
        "    lr: 0.5\n    maximize: False\n    momentum: 0\n    nesterov: False\n    weight_decay: 0\n\n"
        "Parameter Group 1\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n"
        "    lr: 0.2\n    maximize: False\n    momentum: 0\n    nesterov: False\n    weight_decay: 0\n)"
    )


def test_a_step_writes_into_the_parameter_itself():
    w = with_grad(parameter(1.0, 2.0))
    before = w.data_ptr()
    SGD([w], lr=0.5).step()
    assert w.tolist() == [0.5, 1.5]
    assert w.data_ptr() == before
    assert w._version == 1
    assert w.requires_grad
    assert w.is_leaf


def test_parameters_without_gradient_stay():
    w, v = with_grad(parameter(1.0)), parameter(1.0)
    optimizer = torch.optim.Adam([w, v], lr=0.5)
    optimizer.step()
    assert v.tolist() == [1.0]
    assert list(optimizer.state_dict()["state"]) == [0]


def test_zero_grad_drops_or_zeroes():
    w = with_grad(parameter())
    optimizer = SGD([w], lr=0.5)
    kept = w.grad
    optimizer.zero_grad(set_to_none=False)
    assert w.grad is kept
    assert kept.tolist() == [0, 0]
    optimizer.zero_grad()
    assert w.grad is None


def test_a_closure_is_run_with_recording_on():
    w = parameter(3.0)
    optimizer = SGD([w], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with torch.no_grad():
        loss = optimizer.step(closure)
        assert not torch.is_grad_enabled()
    assert loss.item() == 9.0
    assert w.tolist() == [0.0]


def test_a_tensor_as_learning_rate_takes_effect_when_it_is_written():
    rate = torch.tensor(0.5)
    w = with_grad(parameter(1.0))
    optimizer = SGD([w], lr=rate)
    optimizer.step()
    rate.fill_(0.25)
    optimizer.step()
    assert w.tolist() == [0.25]


def test_a_state_is_saved_and_continued():
    def walk(optimizer, w, steps):
        for _ in range(steps):
            w.grad = w.detach() * 2
            optimizer.step()

    w = parameter(1.0, -2.0)
    optimizer = torch.optim.Adam([w], lr=0.1)
    walk(optimizer, w, 3)
    saved = copy.deepcopy(optimizer.state_dict())
    assert saved["state"][0]["step"].item() == 3
    assert saved["param_groups"][0]["params"] == [0]
    twin = torch.tensor(w.tolist(), requires_grad=True)
    other = torch.optim.Adam([twin], lr=0.7)
    other.load_state_dict(saved)
    walk(optimizer, w, 3)
    walk(other, twin, 3)
    assert twin.tolist() == w.tolist()
    assert saved["state"][0]["step"].item() == 3
    assert other.param_groups[0]["params"][0] is twin


def test_a_loaded_state_takes_the_dtype_of_its_parameter():
    w = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([w])
    state = {0: {"step": torch.tensor(4.0), "exp_avg": torch.tensor([1.0]), "exp_avg_sq": torch.tensor([1.0])}}
    optimizer.load_state_dict({"state": state, "param_groups": [{"lr": 0.5, "params": [0]}]})
    assert optimizer.state[w]["exp_avg"].dtype is torch.float64
    assert optimizer.state[w]["step"].dtype is torch.float32


def test_names_are_saved_with_their_parameters():
    optimizer = SGD([("a", parameter()), ("b", parameter())], 0.1)
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["a", "b"]


def test_hooks_run_around_the_step_and_may_change_its_arguments():
    seen = []
    w = with_grad(parameter(1.0))
    optimizer = SGD([w], lr=0.5)
    handles = [
        register_optimizer_step_pre_hook(lambda o, args, kwargs: seen.append("all before")),
        register_optimizer_step_post_hook(lambda o, args, kwargs: seen.append("all after")),
        optimizer.register_step_pre_hook(lambda o, args, kwargs: ((lambda: seen.append("closure"),), {})),
        optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append("after")),
    ]
    optimizer.step()
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert seen == ["all before", "closure", "after", "all after"]
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "more": 1})
    assert optimizer.state_dict()["more"] == 1
    optimizer.register_load_state_dict_pre_hook(lambda o, state: seen.append("load"))
    optimizer.load_state_dict(optimizer.state_dict())
    assert seen[-1] == "load"


def test_an_optimizer_is_pickled_with_its_parameters_and_state():
    w = with_grad(parameter(1.0, 2.0))
    optimizer = SGD([w], lr=0.5, momentum=0.9)
    optimizer.step()
    again = pickle.loads(pickle.dumps(optimizer))
    (p,) = again.param_groups[0]["params"]
    assert p.tolist() == w.tolist()
    assert again.state[p]["momentum_buffer"].tolist() == [1.0, 1.0]
    again.step()
    assert p.tolist() != w.tolist()


def test_a_programs_own_optimizer_has_hooks_too():
    class Halver(torch.optim.Optimizer):
        def step(self, closure=None):
            with torch.no_grad():
                for p in self.param_groups[0]["params"]:
                    p.mul_(self.param_groups[0]["factor"])

    w = parameter(1.0, 2.0)
    seen = []
    optimizer = Halver([w], {"factor": 0.5})
    optimizer.register_step_post_hook(lambda *_: seen.append(1))
    optimizer.step()
    assert w.tolist() == [0.5, 1.0]
    assert seen == [1]


def test_stepping_a_schedule_before_its_optimizer_is_warned_of():
    optimizer = SGD([parameter()], lr=0.5)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    with pytest.warns(UserWarning, match=r"Detected call of `lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        schedule.step()
    with pytest.warns(UserWarning, match="get_last_lr"):
        schedule.get_lr()
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule.step()


def test_a_schedule_is_saved_and_continued():
    optimizer = SGD([parameter()], lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.5**epoch)
    optimizer.step()
    schedule.step()
    saved = schedule.state_dict()
    assert saved["lr_lambdas"] == [None]
    assert saved["last_epoch"] == 1
    other = torch.optim.lr_scheduler.LambdaLR(SGD([parameter()], lr=1.0), lambda epoch: 0.5**epoch)
    other.load_state_dict(saved)
    other.step()
    assert other.get_last_lr() == [0.25]
