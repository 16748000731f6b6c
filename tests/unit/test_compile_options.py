"""What `torch.compile` accepts, refuses and tells: options, stances, disabled functions, explanations."""

import logging

import pytest

import dispatchtorch as torch
from dispatchtorch import nn

pytest.importorskip("jax")


@pytest.fixture(autouse=True)
def _on_jax():
    with torch.use_backend("jax"):
        yield


def double(x):
    return x * 2


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"backend": "foo"}, RuntimeError, "Invalid backend: 'foo', see `torch._dynamo.list_backends()`"),
        ({"mode": "foo"}, RuntimeError, "Unrecognized mode=foo, should be one of: default, lite, reduce-overhead, "),
        ({"options": {"foo": 1}}, RuntimeError, "Unexpected optimization option foo, known options are ['donate', "),
        (
            {"options": {"max_autotune": 1}},
            RuntimeError,
            "Unexpected type of attr max_autotune, got int",
        ),
        ({"mode": "default", "options": {}}, RuntimeError, "Either mode or options can be specified, but both can't"),
        ({"dynamic": "x"}, AssertionError, "Expected enable to be a bool, got <class 'str'>"),
    ],
)
def test_wrong_options_are_refused_in_torchs_words(options, error, words):
    with pytest.raises(error) as told:
        torch.compile(double, **options)
    assert words in str(told.value)


def test_what_is_no_function_is_refused():
    with pytest.raises(AssertionError, match="A callable function is expected, but <class 'int'> is provided"):
        torch.compile(3)


def test_names_of_compilers():
    assert torch.compiler.list_backends() == ["cudagraphs", "inductor", "openxla", "tvm"]
    run = torch.compile(double, backend="eager")
    assert run(torch.ones(1)).item() == 2.0
    assert (run.counts.eager, run.counts.traces) == (1, 0)
    assert torch.compile(double, mode="reduce-overhead", dynamic=True)(torch.ones(1)).item() == 2.0


def test_a_new_shape_is_a_new_program_up_to_a_limit(caplog):
    run = torch.compile(double, recompile_limit=2)
    with caplog.at_level(logging.INFO, logger="dispatchtorch.compiler"):
        run(torch.ones(1))
        run(torch.ones(2))
    assert "is compiled again: the arguments are (float32[2]) and were (float32[1])" in caplog.text
    with pytest.warns(UserWarning, match="There are 2 programs already"):
        assert run(torch.ones(3)).tolist() == [2.0] * 3
    told = run.explain()
    assert (told.graph_count, told.graph_break_count) == (2, 1)


def test_a_disabled_function_has_the_call_run_eagerly():
    seen = []

    @torch.compiler.disable
    def report(x):
        seen.append(x.sum().item())
        return x

    def work(x):
        assert torch.compiler.is_compiling() or len(seen) >= 0
        return report(x * 2)

    run = torch.compile(work)
    run(torch.ones(2))
    with pytest.warns(UserWarning, match=r"test_compile_options\.py:\d+: .*report is disabled for compilers"):
        run(torch.ones(2))
    assert seen == [4.0, 4.0]
    with pytest.raises(RuntimeError, match="report is disabled"):
        torch.compile(work, fullgraph=True)(torch.ones(2))
    assert torch.compile(report)(torch.ones(1)).item() == 1.0


def test_a_function_can_ask_whether_it_is_compiled():
    run = torch.compile(lambda x: x + torch.compiler.is_compiling())
    assert run(torch.zeros(1)).item() == 1.0
    assert not torch.compiler.is_compiling()


def test_stances():
    run = torch.compile(double)
    with torch.compiler.set_stance("force_eager"):
        run(torch.ones(1))
    assert run.counts.traces == 0
    run(torch.ones(1))
    with torch.compiler.set_stance("eager_on_recompile"):
        run(torch.ones(2))
        run(torch.ones(1))
    with torch.compiler.set_stance("fail_on_recompile"), pytest.raises(RuntimeError, match="Detected recompile when"):
        run(torch.ones(2))
    assert (run.counts.traces, run.counts.eager, run.counts.runs) == (1, 2, 2)
    torch.compiler.reset()
    assert run.explain().graph_count == 0
    run(torch.ones(1))
    assert run.explain().graph_count == 1


def test_an_explanation_says_all_that_one_asks():
    w = torch.ones(4, requires_grad=True)
    told = torch.compiler.explain(lambda x: (w * x).sum())(torch.ones(4))
    assert (told.graph_count, told.graph_break_count, told.break_reasons) == (1, 0, ())
    assert told.op_count > 0
    assert told.compile_times > 0
    text = str(told)
    assert "1 programs" in text
    assert "and one that goes back" in text
    assert torch._dynamo.explain(double)(torch.ones(1)).graph_count == 1


def test_methods_and_decorators():
    class Box:
        def __init__(self, by):
            self.by = torch.full((2,), by)

        @torch.compile(fullgraph=True)
        def times(self, x):
            return x * self.by

    assert Box(2.0).times(torch.ones(2)).tolist() == [2.0, 2.0]
    assert Box(3.0).times(torch.ones(2)).tolist() == [3.0, 3.0]


def test_a_hook_of_a_module_runs_with_the_call():
    model, seen = nn.Linear(1, 1), []
    model.register_forward_hook(lambda module, args, out: seen.append(1))
    model.compile()
    model(torch.ones(1, 1))
    model(torch.ones(1, 1))
    assert seen == [1, 1]
