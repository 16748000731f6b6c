"""Why a figure is beyond its limit, from profiles, and what it would take: printed beside the figures that are.

A reason says where the time goes; it holds for as long as nobody has found a way around it.
"""

from __future__ import annotations

from typing import Final

__all__ = ["REASONS", "reason"]

REASONS: Final[dict[tuple[str, str], str]] = {
    ("small-op overhead", "numpy"): """\
A call has three parts: numpy's own (0.25 to 0.3 us for `x + y`, with the new array), the tensor around it
(0.1), and some forty steps of Python that find the plan, record and check (0.25). PyTorch's whole call
takes 0.6 to 1.0 us here. Softmax of 10 is three calls of numpy and a check, 0.87 us before anything of
ours, where PyTorch takes 0.86; cat of two is 0.45 in `np.concatenate`; a view is 0.1 in numpy and 0.6 in
the two objects that remember its base. It would take compiled code around the kernels, or an interpreter
that makes objects faster.""",
    ("elementwise", "numpy"): """\
gelu has no ufunc in numpy: a quotient of polynomials and tanh are 14 passes over blocks in the second cache
(tanh 17 us for 1e5 elements, two divisions 8 each, the others 5 to 7), where PyTorch's one vectorized loop
takes 23. With oneDNN's plugin it is 0.9. Otherwise it would take a ufunc for erf.""",
    ("reduction", "numpy"): """\
log_softmax of 10x100 is eight calls of numpy, 4.6 of 5.6 us: rows' tops 1.5, two subtractions 0.9 each, exp
0.7, sums 0.3, logarithm 0.3. Without the tops it would be about 3 us, but then an element that outweighs
its row would be off by 1e-7 where PyTorch gives exactly 0.""",
    ("indexing", "numpy"): """\
numpy copies backwards one element at a time, 25.1 of flip's 25.7 us at 1e5; through 8-byte elements it is
13.5 and 17 for swapping halves, `take` is 33. It would take a vectorized reversed copy in numpy.""",
    ("conv, pool, norm", "numpy"): """\
80 % of the larger convolutions is OpenBLAS at 200 GFLOP/s; norms are ten passes in the cache where
PyTorch's are two fused loops, and numpy has no fused multiply-add; depthwise convolutions are a product and
a sum for each place of the window. oneDNN's plugin has all of them.""",
    ("conv, pool, norm", "onednn"): """\
Each call carries arrays into oneDNN's layout and back, since results are plain arrays with PyTorch's
strides.""",
    ("step: tiny MLP 2-16-1, batch 32", "numpy"): """\
All of it is the overhead of about forty calls, see small-op overhead.""",
    ("step: GPT 4x128, 8 sequences of 64", "numpy"): """\
Of some 23 ms, products take 12 (220 GFLOP/s), attention 3.2, gelu with its slope 1.9, layer norms 1.9,
AdamW 1.5. PyTorch's own step differs from process to process by a quarter, see the LSTM.""",
    ("step: 2-layer LSTM 128, 32 sequences of 35", "numpy"): """\
PyTorch's step has two speeds: 30 to 35 ms in processes whose allocator hands memory back (3000 to 6800 page
faults a step), 21 to 22 ms in about a third, where it keeps it; ours is steady. Of our 17 ms products take
11.8 (220 GFLOP/s), the recurrence's elementwise passes 2.5, cross entropy 1.1, Python 1.1.""",
    ("step: embedding bag classifier, batch 64", "numpy"): """\
Kernels take 170 of 290 us: forward 32, the gradient of the table 75 to 80, SGD 58 (a product and a sum,
each over 1.3 MB; PyTorch's fused one takes 27). The rest is Python: ops with several outputs go by the
general recording path, 4 to 6 us each, and cross entropy costs 12. It would take a fused `x += a * g` in
numpy and written plans for several outputs.""",
    ("DataLoader epoch", "numpy"): """\
Pictures from a list are stacked one by one, and each is a tensor to be looked at.""",
    ("randn, randperm", "numpy"): """\
The numbers are PyTorch's to the last bit. A normal takes 8 ns: 1.6 in the Mersenne Twister, 6.3 in some
hundred passes that follow the float32 steps of PyTorch's vectorized logarithm, sine and cosine, fused
multiply-adds among them, which numpy does not have; PyTorch takes 2.5. numpy's own functions differ from
them at a tenth of the inputs and from processor to processor. It would take a fused multiply-add in numpy.
See record 18.""",
    ("save and load 100 MB", "numpy"): """\
We check what PyTorch leaves unchecked: zlib's CRC of 100 MB takes 14.5 of load's 24 ms, at 6.9 GB/s, and
PyTorch's reading alone takes 8.6. Saving over a file writes a new one beside it and renames, so its pages
are new; PyTorch truncates the old file, which is lost if the program dies there.""",
    ("step: tiny MLP 2-16-1, batch 32", "jax"): """\
JAX's own call takes 20.7 us, 1.2 for each of nine arrays that come out; the same step written by hand in
JAX takes 21.5. Ours adds about 4. Less would need gradients that are not handed out.""",
    ("step: ResNet-20, batch 32", "jax"): """\
Measured alone, the step's 3x3 convolutions of stride 1, forward and both gradients, take XLA 65 ms and
PyTorch's oneDNN 44; the whole steps take 96 and 69.""",
    ("step: 2-layer LSTM 128, 32 sequences of 35", "jax"): """\
Of 17.3 ms products take 12.6, which alone is 0.59 of a PyTorch process without page faults (see numpy's
LSTM); the recurrence's elementwise work takes 2.1, slopes of all times 0.5, cross entropy 1.0,
transpositions 0.8.""",
    ("step: embedding bag classifier, batch 64", "jax"): """\
XLA gathers rows at a third of numpy's speed, 36 us; zeros, gather and scatter of the table's gradient take
85, the update 41, the cumulative sum that numbers the bags 13.""",
    ("compile time: MLP 784-512-512-10, batch 128", ""): """\
XLA takes 435 to 470 ms of it, 380 to 405 for the step by hand; tracing takes 33 (28 by hand), lowering 21
(13), and listing what is alive before a trace 24.""",
    ("import dispatchtorch", ""): """\
Some 120 modules of ops are read and run: 1.8 MB of bytecode. It would take families that are registered
from a manifest.""",
}


def reason(name: str, backend: str = "") -> str:
    """Returns what is known about a group on a backend, or about a single figure; says so where nothing is."""
    return " ".join(REASONS.get((name, backend), "Not looked into.").split())
