"""`vernier import-weights`: what it makes of others' names, shapes and types, and what it refuses."""

import json
import re
import struct
import unittest

from commands import SPECIFICATION, CommandTest, write_safetensors

MODELS = SPECIFICATION.parents[2] / "models"
GOLDEN = SPECIFICATION.parents[1] / "golden"


def read_safetensors(path):
    """name -> (type, shape, bytes), and the metadata."""
    content = path.read_bytes()
    length, = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    metadata = header.pop("__metadata__", {})
    data = content[8 + length:]
    return {name: (entry["dtype"], entry["shape"], data[slice(*entry["data_offsets"])])
            for name, entry in header.items()}, metadata


def write_zeros(path, shapes, kind="F16"):
    """A file as large as its tensors of half floats, all zeros, that takes no room on the disk."""
    header, end = {}, 0
    for name, shape in shapes.items():
        count = 2
        for size in shape:
            count *= size
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [end, end + count]}
        end += count
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)


class ImportWeights(CommandTest):
    SHAPES = {"conv1.weight": [4, 3, 3, 3], "bn1.weight": [4], "bn1.bias": [4], "bn1.running_mean": [4],
              "bn1.running_var": [4], "fc.weight": [5, 4], "fc.bias": [5]}

    def setUp(self):
        super().setUp()
        self.network = self.folder / "small.vn"
        self.network.write_text(
            "network small(classes: int = 5) {\n  input image: [3, 8, 8]\n"
            "  image |> conv(4, 3) |> batch_norm |> relu |> global_avg_pool |> fc: linear(classes)\n}\n"
            "model small5 = small()\n", encoding="utf-8")
        self.weights = self.folder / "theirs.safetensors"
        self.result = self.folder / "ours.safetensors"

    def write(self, names=lambda name: name, shapes={}, **more):
        """Their file: element i of the k-th tensor is k + i / 1000."""
        values, all_shapes = {}, {}
        for k, (name, shape) in enumerate({**self.SHAPES, **shapes}.items()):
            count = 1
            for size in shape:
                count *= size
            values[names(name)] = [k + i / 1000 for i in range(count)]
            all_shapes[names(name)] = shape
        write_safetensors(self.weights, values | more, shapes=all_shapes)

    def run_import(self, *options, model="small5"):
        return self.vernier("import-weights", self.network, "--model", model, "--weights", self.weights,
                            "-o", self.result, *options)

    def refused(self, done, *texts):
        self.expect_refusal(done, *texts)
        self.assertFalse(self.result.exists())
        self.assertFalse(list(self.folder.glob(".*.part")))

    def imported(self, *options):
        done = self.run_import(*options)
        self.assertEqual(done.returncode, 0, done.stderr)
        tensors, self.metadata = read_safetensors(self.result)
        self.assertEqual({name: shape for name, (_, shape, _) in tensors.items()}, self.SHAPES)
        self.assertEqual({kind for kind, _, _ in tensors.values()}, {"F32"})
        return done.stdout, tensors

    def expect_values(self, tensors):
        for k, name in enumerate(self.SHAPES):
            first, = struct.unpack("<f", tensors[name][2][:4])
            self.assertEqual(first, k, name)

    def test_own_names(self):
        self.write()
        text, tensors = self.imported()
        self.expect_values(tensors)
        self.assertIn("small5: 7 tensors, names as they are", text)

    def test_prefix_of_data_parallel(self):
        self.write(names=lambda name: f"module.{name}")
        text, tensors = self.imported()
        self.expect_values(tensors)
        self.assertIn("`module.` taken off every name", text)

    def test_prefix_of_compile(self):
        self.write(names=lambda name: f"module._orig_mod.{name}")
        text, tensors = self.imported()
        self.expect_values(tensors)
        self.assertIn("`module._orig_mod.` taken off every name", text)

    def test_counters_are_left_out(self):
        self.write(**{"bn1.num_batches_tracked": [1.0]})
        self.assertIn("1 counter of batches left out", self.imported()[0])

    def test_classifier_as_convolution(self):
        self.write(shapes={"fc.weight": [5, 4, 1, 1]})
        text, tensors = self.imported()
        self.expect_values(tensors)
        self.assertIn("1 with or without sides of 1", text)

    def test_other_types(self):
        for kind, pack in (("F64", "d"), ("F16", "e"), ("BF16", None)):
            header, data = {}, b""
            for name, shape in self.SHAPES.items():
                count = 1
                for size in shape:
                    count *= size
                value = struct.pack("<f", 1.5)[2:] if pack is None else struct.pack(f"<{pack}", 1.5)
                header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + count * len(value)]}
                data += value * count
            text = json.dumps(header).encode()
            self.weights.write_bytes(struct.pack("<Q", len(text)) + text + data)
            text, tensors = self.imported()
            self.assertIn("7 converted to float32", text)
            self.assertEqual({data[:4] for _, _, data in tensors.values()}, {struct.pack("<f", 1.5)})

    def test_mapping_beside_the_network(self):
        (self.folder / "small.weights.toml").write_text(
            '[wrong]\nrename = [["*", "x.*"]]\n\n[right]\nignore = ["aux.*"]\nmean = [0.5, 0.5, 0.5]\n'
            'std = [0.25, 0.25, 0.25]\nresize = 9\nrename = [["stem.{i}.*", "conv{i+1}.*"]]\n', encoding="utf-8")
        self.write(names=lambda name: name.replace("conv1.", "stem.0."), **{"aux.weight": [1.0]})
        text, tensors = self.imported()
        self.expect_values(tensors)
        self.assertIn("by the mapping `right`", text)
        self.assertIn("1 renamed", text)
        self.assertIn("1 ignored, as the mapping says", text)
        self.assertEqual(self.metadata, {"vernier.mean": "0.5,0.5,0.5", "vernier.std": "0.25,0.25,0.25",
                                         "vernier.resize": "9"})
        self.result.unlink()
        self.refused(self.run_import("--from", "wrong"), "no tensor for parameter `conv1.weight`", "mapping `wrong`")
        self.refused(self.run_import("--from", "rigth"), "`rigth` is no mapping of", "--from", "closest: `right`")

    def test_images_are_described_with_the_weights(self):
        self.write()
        self.imported("--mean", "0.1,0.2,0.3", "--resize", "7")
        self.assertEqual(self.metadata, {"vernier.mean": "0.1,0.2,0.3", "vernier.std": "0.229,0.224,0.225",
                                         "vernier.resize": "7"})
        self.result.unlink()
        self.refused(self.run_import("--mean", "0.1"), "1 number is given", "--mean", "0.485,0.456,0.406")

    def test_mismatches(self):
        self.write(shapes={"fc.weight": [7, 4], "fc.bias": [7]})
        self.refused(self.run_import(), "the weights do not fit model `small5`", "`fc.weight` has shape [7, 4]",
                     f"--> {self.weights}", "help: the weights are for 7 classes: --set classes=7")
        done = self.run_import("--set", "classes=7")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.result.unlink()
        self.write(names=lambda name: name.replace("fc.", "classifier."))
        self.refused(self.run_import(), "no tensor for parameter `fc.weight` of shape [5, 4]",
                     "5 of 7 parameters of the model have a tensor by name; 2 tensors of the file are left over",
                     "names as they are", 'rename = [["classifier.weight", "fc.weight"]]')
        self.write(extra=[1.0])
        self.refused(self.run_import(), "tensor `extra` of shape [1] is no parameter of the model", 'ignore = ["extra"]')

    def test_values_that_no_network_can_use(self):
        self.write(**{"bn1.bias": [1.0, float("nan"), 0.0, 0.0]})
        self.refused(self.run_import(), "tensor `bn1.bias` holds nan at [1], the only one of 4 elements")
        write_safetensors(self.weights, {"conv1.weight": [0] * 108, "bn1.weight": [0] * 4, "bn1.bias": [0] * 4,
                                         "bn1.running_mean": [0] * 4, "bn1.running_var": [0] * 4,
                                         "fc.weight": [0] * 20, "fc.bias": [0] * 5}, kind="I32", shapes=self.SHAPES)
        self.refused(self.run_import(), "has type I32, which holds no real numbers", "F32, F64, F16 and BF16 are read")

    def test_files_of_another_format(self):
        self.weights.write_bytes(b"PK\x03\x04" + bytes(100))
        self.refused(self.run_import(), "this is a checkpoint of PyTorch", "scripts/pth_to_safetensors.py")
        self.weights.write_bytes(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.")
        self.refused(self.run_import(), "this is a checkpoint of PyTorch")
        self.weights.write_bytes(b"what is this?")
        self.refused(self.run_import(), "not a valid safetensors file")
        self.weights.unlink()
        self.refused(self.run_import(), "cannot open the file")

    def test_header_of_640_bytes(self):
        """Its length is what a pickle begins with."""
        self.write()
        data = self.weights.read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        self.weights.write_bytes(struct.pack("<Q", 640) + data[8:8 + length].ljust(640) + data[8 + length:])
        self.assertEqual(self.weights.read_bytes()[:2], b"\x80\x02")
        done = self.run_import()
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_parameters_that_nothing_needs(self):
        self.network.write_text(
            "network small() {\n  input image: [3, 8, 8]\n  unseen = image |> extra: conv(2, 1) |> norm: batch_norm\n"
            "  image |> conv(4, 3) |> batch_norm |> relu |> global_avg_pool |> fc: linear(5)\n}\n"
            "model small5 = small()\n", encoding="utf-8")
        self.write()
        done = self.run_import()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("5 set to zero: the file lacks them, and no output depends on them", done.stdout)
        tensors, _ = read_safetensors(self.result)
        self.expect_values(tensors)
        self.assertEqual(tensors["norm.bias"], ("F32", [2], bytes(8)))

    def test_wrong_mappings(self):
        self.write()
        self.refused(self.run_import("--from", "timm"), "the network has no weight mappings", "--mapping")
        mapping = self.folder / "m.toml"
        self.refused(self.run_import("--mapping", mapping), "cannot read the weight mapping", str(mapping))
        mapping.write_text('[t]\nrename = [["a*", "b"]]\n', encoding="utf-8")
        self.refused(self.run_import("--mapping", mapping), "both sides need as many `*`", "m.toml:2:18")

    def test_unwritable_output(self):
        self.write()
        self.result = self.folder / "no" / "folder" / "w.safetensors"
        self.refused(self.run_import(), "cannot create the file")

    def parameters(self, network, model):
        done = self.vernier("describe", MODELS / "networks" / f"{network}.vn", "--model", model, "--json")
        return {entry["name"]: entry["shape"] for entry in json.loads(done.stdout)["parameters"]}

    # The mappings beside the zoo's networks, with the names that torchvision and timm have.
    def expect_mapping(self, network, model, theirs, origin):
        write_zeros(self.weights, theirs)
        self.network = MODELS / "networks" / f"{network}.vn"
        done = self.run_import(model=model)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"by the mapping `{origin}`", done.stdout)

    def test_densenet_of_torchvision_2017(self):
        ours = self.parameters("densenet", "densenet121")
        self.assertIn("features.denseblock1.denselayer1.norm1.weight", ours)
        self.expect_mapping("densenet", "densenet121",
                            {re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)\.", r"\1.\2.", name): shape
                             for name, shape in ours.items()}, "torchvision-2017")

    def test_inception_of_torchvision(self):
        theirs = self.parameters("inception_v3", "inception_v3") | {"AuxLogits.conv0.conv.weight": [128, 768, 1, 1],
                                                                   "AuxLogits.fc.bias": [1000]}
        self.expect_mapping("inception_v3", "inception_v3", theirs, "torchvision")

    def test_mobilenet_v2_of_timm(self):
        theirs = {}

        def layer(conv, norm, shape):
            theirs[f"{conv}.weight"] = shape
            for name in ("weight", "bias", "running_mean", "running_var"):
                theirs[f"{norm}.{name}"] = [shape[0]]

        layer("conv_stem", "bn1", [32, 3, 3, 3])
        layer("blocks.0.0.conv_dw", "blocks.0.0.bn1", [32, 1, 3, 3])
        layer("blocks.0.0.conv_pw", "blocks.0.0.bn2", [16, 32, 1, 1])
        channels = 16
        for stage, (blocks, out) in enumerate([(2, 24), (3, 32), (4, 64), (3, 96), (3, 160), (1, 320)], 1):
            for block in (f"blocks.{stage}.{i}" for i in range(blocks)):
                layer(f"{block}.conv_pw", f"{block}.bn1", [6 * channels, channels, 1, 1])
                layer(f"{block}.conv_dw", f"{block}.bn2", [6 * channels, 1, 3, 3])
                layer(f"{block}.conv_pwl", f"{block}.bn3", [out, 6 * channels, 1, 1])
                channels = out
        layer("conv_head", "bn2", [1280, 320, 1, 1])
        theirs |= {"classifier.weight": [1000, 1280], "classifier.bias": [1000]}
        self.expect_mapping("mobilenet_v2", "mobilenet_v2", theirs, "timm")

    # Names and shapes as the published checkpoints have them.
    def test_published_checkpoints(self):
        for network, model, options in (
                ("res2net", "res2net50_26w_4s", ()),
                ("dla_elastic", "dla60x_elastic", ()),
                ("scalenet", "scalenet50", ("--config", MODELS / "configurations" / "scalenet50.toml"))):
            golden = json.loads((GOLDEN / f"{model}.json").read_text(encoding="utf-8"))
            shapes = {f"module.{name}": shape for name, shape, _ in golden["tensors"]}
            counters = {name.replace("running_var", "num_batches_tracked"): []
                        for name in shapes if name.endswith("running_var")}
            write_zeros(self.weights, shapes | counters)
            self.network = MODELS / "networks" / f"{network}.vn"
            done = self.run_import(*options, model=model)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"{model}: {len(shapes)} tensors", done.stdout)
            self.assertIn(f"{len(counters)} counters of batches left out", done.stdout)
            tensors, _ = read_safetensors(self.result)
            self.assertEqual({f"module.{name}": shape for name, (_, shape, _) in tensors.items()}, shapes)


if __name__ == "__main__":
    unittest.main()
