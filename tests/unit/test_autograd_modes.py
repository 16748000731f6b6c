"""no_grad, enable_grad, set_grad_enabled and inference_mode, told as stories: as contexts, decorators, and per
thread."""

import threading

import pytest

import dispatchtorch
from tests.parity.stories import Stories

story = Stories(__name__)


def on(torch):
    return (torch.ones(1, requires_grad=True) * 2).requires_grad


@story
def no_grad_as_context(torch):
    with torch.no_grad():
        inside = on(torch), torch.is_grad_enabled()
        with torch.enable_grad():
            again = on(torch)
        after = on(torch)
    return inside, again, after, on(torch)


@story
def no_grad_ends_with_an_error(torch):
    try:
        with torch.no_grad():
            raise ValueError
    except ValueError:
        pass
    return on(torch)


@story
def no_grad_as_decorator(torch):
    @torch.no_grad()
    def called():
        return on(torch)

    @torch.no_grad
    def bare():
        return on(torch)

    @torch.enable_grad()
    def enabled():
        return on(torch)

    with torch.no_grad():
        inside = enabled()
    return called(), bare(), enabled(), inside, on(torch), called.__name__


@story
def one_context_used_again_and_within_itself(torch):
    context = torch.no_grad()
    with context:
        with context:
            a = on(torch)
        b = on(torch)
    with context:
        c = on(torch)
    return a, b, c, on(torch)


@story
def generators_record_between_their_yields_as_the_caller_does(torch):
    said = []

    @torch.no_grad()
    def steps():
        said.append(on(torch))
        got = yield 1
        said.append((got, on(torch)))
        try:
            yield 2
        except KeyError:
            said.append("thrown")
        yield 3
        return 4

    it = steps()
    said.append(next(it))
    said.append(("outside", on(torch)))
    said.append(it.send("sent"))
    said.append(("outside", on(torch)))
    said.append(it.throw(KeyError()))
    try:
        next(it)
    except StopIteration as stop:
        said.append(stop.value)
    return said, on(torch)


@story
def set_grad_enabled_as_statement_and_context(torch):
    torch.set_grad_enabled(False)
    off = on(torch)
    torch.set_grad_enabled(True)
    with torch.set_grad_enabled(False):
        inside = on(torch)
    context = torch.set_grad_enabled(True)
    with context:
        pass

    @torch.set_grad_enabled(False)
    def decorated():
        return on(torch)

    return off, inside, on(torch), decorated(), on(torch)


@story
def inference_mode_as_context_and_decorator(torch):
    with torch.inference_mode():
        inside = on(torch), torch.is_inference_mode_enabled(), torch.is_grad_enabled()
    with torch.inference_mode(), torch.inference_mode(False):
        again = on(torch), torch.is_inference_mode_enabled()

    @torch.inference_mode()
    def called():
        return on(torch)

    @torch.inference_mode
    def bare():
        return on(torch)

    return inside, again, called(), bare(), on(torch)


@story
def made_without_recording_stays_without(torch):
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        y = x * 2
    z = (y * x).sum()
    z.backward()
    return y.requires_grad, y.is_leaf, x.grad


@story
def in_place_on_a_leaf_is_allowed_without_recording(torch):
    x = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        x.mul_(3)
        x[0] = 7.0
    (x * x).sum().backward()
    return x, x.grad, x.is_leaf, x._version


@story
def a_new_tensor_may_require_gradients_within_no_grad(torch):
    with torch.no_grad():
        x = torch.ones(2, requires_grad=True)
    return x.requires_grad, x.is_leaf


@story
def modes_are_of_one_thread(torch):
    said = []

    def look():
        said.append(on(torch))
        with torch.no_grad():
            said.append(on(torch))

    with torch.no_grad():
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        said.append(on(torch))
    return said


@story
def threads_record_and_walk_their_own_graphs(torch):
    x = torch.tensor(2.0, requires_grad=True)
    found = [None] * 4

    def work(i):
        for _ in range(20):
            found[i] = torch.autograd.grad(x * x * (i + 1), x)[0].item()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@story
def a_class_is_no_function_to_decorate(torch):
    @torch.no_grad()
    class Decorated:
        def __init__(self):
            self.on = on(torch)

    return Decorated().on


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", story)
def test_the_story_ends_as_in_pytorch(name, backend):
    pytest.importorskip(backend)
    with dispatchtorch.use_backend(backend):
        story.check(name, dispatchtorch)
    assert dispatchtorch.is_grad_enabled()
