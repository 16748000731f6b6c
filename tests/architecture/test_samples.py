"""Every op and every function over ops is sampled, or says here why not; samples are what all checks are made from."""

from dispatchtorch.dispatch.table import COMPOSITES, TABLE
from dispatchtorch.ops import FAMILIES
from dispatchtorch.testing.conformance.cases import cases
from dispatchtorch.testing.conformance.extra_samples import SAMPLES
from dispatchtorch.testing.goldens import load

assert FAMILIES

#: Public names without samples, with the reason. Internal ops need none of their own: tests/liars demands that some
#: check reaches each of their kernels and derivatives.
UNSAMPLED = {
    "lobpcg": "torch's answer depends on what it draws to begin with: tests/unit/test_ops_linalg_factors",
    "tensor": "makes a tensor from host data: tests/unit/test_tensor_members and the border tests",
    "as_tensor": "as tensor",
    "asarray": "as tensor",
    "from_numpy": "aliases host memory, which only a host backend can",
    "rrelu_": "rrelu has the samples; tests/unit/test_nn_sequences",
    "dropout_": "dropout has the samples; the kit's in-place check is made from them",
    "feature_dropout_": "as dropout_",
    "alpha_dropout_": "as dropout_",
    "feature_alpha_dropout_": "as dropout_",
    "sparse_coo_tensor": "gives a sparse tensor: tests/unit/test_sparse",
    "spmm": "takes a sparse tensor: tests/unit/test_sparse; its kernel has the samples of _spmm",
    "smm": "as spmm",
    "hspmm": "as spmm",
    **{f"sparse_{kind}_tensor": "is refused" for kind in ("csr", "csc", "bsr", "bsc", "compressed")},
}


def test_every_public_op_has_samples_or_a_reason():
    public = {name for name in (*TABLE, *COMPOSITES) if not name.startswith("_")}
    assert public - cases().keys() - UNSAMPLED.keys() == set()


def test_no_reason_is_left_behind():
    assert UNSAMPLED.keys() & cases().keys() == set()
    assert SAMPLES.keys() - TABLE.keys() - COMPOSITES.keys() == set()


def test_every_sampled_op_has_goldens():
    goldens = load()
    missing = {name for name in cases() if name not in goldens.names() and name not in goldens.unknown}
    assert missing == set(), "run tests/parity/record_conformance.py"
