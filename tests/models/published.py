"""The zoo's models that torchvision or timm have, and how to make them there."""

import dataclasses
from collections.abc import Callable

import timm
import torch
import torchvision


@dataclasses.dataclass
class Published:
    """`library` is told in the table; `make` returns a module, whose outputs, where there are several, are a dictionary with
    our names. Where places differ, tensors are matched by their order; those whose name begins with one of `unused` are not
    in ours."""

    library: str
    make: Callable[[], torch.nn.Module]
    by_order: bool = False
    unused: tuple[str, ...] = ()


def from_torchvision(name, **options):
    return Published(f"torchvision `{name}`", lambda: torchvision.models.get_model(name, weights=None, **options))


def from_timm(name, by_order=False, **options):
    return Published(f"timm `{name}`", lambda: timm.create_model(name, **options), by_order)


# MobileNet in timm with the padding and the epsilon of the Keras weights.
KERAS = {"pad_type": "same", "bn_eps": 1e-3}


def mobilenet_v1_075():
    return timm.models.efficientnet._gen_mobilenet_v1("mobilenetv1_100", 0.75, **KERAS)  # only as a private function


PUBLISHED = {
    "resnet50": from_torchvision("resnet50"),
    "resnet101": from_torchvision("resnet101"),
    "resnet152": from_torchvision("resnet152"),
    "resnext50_32x4d": from_torchvision("resnext50_32x4d"),
    "resnext101_32x4d": from_timm("resnext101_32x4d"),
    "seresnet50": from_timm("seresnet50"),
    "seresnet101": from_timm("seresnet101"),
    "seresnet152": from_timm("seresnet152"),
    "mobilenet_v1": from_timm("mobilenetv1_100", by_order=True, **KERAS),
    "mobilenet_v1_075": Published("timm `mobilenetv1_100`, its width 0.75", mobilenet_v1_075, by_order=True),
    "mobilenet_v2": from_torchvision("mobilenet_v2"),
    "densenet121": from_torchvision("densenet121"),
    "densenet169": from_torchvision("densenet169"),
    "densenet201": from_torchvision("densenet201"),
    "xception": from_timm("legacy_xception"),
    "inception_v3": from_timm("inception_v3"),
    "hrnet_w18": from_timm("hrnet_w18"),
}
