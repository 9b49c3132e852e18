"""The zoo's models that torchvision or timm have, and how to make them there."""

import collections
import dataclasses
from collections.abc import Callable

import timm
import torch
import torchvision


@dataclasses.dataclass
class Published:
    """`library` is told in the table. `outputs` turns what the module returns into a tensor or, where there are several,
    a dictionary with our names. Where places differ, `theirs` turns our name into the published one, or tensors are matched
    by their order. Names that contain `unused` are only in ours: the authors' checkpoints hold them, and nothing reads
    them."""

    library: str
    make: Callable[[], torch.nn.Module]
    by_order: bool = False
    outputs: Callable = lambda outputs: outputs
    unused: str | None = None
    theirs: Callable = lambda name: name


def from_torchvision(name, **options):
    return Published(f"torchvision `{name}`", lambda: torchvision.models.get_model(name, weights=None, **options))


def from_timm(name, by_order=False, unused=None, **options):
    return Published(f"timm `{name}`", lambda: timm.create_model(name, **options), by_order, unused=unused)


# MobileNet in timm with the padding and the epsilon of the Keras weights.
KERAS = {"pad_type": "same", "bn_eps": 1e-3}


def mobilenet_v1_075():
    return timm.models.efficientnet._gen_mobilenet_v1("mobilenetv1_100", 0.75, **KERAS)  # only as a private function


def multi_label(name):
    published = from_torchvision(name, num_classes=80)
    published.outputs = lambda logits: {"logits": logits, "probabilities": torch.sigmoid(logits)}
    return published


def deeplab(name):
    """torchvision's parts, with the output stride, the multi-grid and the rates of the paper."""

    def make():
        backbone = torchvision.models.get_model(name, weights=None, replace_stride_with_dilation=[False, False, True])
        for block, grid in zip(backbone.layer4, (1, 2, 4)):
            block.conv2.dilation = block.conv2.padding = (2 * grid, 2 * grid)
        backbone = torchvision.models._utils.IntermediateLayerGetter(backbone, {"layer4": "out"})
        segmentation = torchvision.models.segmentation
        head = segmentation.deeplabv3.DeepLabHead(2048, 21, (6, 12, 18))
        return segmentation.DeepLabV3(backbone, head)

    return Published(f"torchvision `DeepLabV3` on `{name}`", make, outputs=lambda outputs: outputs["out"])


class PSPNet(torch.nn.Module):
    """The head of hszhao/semseg, of PyTorch's parts, on torchvision's ResNet, whose last two stages dilate all convolutions."""

    def __init__(self, name, bins=(1, 2, 3, 6), classes=21):
        super().__init__()
        resnet = torchvision.models.get_model(name, weights=None, replace_stride_with_dilation=[False, True, True])
        for stage, dilation in ((resnet.layer3, 2), (resnet.layer4, 4)):
            stage[0].conv2.dilation = stage[0].conv2.padding = (dilation, dilation)
        self.backbone = torchvision.models._utils.IntermediateLayerGetter(resnet, {"layer4": "out"})
        channels = 2048 // len(bins)
        self.ppm = torch.nn.ModuleDict({"features": torch.nn.ModuleList(
            torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(bin), torch.nn.Conv2d(2048, channels, 1, bias=False),
                                torch.nn.BatchNorm2d(channels), torch.nn.ReLU()) for bin in bins)})
        self.cls = torch.nn.Sequential(torch.nn.Conv2d(4096, 512, 3, padding=1, bias=False), torch.nn.BatchNorm2d(512),
                                       torch.nn.ReLU(), torch.nn.Dropout2d(0.1), torch.nn.Conv2d(512, classes, 1))

    def forward(self, image):
        def enlarged(map, like):
            return torch.nn.functional.interpolate(map, like.shape[2:], mode="bilinear", align_corners=True)

        x = self.backbone(image)["out"]
        regions = [enlarged(part(x), x) for part in self.ppm["features"]]
        return enlarged(self.cls(torch.cat([x, *regions], 1)), image)


def feature_pyramid(library, name, make):
    def with_pyramid():
        layers = {f"layer{i}": f"p{i + 1}" for i in range(1, 5)}
        pyramid = torchvision.models.detection.backbone_utils.BackboneWithFPN
        return pyramid(make(name), layers, [256, 512, 1024, 2048], 256)

    return Published(f"torchvision `BackboneWithFPN` of {library} `{name}`", with_pyramid,
                     outputs=lambda outputs: {("p6" if key == "pool" else key): map for key, map in outputs.items()})


class RetinaNet(torch.nn.Module):
    """The parts of torchvision's detector that compute: what it makes of images and boxes is no network."""

    def __init__(self):
        super().__init__()
        detection = torchvision.models.detection
        backbone = detection.backbone_utils.resnet_fpn_backbone(
            backbone_name="resnet50", weights=None, norm_layer=torch.nn.BatchNorm2d, trainable_layers=5, returned_layers=[2, 3, 4],
            extra_blocks=torchvision.ops.feature_pyramid_network.LastLevelP6P7(256, 256))
        detector = detection.RetinaNet(backbone, num_classes=91)
        self.backbone, self.head = detector.backbone, detector.head

    def forward(self, x):
        outputs = {}
        for level, map in enumerate(self.backbone(x).values(), 3):
            for name, part, last in (("scores", self.head.classification_head, "cls_logits"),
                                     ("boxes", self.head.regression_head, "bbox_reg")):
                outputs[f"{name}{level}"] = getattr(part, last)(part.conv(map))
        return outputs


def simple_baseline(name):
    """The authors' module, of torchvision's and PyTorch's parts."""

    def make():
        resnet = torchvision.models.get_model(name, weights=None)
        parts = {part: getattr(resnet, part)
                 for part in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")}
        layers, channels = [], 2048
        for _ in range(3):
            layers += [torch.nn.ConvTranspose2d(channels, 256, 4, stride=2, padding=1, bias=False),
                       torch.nn.BatchNorm2d(256), torch.nn.ReLU()]
            channels = 256
        parts["deconv_layers"] = torch.nn.Sequential(*layers)
        parts["final_layer"] = torch.nn.Conv2d(256, 17, 1)
        return torch.nn.Sequential(collections.OrderedDict(parts))

    return Published(f"PyTorch's `ConvTranspose2d` on torchvision `{name}`", make)


class UNet(torch.nn.Module):
    """Of PyTorch's parts, in the places of milesial/Pytorch-UNet."""

    def __init__(self, widths=(64, 128, 256, 512, 1024), classes=2):
        super().__init__()

        def twice(inputs, outputs):
            layers = []
            for channels in (inputs, outputs):
                layers += [torch.nn.Conv2d(channels, outputs, 3, padding=1, bias=False), torch.nn.BatchNorm2d(outputs), torch.nn.ReLU()]
            return torch.nn.Sequential(*layers)

        def part(**modules):
            return torch.nn.ModuleDict(modules)

        self.inc = part(double_conv=twice(3, widths[0]))
        for i, (before, channels) in enumerate(zip(widths, widths[1:]), 1):
            half = part(double_conv=twice(before, channels))
            setattr(self, f"down{i}", part(maxpool_conv=part(**{"1": half})))
            setattr(self, f"up{len(widths) - i}", part(up=torch.nn.ConvTranspose2d(channels, before, 2, stride=2),
                                                       conv=part(double_conv=twice(channels, before))))
        self.outc = part(conv=torch.nn.Conv2d(widths[0], classes, 1))
        self.depth = len(widths) - 1

    def forward(self, x):
        maps = [self.inc["double_conv"](x)]
        for i in range(1, self.depth + 1):
            half = getattr(self, f"down{i}")["maxpool_conv"]["1"]
            maps.append(half["double_conv"](torch.nn.functional.max_pool2d(maps[-1], 2)))
        x = maps.pop()
        for i in range(1, self.depth + 1):
            up = getattr(self, f"up{i}")
            x = up["conv"]["double_conv"](torch.cat([maps.pop(), up["up"](x)], 1))
        return self.outc["conv"](x)


class EfficientDet(torch.nn.Module):
    """The paper's pyramid and heads, of PyTorch's parts, on torchvision's EfficientNet-B0."""

    class Separable(torch.nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.depthwise = torch.nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False)
            self.pointwise = torch.nn.Conv2d(inputs, outputs, 1)

        def forward(self, x):
            return self.pointwise(self.depthwise(x))

    class Fused(Separable):
        """Fast normalised fusion of maps of one size, and what follows it."""

        def __init__(self, count, channels):
            super().__init__(channels, channels)
            self.fusion = torch.nn.ParameterDict({"weight": torch.ones(count)})
            self.bn = EfficientDet.norm(channels)

        def forward(self, *maps):
            weights = torch.relu(self.fusion["weight"])
            x = (torch.stack(maps, -1) * weights).sum(-1) / (weights.sum() + 1e-4)
            return self.bn(super().forward(torch.nn.functional.silu(x)))

    class Head(torch.nn.Module):
        def __init__(self, channels, outputs, depth, levels=5):
            super().__init__()
            self.depth = depth
            for i in range(depth):
                setattr(self, str(i), torch.nn.ModuleDict({
                    "conv3x3": EfficientDet.Separable(channels, channels),
                    "bn": torch.nn.ModuleList(EfficientDet.norm(channels) for _ in range(levels))}))
            self.last = EfficientDet.Separable(channels, outputs)

        def forward(self, x, level):
            for i in range(self.depth):
                layer = getattr(self, str(i))
                x = torch.nn.functional.silu(layer["bn"][level](layer["conv3x3"](x)))
            return self.last(x)

    @staticmethod
    def norm(channels):
        return torch.nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)

    @staticmethod
    def halved(x):
        """Windows of TensorFlow's `same` padding, whose odd row and column are behind the map."""
        rows, columns = (max(0, (side - 1) // 2 * 2 + 3 - side) for side in x.shape[2:])
        sides = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        return torch.nn.functional.max_pool2d(torch.nn.functional.pad(x, sides, value=-torch.inf), 3, 2)

    def __init__(self, channels=64, layers=3, depth=3, classes=90, anchors=9):
        super().__init__()
        features = torchvision.models.get_model("efficientnet_b0", weights=None).features[:8]
        self.backbone = torch.nn.ModuleDict({"features": features})

        def laterals(widths):
            return torch.nn.ModuleDict({place: torch.nn.Sequential(collections.OrderedDict(
                conv=torch.nn.Conv2d(width, channels, 1), bn=self.norm(channels))) for place, width in widths.items()})

        self.bifpn = torch.nn.ModuleDict({"lateral": laterals({"0": 40, "1": 112, "2": 320, "3": 320}),
                                          "again": laterals({"1": 112, "2": 320})})
        for layer in range(layers):
            down = {str(i): self.Fused(2, channels) for i in range(4)}
            up = {str(i): self.Fused(3 if i < 4 else 2, channels) for i in range(1, 5)}
            self.bifpn[str(layer)] = torch.nn.ModuleDict({"down": torch.nn.ModuleDict(down), "up": torch.nn.ModuleDict(up)})
        self.layers = layers
        self.class_head = self.Head(channels, anchors * classes, depth)
        self.box_head = self.Head(channels, 4 * anchors, depth)

    def pyramid(self, maps):
        lateral, again = self.bifpn["lateral"], self.bifpn["again"]
        p6 = self.halved(lateral["3"](maps[2]))
        coarse = [p6, self.halved(p6)]
        first = [lateral[str(i)](map) for i, map in enumerate(maps)] + coarse
        second = first[:1] + [again[str(i)](maps[i]) for i in (1, 2)] + coarse
        for layer in range(self.layers):
            parts = self.bifpn[str(layer)]
            down = first[:]
            for i in (3, 2, 1, 0):
                above = torch.nn.functional.interpolate(down[i + 1], first[i].shape[2:], mode="nearest")
                down[i] = parts["down"][str(i)](first[i], above)
            up = down[:1]
            for i in (1, 2, 3, 4):
                inner = [down[i]] if i < 4 else []
                up.append(parts["up"][str(i)](second[i], *inner, self.halved(up[-1])))
            first = second = up
        return first

    def forward(self, x):
        maps = []
        for i, stage in enumerate(self.backbone["features"]):
            x = stage(x)
            if i in (3, 5, 7):
                maps.append(x)
        outputs = {}
        for level, map in enumerate(self.pyramid(maps)):
            outputs[f"scores{level + 3}"] = self.class_head(map, level)
            outputs[f"boxes{level + 3}"] = self.box_head(map, level)
        return outputs


def convnext(name):
    """The numbers that channels are multiplied by are parameters of the block itself there."""
    published = from_torchvision(name)
    published.theirs = lambda name: name.replace(".layer_scale.weight", ".layer_scale")
    return published


PUBLISHED = {
    "resnet50": from_torchvision("resnet50"),
    "resnet101": from_torchvision("resnet101"),
    "resnet152": from_torchvision("resnet152"),
    "resnext50_32x4d": from_torchvision("resnext50_32x4d"),
    "resnext101_32x4d": from_timm("resnext101_32x4d"),
    "seresnet50": from_timm("seresnet50"),
    "seresnet101": from_timm("seresnet101"),
    "seresnet152": from_timm("seresnet152"),
    "skresnet50": from_timm("skresnet50"),
    "skresnext50_32x4d": from_timm("skresnext50_32x4d"),
    "mobilenet_v1": from_timm("mobilenetv1_100", by_order=True, **KERAS),
    "mobilenet_v1_075": Published("timm `mobilenetv1_100`, its width 0.75", mobilenet_v1_075, by_order=True),
    "mobilenet_v2": from_torchvision("mobilenet_v2"),
    "mobilenet_v3_large": from_torchvision("mobilenet_v3_large"),
    "mobilenet_v3_small": from_torchvision("mobilenet_v3_small"),
    "convnext_tiny": convnext("convnext_tiny"),
    "convnext_small": convnext("convnext_small"),
    "efficientnet_b0": from_torchvision("efficientnet_b0"),
    "efficientnet_b1": from_torchvision("efficientnet_b1"),
    "efficientnet_b2": from_torchvision("efficientnet_b2"),
    "shufflenet_v2_x1_0": from_torchvision("shufflenet_v2_x1_0"),
    "shufflenet_v2_x1_5": from_torchvision("shufflenet_v2_x1_5"),
    "densenet121": from_torchvision("densenet121"),
    "densenet169": from_torchvision("densenet169"),
    "densenet201": from_torchvision("densenet201"),
    "xception": from_timm("legacy_xception"),
    "inception_v3": from_timm("inception_v3"),
    "hrnet_w18": from_timm("hrnet_w18"),
    "dla60": from_timm("dla60", unused=".project."),
    "dla60x": from_timm("dla60x", unused=".project."),
    "dla102x": from_timm("dla102x", unused=".project."),
    "res2net50_26w_4s": from_timm("res2net50_26w_4s"),
    "res2net50_48w_2s": from_timm("res2net50_48w_2s"),
    "res2net50_14w_8s": from_timm("res2net50_14w_8s"),
    "res2net50_26w_6s": from_timm("res2net50_26w_6s"),
    "res2net50_26w_8s": from_timm("res2net50_26w_8s"),
    "res2net101_26w_4s": from_timm("res2net101_26w_4s"),
    "res2net50_v1b_26w_4s": from_timm("res2net50d"),
    "res2net101_v1b_26w_4s": from_timm("res2net101d"),
    "res2next50": from_timm("res2next50"),
    "res2net_dla60": from_timm("dla60_res2net", unused=".project."),
    "res2next_dla60": from_timm("dla60_res2next", unused=".project."),
    "resnet50_multi_label": multi_label("resnet50"),
    "resnext50_multi_label": multi_label("resnext50_32x4d"),
    "deeplab_resnext50": deeplab("resnext50_32x4d"),
    "pspnet_resnet50": Published("PSPNet of hszhao/semseg on torchvision `resnet50`", lambda: PSPNet("resnet50")),
    "fpn_resnet50": feature_pyramid("torchvision", "resnet50", torchvision.models.get_model),
    "fpn_resnet101": feature_pyramid("torchvision", "resnet101", torchvision.models.get_model),
    "fpn_res2net50": feature_pyramid("timm", "res2net50_26w_4s", timm.create_model),
    "cbam_resnet50": Published("timm `resnet50` with `attn_layer=\"cbam\"`",
                               lambda: timm.create_model("resnet50", block_args={"attn_layer": "cbam"})),
    "retinanet_resnet50": Published("torchvision `RetinaNet` on `resnet50`, its backbone and head", RetinaNet,
                                    outputs=lambda outputs: outputs),
    "efficientdet_d0": Published("PyTorch's modules on torchvision `efficientnet_b0`, as the paper joins them", EfficientDet),
    "simple_baseline_resnet50": simple_baseline("resnet50"),
    "unet": Published("PyTorch's modules, as milesial/Pytorch-UNet joins them", UNet),
    "simple_baseline_resnet101": simple_baseline("resnet101"),
    "simple_baseline_resnet152": simple_baseline("resnet152"),
}
