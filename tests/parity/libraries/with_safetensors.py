"""safetensors: tensors of seven dtypes to files and bytes and back, slices of a file, models with tied weights."""

import tempfile

import torch
from safetensors import safe_open
from safetensors.torch import load, load_file, load_model, save, save_file, save_model
from torch import nn

torch.manual_seed(0)
tensors = {
    "a": torch.randn(3, 4),
    "b": torch.arange(5),
    "c": torch.randn(2, 2).bfloat16(),
    "d": torch.randn(3).half(),
    "e": torch.tensor([True, False]),
    "f": torch.randn(2, 3, dtype=torch.float64),
    "g": torch.tensor(3, dtype=torch.int8),
}


def same(read):
    """Returns how many tensors came back as they were."""
    return sum(torch.equal(read[name], one) and read[name].dtype == one.dtype for name, one in tensors.items())


def tied():
    """Returns a model of which two layers share their weight."""
    model = nn.ModuleDict({"x": nn.Linear(3, 3), "y": nn.Linear(3, 3)})
    model["y"].weight = model["x"].weight
    return model


with tempfile.TemporaryDirectory() as folder:
    path = f"{folder}/tensors.safetensors"
    save_file(tensors, path, metadata={"format": "pt"})
    print(same(load_file(path)))
    content = save(tensors)
    print(len(content), sum(content), same(load(content)))
    with safe_open(path, framework="pt", device="cpu") as file:
        part = file.get_slice("a")
        print(len(file.keys()), file.get_tensor("a").sum().item(), part[1:, :2].sum().item(), *part.get_shape())
    first, second = tied(), tied()
    save_model(first, f"{folder}/model.safetensors")
    missing, _ = load_model(second, f"{folder}/model.safetensors")
    print(len(missing), second["x"].weight.sub(first["x"].weight).abs().sum().item())
    try:
        save_file({"p": tensors["a"], "q": tensors["a"]}, f"{folder}/shared.safetensors")
    except RuntimeError as error:
        print(len(str(error)))
