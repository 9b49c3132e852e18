"""`vernier verify`: what holds passes, and a fault in any pass or kernel is found and named."""

import re
import unittest
from pathlib import Path

from commands import CommandTest

NETWORKS = Path(__file__).parent / "verify_networks.vn"
# Rewrites of every pass but the last, which acts on large batches.
PASSES = ["vn-drop-empty", "vn-fold-frozen", "vn-training-form", "vn-sink-pointwise{function=train_forward}", "vn-differentiate",
          "vn-fuse-epilogue{function=train_step}", "vn-fuse-batch-norm", "vn-fuse-gradients", "vn-fuse-sums",
          "vn-fold-batch-norm", "vn-sink-pointwise", "vn-share-max-pools", "vn-fuse-epilogue"]
IN_BLOCKS = ["--for", "infer", "--input", "64x64", "--batch", "48"]
ROW = re.compile(r"^(\S.*?)  +(\S.*?)  +(\S+)( !)?  +(\S+)(?:  .*)?$", re.MULTILINE)


class Verify(CommandTest):
    def verify(self, model, *options):
        return self.vernier("verify", NETWORKS, "--model", model, *options)

    def aggregated(self, *options):
        """The model with three scales, one of them without channels in the second block."""
        configuration = self.folder / "c.toml"
        configuration.write_text("[holes]\n\"first.channels\" = [9, 7, 5]\n\"second.channels\" = [9, 0, 6]\n", encoding="utf-8")
        return self.verify("aggregated5", "--config", configuration, *options)

    def rows(self, done):
        """stage -> (difference, bound), the largest difference where a stage is compared twice"""
        rows = {}
        for stage, _, difference, _, bound in ROW.findall(done.stdout):
            if stage != "stage":
                rows[stage] = max(rows.get(stage, (0.0, 0.0)), (float(difference), float(bound)))
        return rows

    def expect_named(self, done, name):
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stderr, rf"^error: {name}")
        self.assertRegex(done.stdout, r"(?m)^\S.* ! ")

    def test_everything_holds(self):
        done = self.aggregated()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("aggregated5: image 3x16x24, batch 3, seed 1, inference and training", done.stdout)
        rows = self.rows(done)
        for stage in [*PASSES[:4], "vn-differentiate{loss=softmax}", *PASSES[5:], "vn-block-images", "kernels of vn.max_pool",
                      "kernels of vn.batch_norm_grad", "program as built", "whole program", "update", "update, Nesterov"]:
            self.assertIn(stage, rows)
            self.assertLessEqual(*rows[stage])
        # Not for want of differences. (Of finite ones the rounding is taken away; that nothing may be left test_fault_in_gradients shows.)
        for stage in ["vn-sink-pointwise", "vn-fold-batch-norm", "kernels of vn.fused_convolution", "whole program"]:
            self.assertGreater(rows[stage][0], 0, stage)

    def test_faults_in_passes(self):
        for name in PASSES:
            if name not in ("vn-differentiate", "vn-fold-frozen"):  # below, and in test_frozen
                with self.subTest(name):
                    fault = ["--inject-fault", name]
                    # Where it need not drop a branch, the whole network: fewer wrong operands are without effect.
                    done = self.aggregated(*fault) if name == "vn-drop-empty" else self.verify("aggregated5", *fault)
                    self.expect_named(done, "pass `" + re.escape(name) + "`")

    def test_fault_in_gradients(self):
        done = self.vernier("verify", NETWORKS.parents[1] / "codegen" / "new_blocks.vn", "--model", "octave2",
                            "--passes-only", "--inject-fault", "vn-differentiate")
        self.expect_named(done, r"pass `vn-differentiate\{loss=softmax\}`")

    def test_gradient_of_one_number(self):
        """With some seeds the direction of the finite differences was across it."""
        for seed in range(8):
            done = self.verify("bias_alone", "--loss", "binary", "--for", "train", "--passes-only", "--seed", str(seed))
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_equal_channels(self):
        for target in ("cpu", "cuda-emulated"):
            done = self.verify("equal_channels", "--for", "train", "--target", target, "--code-only")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("kernels of vn.channel_max_grad", done.stdout)

    def test_resampling(self):
        for options in ([], ["--target", "cuda-emulated"], ["--precision", "bf16", "--for", "infer"],
                        ["--target", "cuda-emulated", "--precision", "bf16", "--for", "infer"]):
            with self.subTest(options):
                done = self.verify("resampled", *options)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("kernels of vn.resample", self.rows(done))

    def test_attention(self):
        for options in ([], ["--target", "cuda-emulated", "--code-only"], ["--precision", "bf16", "--for", "infer", "--code-only"],
                        ["--target", "cuda-emulated", "--precision", "bf16", "--for", "infer", "--code-only"]):
            with self.subTest(options):
                done = self.verify("attended", "--batch", "2", *options)
                self.assertEqual(done.returncode, 0, done.stderr)
                rows = self.rows(done)
                for op in "matmul", "softmax", "spatial_softmax", "group_norm", "prelu", "pixel_shuffle", "pixel_unshuffle", \
                        "parameter_map":
                    self.assertIn(f"kernels of vn.{op}", rows)

    def test_frozen(self):
        """Parts that training leaves alone: gradients go through them, and are none of theirs."""
        for options in ([], ["--target", "cuda-emulated", "--code-only"], ["--target", "cuda-emulated", "--precision", "bf16", "--code-only"]):
            with self.subTest(options):
                done = self.verify("frozen5", "--batch", "2", *options)
                self.assertEqual(done.returncode, 0, done.stderr)
                rows = self.rows(done)
                for op in "affine", "fold_weight", "softmax":
                    self.assertRegex(done.stdout, rf"\nkernels of vn\.{op} +training step ")
                if not options:
                    self.assertIn("vn-fold-frozen", rows)
                    self.assertIn("finite differences", done.stdout)
        self.expect_named(self.verify("frozen5", "--batch", "2", "--passes-only", "--inject-fault", "vn-fold-frozen"), "pass `vn-fold-frozen`")

    def test_declared_losses(self):
        for options in ([], ["--target", "cuda-emulated"], ["--target", "cuda-emulated", "--precision", "bf16"]):
            with self.subTest(options):
                done = self.verify("losses5", "--batch", "2", *options)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("seed 1, inference and training", done.stdout)
                rows = self.rows(done)
                for stage in ["vn-differentiate{loss=softmax}", *(f"kernels of vn.{op}" for op in (
                        "softmax_cross_entropy", "softmax_cross_entropy_grad", "pointwise_loss", "pointwise_loss_grad", "count_labels",
                        "weighted_sum", "number", "numbers"))]:
                    self.assertIn(stage, rows)
                for stage in "kernels of vn.softmax_cross_entropy", "kernels of vn.count_labels", "whole program":
                    self.assertRegex(done.stdout, rf"\n{re.escape(stage)} +evaluation ")
        done = self.verify("losses5", "--for", "infer")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("loss", done.stdout.split("\n", 1)[1])

    def test_faults_in_declared_losses(self):
        for target, names in (("cpu", ["softmax_loss_2x12", "softmax_loss_gradient_2x12x14x5_2x12x14x5_ignored255_times1p5", "pointwise_loss_binary",
                                       "pointwise_loss_gradient_squared", "count_labels", "weighted_sum"]),
                              ("cuda-emulated", ["softmax_loss_gradient_2x12x14x5of8_to_2x12x14x5of8_ignored_255_weight_1p5", "pointwise_loss_gradient_focal"])):
            for name in names:
                with self.subTest(target=target, name=name):
                    done = self.verify("losses5", "--batch", "2", "--for", "train", "--code-only", "--target", target, "--inject-fault", name)
                    self.assertEqual(done.returncode, 1, done.stdout)
                    self.assertRegex(done.stderr, "^error: kernel `.*` computes vn\\..* of the training step wrongly")
        self.expect_named(self.verify("losses5", "--batch", "2", "--passes-only", "--inject-fault", "vn-differentiate"),
                          r"pass `vn-differentiate\{loss=softmax\}`")

    def test_dropout(self):
        for options in ([], ["--target", "cuda-emulated"], ["--target", "cuda-emulated", "--precision", "bf16"]):
            with self.subTest(options):
                done = self.verify("dropouts5", "--batch", "3", *options)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("kernels of vn.keep_mask", self.rows(done))
        done = self.verify("chosen_dropouts", "--batch", "2", "--for", "train")
        self.assertEqual(done.returncode, 0, done.stderr)
        for target in ("cpu", "cuda-emulated"):
            done = self.verify("dropouts5", "--batch", "3", "--for", "train", "--code-only", "--target", target, "--inject-fault", "keep_mask_3x13")
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertRegex(done.stderr, "^error: kernel `keep_mask_.*` computes vn.keep_mask of the training step wrongly")
        self.expect_named(self.verify("dropouts5", "--passes-only", "--inject-fault", "vn-training-form"), "pass `vn-training-form`")

    def test_shared_blocks(self):
        for options in ([], ["--target", "cuda-emulated", "--code-only"]):
            with self.subTest(options):
                done = self.verify("shared_blocks", "--batch", "2", "--for", "train", *options)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_images_in_blocks(self):
        done = self.verify("aggregated5", *IN_BLOCKS)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^vn-block-images +inference +0 +0$")
        self.expect_named(self.verify("aggregated5", *IN_BLOCKS, "--inject-fault", "vn-block-images"), "pass `vn-block-images`")

    def test_faults_in_kernels(self):
        """The kernel that wrote the result is named, or is among those that had a part in it."""
        for name in ["conv3s1", "max_pool2x2", "fold_weight", "pack_", "from_channels_first", "linear"]:
            with self.subTest(name):
                name = {"linear": "conv1s1p0d1x1s1p0d1_1x1x3x16_to_1x1x3x5"}.get(name, name)
                done = self.verify("few5", "--no-winograd", "--for", "infer", "--code-only", "--inject-fault", name)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertRegex(done.stderr, "^error: kernel `")
                self.assertIn("`" + name, done.stderr)
        for name in ["weight_gradient", "unpack_gradient", "batch_finish", "batch_gradient_apply", "max_pool_gradient", "softmax_loss_gradient",
                     "update_running"]:
            with self.subTest(name):
                done = self.verify("few5", "--code-only", "--inject-fault", name)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertRegex(done.stderr, "^error: kernel `.*` computes vn\\..* of the training step wrongly")
                self.assertIn("`" + name, done.stderr)

    def test_faults_in_the_optimizer(self):
        for name in "sgd", "check_finite":
            with self.subTest(name):
                done = self.verify("few5", "--code-only", "--inject-fault", name)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertRegex(done.stderr, f"^error: kernel `{name}` computes the optimizer's step wrongly")

    def test_code_only(self):
        done = self.aggregated("--code-only")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = self.rows(done)
        self.assertEqual([stage for stage in rows if stage.startswith("vn-")], [])
        for stage in "kernels of vn.max_pool", "kernels of vn.batch_norm_grad", "program as built", "whole program", "update":
            self.assertIn(stage, rows)
        self.assertEqual(self.aggregated("--code-only", "--inject-fault", "weight_gradient").returncode, 1)
        self.expect_refusal(self.verify("aggregated5", "--code-only", "--inject-fault", "vn-fuse-epilogue"), "no pass is checked")

    def test_precision(self):
        done = self.verify("aggregated5", "--precision", "bf16")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = self.rows(done)
        self.assertGreater(rows["vn-choose-precision{maps=bf16}"][0], 1e-4)
        self.assertRegex(done.stdout, r"(?m)^vn-choose-precision\{maps=bf16\} +inference, not rounded +0 +0$")
        self.assertEqual(rows["vn-choose-precision{maps=bf16}"][1], 0.3)
        # Maps of bfloat16; what parameters are folded to, and all of training, is of float32.
        bounds = re.findall(r"^kernels of (\S+) +inference +\S+ +(\S+)", done.stdout, re.MULTILINE)
        self.assertIn(("vn.max_pool", "4.0e-03"), bounds)
        self.assertIn(("vn.cast", "4.0e-03"), bounds)
        # Of a few products with rounded weights, and of 16.
        self.assertIn(("vn.convolution", "8.0e-03"), bounds)
        self.assertIn(("vn.linear", "4.0e-03"), bounds)
        self.assertIn(("vn.fold_bias", "2.0e-06"), bounds)
        self.assertRegex(done.stdout, r"(?m)^kernels of vn.max_pool +training step +\S+ +2\.0e-06")
        self.expect_named(self.verify("aggregated5", "--precision", "bf16", "--for", "infer", "--inject-fault", "vn-choose-precision"),
                          r"pass `vn-choose-precision\{maps=bf16\}`")

    def test_precision_of_training(self):
        """A ReLU that decides otherwise in bfloat16 moves a small gradient by half of it, and is no fault; without rounding none hides."""
        options = ["--precision", "bf16", "--target", "cuda-emulated", "--batch", "2", "--passes-only"]
        done = self.verify("aggregated5", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        name = r"vn-choose-precision\{maps=bf16 function=train_step\}"
        self.assertRegex(done.stdout, rf"(?m)^{name} +training step, not rounded +0 +0$")
        self.assertRegex(done.stdout, rf"(?m)^{name} +training step +\S+ +3.0e-01  \S")
        done = self.verify("aggregated5", *options, "--inject-fault", "vn-choose-precision{maps=bf16 function=train_step}")
        self.expect_named(done, f"pass `{name}`")
        self.assertIn("training step, not rounded", done.stderr)

    def test_several_outputs(self):
        done = self.verify("maps2")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("seed 1, inference\n", done.stdout)
        self.assertNotIn("training", done.stdout)
        self.expect_refusal(self.verify("maps2", "--for", "train"), "cannot be trained: its first output is a map")

    def test_options(self):
        for options in (["--precision", "bf16"], ["--loss", "binary"], ["--cpu", "sse", "--seed", "7", "--threads", "3"]):
            with self.subTest(options):
                done = self.aggregated(*options)
                self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.aggregated("--for", "infer").stdout, self.aggregated("--for", "infer").stdout)

    def test_refusals(self):
        self.expect_refusal(self.verify("aggregated5", "--cpu", "aarch64"), "this machine cannot run code for aarch64")
        self.expect_refusal(self.verify("aggregated5", "--input", "2x2"), "error")
        self.expect_refusal(self.verify("other"), "other")


if __name__ == "__main__":
    unittest.main()
