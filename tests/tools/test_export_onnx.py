"""`vernier export-onnx`: what it leaves behind, and what it refuses without leaving anything. tests/onnx looks inside."""

import json
import math
import unittest

from commands import SPECIFICATION, CommandTest, write_safetensors


class ExportOnnx(CommandTest):
    def setUp(self):
        super().setUp()
        self.weights = self.folder / "w.safetensors"
        self.result = self.folder / "m.onnx"

    def export(self, *options, specification=SPECIFICATION, model="two_scales8"):
        return self.vernier("export-onnx", specification, "--model", model, "--weights", self.weights, "-o", self.result,
                            *options)

    def write_weights(self, *options, **changed):
        done = self.vernier("describe", SPECIFICATION, "--model", "two_scales8", "--json", *options)
        shapes = {entry["name"]: entry["shape"] for entry in json.loads(done.stdout)["parameters"]} | changed
        write_safetensors(self.weights, {name: [0.5] * math.prod(shape) for name, shape in shapes.items()}, shapes=shapes)

    def refused(self, done, *texts):
        self.expect_refusal(done, *texts)
        self.assertEqual(list(self.folder.glob("m.onnx*")), [])

    def test_one_file(self):
        self.write_weights()
        done = self.export()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^two_scales8: \d+ nodes, 0\.00 MiB of weights\nwritten to \S+m\.onnx\n$")
        self.assertEqual([path.name for path in self.folder.glob("m.onnx*")], ["m.onnx"])

    def test_weights_in_a_file_of_their_own(self):
        self.write_weights()
        done = self.export("--external-data")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"written to {self.result} and {self.result}.data\n", done.stdout)
        self.assertTrue(self.result.with_name("m.onnx.data").exists())

    def test_configuration(self):
        configuration = self.folder / "c.toml"
        configuration.write_text("[holes]\nchannels = [3, 0]\n", encoding="utf-8")
        self.write_weights("--config", configuration)
        self.assertEqual(self.export("--config", configuration).returncode, 0)
        self.result.unlink()
        self.refused(self.export(), "the weights do not fit model `two_scales8`", "see --model, --set and --config")

    def test_weights_of_another_shape(self):
        self.write_weights(**{"out.weight": [5, 8, 3, 3]})
        self.refused(self.export(), "`out.weight` has shape [5, 8, 3, 3]", "has [5, 8, 1, 1]", str(self.weights))

    def test_missing_weights(self):
        self.refused(self.export(), "cannot open the file", str(self.weights))
        self.refused(self.vernier("export-onnx", SPECIFICATION, "--model", "two_scales8", "-o", self.result), "--weights")

    def test_unwritable_output(self):
        self.write_weights()
        self.result = self.folder / "no" / "m.onnx"
        self.refused(self.export(), "cannot create the file: No such file or directory", str(self.result))

    def test_open_choice(self):
        specification = self.folder / "choice.vn"
        specification.write_text("network n() {\n  input image: [3, 8, 8]\n  choose f: float from [0.5, 1.0]\n"
                                 "  image |> resize(bilinear, scale = f) |> global_avg_pool\n}\nmodel m = n()\n",
                                 encoding="utf-8")
        self.write_weights()
        self.refused(self.export(specification=specification, model="m"), "`choose` hole `f` cannot be exported",
                     "choice.vn:3:")


if __name__ == "__main__":
    unittest.main()
