"""Each loss of a built library, through the C interface, beside its formula in Python's numbers; NaN and infinities among them."""

import ctypes
import math
import random
import unittest

from commands import CommandTest, write_safetensors

N, C, H, W = 2, 2, 5, 7
IGNORED = 255
# The image itself is what is compared with the targets.
SPECIFICATION = f"""network net() {{
  input image: [{C}, {H}, {W}]
  target t: [{C}, {H}, {W}] of float
  target m: [{H}, {W}] of int
  x = image |> layer_scale
  output x = x
  loss mean: mean(x)
  loss binary: binary_cross_entropy(x, t)
  loss focal: focal_loss(x, t)
  loss squared: squared_error(x, t)
  loss absolute: absolute_error(x, t)
  loss smooth: smooth_l1(x, t, beta = 0.7)
  loss softmax: 0.5 * softmax_cross_entropy(x, m, ignore = {IGNORED})
}}

model net = net()
"""


def exponential(x):
    return math.inf if x > 700 else math.exp(x)


def softplus(x):
    return math.nan if math.isnan(x) else max(x, 0.0) + math.log1p(exponential(-abs(x)))


def focal(x, t):
    p, q = 1 / (1 + exponential(-x)), 1 / (1 + exponential(x))
    return 0.25 * t * q * q * softplus(-x) + 0.75 * (1 - t) * p * p * softplus(x)


def smooth(x, t):
    d = abs(x - t)
    return d * d / 1.4 if d < 0.7 else d - 0.35


POINTWISE = {
    "mean": lambda x, t: x,
    "binary": lambda x, t: (1 - t) * x + softplus(-x) if x != math.inf else (1 - t) * x,
    "focal": focal,
    "squared": lambda x, t: (x - t) ** 2,
    "absolute": lambda x, t: abs(x - t),
    "smooth": smooth,
}


def cross_entropy(image, labels):
    total, count = 0.0, 0
    for pixel, label in enumerate(labels):
        if label == IGNORED:
            continue
        at = pixel // (H * W) * C * H * W + pixel % (H * W)
        logits = [image[at + c * H * W] for c in range(C)]
        if any(math.isnan(z) for z in logits) or math.inf in logits:
            return math.nan
        largest = max(logits)
        total += largest + math.log(sum(exponential(z - largest) for z in logits)) - logits[label]
        count += 1
    return total / max(count, 1)


def losses(image, targets, labels):
    found = {name: sum(map(of, image, targets)) / len(image) for name, of in POINTWISE.items()}
    return {**found, "softmax": 0.5 * cross_entropy(image, labels)}


class Step:
    """A session of a built library and calls of its training step."""

    def __init__(self, library, weights):
        self.library = ctypes.CDLL(str(library))
        self.library.net_model.restype = ctypes.c_void_p
        self.library.vn_last_error.restype = ctypes.c_char_p
        self.session = ctypes.c_void_p()
        options = (ctypes.c_int64 * 8)(2, 1)  # vn_session_options: threads, training
        self.check(self.library.vn_session_create(ctypes.c_void_p(self.library.net_model()), options, ctypes.byref(self.session)))
        self.check(self.library.vn_session_load_weights(self.session, str(weights).encode()))

    def check(self, status):
        if status != 0:
            raise ValueError(self.library.vn_last_error().decode())

    def losses(self, image, targets, labels):
        arrays = [(ctypes.c_float * len(image))(*image), (ctypes.c_float * len(targets))(*targets),
                  (ctypes.c_int32 * len(labels))(*labels), (ctypes.c_float * 1)(), (ctypes.c_float * len(image))(),
                  *((ctypes.c_float * 1)() for _ in range(len(POINTWISE) + 1))]
        places = (ctypes.c_void_p * len(arrays))(*(ctypes.cast(array, ctypes.c_void_p) for array in arrays))
        self.check(self.library.vn_session_run(self.session, 1, places, len(arrays)))
        return {"loss": arrays[3][0], **dict(zip([*POINTWISE, "softmax"], (array[0] for array in arrays[5:])))}


class LossValues(CommandTest):
    def expect_same(self, found, expected):
        expected = {**expected, "loss": sum(expected.values())}
        for name, value in expected.items():
            with self.subTest(name):
                if math.isnan(value):
                    self.assertTrue(math.isnan(found[name]), found[name])
                elif math.isinf(value):
                    self.assertEqual(found[name], value)
                else:
                    self.assertAlmostEqual(found[name], value, delta=2e-6 * max(1, abs(value)))

    def test_values(self):
        for target in ("cpu", "cuda-emulated"):
            with self.subTest(target):
                self.check(target)

    def check(self, target):
        (self.folder / "m.vn").write_text(SPECIFICATION, encoding="utf-8")
        built = self.folder / target
        done = self.vernier("build", self.folder / "m.vn", "--model", "net", "--for", "train", "--batch", N, "--target", target, "-o", built,
                            "-q")
        self.assertEqual(done.returncode, 0, done.stderr)
        write_safetensors(self.folder / "w.safetensors", {"scale1.weight": [1.0] * C})
        step = Step(built / "libnet.so", self.folder / "w.safetensors")
        values = random.Random(1)
        image = [values.uniform(-4, 4) for _ in range(N * C * H * W)]
        targets = [values.random() for _ in image]
        labels = [IGNORED if values.random() < 0.2 else values.randrange(C) for _ in range(N * H * W)]
        labels[-1] = 1
        self.expect_same(step.losses(image, targets, labels), losses(image, targets, labels))
        self.assertEqual(step.losses(image, targets, [IGNORED] * len(labels))["softmax"], 0)

        # In the last pixel, of either class.
        for bad in (math.nan, math.inf, -math.inf, 300.0, -300.0):
            for at in (len(image) - 1, len(image) - 1 - H * W):
                with self.subTest(value=bad, at=at):
                    changed = [*image[:at], bad, *image[at + 1:]]
                    self.expect_same(step.losses(changed, targets, labels), losses(changed, targets, labels))
        found = step.losses(image, [math.nan, *targets[1:]], labels)
        self.assertEqual({name for name, value in found.items() if math.isnan(value)}, {"loss", *POINTWISE} - {"mean"})

        # What would read beyond the logits.
        for label in (C, -1, 254):
            with self.assertRaisesRegex(ValueError, f"element 3 of `m` is {label}, model `net` has {C} classes"):
                step.losses(image, targets, [*labels[:3], label, *labels[4:]])


if __name__ == "__main__":
    unittest.main()
