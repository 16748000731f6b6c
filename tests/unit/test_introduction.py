"""The introduction page is run, block by block, on each backend, and prints what it says, digit for digit."""

import doctest
import re
from pathlib import Path

import pytest

import dispatchtorch

PAGE = Path(__file__).resolve().parents[2] / "docs" / "introduction.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
FIGURES = (  # the reference page's
    "0.6614,  0.2669,  0.0617,  0.6213, -0.4519",
    "-0.1661, -1.5228,  0.3817, -1.0276, -0.5631",
    "-0.8923, -0.0583, -0.1955, -0.9656,  0.4224",
    "-0.0520,  0.0837, -0.0023,  0.5047,  0.1797",
    "-0.5307,  0.2326,  0.4519,  0.7218, -0.1295",
    "grad_fn=<EmbeddingBackward0>",
    "grad_fn=<ViewBackward0>",
)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_the_page_prints_what_it_says(backend):
    pytest.importorskip(backend)
    text = PAGE.read_text(encoding="utf-8")
    namespace = {"__name__": "__main__"}
    account = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)  # white space counts
    state = dispatchtorch.get_rng_state()
    try:
        with dispatchtorch.use_backend(backend):
            for block in BLOCK.finditer(text):
                line = text.count("\n", 0, block.start(1))
                test = doctest.DocTestParser().get_doctest(block.group(1), {}, PAGE.name, str(PAGE), line)
                test.globs = namespace
                runner.run(test, out=account.append, clear_globs=False)
    finally:
        dispatchtorch.set_rng_state(state)
    assert not account, "".join(account)
    assert namespace["linear"].weight.backend == backend


@pytest.mark.parametrize("figure", FIGURES)
def test_the_page_shows_the_reference_figures(figure):
    assert figure in PAGE.read_text(encoding="utf-8")
