"""Names that are not UTF-8, of classes, images, folders and files: every command takes them."""

import json
import os
import random
import struct
import subprocess
import unittest

from commands import VERNIER, CommandTest, png

SPECIFICATION = b"""network m() {
  input image: [3, 8, 8]
  image |> conv(4, 3) |> batch_norm |> relu |> global_avg_pool |> fc: linear(2)
}
model m = m()
"""
RECIPE = b"""epochs = 2
[optimizer]
learning_rate = 0.05
"""


class Names(CommandTest):
    CLASSES = {b"latin1": ([b"caf\xe9", b"th\xe9"], ["caf\\xE9", "th\\xE9"]),
               b"utf8": (["café".encode(), "☕".encode()], ["café", "☕"]),
               b"odd": ([b'a "q" \\ b', b"tab\tnew\nline"], ['a "q" \\ b', "tab\tnew\nline"]),
               b"both": ([b"back\\slash\xff", b"\xc3("], ["back\\\\slash\\xFF", "\\xC3("])}

    def run_bytes(self, *command):
        done = subprocess.run(command, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_names(self):
        top = os.path.join(os.fsencode(self.folder), b"f\xf6lder")
        os.mkdir(top)

        def at(*names):
            return os.path.join(top, *names)
        values = random.Random(3)
        for data, (classes, _) in self.CLASSES.items():
            for split in b"train", b"val":
                for name in classes:
                    os.makedirs(at(data, split, name))
                    for i in range(6):
                        with open(at(data, split, name, b"im\xe4ge%d.png" % i), "wb") as file:
                            file.write(png(9, 9, 3, values.randbytes(243)))
        for name, text in (b"m\xf6del.vn", SPECIFICATION), (b"r\xe9cipe.toml", RECIPE):
            with open(at(name), "wb") as file:
                file.write(text)
        vernier = os.fsencode(VERNIER)
        self.run_bytes(vernier, b"build", at(b"m\xf6del.vn"), b"--for", b"train", b"--batch", b"4", b"-o", at(b"b\xfcild"))
        program = at(b"b\xfcild", b"m")
        for data, (_, texts) in self.CLASSES.items():
            out = at(b"out\xff" + data)
            train = [program, b"train", b"--data", at(data), b"--recipe", at(b"r\xe9cipe.toml"), b"--out", out]
            self.run_bytes(*train)
            with open(os.path.join(out, b"summary.json"), encoding="utf-8") as file:
                self.assertTrue(json.load(file)["data"].endswith("f\\xF6lder/" + data.decode()))
            weights = os.path.join(out, b"weights.safetensors")
            with open(weights, "rb") as file:
                header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
            self.assertEqual(json.loads(header["__metadata__"]["vernier.classes"]), texts)
            self.run_bytes(*train, b"--resume", b"--epochs", b"3")
            evaluated = json.loads(self.run_bytes(program, b"eval", b"--data", at(data), b"--weights", weights, b"--json"))
            self.assertEqual(evaluated["images"], 12)
            image = at(data, b"val", self.CLASSES[data][0][0], b"im\xe4ge0.png")
            shown = self.run_bytes(program, b"classify", image, b"--weights", weights)
            self.assertTrue(shown.startswith(image + b"\n"))
            self.assertIn(texts[0].encode(), shown)
        # A folder of images and what is said of them by name.
        with open(at(b"labels"), "wb") as file:
            file.write(b"".join(b"im\xe4ge%d.png 1\n" % i for i in range(6)))
        evaluated = json.loads(self.run_bytes(program, b"eval", b"--images", at(b"latin1", b"val", b"caf\xe9"), b"--labels",
                                              at(b"labels"), b"--weights", weights, b"--json"))
        self.assertIn("\\xE9", evaluated["data"])
        for command in ([b"describe", b"--json"], [b"describe", b"--svg", at(b"d\xe9.svg")], [b"check"], [b"fmt"],
                        [b"export-onnx", b"-w", weights, b"-o", at(b"m\xe9.onnx")],
                        [b"import-weights", b"-w", weights, b"-o", at(b"w\xe9.safetensors")],
                        [b"build", b"-w", weights, b"-o", at(b"b\xfcild2")]):
            self.run_bytes(vernier, command[0], at(b"m\xf6del.vn"), *command[1:])
        self.run_bytes(vernier, b"train", at(b"m\xf6del.vn"), b"--batch", b"4", b"--data", at(b"latin1"), b"--recipe",
                       at(b"r\xe9cipe.toml"), b"-o", at(b"tr\xe4ined"))


if __name__ == "__main__":
    unittest.main(argv=[__file__])
