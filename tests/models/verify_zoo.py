"""Runs `vernier verify` over the models of models/README.md, at the sizes that it reduces them to.

Of each file the cheapest model is verified altogether, and the inference passes of the others, which are made of the same
blocks: compiling kernels and running training steps in double precision takes most of the time. Tiers share this out:
`default` leaves to `slow` what is deeper than another of its kind (`resnet152`), files whose blocks others have, and of a
file's others all but the two dearest;
`quick` has the small networks of Fashion-MNIST, which are not in `default`. `--everything` verifies all models altogether.

With another `--target` it is the code alone of each file's cheapest model, at a batch of two: for inference and training in
`default` of a few that have nearly each kind of operation between them, and for inference of a few that have the rest; in `slow`
of all others.
"""

import argparse
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from check_zoo import ROW

QUICK = {"fashion.vn"}
# Made of blocks or operations that these have: mobilenet_v3.vn; resnet_cifar.vn; dla_elastic.vn; res2net.vn and dla_elastic.vn;
# res2net.vn; multi_scale_convnext.vn; scalenet_cifar.vn; resizable_cifar.vn; resnet_cifar.vn; efficient_shufflenet.vn;
# transposed convolutions and losses in tools.verify; hrnet.vn, and shared blocks there; resnet_cifar.vn; mobilenet_v3.vn and
# multi_scale_convnext.vn; dilations and adaptive pools in tools.verify; resnet_cifar.vn, and what unet.vn has; dla_elastic.vn;
# dla_elastic.vn, and what tools.verify has of losses; resnet_cifar.vn, and attention in tools.verify; hrnet.vn and
# scalenet_cifar.vn, and several outputs in tools.verify; dla_elastic.vn; resnet_cifar.vn, and softmaxes of branches in tools.verify;
# hrnet.vn; mobilenet_v1.vn; efficient_shufflenet.vn; resnet_cifar.vn, and the stem of res2net.vn; mobilenet_v3.vn and mobilenet_v1.vn;
# resnet_cifar.vn, and frozen blocks in tools.verify; mobilenet_v3.vn, and shared blocks and parameters in tools.verify.
OF_OTHERS_BLOCKS = {"efficientnet.vn", "multi_label.vn", "densenet_elastic.vn", "res2net_dla.vn", "res2next_cifar.vn",
                    "convnext.vn", "scalenet.vn", "resizable_resnet.vn", "octave_resnet.vn", "densenet.vn",
                    "unet.vn", "retinanet.vn", "cbam.vn", "multi_scale_mobilenet.vn",
                    "pspnet.vn", "simple_baseline.vn", "dla.vn", "deeplab.vn", "non_local.vn",
                    "feature_pyramid.vn", "resnext_elastic.vn", "selective_kernel.vn", "big_little.vn", "xception.vn", "shufflenet_v2.vn",
                    "resnet.vn", "mobilenet_v2.vn", "distillation.vn", "efficientdet.vn"}
OTHERS_OF_A_FILE = 2
OF_EVERY_OPERATION = {"fashion.vn", "resizable_cifar.vn", "scalenet_cifar.vn", "efficient_shufflenet.vn"}
# Operations that those have not; dilations and softmaxes are in tools.verify.
OF_OTHER_OPERATIONS = {"multi_scale_convnext.vn", "mobilenet_v3.vn"}
DEPTH = re.compile(r"\d{2,3}")


def kind(row):
    """What models have in common that differ in depth, and the depth."""
    _, name, file, configuration = row
    depth = DEPTH.search(name)
    return (file, DEPTH.sub("", name, 1), DEPTH.sub("", configuration, 1)), int(depth[0]) if depth else 0


def models(readme):
    """[(multiply-adds, model, file, configuration)], and of each file the cheapest."""
    rows = [(float(macs), name, file, configuration) for name, file, configuration, _, macs in ROW.findall(readme)]
    return rows, {file: min(row for row in rows if row[2] == file) for _, _, file, _ in rows}


def plan_code(readme, tier):
    """As `plan`, of another target than the CPU."""
    rows, cheapest = models(readme)
    if tier == "everything":
        return [(*row[1:], True) for row in sorted(rows, reverse=True)]
    return [(*row[1:], tier == "slow" or row[2] in OF_EVERY_OPERATION)
            for row in sorted(cheapest.values(), reverse=True)
            if (row[2] in OF_EVERY_OPERATION | OF_OTHER_OPERATIONS if tier == "default" else
                row[2] not in OF_EVERY_OPERATION)]


def plan(readme, tier):
    """[(model, file, configuration, altogether?)], the most expensive first"""
    rows, cheapest = models(readme)
    shallowest = {}
    for row in rows:
        key, depth = kind(row)
        shallowest[key] = min(shallowest.get(key, depth), depth)
    planned, others = [], Counter()
    for row in sorted(rows, reverse=True):
        key, depth = kind(row)
        altogether = row == cheapest[row[2]]
        if tier == "everything":
            tiers = {tier: True}
        elif row[2] in QUICK:
            tiers = {"quick": altogether}
        elif altogether and row[2] in OF_OTHERS_BLOCKS:
            tiers = {"default": False, "slow": True}
        else:
            deeper = depth > shallowest[key]
            others[row[2]] += not deeper and not altogether
            tiers = {"slow" if deeper or (not altogether and others[row[2]] > OTHERS_OF_A_FILE) else "default": altogether}
        if tier in tiers:
            planned.append((*row[1:], tiers[tier]))
    return planned


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vernier", required=True, type=Path)
    parser.add_argument("--models", required=True, type=Path)
    parser.add_argument("--part", default="1/1", help="K/N: every N-th model, from the K-th on")
    parser.add_argument("--tier", choices=("quick", "default", "slow"), default="default")
    parser.add_argument("--everything", action="store_const", dest="tier", const="everything")
    parser.add_argument("--target", default="cpu", help="of `vernier verify`")
    parser.add_argument("--options", default="", help="further options of `vernier verify`, such as '--input 224'")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    readme = (options.models / "README.md").read_text(encoding="utf-8")
    rows = plan(readme, options.tier) if options.target == "cpu" else plan_code(readme, options.tier)
    if not rows:
        sys.exit("models/README.md lists no models")

    failed = []
    for name, file, configuration, altogether in rows[part - 1::parts]:
        command = [options.vernier, "verify", options.models / "networks" / file, "--model", name,
                   "--threads", "2", *options.options.split()]
        if options.target != "cpu":
            command += ["--target", options.target, "--code-only", "--batch", "2"]
        if configuration:
            command += ["--config", options.models / "configurations" / configuration]
        if not altogether:
            command += ["--for", "infer"] + (["--passes-only"] if options.target == "cpu" else [])
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        print(f"{name}: {'everything' if altogether else 'inference'}, {time.monotonic() - start:.1f} s", flush=True)
        if done.returncode != 0:
            failed.append(name)
            print(done.stdout + done.stderr, flush=True)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
