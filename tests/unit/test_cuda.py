"""torch.cuda on a machine whose backends serve no CUDA device, and on a backend that says it does."""

import pytest

import dispatchtorch as torch
from dispatchtorch import cuda
from dispatchtorch.plugin import selection
from dispatchtorch.testing.loopback import LoopbackBackend


def test_without_a_device_it_says_so_and_a_program_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_by_priority", lambda: ["numpy"])
    with torch.use_backend("numpy"):
        assert not torch.cuda.is_available()
        assert torch.cuda.device_count() == 0
        torch.manual_seed(1)
        state = torch.get_rng_state()
        torch.cuda.manual_seed_all(2)
        torch.cuda.empty_cache()
        assert torch.equal(torch.get_rng_state(), state)
        with pytest.raises(AssertionError, match="Torch not compiled with CUDA enabled"):
            torch.cuda.current_device()


def test_with_a_device_the_one_generator_is_seeded() -> None:
    class OnCuda(LoopbackBackend):
        name = "on-cuda"
        devices = ("cuda",)

    with torch.use_backend(OnCuda()):
        assert cuda.is_available()
        assert cuda.device_count() == 1
        cuda.manual_seed(7)
        assert torch.initial_seed() == 7
        assert cuda.current_device() == 0
        cuda.synchronize()


def test_switches_of_libraries_that_are_not_used_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    assert torch.backends.cudnn.benchmark
    assert not torch.backends.cudnn.is_available()
    assert not torch.backends.mps.is_available()
