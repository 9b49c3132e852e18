"""`vernier allocate` on a network with two scales.

A neuron at full scale costs 8*8*3*3*4 = 2304 multiply-adds, one at half scale 576; the following 1x1 convolution spends 8*8*5 =
320 on either. The hole's limit is 4 * 2304 = 9216.
"""

import re
import tomllib
import unittest

from commands import SPECIFICATION, CommandTest, write_safetensors

GAMMAS = {"body.bn.1.weight": [0.1, -0.8, 0.9, 0.05], "body.bn.2.weight": [0.02, 0.5, 0.6, -0.7]}


class AllocateTest(CommandTest):
    def setUp(self):
        super().setUp()
        self.weights, self.output = self.folder / "seed.safetensors", self.folder / "allocated.toml"
        write_safetensors(self.weights, GAMMAS)

    def run_allocate(self, *options, model="two_scales8"):
        return self.vernier("allocate", SPECIFICATION, "--model", model, "-o", self.output, *options)


class SuccessTest(AllocateTest):
    def allocate(self, *options):
        """The configuration that a successful run writes."""
        done = self.run_allocate(*options)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.printed = done.stdout
        return tomllib.loads(self.output.read_text(encoding="utf-8"))

    def channels(self, *options):
        return self.allocate("--weights", self.weights, *options)["holes"]["channels"]

    def even(self, *options):
        return self.allocate("--even", *options)["holes"]["channels"]


class Allocate(SuccessTest):
    def test_largest_gammas_within_the_limit(self):
        # 0.9 0.8 0.7 0.6 0.5 0.1 cost 8640; not 0.05 with 2304 more, but 0.02 with 576
        self.assertEqual(self.channels(), [3, 4])
        self.assertRegex(self.printed, r"channels +3 4 +4 4 +9,216 +9,216 +macs +100\.0 %")

    def test_budgets(self):
        for budget, channels in {"macs": [3, 4], "0.5": [2, 0], "macs*0.5": [2, 0], "neurons=3": [2, 1], "neurons": [2, 2],
                                 "macs=5184": [2, 1], "params=180": [2, 3], "params": [2, 2]}.items():
            with self.subTest(budget=budget):
                self.assertEqual(self.channels("--budget", budget), channels)

    def test_last_budget_that_matches_counts(self):
        self.assertEqual(self.channels("--budget", "neurons=3", "--budget", "chan*:neurons=1"), [1, 0])
        self.assertEqual(self.channels("--budget", "chan*:neurons=1", "--budget", "neurons=3"), [2, 1])

    def test_exponent(self):
        # |gamma| / O: 0.7 0.6 0.5 at half scale, then 0.9 at full scale, 4032 in all; 0.8 and 0.1 do not fit, 0.02 does
        self.assertEqual(self.channels("--budget", "0.5", "--exponent", "1"), [1, 4])

    def test_following_convolution_counts(self):
        # 2624, 5248, 6144, 7040, 7936; 0.1 and 0.05 at 2624 do not fit, 0.02 at 896 does
        self.assertEqual(self.channels("--count-following"), [2, 4])

    def test_even(self):
        self.assertEqual(self.even(), [3, 4])  # 3 * 2880, and the 576 that are left
        self.assertEqual(self.even("--budget", "0.5"), [1, 2])
        self.assertEqual(self.even("--budget", "neurons=3"), [2, 1])
        self.assertEqual(self.even("--budget", "neurons=100"), [4, 4])

    def test_configuration_can_be_used(self):
        written = self.allocate("--weights", self.weights)
        self.assertEqual(written["configuration"]["model"], "two_scales8")
        done = self.vernier("describe", SPECIFICATION, "--model", "two_scales8", "--config", self.output, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('"macs": 11456', done.stdout)  # 9216 + 7 * 320

    def test_same_result_each_time(self):
        self.channels()
        first = self.output.read_bytes()
        self.channels()
        self.assertEqual(self.output.read_bytes(), first)


TABLE = """[latency]
model = "two_scales8"
input = "8x8"
batch = 1
precision = "f32"
seed_milliseconds = 0.1

[milliseconds_per_neuron]
"channels" = [{}, {}]
"""

# Wide enough that half of a scale's neurons take visibly less time; two holes side by side, of which the second's
# convolutions of a single scale share an addition with the first's concat.
WIDE = """block scales(x, channels: [int]) {
  y = concat(for (c, s) in zip(channels, [1, 4]):
    x |> max_pool(s) |> "conv.{s}": conv(c, 3) |> resize(nearest, like = x) |> "bn.{s}": batch_norm)
  y |> relu |> out: conv(32, 1)
}

network wide() {
  input image: [32, 64, 64]
  learned first: [int] = [64, 64] within neurons(64)
  x = image |> one: scales(first)
  learned second: [int] = [64, 64] within neurons(64)
  learned third: [int] = [64, 64] within neurons(64)
  y = x |> two: scales(second)
  z = x |> three: scales(third)
  y + z |> global_avg_pool |> fc: linear(10)
}

model wide64 = wide()
"""


class Latency(SuccessTest):
    def write_table(self, *milliseconds):
        path = self.folder / "measured.toml"
        path.write_text(TABLE.format(*milliseconds), encoding="utf-8")
        return path

    def test_measured_costs_decide(self):
        # As multiply-adds, 4 to 1; equal, 4 neurons in all; half of the limit; 6 microseconds.
        for times, budget, channels in [((0.004, 0.001), "latency", [3, 4]), ((0.002, 0.002), "latency", [2, 2]),
                                        ((0.004, 0.001), "latency*0.5", [2, 0]), ((0.004, 0.001), "latency=0.006ms", [1, 2]),
                                        ((0.004, 0.001), "latency=6us", [1, 2]), ((0.004, 0.001), "chan*:latency=6us", [1, 2])]:
            with self.subTest(times=times, budget=budget):
                self.assertEqual(self.channels("--budget", budget, "--latencies", self.write_table(*times)), channels)
        self.assertRegex(self.printed, r"channels +1 2 +4 4 +0\.00600 ms +0\.00600 ms +latency +100\.0 %")
        # Three neurons at full scale and two at half scale are gone.
        self.assertIn("the seed 0.10000 ms, the allocated network 0.08600 ms predicted", self.printed)

    def test_even(self):
        self.assertEqual(self.even("--budget", "latency", "--latencies", self.write_table(0.002, 0.002)), [2, 2])

    def test_neurons_without_time(self):
        done = self.run_allocate("--even", "--budget", "latency", "--latencies", self.write_table(0.004, 0))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("warning: the neurons of `channels[1]` take no time that could be measured", done.stderr)

    def test_measured_on_this_machine(self):
        specification = self.folder / "wide.vn"
        specification.write_text(WIDE, encoding="utf-8")
        done = self.vernier("allocate", specification, "--even", "--budget", "latency*0.5", "--runs", "9", "--threads", "1",
                            "-o", self.output)
        self.assertEqual(done.returncode, 0, done.stderr)
        table = tomllib.loads((self.folder / "allocated.latency.toml").read_text(encoding="utf-8"))
        self.assertEqual((table["latency"]["model"], table["latency"]["threads"], table["latency"]["runs"]), ("wide64", 1, 9))
        neurons = table["milliseconds_per_neuron"]
        self.assertEqual(set(neurons), {"first", "second", "third"})
        for hole, (fine, coarse) in neurons.items():
            self.assertGreater(fine, 2 * coarse, hole)  # of a sixteenth of the multiply-adds
        found = re.search(r"the seed ([\d.]+) ms, the allocated network ([\d.]+) ms predicted, ([\d.]+) ms measured", done.stdout)
        seed, predicted, measured = map(float, found.groups())
        self.assertLess(predicted, seed)
        self.assertGreater(measured, 0)  # another run's time, in which the machine may have had other work
        # The table serves again.
        first = self.output.read_bytes()
        done = self.vernier("allocate", specification, "--even", "--budget", "latency*0.5", "--latencies",
                            self.folder / "allocated.latency.toml", "-o", self.output)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.output.read_bytes(), first)


class Refusals(AllocateTest):
    def expect(self, done, *texts):
        self.expect_refusal(done, *texts)
        self.assertFalse(self.output.exists())

    def refuse_weights(self, tensors, *texts, kind="F32"):
        write_safetensors(self.weights, tensors, kind)
        self.expect(self.run_allocate("--weights", self.weights), str(self.weights), *texts)

    def test_weights_of_another_network(self):
        self.refuse_weights({}, "tensor `body.bn.1.weight` of shape [4] is missing",
                            "tensor `body.bn.2.weight` of shape [4] is missing", "help: the weights must come from")
        self.refuse_weights({**GAMMAS, "body.bn.2.weight": [1, 2]},
                            "tensor `body.bn.2.weight` has shape [2], the seed network needs [4]")
        self.refuse_weights({name: [1] * 4 for name in GAMMAS}, "has type I32", kind="I32")

    def test_diverged_training(self):
        self.refuse_weights({**GAMMAS, "body.bn.1.weight": [1, 2, float("nan"), 4]},
                            "tensor `body.bn.1.weight` holds nan at [2], the only one of 4 elements")

    def test_truncated_weights(self):
        self.weights.write_bytes(self.weights.read_bytes()[:-3])
        self.expect(self.run_allocate("--weights", self.weights), "not a valid safetensors file")

    def test_no_weights(self):
        self.expect(self.run_allocate(), "error: the weights of the trained seed network are needed", "help: --weights FILE")
        self.expect(self.run_allocate("--even", "--weights", self.weights), "error: an even allocation needs no weights")

    def test_malformed_budgets(self):
        for budget, text in {"88": "write neurons=88", "seconds": "unknown unit `seconds`", "macs*0": "no positive number",
                             "neurons=x": "no positive integer", "latency=5": "`5` is no time such as 0.05ms",
                             "latency=-1ms": "no time", "latency=0ms": "no time", "latency=1e999s": "no time", "layer*:0.5": "no hole of the model is called `layer*`",
                             "[:0.5": "is no pattern"}.items():
            with self.subTest(budget=budget):
                self.expect(self.run_allocate("--even", "--budget", budget), text, "--> --budget", "help: ")

    def test_latencies_of_another_network(self):
        for text, message in [(TABLE.format(1, 1).replace("8x8", "9x9"), "the latencies are for images of 9x9, not 8x8"),
                              (TABLE.format(1, 1).replace("batch = 1", "batch = 2"), "for a batch of 2, not 1"),
                              (TABLE.format(1, 1).replace("f32", "bf16"), "for precision bf16, not f32"),
                              (TABLE.format(1, 1).replace("two_scales8", "m"), "for model m, not two_scales8"),
                              (TABLE.format(1, 1).replace("channels", "other"), "no entry of 2 scales for hole `channels`"),
                              (TABLE.format(1, "-1"), "a time must be a number of milliseconds"),
                              (TABLE.format(1, "nan"), "a time must be a number of milliseconds"),
                              (TABLE.format(1, "'x'"), "a time must be a number of milliseconds"),
                              (TABLE.replace("[{}, {}]", "3"), "must have a list of milliseconds"),
                              (TABLE.format(1, 1).replace("batch", "bath"), "unknown property `bath`"),
                              ("", "needs a table `milliseconds_per_neuron`"), ("[", "measured.toml")]:
            with self.subTest(message=message):
                table = self.folder / "measured.toml"
                table.write_text(text, encoding="utf-8")
                self.expect(self.run_allocate("--even", "--budget", "latency", "--latencies", table), message, str(table))
        self.expect(self.run_allocate("--even", "--budget", "latency", "--latencies", self.folder / "missing"), "missing")

    def test_options_of_latencies(self):
        self.expect(self.run_allocate("--even", "--budget", "latency", "--count-following"),
                    "a measured latency counts the layers that follow in any case")
        self.expect(self.run_allocate("--even", "--latencies", self.folder / "t"), "no budget is a latency")
        self.expect(self.run_allocate("--even", "--budget", "latency", "--runs", "0"), "--runs")

    def test_budget_for_less_than_a_neuron(self):
        self.expect(self.run_allocate("--weights", self.weights, "--budget", "macs=100"),
                    "the budget of hole `channels`, 100 macs, does not pay for a single neuron")

    def test_no_batch_norm(self):
        self.expect(self.run_allocate("--weights", self.weights, model="unnormalized"),
                    "error: no norm and no layer scale follows this layer", "two_scales.vn:4:", "element 0 of hole `channels`")

    def test_no_holes(self):
        self.expect(self.run_allocate("--even", model="no_holes"), "model `no_holes` has no learned holes")

    def test_unknown_option(self):
        self.expect(self.run_allocate("--evenly"), "--evenly")

    def test_unwritable_output(self):
        self.output = self.folder / "missing" / "allocated.toml"
        self.expect(self.run_allocate("--even"), "cannot create the file: No such file or directory", str(self.output))


if __name__ == "__main__":
    unittest.main()
