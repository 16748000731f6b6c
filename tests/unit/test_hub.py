"""torch.hub with what a machine has: files by their address, folders with a hubconf.py."""

import hashlib

import pytest

import dispatchtorch as torch


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "cache"))
    return tmp_path


def test_weights_are_fetched_once_and_checked(cache, capsys):
    torch.save({"w": torch.ones(2)}, cache / "raw.pt")
    digest = hashlib.sha256((cache / "raw.pt").read_bytes()).hexdigest()[:8]
    named = cache / f"net-{digest}.pt"
    (cache / "raw.pt").rename(named)
    state = torch.hub.load_state_dict_from_url(named.as_uri(), check_hash=True)
    assert state["w"].tolist() == [1.0, 1.0]
    named.unlink()
    assert torch.hub.load_state_dict_from_url(named.as_uri())["w"].shape == (2,)
    assert capsys.readouterr().err.count("Downloading") == 1


def test_a_wrong_hash_leaves_no_file(cache):
    (cache / "x.bin").write_bytes(b"x")
    with pytest.raises(RuntimeError, match="invalid hash value"):
        torch.hub.download_url_to_file((cache / "x.bin").as_uri(), str(cache / "y.bin"), hash_prefix="00")
    assert sorted(p.name for p in cache.iterdir()) == ["x.bin"]


def test_models_of_a_folder(tmp_path):
    (tmp_path / "hubconf.py").write_text("def net(size):\n    'A net.'\n    return [0] * size\n")
    assert torch.hub.load(str(tmp_path), "net", 3, source="local") == [0, 0, 0]
    assert torch.hub.list(str(tmp_path), source="local") == ["net"]
    with pytest.raises(NotImplementedError, match="source='local'"):
        torch.hub.load("owner/name", "net")
