"""What a run on a GPU compares and measures.

The order of each list is that in which it is done there: the most telling first, since time may run out.
"""

from dataclasses import dataclass

PRECISIONS = ("bf16", "tf32", "f32")
BATCHES = (256, 1, 32)

# Relative L2 distance from what is computed in float32.
LIMITS = {"f32": 1e-5, "tf32": 2e-3, "bf16": 2e-2}
# Of what a few updates changed, from the CPU's training in float32.
UPDATE_LIMIT = 1e-2


@dataclass(frozen=True)
class Program:
    """A model built for one batch and precision."""

    specification: str  # below models/, or a path
    model: str
    precision: str = "f32"
    batch: int = 1
    purpose: str = "infer"
    configuration: str = ""  # below models/configurations
    options: tuple = ()

    @property
    def name(self):
        return f"{self.model}-{self.purpose}-b{self.batch}-{self.precision}"


@dataclass(frozen=True)
class Network:
    """One that is measured beside PyTorch, whose twin of the same name is in tests/perf/networks.py."""

    model: str
    specification: str
    configuration: str = ""
    record: str = ""  # in tests/golden: its logits


IMAGENET = (
    Network("scalenet50", "networks/scalenet.vn", "scalenet50.toml", "scalenet50.json"),
    Network("resnet50", "networks/resnet.vn", "", "resnet50.json"),
    Network("res2net50_26w_4s", "networks/res2net.vn", "", "res2net50_26w_4s.json"),
)
CIFAR = (
    Network("scalenet38_cifar", "networks/scalenet_cifar.vn", "scalenet38_cifar.toml"),
    Network("resnet38_cifar", "networks/resnet_cifar.vn"),
)
CIFAR_BATCH = 128

# Networks whose kernels are compared one by one with the CPU's: of the tests, and random ones by their seed
# (tests/random/networks.py).
SMALL = ("aggregated5", "maps2", "shared_blocks", "resampled", "attended", "frozen5")
# Those that a few updates are compared of: the model, its image, its arrays of training beside the images (for each image, the
# shape and the number of classes, 0 of floats) and what its recipe begins with.
UPDATED = (
    ("aggregated5", (3, 16, 24), {"labels": ((), 5)}, "label_smoothing = 0.1"),
    ("dropouts5", (3, 13, 11), {"labels": ((), 5)}, ""),
    ("losses5", (3, 12, 14), {"mask": ((12, 14), 5), "edge": ((1, 12, 14), 0), "kind": ((), 5), "numbers": ((7,), 0)}, ""),
)
RANDOM_SEEDS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)


def inference_programs(networks=IMAGENET, batches=BATCHES, precisions=PRECISIONS):
    for precision in precisions:
        for batch in batches:
            for network in networks:
                yield network, Program(network.specification, network.model, precision, batch, "infer", network.configuration)


def training_programs(networks=CIFAR, precisions=PRECISIONS):
    for precision in precisions:
        for network in networks:
            yield network, Program(network.specification, network.model, precision, CIFAR_BATCH, "train",
                                   network.configuration)
