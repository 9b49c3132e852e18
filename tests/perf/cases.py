"""What is compared: networks, batches, types of number, and the speed-ups that the project aims at."""

import dataclasses
import pathlib

MODELS = pathlib.Path(__file__).resolve().parents[2] / "models"

EAGER = ("torch_peer", {})
CHANNELS_LAST = ("torch_peer", {"channels_last": True})
COMPILED = ("torch_peer", {"channels_last": True, "compiled": True})
# Name -> module and options. Precision and training say which class of the module is used, and for what.
F32_PEERS = {"ONNX Runtime": ("onnx_peer", {}), "OpenVINO": ("openvino_peer", {}), "PyTorch": EAGER,
             "PyTorch, channels last": CHANNELS_LAST, "torch.compile": COMPILED}
BF16_PEERS = {"OpenVINO": ("openvino_peer", {}), "PyTorch, channels last": CHANNELS_LAST, "torch.compile": COMPILED}
TRAINING_PEERS = {"PyTorch": EAGER, "PyTorch, channels last": CHANNELS_LAST, "torch.compile": COMPILED}


@dataclasses.dataclass(frozen=True)
class Case:
    model: str
    file: str
    configuration: str | None
    batch: int
    runs: int  # timed in each round
    side: int = 224
    train: bool = False
    precision: str = "f32"
    target: float | None = None  # speed-up against the best peer
    target_per_mac: float | None = None  # images per second and multiply-add of the paper, against our ResNet-50's

    @property
    def name(self):
        kind = "-train" if self.train else "" if self.precision == "f32" else f"-{self.precision}"
        return f"{self.model}{kind}-b{self.batch}"

    @property
    def peers(self):
        return TRAINING_PEERS if self.train else F32_PEERS if self.precision == "f32" else BF16_PEERS

    @property
    def tolerance(self):
        """How far a peer's outputs may lie from Vernier's, relative L2."""
        return 1e-4 if self.precision == "f32" else 4e-2  # each may be 2e-2 off in bfloat16

    @property
    def title(self):
        return self.model + (", training step" if self.train else "")


def networks():
    for file, model, configured, target, target_per_mac in [
            ("resnet", "resnet50", False, 1.2, None),
            ("scalenet", "scalenet50", True, 2.0, 1.0),
            ("scalenet", "scalenet101", True, None, None),
            ("res2net", "res2net50_26w_4s", False, 1.5, 0.95),
            ("resnext_elastic", "resnext50_elastic", False, 1.5, None),
            ("dla_elastic", "dla60x_elastic", False, 1.5, None)]:
        common = {"model": model, "file": f"networks/{file}.vn", "configuration": configuration(model, configured)}
        for batch in (1, 16):
            runs = 20 if batch == 1 else 5
            yield Case(**common, batch=batch, runs=runs, target=target, target_per_mac=target_per_mac)
            yield Case(**common, batch=batch, runs=runs, precision="bf16")
    for file, model, batch, side, runs, target in [("scalenet", "scalenet50", 16, 224, 5, 1.5),
                                                   ("scalenet_cifar", "scalenet38_cifar", 64, 32, 10, 3.0)]:
        yield Case(model, f"networks/{file}.vn", configuration(model, True), batch, runs, side, train=True,
                   target=target)


def configuration(model, configured):
    return str(MODELS / f"configurations/{model}.toml") if configured else None


# All float32 ones, then bfloat16, then training.
CASES = {case.name: case for case in sorted(networks(), key=lambda case: (case.train, case.precision != "f32"))}


def reference_of(case):
    """Vernier's ResNet-50 of the same batch: what a multiply-add costs there is what `target_per_mac` compares with."""
    if case.train or case.model == "resnet50":
        return None
    return next(other for other in CASES.values() if not other.train and other.model == "resnet50" and
                (other.batch, other.precision) == (case.batch, case.precision))
