"""Weights that others trained classify photographs as well here as there.

Imports the published weights of MobileNetV1-0.75, builds the network and evaluates it on a sample of ImageNet, as a person
would. PyTorch finds 174 of the 200 images with these weights, and 196 within the first five.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SKIPPED = 77
EXPECTED = {"top1": 174, "top5": 196}  # of 200 images
TOLERANCE = 1  # images; one whose two likeliest classes are equal but for rounding


def run(*arguments):
    done = subprocess.run([str(argument) for argument in arguments], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(map(str, arguments))}")
    return done.stdout


def accuracy(vernier, models, weights, images, folder):
    network = models / "networks" / "mobilenet_v1.vn"
    imported = folder / "imported.safetensors"
    print(run(vernier, "import-weights", network, "--model", "mobilenet_v1_075", "--weights", weights, "-o", imported))
    run(vernier, "build", network, "--model", "mobilenet_v1_075", "--weights", imported, "-o", folder / "built")
    labels = folder / "labels.txt"
    count = sum(1 for path in images.iterdir() if path.suffix == ".jpg")
    labels.write_text("".join(f"{5 * k}\n" for k in range(count)), encoding="utf-8")
    return json.loads(run(folder / "built" / "mobilenet_v1_075", "eval", "--images", images, "--labels", labels, "--json"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--vernier", required=True, type=Path)
    parser.add_argument("--models", required=True, type=Path)
    parser.add_argument("--data", required=True, type=Path, help="folder of the weights and the images")
    options = parser.parse_args()
    weights = options.data / "mobilenet_v1_0.75" / "weights.safetensors"
    images = options.data / "imagenet-sample"
    if not weights.exists() or not images.is_dir():
        print(f"skipped: {options.data} has no trained weights and photographs")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory() as folder:
        result = accuracy(options.vernier, options.models, weights, images, Path(folder))
    print(f"top-1 {result['top1']:.1%}, top-5 {result['top5']:.1%} of {result['images']} images")
    wrong = [key for key, expected in EXPECTED.items()
             if abs(round(result[key] * result["images"]) - expected) > TOLERANCE]
    sys.exit(1 if result["images"] != 200 or wrong else 0)


if __name__ == "__main__":
    main()
