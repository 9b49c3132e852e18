#!/usr/bin/env python3
"""Imports ONNX files that PyTorch exports of torchvision's and timm's models: random weights, one random image, the built
binary's logits against PyTorch's in double precision, as relative L2 distance. Run by hand:

  tests/models/import_published.py --vernier build/bin/vernier [--model LIBRARY:NAME]... [--folded]

Needs the environment of compare_published.py, which is made if it is not there, and that of tests/onnx, whose package onnx
PyTorch's exporter loads. Exits with 1 where a distance is above the limit.
"""

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

from compare_published import LIMIT, ROOT, distance, enter, randomise, run

MODELS = ["torchvision:resnet50", "torchvision:mobilenet_v2", "torchvision:mobilenet_v3_large", "torchvision:efficientnet_b0",
          "torchvision:shufflenet_v2_x1_0", "torchvision:densenet121", "torchvision:convnext_tiny", "torchvision:vgg11_bn",
          "torchvision:alexnet", "torchvision:squeezenet1_1", "torchvision:mnasnet1_0", "torchvision:regnet_y_400mf",
          "torchvision:googlenet", "torchvision:efficientnet_v2_s", "timm:res2net50_26w_4s", "timm:dla60",
          "timm:hrnet_w18", "timm:xception41", "timm:seresnet50", "timm:convnext_tiny", "timm:ghostnet_100",
          "timm:repvgg_a0", "timm:vovnet39a", "timm:cspresnet50"]


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vernier", type=Path, default=ROOT / "build/bin/vernier")
    parser.add_argument("--model", action="append", help="LIBRARY:NAME, only this one (repeatable)")
    parser.add_argument("--folded", action="store_true", help="let the exporter fold batch norms into convolutions")
    parser.add_argument("--size", type=int, default=224, help="height and width of the image")
    parser.add_argument("--environment", type=Path, default=ROOT / "build/published",
                        help="virtual environment with torch, torchvision and timm")
    parser.add_argument("--onnx-environment", type=Path, default=ROOT / "build/onnx-python", help="that of tests/onnx")
    return parser.parse_args()


def make(name):
    import timm
    import torchvision

    library, _, model = name.partition(":")
    return timm.create_model(model) if library == "timm" else torchvision.models.get_model(model, weights=None)


def export(module, image, path, folded):
    import torch

    mode = torch.onnx.TrainingMode
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, image, path, dynamo=False, opset_version=17, input_names=["image"], output_names=["logits"],
                          do_constant_folding=folded, training=mode.EVAL if folded else mode.PRESERVE)


def compare(name, options, folder):
    """The distance, and how many of the published tensors have kept their names."""
    import numpy as np
    import torch
    from safetensors import safe_open

    module = make(name).eval()
    generator = torch.Generator().manual_seed(1)
    randomise(module, generator)
    image = torch.randn((1, 3, options.size, options.size), generator=generator)
    exported, imported = folder / "m.onnx", folder / "m.vn"
    weights = imported.with_suffix(".safetensors")
    export(module, image, exported, options.folded)
    run(options.vernier, "import-onnx", exported, "-o", imported)
    run(options.vernier, "build", imported, "--output", folder / "built")
    np.save(folder / "x.npy", image.numpy())
    run(folder / "built/m", "run", "--input", folder / "x.npy", "--output", folder / "y.npy", "--weights", weights)
    with torch.no_grad():
        expected = module.double()(image.double())
    published = {key for key in module.state_dict() if not key.endswith("num_batches_tracked")}
    with safe_open(weights, "pt") as file:
        kept = published & set(file.keys())
    return distance(torch.from_numpy(np.load(folder / "y.npy")), expected), f"{len(kept)} of {len(published)} names"


def main():
    options = parse_options()
    enter(options.environment, __file__)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path.append(str(options.onnx_environment / "lib" / version / "site-packages"))
    failures = 0
    for name in options.model or MODELS:
        with tempfile.TemporaryDirectory() as folder:
            try:
                found, names = compare(name, options, Path(folder))
            except Exception as failure:  # the others are still worth comparing
                print(f"{name}: {failure}", flush=True)
                failures += 1
                continue
        failures += not found <= LIMIT
        print(f"{name}: {found:.1e}{'' if found <= LIMIT else ' is too much'}, {names}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
