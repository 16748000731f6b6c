"""Optimizers go torch's way step by step, schedules give torch's rates; from tests/parity/record_optim.py."""

import json
import pathlib
import warnings

import numpy as np
import pytest

import dispatchtorch as torch

RECORD = json.loads((pathlib.Path(__file__).parents[1] / "goldens" / "optim.json").read_text(encoding="utf-8"))
STEPS = 20


def name(case):
    options = ",".join(f"{k}={v}" for k, v in case["options"].items())
    return f"{case.get('name', 'plateau')}({options})"


def start():
    return [np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3), np.array([0.5, -0.25, 2], np.float32)]


def gradient(value, step):
    wave = np.float32(((step * 7) % 5 - 2) / 4)
    return value * np.float32(0.5) + wave


def host(t):
    return np.array(t.detach().tolist(), np.float32)


@pytest.mark.parametrize("case", RECORD["walks"], ids=name)
def test_parameters_go_torchs_way(case):
    params = [torch.tensor(v, requires_grad=True) for v in start()]
    optimizer = getattr(torch.optim, case["name"])(params, **case["options"])
    for step in range(STEPS):
        for p in params:
            p.grad = torch.tensor(gradient(host(p), step))
        optimizer.step()
        for p, expected in zip(params, case["seen"].get(str(step), [])):
            np.testing.assert_allclose(host(p).reshape(-1), expected, rtol=1e-6, atol=3e-7)
    state = {str(n): sorted(v) for n, v in optimizer.state_dict()["state"].items()}
    assert state == case["state"]


def two_groups():
    first, second = (torch.zeros(2, requires_grad=True) for _ in range(2))
    return torch.optim.SGD([{"params": [first], "lr": 0.4}, {"params": [second]}], lr=0.1, momentum=0.9)


@pytest.mark.parametrize("case", RECORD["rates"], ids=name)
def test_schedules_give_torchs_rates(case):
    optimizer = two_groups()
    schedule = getattr(torch.optim.lr_scheduler, case["name"])(optimizer, **case["options"])
    seen = []
    for _ in case["seen"]:
        seen.append([[g["lr"], g["momentum"]] for g in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    np.testing.assert_allclose(seen, case["seen"], rtol=1e-13)
    assert sorted(schedule.state_dict()) == sorted(case["keys"])


@pytest.mark.parametrize("case", RECORD["jumps"], ids=name)
def test_a_named_epoch_uses_the_closed_form(case):
    optimizer = two_groups()
    schedule = getattr(torch.optim.lr_scheduler, case["name"])(optimizer, **case["options"])
    optimizer.step()
    seen = []
    for epoch in (4, 2, 6):
        with pytest.warns(UserWarning, match="The epoch parameter"):
            schedule.step(epoch)
        seen.append([g["lr"] for g in optimizer.param_groups])
    np.testing.assert_allclose(seen, case["seen"], rtol=1e-13)


@pytest.mark.parametrize("case", RECORD["plateaus"], ids=name)
def test_a_plateau_lowers_the_rate_when_torch_does(case):
    optimizer = two_groups()
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **case["options"])
    seen = []
    for measure in RECORD["measures"]:
        schedule.step(measure)
        seen.append([g["lr"] for g in optimizer.param_groups])
    assert seen == case["seen"]


def test_schedules_combine_as_torchs_do():
    rules = torch.optim.lr_scheduler
    optimizer = two_groups()
    parts = [rules.LinearLR(optimizer, 0.1, total_iters=3), rules.ExponentialLR(optimizer, 0.5)]
    sequential = rules.SequentialLR(optimizer, parts, [4])
    assert walk(optimizer, sequential) == pytest.approx(np.ravel(RECORD["combined"]["sequential"]).tolist(), rel=1e-13)
    optimizer = two_groups()
    parts = [rules.ConstantLR(optimizer, 0.1, total_iters=3), rules.ExponentialLR(optimizer, 0.5)]
    chained = rules.ChainedScheduler(parts)
    assert walk(optimizer, chained) == pytest.approx(np.ravel(RECORD["combined"]["chained"]).tolist(), rel=1e-13)


def walk(optimizer, schedule):
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(9):
            optimizer.step()
            schedule.step()
            seen += [g["lr"] for g in optimizer.param_groups]
    return seen
