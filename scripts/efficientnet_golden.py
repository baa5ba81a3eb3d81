#!/usr/bin/env python3
"""Writes tests/efficientnet: EfficientNet-Lite in plain numpy, for the evaluation's network to be compared with.

    pip install numpy
    scripts/efficientnet_golden.py [efficientnet-lite0-57934424.pth]

Without the file (`make eval-weights` fetches it) only the tiny network with seeded weights is written; with it the
features and logits of the whole one as well.
"""

import collections
import hashlib
import json
import pathlib
import pickle
import struct
import sys

import numpy as np

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "tests" / "efficientnet"
LITE0 = {
    "stem": 32,
    "stages": [[1, 3, 1, 1, 16], [2, 3, 2, 6, 24], [2, 5, 2, 6, 40], [3, 3, 2, 6, 80], [3, 5, 1, 6, 112],
               [4, 5, 2, 6, 192], [1, 3, 1, 6, 320]],
    "head": 1280,
    "classes": 1000,
}
TINY = {"stem": 4, "stages": [[1, 3, 1, 1, 4], [2, 3, 2, 6, 4], [1, 5, 2, 6, 6]], "head": 10, "classes": 3}


def same_padding(x, kernel, stride):
    """As TensorFlow pads: the output has ceil(size / stride) rows, and the odd zero goes behind."""
    pairs = []
    for size in x.shape[2:]:
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pairs.append((total // 2, total - total // 2))
    return np.pad(x, ((0, 0), (0, 0), *pairs))


def convolve(x, weight, stride=1, depthwise=False):
    kernel = weight.shape[2]
    windows = np.lib.stride_tricks.sliding_window_view(same_padding(x, kernel, stride), (kernel, kernel), (2, 3))
    windows = windows[:, :, ::stride, ::stride]
    if depthwise:
        return np.einsum("bchwij,cij->bchw", windows, weight[:, 0], optimize=True)
    return np.einsum("bchwij,ocij->bohw", windows, weight, optimize=True)


def batch_norm(x, weights, name):
    scale = weights[name + ".weight"] / np.sqrt(weights[name + ".running_var"] + 1e-3)
    shift = weights[name + ".bias"] - weights[name + ".running_mean"] * scale
    return x * scale[:, None, None] + shift[:, None, None]


def relu6(x):
    return np.clip(x, 0, 6)


def blocks(config):
    """(stride, expansion, kernel, inputs, outputs) of every block."""
    inputs = config["stem"]
    for repeats, kernel, stride, expand, outputs in config["stages"]:
        for i in range(repeats):
            yield (stride if i == 0 else 1), expand, kernel, inputs, outputs
            inputs = outputs


def forward(config, weights, images):
    """Images [B, 3, H, W] from 0 to 255 -> features and logits."""
    x = relu6(batch_norm(convolve((images - 127) / 128, weights["_conv_stem.weight"], 2), weights, "_bn0"))
    for i, (stride, expand, _, inputs, outputs) in enumerate(blocks(config)):
        name, y = f"_blocks.{i}.", x
        if expand != 1:
            y = relu6(batch_norm(convolve(y, weights[name + "_expand_conv.weight"]), weights, name + "_bn0"))
        y = convolve(y, weights[name + "_depthwise_conv.weight"], stride, depthwise=True)
        y = relu6(batch_norm(y, weights, name + "_bn1"))
        y = batch_norm(convolve(y, weights[name + "_project_conv.weight"]), weights, name + "_bn2")
        x = x + y if stride == 1 and inputs == outputs else y
    x = relu6(batch_norm(convolve(x, weights["_conv_head.weight"]), weights, "_bn1"))
    features = x.mean((2, 3))
    return features, features @ weights["_fc.weight"].T + weights["_fc.bias"]


def seeded_weights(config):
    rng = np.random.default_rng(7)
    weights = {}

    def kernel(name, outputs, inputs, size):
        weights[name + ".weight"] = rng.normal(0, (2 / (inputs * size * size)) ** 0.5, (outputs, inputs, size, size))

    def norm(name, width):
        weights[name + ".weight"] = rng.uniform(0.5, 1.5, width)
        weights[name + ".bias"] = rng.normal(0.5, 0.5, width)
        weights[name + ".running_mean"] = rng.normal(0, 0.3, width)
        weights[name + ".running_var"] = rng.uniform(0.2, 2, width)

    kernel("_conv_stem", config["stem"], 3, 3)
    norm("_bn0", config["stem"])
    for i, (_, expand, size, inputs, outputs) in enumerate(blocks(config)):
        name, width = f"_blocks.{i}.", inputs * expand
        if expand != 1:
            kernel(name + "_expand_conv", width, inputs, 1)
            norm(name + "_bn0", width)
        kernel(name + "_depthwise_conv", width, 1, size)
        norm(name + "_bn1", width)
        kernel(name + "_project_conv", outputs, width, 1)
        norm(name + "_bn2", outputs)
    kernel("_conv_head", config["head"], config["stages"][-1][4], 1)
    norm("_bn1", config["head"])
    weights["_fc.weight"] = rng.normal(0, 0.5, (config["classes"], config["head"]))
    weights["_fc.bias"] = rng.normal(0, 0.5, config["classes"])
    return {name: value.astype("<f4") for name, value in weights.items()}


def torch_weights(path):
    """The tensors of a file of the old torch.save; their strides are not those of a plain array."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) == ("collections", "OrderedDict"):
                return collections.OrderedDict
            if name == "_rebuild_tensor_v2":
                return lambda storage, offset, shape, stride, *_: (storage, offset, shape, stride)
            if module == "torch" and name.endswith("Storage"):
                return name
            raise pickle.UnpicklingError(f"{module}.{name}")

        def persistent_load(self, storage):
            return storage

    with open(path, "rb") as file:
        _, _, _, tensors, keys = [Unpickler(file).load() for _ in range(5)]
        kinds = {storage[2]: storage[1] for storage, *_ in tensors.values()}
        storages = {}
        for key in keys:
            dtype = np.dtype({"FloatStorage": "<f4", "LongStorage": "<i8"}[kinds[key]])
            (count,) = struct.unpack("<q", file.read(8))
            storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    weights = {}
    for name, (storage, offset, shape, stride) in tensors.items():
        values = storages[storage[2]][offset:]
        weights[name] = np.lib.stride_tricks.as_strided(values, shape, [s * values.itemsize for s in stride]).copy()
    return weights


def pattern(height, width):
    """A picture of integers that any language makes alike: [1, 3, H, W]."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * 2 + y) % 256, (x * x // 40 + y * 3) % 256, (x * y // 30 + 60) % 256]
    return np.stack(planes)[None].astype("<f4")


def save(path, tensors):
    header, body = {}, b""
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name], "<f4")
        ends = [len(body), len(body) + value.nbytes]
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": ends}
        body += value.tobytes()
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + body)


def write(case, kind, description, config, tensors, tolerances, files):
    io = {"io": f"{case}.safetensors"}
    save(GOLDEN / io["io"], tensors)
    listed = [
        {"name": name, "shape": list(value.shape), "tol": tolerances.get(name, {"exact": True})}
        for name, value in tensors.items()
    ]
    manifest = {
        "format": "infinity-golden/1",
        "case": case,
        "kind": kind,
        "description": description,
        "source": {"script": "scripts/efficientnet_golden.py", "numpy": np.__version__},
        "config": config,
        "files": io | files,
        "tensors": listed,
    }
    (GOLDEN / f"{case}.json").write_text(json.dumps(manifest, indent=1) + "\n")


def main():
    weights = seeded_weights(TINY)
    images = np.concatenate([pattern(15, 18), pattern(15, 18)[:, ::-1]])
    features, logits = forward(TINY, weights, images)
    save(GOLDEN / "i_tiny_weights.safetensors", weights)
    write("i_tiny", "efficientnet_lite", "EfficientNet-Lite of a few channels, odd sizes", TINY,
          {"images": images, "features": features, "logits": logits},
          {"features": {"atol": 2e-5, "rtol": 1e-5}, "logits": {"atol": 5e-5, "rtol": 1e-5}},
          {"weights": "i_tiny_weights.safetensors"})
    if len(sys.argv) > 1:
        path = pathlib.Path(sys.argv[1])
        features, logits = forward(LITE0, torch_weights(path), pattern(224, 224))
        config = LITE0 | {"weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "size": [224, 224]}
        write("i_lite0", "efficientnet_lite0", "the published EfficientNet-Lite0 on a picture of integers", config,
              {"features": features, "logits": logits},
              {"features": {"atol": 1e-4, "rtol": 1e-4}, "logits": {"atol": 5e-4, "rtol": 1e-4}}, {})


main()
