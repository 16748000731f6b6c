"""Training steps as a user of JAX writes them: the same networks, optimizers and first values as the cases' own.

``python -m tests.benchmarks.handwritten NAME ours`` or ``jax`` is one fresh process. It prints what a step takes that
is compiled with all caches empty (trace, lowering, compilation), what a step takes then, and the first losses.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.benchmarks.ratio import one_thread

__all__ = ["STEPS"]

STEPS = {"MLP": "MLP 784-512-512-10, batch 128", "GPT": "GPT 4x128, 8 sequences of 64"}
Params = dict[str, Any]


def _mlp(torch: Any) -> tuple[Params, tuple[Any, Any]]:
    torch.manual_seed(0)
    nn = torch.nn
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    x, y = torch.randn(128, 784), torch.randint(0, 10, (128,))
    return {name: p.detach().numpy() for name, p in model.named_parameters()}, (x.numpy(), y.numpy())


def _gpt(torch: Any) -> tuple[Params, tuple[Any, Any]]:
    from tests.benchmarks.groups import models

    torch.manual_seed(0)
    model = models.gpt(torch)(65, 64, 4, 128, 4)
    tokens = torch.randint(0, 65, (8, 65))
    params = {name: p.detach().numpy() for name, p in model.named_parameters()}
    return params, (tokens[:, :-1].contiguous().numpy(), tokens[:, 1:].contiguous().numpy())


def _likelihood(logits: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[..., None], -1).mean()


def _mlp_loss(p: Params, x: Any, y: Any) -> Any:
    import jax

    for i in (0, 2):
        x = jax.nn.relu(x @ p[f"{i}.weight"].T + p[f"{i}.bias"])
    return _likelihood(x @ p["4.weight"].T + p["4.bias"], y)


def _normal(p: Params, name: str, x: Any) -> Any:
    import jax
    import jax.numpy as jnp

    centred = x - x.mean(-1, keepdims=True)
    scale = jax.lax.rsqrt(jnp.mean(centred * centred, -1, keepdims=True) + 1e-5)
    return centred * scale * p[f"{name}.weight"] + p[f"{name}.bias"]


def _gpt_loss(p: Params, x: Any, y: Any, heads: int = 4) -> Any:
    import jax
    import jax.numpy as jnp

    def linear(name: str, x: Any) -> Any:
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    b, t = x.shape
    h = p["tokens.weight"][x] * 0.1 + p["places.weight"][:t]
    seen = jnp.tril(jnp.ones((t, t), bool))
    for i in range(4):
        name, width = f"blocks.{i}", h.shape[-1]
        parts = jnp.split(linear(f"{name}.qkv", _normal(p, f"{name}.ln1", h)), 3, -1)
        q, k, v = (part.reshape(b, t, heads, -1).swapaxes(1, 2) for part in parts)
        scores = jnp.where(seen, q @ k.swapaxes(-1, -2) * (width // heads) ** -0.5, -jnp.inf)
        mixed = (jax.nn.softmax(scores) @ v).swapaxes(1, 2).reshape(b, t, width)
        h = h + linear(f"{name}.proj", mixed)
        h = h + linear(
            f"{name}.out", jax.nn.gelu(linear(f"{name}.fc", _normal(p, f"{name}.ln2", h)), approximate=False)
        )
    return _likelihood(_normal(p, "norm", h) @ p["tokens.weight"].T, y)


def _with_momentum(loss_of: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[[Params], Any]]:
    import jax
    import jax.numpy as jnp

    def step(state: Any, x: Any, y: Any) -> Any:
        p, velocity = state
        loss, g = jax.value_and_grad(loss_of)(p, x, y)
        velocity = jax.tree.map(lambda v, g: 0.9 * v + g, velocity, g)
        return (jax.tree.map(lambda p, v: p - 0.01 * v, p, velocity), velocity), loss

    return step, lambda p: (p, jax.tree.map(jnp.zeros_like, p))


def _with_adam(loss_of: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[[Params], Any]]:
    import jax
    import jax.numpy as jnp

    def step(state: Any, x: Any, y: Any) -> Any:
        p, m, v, n = state
        loss, g = jax.value_and_grad(loss_of)(p, x, y)
        n = n + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        first, second = 1 - 0.9**n, 1 - 0.999**n
        moved = jax.tree.map(
            lambda p, m, v: p * (1 - 3e-4 * 0.01) - 3e-4 * (m / first) / (jnp.sqrt(v / second) + 1e-8), p, m, v
        )
        return (moved, m, v, n), loss

    def start(p: Params) -> Any:
        return p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), jnp.zeros(())

    return step, start


def _jax(name: str) -> tuple[Callable[[], Any], Callable[[], Callable[[], Any]]]:
    """Returns the hand-written step, its state donated, and what gives it anew, to be compiled again."""
    os.environ["DISPATCHTORCH_BACKEND"] = "numpy"  # for the first values
    import jax
    import jax.numpy as jnp

    import dispatchtorch

    params, data = {"MLP": _mlp, "GPT": _gpt}[name](dispatchtorch)
    step, start = _with_momentum(_mlp_loss) if name == "MLP" else _with_adam(_gpt_loss)
    state = start(jax.tree.map(jnp.array, params))
    x, y = map(jnp.array, data)

    def anew() -> Callable[[], Any]:
        compiled = jax.jit(lambda state, x, y: step(state, x, y), donate_argnums=0)

        def act() -> Any:
            nonlocal state
            state, loss = compiled(state, x, y)
            return loss

        return act

    return anew(), anew


def _ours(name: str) -> tuple[Callable[[], Any], Callable[[], Callable[[], Any]]]:
    """Returns the case's step, and what gives it anew, to be compiled again."""
    os.environ["DISPATCHTORCH_BACKEND"] = "jax"
    import dispatchtorch
    from tests.benchmarks.case import Compiling
    from tests.benchmarks.groups.steps import STEPS as GROUPS

    (case,) = [case for group in GROUPS for case in group.cases if case.name == STEPS[name]]
    act: Any = case.make(Compiling(dispatchtorch))
    return act, lambda: dispatchtorch.compile(act.__wrapped__)


def _main(name: str, kind: str) -> None:
    act, anew = {"ours": _ours, "jax": _jax}[kind](name)
    losses = [act().item() for _ in range(2)]  # optimizer state is there
    import jax

    forget: Any = jax.clear_caches  # untyped in JAX
    forget()
    act = anew()
    counts = getattr(act, "counts", None)  # ours counts its traces: the first call may be eager
    compiling = 0.0
    for _ in range(3):
        before = counts.traces if counts is not None else len(losses) - 2
        begin = time.process_time()  # seconds long, so other work on the machine would show in the time of day
        losses.append(act().item())
        took = time.process_time() - begin
        if counts.traces > before if counts is not None else before == 0:
            compiling += took
    gc.collect()
    gc.disable()
    best, end = float("inf"), time.perf_counter() + 1.0
    while time.perf_counter() < end:
        begin = time.perf_counter()
        act().item()
        best = min(best, time.perf_counter() - begin)
    print(json.dumps({"compile": compiling - best, "run": best, "losses": losses}))


if __name__ == "__main__":
    one_thread()
    _main(*sys.argv[1:])
