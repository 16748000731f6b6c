"""The random streams are torch's: to the bit, except float64 results, which are within four units in the last place."""

import copy
import hashlib
import json
import pathlib
import pickle
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import pytest

from dispatchtorch.random import boxmuller, integers, streams
from dispatchtorch.random import generator as rng
from dispatchtorch.random.engine import STATE_BYTES, Engine
from dispatchtorch.tensor import interop

GOLDENS = pathlib.Path(__file__).parents[1] / "goldens"
RECORD = json.loads((GOLDENS / "random.json").read_text(encoding="utf-8"))
ARRAYS = np.load(GOLDENS / "random.npz")
SEEDS = (0, 1, 1234, 2**63 + 5)


def host(name):
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def weights(n, name):
    values = (np.arange(n, dtype=np.float64) * 37 % 101 + 1) / 102
    return (values.astype(np.float32) if host(name).itemsize == 2 else values).astype(host(name))


def draw(engine, op, kw):
    kw = dict(kw)
    name = kw.get("dtype_name", "float32")
    n = kw.pop("n", 0)
    match op:
        case "randint":
            return streams.randint(engine, **kw)
        case "randperm":
            return streams.randperm(engine, n, **kw)
        case "bernoulli_tensor":
            return streams.bernoulli_tensor(engine, weights(n, kw["p_dtype"]), name)
        case "multinomial":
            rows = weights(n * kw["rows"], name).reshape(kw["rows"], n)
            return streams.multinomial(engine, rows if kw["rows"] > 1 else rows[0], kw["samples"], kw["replacement"])
        case "rrelu_noise":
            return streams.rrelu_noise(engine, weights(n, name) - host(name).type(0.5), kw["lower"], kw["upper"])
        case "poisson" | "standard_gamma":
            return getattr(streams, op)(engine, weights(n, name) * host(name).type(kw["scale"]))
        case "binomial":
            return streams.binomial(engine, np.full(n, kw["count"], name), weights(n, name))
        case "dirichlet":
            return streams.dirichlet(engine, weights(n * 3, name).reshape(3, n) * host(name).type(kw["scale"]))
    return getattr(streams, op)(engine, **kw)


def digest(data):
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def distance(a, b):
    """Units in the last place between two arrays of doubles of equal sign."""
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    return int(np.abs(a.view(np.int64) - b.view(np.int64)).max(initial=0))


@pytest.mark.parametrize("index", range(len(RECORD["cases"])), ids=lambda i: RECORD["cases"][i]["name"])
def test_streams_are_torchs(index):
    case = RECORD["cases"][index]
    engine = Engine(case["seed"])
    for number, ((op, kw), expected) in enumerate(zip(RECORD["steps"][case["name"]], case["results"])):
        out = np.ascontiguousarray(draw(engine, op, kw))
        if expected is None:
            assert distance(out, ARRAYS[f"{index}.{number}"]) <= 4, (op, kw)
        else:
            if "head" in case:
                bits = out.view(np.int16) if out.dtype.name == "bfloat16" else out
                assert bits.reshape(-1)[:4].tolist() == case["head"]
                assert bits.reshape(-1)[-4:].tolist() == case["tail"]
            assert digest(out.tobytes()) == expected, (number, op, kw)
    assert digest(engine.state_bytes()) == case["state"]


@pytest.mark.parametrize("seed", SEEDS)
def test_states_are_torchs_bytes_and_continue_its_stream(seed):
    engine = Engine(seed)
    assert engine.state_bytes() == ARRAYS[f"state.{seed}.fresh"].tobytes()
    streams.normal(engine, (3,), "float32")
    streams.uniform(engine, (700,), "float32")
    drawn = ARRAYS[f"state.{seed}.drawn"].tobytes()
    assert engine.state_bytes() == drawn
    other = Engine(99)
    other.load_state_bytes(drawn)
    assert other.initial_seed == seed
    np.testing.assert_array_equal(streams.normal(other, (5,), "float32"), ARRAYS[f"state.{seed}.next"])
    twin = other.copy()
    assert twin.state_bytes() == other.state_bytes()
    assert twin.words32(700).tolist() == other.words32(700).tolist()


def test_a_state_at_each_position_of_a_block_continues():
    engine = Engine(3)
    for drawn in range(1300):
        twin = engine.copy()
        assert twin.state_bytes() == engine.state_bytes()
        assert twin.words32(1)[0] == engine.words32(1)[0], drawn


def test_words_do_not_depend_on_how_many_are_asked_for_at_once():
    parts, whole = Engine(5), Engine(5)
    taken = np.concatenate([parts.words32(n) for n in (0, 1, 399, 400, 401, 7)])
    assert taken.tolist() == whole.words32(taken.size).tolist()
    taken = np.concatenate([parts.words64(n) for n in (1, 399, 400, 401)])
    assert taken.tolist() == whole.words64(taken.size).tolist()
    assert [parts.double() for _ in range(3)] == whole.doubles(3).tolist()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (bytes(5), "Expected a CPUGeneratorImplState of size 5056 but found the input RNG state size to be 5"),
        (bytes(STATE_BYTES), "Invalid mt19937 state"),
    ],
)
def test_a_wrong_state_is_refused_and_changes_nothing(state, message):
    engine = Engine(2)
    before = engine.state_bytes()
    with pytest.raises(RuntimeError) as caught:
        engine.load_state_bytes(state)
    assert str(caught.value) == message
    assert engine.state_bytes() == before


@pytest.mark.parametrize("n", [0, 1, 2, 399, 400, 5000])
def test_a_permutation_holds_each_number_once(n):
    assert sorted(streams.randperm(Engine(n), n).tolist()) == list(range(n))


def test_a_transposed_tensor_is_filled_in_memory_order():
    drawn = streams.uniform(Engine(4), (6,), "float32")
    filled = streams.in_fill_order((2, 3), (1, 2), lambda shape: streams.uniform(Engine(4), shape, "float32"))
    assert filled.shape == (2, 3)
    assert filled.T.reshape(-1).tolist() == drawn.tolist()


def test_dropout_without_chance_draws_nothing():
    engine = Engine(1)
    before = engine.state_bytes()
    assert streams.dropout_noise(engine, (3,), "float32", 0.0).tolist() == [1, 1, 1]
    assert streams.dropout_noise(engine, (3,), "float32", 1.0).tolist() == [0, 0, 0]
    assert engine.state_bytes() == before


MISTAKES = [
    (lambda e: streams.uniform(e, (3,), "float32", 2, 1), RuntimeError,
     "uniform_ expects to return a [from, to) range, but found from=2 > to=1"),
    (lambda e: streams.uniform(e, (3,), "float16", 0, 1e6), RuntimeError, "to is out of bounds for c10::Half"),
    (lambda e: streams.uniform(e, (3,), "int64"), NotImplementedError,
     "\"check_uniform_bounds\" not implemented for 'Long'"),
    (lambda e: streams.normal(e, (3,), "float32", 0, -1), RuntimeError,
     "normal expects std >= 0.0, but found std -1"),
    (lambda e: streams.normal(e, (3,), "int64"), NotImplementedError,
     "\"normal_kernel_cpu\" not implemented for 'Long'"),
    (lambda e: streams.normal_tensor(e, 0.0, -np.ones(3, "f4"), "float32"), RuntimeError,
     "normal expects all elements of std >= 0.0"),
    (lambda e: streams.randint(e, 5, 5, (3,)), RuntimeError,
     "random_ expects 'from' to be less than 'to', but got from=5 >= to=5"),
    (lambda e: streams.randint(e, 0, 300, (3,), "uint8"), RuntimeError, "to - 1 is out of bounds for unsigned char"),
    (lambda e: streams.randint(e, 0, 1000, (3,), "int8"), RuntimeError, "to - 1 is out of bounds for signed char"),
    (lambda e: streams.bernoulli(e, (3,), "float32", 2), RuntimeError,
     "bernoulli_ expects p to be in [0, 1], but got p=2"),
    (lambda e: streams.exponential(e, (3,), "float32", -1), RuntimeError,
     "exponential_ expects lambda > 0.0, but found lambda=-1"),
    (lambda e: streams.exponential(e, (3,), "int32"), RuntimeError,
     "Exponential distribution is a continuous probability distribution. dtype must be a floating point but you "
     "specified Int"),
    (lambda e: streams.geometric(e, (3,), "float32", 1), RuntimeError,
     "geometric_ expects p to be in (0, 1), but got p=1"),
    (lambda e: streams.cauchy(e, (3,), "float32", 0, 0), RuntimeError,
     "cauchy_ expects sigma > 0.0, but found sigma=0"),
    (lambda e: streams.log_normal(e, (3,), "float32", 0, 0), RuntimeError,
     "log_normal_ expects std > 0.0, but found std=0"),
    (lambda e: streams.poisson(e, np.array([-1.0])), RuntimeError,
     "invalid Poisson rate, expected rate to be non-negative"),
    (lambda e: streams.multinomial(e, np.zeros(2, "f4"), 1), RuntimeError,
     "invalid multinomial distribution (sum of probabilities <= 0)"),
    (lambda e: streams.multinomial(e, np.array([-1, 2.0], "f4"), 2, True), RuntimeError,
     "invalid multinomial distribution (encountering probability entry < 0)"),
    (lambda e: streams.multinomial(e, np.array([-1, 2.0], "f4"), 1), RuntimeError,
     "probability tensor contains either `inf`, `nan` or element < 0"),
    (lambda e: streams.multinomial(e, np.ones(3, "f4"), 4), RuntimeError,
     "cannot sample n_sample > prob_dist.size(-1) samples without replacement"),
    (lambda e: streams.multinomial(e, np.ones((3, 3, 3), "f4"), 1), RuntimeError, "prob_dist must be 1 or 2 dim"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), MISTAKES, ids=[m[2][:40] for m in MISTAKES])
def test_mistakes_are_told_in_torchs_words_and_draw_nothing(call, kind, message):
    engine = Engine(1)
    before = engine.state_bytes()
    with pytest.raises(kind) as caught:
        call(engine)
    assert str(caught.value) == message
    assert engine.state_bytes() == before


@pytest.fixture(autouse=True)
def _default_generator_is_left_as_it_was():
    with rng.fork_rng():
        yield


def test_a_state_goes_through_a_tensor_and_back():
    rng.manual_seed(3)
    state = rng.get_rng_state()
    assert (tuple(state.shape), state.dtype.name) == ((STATE_BYTES,), "uint8")
    first = rng.default_generator.engine.words32(5).tolist()
    rng.set_rng_state(state)
    assert rng.default_generator.engine.words32(5).tolist() == first
    assert rng.Generator().set_state(state).initial_seed() == 3


def test_a_fork_leaves_the_default_stream_untouched():
    rng.manual_seed(4)
    before = rng.default_generator.state_bytes()
    with rng.fork_rng(devices=[0]):
        rng.manual_seed(5)
    assert rng.default_generator.state_bytes() == before
    with rng.fork_rng(enabled=False):
        rng.manual_seed(5)
    assert rng.initial_seed() == 5


def test_generators_are_independent_and_can_be_copied_and_pickled():
    one = rng.Generator("cpu").manual_seed(7)
    assert rng.Generator().initial_seed() == 67280421310721
    one.engine.words32(9)
    for twin in (one.clone_state(), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert twin.state_bytes() == one.state_bytes()
        twin.engine.words32(1)
        assert twin.state_bytes() != one.state_bytes()
    assert one.device.type == "cpu"


@pytest.mark.parametrize(
    ("seed", "kept"), [(0, 0), (-1, 2**64 - 1), (-(2**63), 2**63), (2**64 - 1, 2**64 - 1), (np.int64(6), 6)]
)
def test_seeds_wrap_to_64_bits(seed, kept):
    assert rng.Generator().manual_seed(seed).initial_seed() == kept
    assert rng.manual_seed(seed) is rng.default_generator
    assert rng.initial_seed() == kept


def test_unforeseen_seeds_differ():
    assert rng.seed() != rng.seed()
    assert rng.Generator().seed() != rng.initial_seed()


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda g: g.manual_seed(1.5), RuntimeError, "manual_seed expected a long, but got float"),
        (lambda g: g.manual_seed(True), RuntimeError, "manual_seed expected a long, but got bool"),
        (lambda g: g.manual_seed(2**64), ValueError, "Overflow when unpacking long long"),
        (lambda g: g.manual_seed(-(2**63) - 1), ValueError, "Overflow when unpacking long long"),
        (lambda g: g.set_state(b""), TypeError, "expected a torch.ByteTensor, but got bytes"),
        (lambda g: g.set_state(interop.from_host(np.zeros(5056, "f4"))), TypeError,
         "RNG state must be a torch.ByteTensor"),
        (lambda g: g.set_state(interop.from_host(np.zeros(5056, "u1"))), RuntimeError, "Invalid mt19937 state"),
    ],
)  # fmt: skip
def test_wrong_seeds_and_states_are_refused_in_torchs_words(call, kind, message):
    generator = rng.Generator().manual_seed(8)
    before = generator.state_bytes()
    with pytest.raises(kind) as caught:
        call(generator)
    assert str(caught.value) == message
    assert generator.state_bytes() == before


def test_numbers_made_ahead_are_those_of_their_words():
    draws = [
        ("normal", 16),
        ("normal", 1000),
        ("uniform", 5),
        ("randperm", 9),
        ("normal", 17),
        ("randperm", 1),
        ("normal", 3),
    ]
    engine, plain = Engine(3), Engine(3)
    ahead = set()
    for turn in range(900):
        name, size = draws[turn // 40 % len(draws)] if turn < 600 else draws[turn * turn % len(draws)]
        plain.load_state_bytes(plain.state_bytes())  # nothing is drawn ahead
        if turn % 97 == 96:  # other draws in between move the words on
            assert engine.double() == plain.double()
            assert np.array_equal(engine.words64(2000), plain.words64(2000))
        if turn % 111 == 110:
            assert np.array_equal(engine.words32(3000), plain.words32(3000))
        shape = size if name == "randperm" else (size,)
        kind = "int64" if name == "randperm" else "float32"
        got, wanted = [getattr(streams, name)(e, shape, kind) for e in (engine, plain)]
        assert np.array_equal(got, wanted), (turn, name, size)
        got[...] = 7  # belongs to the caller
        assert not plain.block.rows
        ahead |= set(engine.block.rows)
        ahead |= {"uniforms"} if engine.block.uniforms is not None else set()
        ahead |= {"normals"} if any(n is not None for n in engine.block.normals) else set()
    assert ahead == {"uniforms", "normals", ("normal", 1000), ("normal", 17), ("shuffle", 9)}
    assert engine.state_bytes() == plain.state_bytes()
    engine.load_state_bytes(Engine(5).state_bytes())
    assert np.array_equal(streams.normal(engine, (16,), "float32"), streams.normal(Engine(5), (16,), "float32"))


def test_a_state_is_that_of_the_words_given_out_and_not_of_those_drawn_ahead():
    engine, plain = Engine(8), Engine(8)
    for turn in range(2500):  # over the ends of some blocks, whose rests are carried on
        count = turn * 7 % 40 + 1
        assert np.array_equal(engine.words32(count), plain.words32(count))
        plain.load_state_bytes(plain.state_bytes())
        if turn in (2, 3, 50, 230, 231, 1200, 1201, 2499):
            assert engine.copy().state_bytes() == plain.state_bytes(), turn


def test_a_word_is_given_to_one_thread_only():
    engine, plain = Engine(4), Engine(4)
    with ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(lambda i: engine.words32(i % 50 + 1), range(4000)))
    taken = np.sort(np.concatenate(parts))
    assert np.array_equal(taken, np.sort(plain.words32(taken.size)))


@pytest.mark.parametrize(("low", "high"), [(0.13, 0.42), (-0.12, -0.07), (0.51, 0.9)])
def test_adding_a_constant_and_taking_it_off_rounds_to_a_float(low, high):
    constant = boxmuller._rounding(low, high)
    exact = np.random.default_rng(0).uniform(low, high, 10_000)
    exact[:5000] = exact[:5000].astype(np.float32) + np.spacing(exact[:5000].astype(np.float32)) / 2.0  # halfway
    assert np.array_equal((exact + constant) - constant, exact.astype(np.float32))


@pytest.mark.parametrize("n", [25, 399, 1000, 40_000])
def test_permutations_without_lapack_are_the_same(monkeypatch, n):
    quick = streams.randperm(Engine(7), n)
    monkeypatch.setattr(integers, "swapper", lambda: None)
    assert np.array_equal(quick, streams.randperm(Engine(7), n))
