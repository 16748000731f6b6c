"""Records what PyTorch's optimizers and schedules do into tests/goldens/optim.json: run with a Python that has torch.

A parameter's gradient is a fixed function of its value and the step (`gradient`), so that
steps are all that is compared.
"""

import json
import pathlib
import warnings

import numpy as np
import torch

GOLDEN = pathlib.Path(__file__).parents[1] / "goldens" / "optim.json"
STEPS = 20

OPTIMIZERS = [
    ["SGD", {"lr": 0.1}],
    ["SGD", {"lr": 0.1, "momentum": 0.9}],
    ["SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}],
    ["SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}],
    ["SGD", {"lr": 0.05, "momentum": 0.8, "maximize": True, "weight_decay": 0.1}],
    ["Adam", {"lr": 0.02}],
    ["Adam", {"lr": 0.02, "betas": [0.5, 0.6], "eps": 1e-3, "weight_decay": 0.1}],
    ["Adam", {"lr": 0.02, "amsgrad": True}],
    ["Adam", {"lr": 0.02, "maximize": True}],
    ["AdamW", {"lr": 0.02}],
    ["AdamW", {"lr": 0.02, "weight_decay": 0.3, "amsgrad": True}],
    ["RMSprop", {"lr": 0.01}],
    ["RMSprop", {"lr": 0.01, "momentum": 0.9, "centered": True, "weight_decay": 0.05}],
    ["Adagrad", {"lr": 0.1}],
    ["Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5, "weight_decay": 0.05}],
    ["Adadelta", {}],
    ["Adadelta", {"lr": 0.5, "rho": 0.7, "weight_decay": 0.05, "maximize": True}],
    ["Adamax", {"lr": 0.02}],
    ["Adamax", {"lr": 0.02, "weight_decay": 0.1}],
    ["NAdam", {"lr": 0.02}],
    ["NAdam", {"lr": 0.02, "weight_decay": 0.1, "decoupled_weight_decay": True}],
]

SCHEDULES = [
    ["StepLR", {"step_size": 3, "gamma": 0.5}],
    ["MultiStepLR", {"milestones": [2, 5, 5, 9], "gamma": 0.5}],
    ["ConstantLR", {"factor": 0.25, "total_iters": 4}],
    ["LinearLR", {"start_factor": 0.1, "end_factor": 0.9, "total_iters": 7}],
    ["ExponentialLR", {"gamma": 0.9}],
    ["PolynomialLR", {"total_iters": 8, "power": 2.0}],
    ["CosineAnnealingLR", {"T_max": 6, "eta_min": 0.01}],
    ["CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.01}],
    ["OneCycleLR", {"max_lr": 0.5, "total_steps": 14}],
    ["OneCycleLR", {"max_lr": [0.5, 0.2], "epochs": 7, "steps_per_epoch": 2, "anneal_strategy": "linear"}],
    ["OneCycleLR", {"max_lr": 0.5, "total_steps": 14, "three_phase": True, "cycle_momentum": False}],
]

MEASURES = [3.0, 2.0, 2.0, 1.9999, 2.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.6, 0.6, 0.6, 0.6]
PLATEAUS = [
    {"patience": 1},
    {"patience": 1, "factor": 0.5, "threshold": 0.2, "threshold_mode": "abs", "cooldown": 2, "min_lr": 0.02},
    {"mode": "max", "patience": 2},
]


def start():
    return [np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3), np.array([0.5, -0.25, 2], np.float32)]


def gradient(value, step):
    wave = np.float32(((step * 7) % 5 - 2) / 4)
    return value * np.float32(0.5) + wave


def walk(name, options):
    params = [torch.tensor(v, requires_grad=True) for v in start()]
    options = {k: tuple(v) if k == "betas" else v for k, v in options.items()}
    optimizer = getattr(torch.optim, name)(params, **options)
    seen = {}
    for step in range(STEPS):
        for p in params:
            p.grad = torch.tensor(gradient(p.detach().numpy(), step))
        optimizer.step()
        if step in (0, 4, STEPS - 1):
            seen[step] = [p.detach().double().reshape(-1).tolist() for p in params]
    state = {n: sorted(v) for n, v in optimizer.state_dict()["state"].items()}
    return {"name": name, "options": options, "seen": seen, "state": state}


def two_groups():
    first, second = (torch.zeros(2, requires_grad=True) for _ in range(2))
    return torch.optim.SGD([{"params": [first], "lr": 0.4}, {"params": [second]}], lr=0.1, momentum=0.9)


def rates(name, options):
    optimizer = two_groups()
    schedule = getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
    seen = []
    for _ in range(14):
        seen.append([[g["lr"], g["momentum"]] for g in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    keys = list(schedule.state_dict())
    return {"name": name, "options": options, "seen": seen, "keys": keys}


def jump(name, options):
    optimizer = two_groups()
    schedule = getattr(torch.optim.lr_scheduler, name)(optimizer, **options)
    optimizer.step()
    seen = []
    for epoch in (4, 2, 6):
        schedule.step(epoch)
        seen.append([g["lr"] for g in optimizer.param_groups])
    return {"name": name, "options": options, "seen": seen}


def plateau(options):
    optimizer = two_groups()
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    seen = []
    for measure in MEASURES:
        schedule.step(measure)
        seen.append([g["lr"] for g in optimizer.param_groups])
    return {"options": options, "seen": seen}


def combined():
    rules = torch.optim.lr_scheduler
    first, second = two_groups(), two_groups()
    parts = [rules.LinearLR(first, 0.1, total_iters=3), rules.ExponentialLR(first, 0.5)]
    sequential = rules.SequentialLR(first, parts, [4])
    parts = [rules.ConstantLR(second, 0.1, total_iters=3), rules.ExponentialLR(second, 0.5)]
    chained = rules.ChainedScheduler(parts)
    return {"sequential": follow(first, sequential), "chained": follow(second, chained)}


def follow(optimizer, schedule):
    seen = []
    for _ in range(9):
        optimizer.step()
        schedule.step()
        seen.append([g["lr"] for g in optimizer.param_groups])
    return seen


def main():
    """Writes the file."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    record = {
        "walks": [walk(*case) for case in OPTIMIZERS],
        "rates": [rates(*case) for case in SCHEDULES],
        "jumps": [jump(*case) for case in SCHEDULES if "OneCycle" not in case[0] and "Restarts" not in case[0]],
        "measures": MEASURES,
        "plateaus": [plateau(options) for options in PLATEAUS],
        "combined": combined(),
    }
    text = json.dumps(record, separators=(",", ":"))
    GOLDEN.write_text(text.replace('{"name"', '\n{"name"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
