"""Recurrent layers, packed sequences, bags, alignments and resizing: what samples of single ops cannot show."""

import io
import warnings

import pytest

import dispatchtorch as torch
import dispatchtorch.nn.functional as F
from dispatchtorch import nn
from dispatchtorch.nn.utils import rnn


def near(t, wanted):
    assert torch.allclose(t, torch.tensor(wanted), atol=1e-4), t


class TestRecurrentModules:
    def test_parameters_have_torchs_names_and_numbers(self):
        torch.manual_seed(0)
        lstm = nn.LSTM(2, 3, num_layers=2, bidirectional=True, proj_size=2)
        names = [name for name, _ in lstm.named_parameters()]
        assert names[:6] == [
            "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_hr_l0", "weight_ih_l0_reverse",
        ]  # fmt: skip
        assert len(names) == 20
        torch.manual_seed(0)
        near(nn.LSTM(2, 1).weight_ih_l0[0], [-0.0075, 0.5364])

    def test_repr(self):
        assert repr(nn.GRU(2, 3, 2, batch_first=True)) == "GRU(2, 3, num_layers=2, batch_first=True)"
        assert repr(nn.RNNCell(2, 3, nonlinearity="relu")) == "RNNCell(2, 3, nonlinearity=relu)"

    def test_one_sample_is_a_batch_of_one(self):
        gru = nn.GRU(2, 3)
        x = torch.randn(5, 2)
        out, h = gru(x)
        batched, state = gru(x.unsqueeze(1))
        assert out.shape == (5, 3)
        assert torch.equal(out, batched.squeeze(1))
        assert torch.equal(h, state.squeeze(1))

    def test_packed_equals_each_sequence_alone(self):
        torch.manual_seed(1)
        lstm = nn.LSTM(2, 3, num_layers=2, bidirectional=True)
        sequences = [torch.randn(n, 2) for n in (2, 4, 3)]
        packed = rnn.pack_sequence(sequences, enforce_sorted=False)
        out, (h, c) = lstm(packed)
        for i, (sequence, got) in enumerate(zip(sequences, rnn.unpack_sequence(out), strict=True)):
            alone, (state, cell) = lstm(sequence)
            assert torch.allclose(got, alone, atol=1e-6)
            assert torch.allclose(h[:, i], state, atol=1e-6)
            assert torch.allclose(c[:, i], cell, atol=1e-6)

    def test_gradient_and_second_gradient(self):
        gru = nn.GRU(2, 2).double()
        x = torch.randn(3, 1, 2, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda t: gru(t)[0], (x,))
        assert torch.autograd.gradgradcheck(lambda t: gru(t)[0], (x,))

    def test_survives_pickling_and_dtype_changes(self):
        cell = nn.LSTM(2, 3).double()
        assert cell.all_weights[0][0].dtype is torch.float64
        stream = io.BytesIO()
        torch.save(cell.state_dict(), stream)
        stream.seek(0)
        other = nn.LSTM(2, 3).double()
        other.load_state_dict(torch.load(stream))
        assert torch.equal(other.weight_ih_l0, cell.weight_ih_l0)

    @pytest.mark.parametrize(
        ("call", "kind", "sentence"),
        [
            (lambda: nn.LSTM(2, 3)(torch.zeros(4, 1, 3)), RuntimeError, "Expected 2, got 3"),
            (lambda: nn.LSTM(2, 3)(torch.zeros(2)), ValueError, "LSTM: Expected input to be 2D or 3D, got 1D instead"),
            (lambda: nn.GRU(2, 3, proj_size=2), ValueError, "proj_size argument is only supported for LSTM"),
            (lambda: nn.GRU(2, 3)(torch.zeros(4, 1, 2), torch.zeros(1, 2, 3)), RuntimeError, "Expected hidden size"),
        ],
    )
    def test_errors(self, call, kind, sentence):
        with pytest.raises(kind, match=sentence):
            call()

    def test_dropout_for_one_layer_warns(self):
        with pytest.warns(UserWarning, match="dropout option adds dropout after all but last"):
            nn.GRU(2, 3, dropout=0.5)


class TestPacking:
    def test_round_trip(self):
        rows = torch.tensor([[1, 2, 3], [4, 5, 0], [6, 0, 0]])
        packed = rnn.pack_padded_sequence(rows, [3, 2, 1], batch_first=True)
        assert packed.data.tolist() == [1, 4, 6, 2, 5, 3]
        assert packed.batch_sizes.tolist() == [3, 2, 1]
        padded, lengths = rnn.pad_packed_sequence(packed, batch_first=True, padding_value=-1, total_length=4)
        assert padded.tolist() == [[1, 2, 3, -1], [4, 5, -1, -1], [6, -1, -1, -1]]
        assert lengths.tolist() == [3, 2, 1]

    def test_lengths_must_fall(self):
        with pytest.raises(RuntimeError, match="must be sorted in decreasing order"):
            rnn.pack_padded_sequence(torch.zeros(3, 2, 1), [1, 3])

    def test_padding_side(self):
        got = rnn.pad_sequence([torch.ones(2), torch.ones(1)], batch_first=True, padding_side="left")
        assert got.tolist() == [[1, 1], [0, 1]]


class TestBags:
    def test_modes(self):
        weight = torch.tensor([[1.0, 2.0], [3.0, 0.0], [5.0, 5.0]])
        indices, offsets = torch.tensor([0, 1, 2]), torch.tensor([0, 2])
        for mode, wanted in (("sum", [[4, 2], [5, 5]]), ("mean", [[2, 1], [5, 5]]), ("max", [[3, 2], [5, 5]])):
            assert F.embedding_bag(indices, weight, offsets, mode=mode).tolist() == wanted

    def test_padding_does_not_count(self):
        bag = nn.EmbeddingBag(3, 1, padding_idx=0, _weight=torch.tensor([[9.0], [1.0], [3.0]]))
        assert bag(torch.tensor([[0, 1], [2, 1]])).tolist() == [[1.0], [2.0]]


class TestAlignments:
    def test_loss_of_one_alignment(self):
        logs = torch.tensor([[[0.5, 0.5]], [[0.25, 0.75]]]).log()
        loss = F.ctc_loss(logs, torch.tensor([[1]]), [2], [1], reduction="sum")
        near(loss, -torch.log(torch.tensor(0.5 * 0.25 + 0.5 * 0.75 + 0.5 * 0.75)).item())

    def test_impossible_ones(self):
        logs = torch.zeros(1, 1, 3).log_softmax(2).requires_grad_()
        args = (logs, torch.tensor([[1, 2]]), [1], [2])
        assert F.ctc_loss(*args).item() == float("inf")
        loss = F.ctc_loss(*args, zero_infinity=True)
        loss.backward()
        assert loss.item() == 0
        assert logs.grad.abs().sum().item() == 0


class TestResizing:
    def test_bytes_are_rounded_as_in_torch(self):
        x = torch.arange(9, dtype=torch.uint8).reshape(1, 1, 3, 3) * 20
        got = F.interpolate(x, size=(2, 2), mode="bilinear")
        assert got.dtype is torch.uint8
        assert got.tolist() == [[[[20, 50], [110, 140]]]]

    def test_old_names_warn(self):
        with pytest.warns(UserWarning, match="interpolate"):
            F.upsample_nearest(torch.zeros(1, 1, 2, 2), scale_factor=2)

    def test_errors(self):
        with pytest.raises(ValueError, match="only one of size or scale_factor"):
            F.interpolate(torch.zeros(1, 1, 4), size=2, scale_factor=2.0)
        with pytest.raises(NotImplementedError, match="Got 3D input, but bilinear mode needs 4D input"):
            F.interpolate(torch.zeros(1, 1, 4), size=2, mode="bilinear")


class TestRandom:
    def test_places_of_fractional_windows_are_torchs(self):
        torch.manual_seed(0)
        got = F.fractional_max_pool2d(torch.arange(25.0).reshape(1, 1, 5, 5), 2, output_size=3)
        assert got.tolist() == [[[[6.0, 8.0, 9.0], [11.0, 13.0, 14.0], [21.0, 23.0, 24.0]]]]

    def test_rrelu_writes_in_place(self):
        torch.manual_seed(0)
        x = torch.tensor([-1.0, 2.0, -3.0])
        same = torch.rrelu_(x, 0.1, 0.3, True)
        assert same is x
        near(x, [-0.29401, 2.0, -0.72469])


class TestClasses:
    def test_adaptive_softmax_is_a_distribution(self):
        layer = nn.AdaptiveLogSoftmaxWithLoss(4, 10, [3, 6], div_value=2.0)
        x = torch.randn(5, 4)
        near(layer.log_prob(x).exp().sum(1), [1.0] * 5)
        target = torch.tensor([0, 2, 4, 7, 9])
        found = layer(x, target)
        assert torch.allclose(found.output, layer.log_prob(x).gather(1, target.unsqueeze(1)).squeeze(1), atol=1e-5)
        assert torch.equal(layer.predict(x), layer.log_prob(x).argmax(1))

    def test_chunks_change_nothing(self):
        x, w = torch.randn(6, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
        y = torch.tensor([0, 1, 2, 3, 0, -100])
        grads = []
        for options in (None, nn.LinearCrossEntropyOptions(batch_chunk_size=2)):
            loss = F.linear_cross_entropy(x, w, y, options=options)
            grads.append((loss, *torch.autograd.grad(loss, (x, w))))
        for plain, chunked in zip(*grads, strict=True):
            assert torch.allclose(plain, chunked, atol=1e-6)

    def test_options_that_do_not_apply_warn(self):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            F.linear_cross_entropy(
                torch.zeros(2, 3), torch.zeros(4, 3), torch.tensor([0, 1]), label_smoothing=0.1,
                options=nn.LinearCrossEntropyOptions(),
            )  # fmt: skip
        assert "``options`` ignored" in str(caught[0].message)
