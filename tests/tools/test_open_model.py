"""A build with open `choose` holes: one binary whose configurations compute what the specialised binaries compute."""

import ctypes
import json
import math
import random
import re
import struct
import unittest

from commands import read_npy, read_safetensors, write_npy, write_safetensors
from stages import FACTORS, HOLES, StagesTest


class Parameter(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("kind", ctypes.c_int64), ("rank", ctypes.c_int64),
                ("shape", ctypes.c_int64 * 4), ("space", ctypes.c_int64), ("offset", ctypes.c_int64),
                ("initial", ctypes.c_double)]


class Model(ctypes.Structure):
    _fields_ = [("abi_version", ctypes.c_int64), ("name", ctypes.c_char_p), ("description", ctypes.c_char_p),
                ("target", ctypes.c_char_p), ("sizes", ctypes.c_int64 * 7), ("parameters", ctypes.POINTER(Parameter)),
                ("num_parameters", ctypes.c_int64)]


class Training:
    """A session of a built library that trains, through the C interface."""
    TRAINABLE, TRAIN_STEP, ACCUMULATE = 1, 1, 2
    LEAVE, BEGIN, ADD, END = range(4)  # vn_accumulation

    def __init__(self, path, weights, batch):
        self.library, self.batch = ctypes.CDLL(str(path)), batch
        self.library.m_model.restype = ctypes.POINTER(Model)
        self.library.vn_last_error.restype = ctypes.c_char_p
        self.model = self.library.m_model()
        if self.model.contents.abi_version != 11:
            raise AssertionError("the structures above are of another version of abi.h")
        self.session = ctypes.c_void_p()
        options = (ctypes.c_int64 * 8)(2, 1) # vn_session_options: threads, training
        self.check(self.library.vn_session_create(self.model, options, ctypes.byref(self.session)))
        self.check(self.library.vn_session_load_weights(self.session, str(weights).encode()))

    def check(self, status):
        if status != 0:
            raise AssertionError(self.library.vn_last_error().decode())

    def choose(self, *choices):
        self.check(self.library.vn_session_choose(self.session, (ctypes.c_int64 * len(choices))(*choices),
                                                  ctypes.c_int64(len(choices))))

    def step(self, image, labels, classes):
        """Runs a training step; returns the loss."""
        loss = (ctypes.c_float * 1)()
        arrays = [(ctypes.c_float * len(image))(*image), (ctypes.c_int32 * self.batch)(*labels),
                  (ctypes.c_float * 1)(0.1), loss, (ctypes.c_float * (self.batch * classes))()]
        pointers = (ctypes.c_void_p * 5)(*(ctypes.cast(array, ctypes.c_void_p) for array in arrays))
        self.check(self.library.vn_session_run(self.session, self.TRAIN_STEP, pointers, ctypes.c_int64(5)))
        return loss[0]

    def accumulate(self, how):
        """`how` by name; returns the names of what is not finite."""
        count = self.model.contents.num_parameters
        names = [self.model.contents.parameters[index].name.decode() for index in range(count)]
        arrays = [(ctypes.c_int32 * count)(*(how.get(name, self.LEAVE) for name in names)), (ctypes.c_int32 * count)()]
        pointers = (ctypes.c_void_p * 2)(*(ctypes.cast(array, ctypes.c_void_p) for array in arrays))
        self.check(self.library.vn_session_run(self.session, self.ACCUMULATE, pointers, ctypes.c_int64(2)))
        return {name for name, flag in zip(names, arrays[1]) if flag}

    def read(self, gradients):
        """By name: gradients of parameters, or running statistics."""
        function = self.library.vn_session_read_gradient if gradients else self.library.vn_session_read_parameter
        result = {}
        for index in range(self.model.contents.num_parameters):
            parameter = self.model.contents.parameters[index]
            if (parameter.space == self.TRAINABLE) != gradients:
                continue
            count = math.prod(parameter.shape[:parameter.rank])
            values = (ctypes.c_float * count)()
            self.check(function(self.session, ctypes.c_int64(index), values, ctypes.c_int64(count)))
            result[parameter.name.decode()] = values[:]
        return result


class OpenModel(StagesTest):
    def outputs(self, built, *options):
        result = self.folder / "y.npy"
        done = self.run_model(built, "run", "--input", self.folder / "x.npy", "--output", result, "--weights",
                              self.folder / "w.safetensors", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [read_npy(path)[1] for path in (result, self.folder / "y.features.npy")]

    def check_configurations(self, configurations, *options, tolerance=1e-5):
        """The outputs of the binary with open holes are those of the binaries for these configurations."""
        self.build("open", *options)
        shapes = self.write_weights()
        values = random.Random(5)
        write_npy(self.folder / "x.npy", [3, 3, 32, 32], [values.uniform(-1, 1) for _ in range(3 * 3 * 32 * 32)])
        seen = set()
        for configuration in configurations:
            choices = [f"{hole}={value}" for hole, value in zip(HOLES, configuration)]
            self.build("bound", *options, *(word for choice in choices for word in ("--choose", choice)))
            found = self.outputs("open", "--configuration", ",".join(choices))
            for ours, expected in zip(found, self.outputs("bound")):
                distance = sum((a - b) ** 2 for a, b in zip(ours, expected)) / sum(b * b for b in expected)
                self.assertLess(distance, tolerance ** 2, configuration)
            seen.add(tuple(found[0]))
        self.assertEqual(len(seen), len(configurations))  # they do compute different things
        return shapes

    def test_every_choice(self):
        shapes = self.check_configurations([(1.0, 1.0, 1.0), (0.7, 0.45, 0.7), (0.45, 0.7, 1.0), (1.0, 0.7, 0.45)])
        # Convolutions once, batch norms for each choice.
        self.assertEqual(shapes["first.conv1.weight"], [8, 8, 3, 3])
        self.assertEqual({name for name in shapes if name.startswith("first.bn1") and name.endswith(".weight")},
                         {f"first.bn1[{factor:g}].weight" for factor in FACTORS})

    def test_no_choice_is_the_first(self):
        self.build("open")
        self.write_weights()
        write_npy(self.folder / "x.npy", [1, 3, 32, 32], [0.25] * (3 * 32 * 32))
        self.assertEqual(self.outputs("open"), self.outputs("open", "--configuration", "1,1,1"))

    def test_batch_in_half_precision(self):
        self.check_configurations([(0.45, 0.7, 0.45), (0.7, 1.0, 1.0)], "--batch", "4", "--precision", "bf16",
                                  tolerance=1e-2)

    def test_training_step(self):
        """Loss, gradients and statistics of the specialised binaries, which `vernier verify` compares with the
        interpreter; what belongs to other choices stays as it is."""
        self.build("open", "--for", "train", "--batch", "4")
        self.write_weights()
        values = random.Random(11)
        image = [values.uniform(-1, 1) for _ in range(4 * 3 * 32 * 32)]
        ours = Training(self.folder / "open" / "libm.so", self.folder / "w.safetensors", 4)
        for configuration in ((0, 0, 0), (1, 2, 0), (2, 0, 1)):
            choices = [f"{hole}={FACTORS[choice]}" for hole, choice in zip(HOLES, configuration)]
            output = "bound" + "".join(map(str, configuration))  # a library is loaded once
            self.build(output, "--for", "train", "--batch", "4", *(word for c in choices for word in ("--choose", c)))
            bound = Training(self.folder / output / "libm.so", self.folder / "w.safetensors", 4)
            ours.check(ours.library.vn_session_load_weights(ours.session, str(self.folder / "w.safetensors").encode()))
            before = ours.read(False), ours.read(True)
            ours.choose(*configuration)
            self.assertAlmostEqual(ours.step(image, [0, 3, 1, 4], 5), bound.step(image, [0, 3, 1, 4], 5), 5)
            for gradients in (False, True):
                expected, found = bound.read(gradients), ours.read(gradients)
                for name, reference in expected.items():
                    distance = sum((a - b) ** 2 for a, b in zip(found[name], reference))
                    self.assertLess(distance, 1e-8 * sum(b * b for b in reference) + 1e-14, (configuration, name))
                for name in set(found) - set(expected):
                    self.assertEqual(found[name], before[gradients][name], name)

    def test_gradients_of_configurations_add_up(self):
        """As the generated code adds them, number by number; what is left alone stays."""
        self.build("open", "--for", "train", "--batch", "4")
        self.write_weights()
        values = random.Random(12)
        ours = Training(self.folder / "open" / "libm.so", self.folder / "w.safetensors", 4)
        found = []
        for configuration in ((0, 0, 0), (1, 2, 0)):
            image = [values.uniform(-1, 1) for _ in range(4 * 3 * 32 * 32)]
            ours.choose(*configuration)
            ours.step(image, [0, 3, 1, 4], 5)
            found.append(ours.read(True))
            self.assertEqual(ours.accumulate({name: ours.ADD if len(found) == 2 else ours.BEGIN for name in found[0]}), set())
        left = "fc.weight"
        ours.accumulate({name: ours.END for name in found[0] if name != left})
        summed = ours.read(True)
        for name, first in found[0].items():
            expected = [struct.unpack("f", struct.pack("f", a + b))[0] for a, b in zip(first, found[1][name])]
            self.assertEqual(summed[name], found[1][name] if name == left else expected, name)
        ours.step([float("inf")] * (4 * 3 * 32 * 32), [0, 3, 1, 4], 5)
        self.assertIn(left, ours.accumulate({left: ours.ADD}))
        with self.assertRaisesRegex(AssertionError, r"element \d+ of `how` is 4"):
            ours.accumulate({left: 4})

    def train(self, out, *options, sampling="fair", target="", status=0):
        """Trains the binary with open holes for two epochs of eight updates."""
        recipe = self.folder / "r.toml"
        recipe.write_text(f'epochs = 2\ncheckpoint_every = 3\n[optimizer]\nlearning_rate = 0.005\n[schedule]\n'
                          f'kind = "constant"\n[choices]\nsampling = "{sampling}"\ntarget = "{target}"\n',
                          encoding="utf-8")
        done = self.run_model("open", "train", "--data", self.folder / "data", "--recipe", recipe, "--out",
                              self.folder / out, *options)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def test_training(self):
        self.build("open", "--for", "train", "--batch", "4")
        self.write_data()
        self.train("all")
        summary = json.loads((self.folder / "all" / "summary.json").read_text())
        self.assertLess(summary["loss"][1], summary["loss"][0])
        self.assertEqual(summary["configuration"], "first.factor=1,second.factor=1,third.factor=1")
        weights = (self.folder / "all" / "weights.safetensors").read_bytes()
        # A run that goes on from a checkpoint draws the configurations that it would have drawn.
        self.train("resumed", "--epochs", "1")
        self.train("resumed", "--resume")
        self.assertEqual((self.folder / "resumed" / "weights.safetensors").read_bytes(), weights)
        self.train("random", sampling="random")
        self.assertNotEqual((self.folder / "random" / "weights.safetensors").read_bytes(), weights)
        # One configuration alone leaves the batch norms of others as they were.
        self.train("one", "--configuration", "0.7,1,1", "--weights", self.folder / "all" / "weights.safetensors")
        before, after = (read_safetensors(self.folder / out / "weights.safetensors") for out in ("all", "one"))
        changed = {name for name in before if before[name] != after[name]}
        self.assertIn("first.bn1[0.7].weight", changed)
        self.assertIn("first.bn1[0.7].running_mean", changed)
        self.assertIn("first.conv1.weight", changed)
        self.assertFalse({name for name in changed if name.startswith("first.") and ("[1]" in name or "[0.45]" in name)})
        # All first, then the target: its binary takes the weights as they are.
        self.train("target", target="second.factor=0.45", sampling="fair")
        self.build("bound", "--choose", "first.factor=1", "--choose", "second.factor=0.45", "--choose", "third.factor=1",
                   "--weights", self.folder / "target" / "weights.safetensors")
        found = [json.loads(self.run_model(*command, "--data", self.folder / "data", "--json").stdout)
                 for command in (("bound", "eval"), ("open", "eval", "--configuration", "second.factor=0.45", "--weights",
                                                     self.folder / "target" / "weights.safetensors"))]
        self.assertAlmostEqual(found[0]["loss"], found[1]["loss"], 4)
        self.assertIn("`0.5` is no choice", self.train("wrong", target="first.factor=0.5", status=1).stderr)

    def test_one_open_hole(self):
        self.build("open", "--choose", "first.factor=0.7", "--choose", "third.factor=1")
        info = self.run_model("open", "info").stdout
        self.assertIn("open        second.factor: 1, 0.7, 0.45\n", info)
        self.assertNotIn("first.factor", info)
        self.assertIn("first.bn1.weight", info.replace("[0.7]", ""))

    def test_code_is_shared(self):
        report = self.build("open")
        # The stem, each stage with its factors, and what lies between two.
        self.assertRegex(report, r"27 configurations, from \d+ variants of \d+ segments")
        variants = int(re.search(r"from (\d+) variants", report)[1])
        self.assertLess(variants, 40)
        # Weights are packed as one configuration has them, but where the kernels of two pack them in different ways.
        self.build("bound", *(word for hole in HOLES for word in ("--choose", f"{hole}=1")))
        infos = [self.run_model(output, "info").stdout for output in ("open", "bound")]
        kib = [float(re.search(r"packed +([\d.]+) KiB", info)[1]) for info in infos]
        # With half of AVX-512's registers tiles are of more forms: 1.45 times, else 1.05.
        narrow = re.search(r"(?m)^CPU ", infos[0]) and "avx512" not in infos[0]
        self.assertLess(kib[0], (1.6 if narrow else 1.3) * kib[1])
        table = json.loads(self.vernier("describe", self.specification, "--configurations", "--json").stdout)
        for row in (table["configurations"][0], table["configurations"][17]):
            choices = ",".join(f"{hole}={value}" for hole, value in row["choices"].items())
            bench = json.loads(self.run_model("open", "bench", "--runs", "1", "--json", "--layers", "--configuration",
                                              choices).stdout)
            self.assertEqual(bench["configuration"], choices.replace("1.0", "1"))
            self.assertLessEqual(sum(layer["macs"] for layer in bench["layers"]), row["macs"])

    def test_mistakes(self):
        self.build("open")
        for text, *messages in [
                ("first.factor=0.5", "`0.5` is no choice of hole `first.factor`", "it is one of 1, 0.7, 0.45"),
                ("first.facto=1", "no open hole `first.facto`", "closest hole: `first.factor`"),
                ("1,1", "2 values for the 3 open holes of model `m`"),
                ("first.factor=1,first.factor=1", "`first.factor` is named twice"),
                ("first.factor=1,1", "`1` names no hole"), ("1,x,1", "`x` is no choice of hole `second.factor`")]:
            self.expect_refusal(self.run_model("open", "bench", "--runs", "1", "--configuration", text), *messages)
        self.build("bound", *(word for hole in HOLES for word in ("--choose", f"{hole}=1")))
        self.expect_refusal(self.run_model("bound", "bench", "--configuration", "1"), "unknown option `--configuration`")

    def test_weights_come_first(self):
        """Weights of another network are refused before anything is built; which, the parameters of all choices tell."""
        self.build("open")
        shapes = self.write_weights()
        self.write_data()
        recipe = self.folder / "r.toml"
        recipe.write_text("epochs = 1\nbatch = 4\n[optimizer]\nlearning_rate = 0.1\n", encoding="utf-8")
        data = ("--data", self.folder / "data")
        for change, message in [
                (lambda tensors: tensors.pop("second.bn1[0.45].weight"), "tensor `second.bn1[0.45].weight` of shape [24] is missing"),
                (lambda tensors: tensors.update({"fc.weight": [5, 30]}), "tensor `fc.weight` has shape [5, 30], expected [5, 35]"),
                (lambda tensors: tensors.update({"more": [1]}), "tensor `more` of shape [1] is unexpected")]:
            others = dict(shapes)
            change(others)
            weights = self.folder / "other.safetensors"
            write_safetensors(weights, {name: [0.5] * math.prod(shape) for name, shape in others.items()}, shapes=others)
            for command in (["build"], ["train", *data, "--recipe", recipe], ["search", *data]):
                done = self.vernier(command[0], self.specification, *command[1:], "-w", weights, "-o", self.folder / "out")
                self.expect_refusal(done, "the weights do not fit model `m`", str(weights), message)
                self.assertFalse((self.folder / "out").exists())

    def test_refused(self):
        def refusal(body, *texts):
            self.specification.write_text(f"network n() {{\n  input image: [3, 8, 8]\n{body}\n}}\nmodel m = n()\n",
                                          encoding="utf-8")
            self.expect_refusal(self.vernier("build", self.specification, "-o", self.folder / "refused"), *texts)
            self.assertFalse((self.folder / "refused").exists())

        choose = "  choose f: int from [1, 2]\n"
        refusal(choose + "  x = image |> conv(4, 3)\n  x = if f == 2 then relu(x) else x\n"
                "  x |> global_avg_pool |> linear(2)", "has other operations or parameters with f = 2", "--choose HOLE=VALUE")
        refusal(choose + "  image |> conv(4, 3) |> max_pool(f)", "output `", "has another size for each choice")
        refusal(choose + "  image |> conv(4 * f, 3) |> conv2: conv(4, 1) |> global_avg_pool |> linear(2)",
                "parameter `conv1.weight` has another shape for each choice")
        holes = "".join(f"  choose f{i}: int from [1, 2]\n" for i in range(13))
        scales = "".join(f" |> resize(nearest, scale = f{i}) |> max_pool(f{i})" for i in range(13))
        refusal(holes + "  image" + scales + " |> global_avg_pool |> linear(2)", "more than 4096 variants",
                "help: a part depends on the choices of many holes")


if __name__ == "__main__":
    unittest.main()
