"""`vernier search`: what it measures, predicts, leaves and answers, and that it goes on where it was stopped."""

import csv
import ctypes
import itertools
import json
import os
import shutil
import tomllib
import unittest

from commands import TARGET, read_floats
from stages import HOLES, StagesTest

CONFIGURATIONS = 27
OPTIONS = ("--batch", "4")
# Starts N processes with the variables by which Open MPI tells a process its rank.
LAUNCHER = """#!/bin/sh
[ "$1" = -n ] || exit 2
ranks=$2
shift 2
pids=
for rank in $(seq 0 $((ranks - 1))); do
  OMPI_COMM_WORLD_RANK=$rank OMPI_COMM_WORLD_SIZE=$ranks "$@" &
  pids="$pids $!"
done
status=0
for pid in $pids; do wait $pid || status=1; done
exit $status
"""


class Sizes(ctypes.Structure):
    """vn_model, up to the bytes of its spaces."""
    _fields_ = [("before", ctypes.c_int64 * 15), ("parameter_bytes", ctypes.c_int64), ("statistics_bytes", ctypes.c_int64),
                ("frozen_bytes", ctypes.c_int64), ("derived_bytes", ctypes.c_int64)]


class Search(StagesTest):
    """The weights and images are made once."""

    @classmethod
    def setUpClass(cls):
        cls.built = cls.shared_folder()
        case = cls("build")
        case.folder, case.specification = cls.built, cls.built / "m.vn"
        case.write_specification()
        case.build("open", *OPTIONS)
        case.write_weights()
        case.write_data()

    def setUp(self):
        super().setUp()
        for name in ("open", "data"):
            (self.folder / name).symlink_to(self.built / name)
        shutil.copy(self.built / "w.safetensors", self.folder)

    def search(self, *options, status=0, found="found"):
        output = self.folder / found
        done = self.vernier("search", self.specification, "--weights", self.folder / "w.safetensors", "--data",
                            self.folder / "data", "--split", "train", "--first", "8", "--count", "20", *OPTIONS,
                            "--runs", "3", "-o", output, *options)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def rows(self, found="found"):
        """The table, by configuration."""
        lines = (self.folder / found / "table.csv").read_text().splitlines()
        return {",".join(f"{hole}={row[hole].removesuffix('.0')}" for hole in HOLES): row for row in csv.DictReader(lines)}

    def accuracies(self, found="found"):
        return {name: row["accuracy"] for name, row in self.rows(found).items()}

    def lines(self, pattern, found="found"):
        return [json.loads(line) for path in sorted((self.folder / found).glob(pattern))
                for line in path.read_text().splitlines()]

    def choices(self, configuration):
        return [word for choice in configuration.split(",") for word in ("--choose", choice)]

    def floats(self, path, name):
        return read_floats(path)[name]

    def test_budgets(self):
        report = self.search("--processes", "2", "--budget", "macs=700k", "--budget", "latency=9s", "--budget",
                             "memory=1GB", "--build")
        self.assertIn(f"{CONFIGURATIONS} configurations of m on 20 images", report)
        rows = self.rows()
        self.assertEqual(len(rows), CONFIGURATIONS)
        # Every row is what `eval`, `describe` and the budget say.
        best = max((row for row in rows.values() if int(row["macs"]) <= 700e3), key=lambda row: float(row["accuracy"]))
        self.assertRegex(report, r"within macs=700k and latency=9s and memory=1GB:\n(.*\n){1,2}.*" +
                         f"{100 * float(best['accuracy']):.2f}%")
        described = json.loads(self.vernier("describe", self.specification, "--config", self.folder / "found" / "best.toml",
                                            "--json").stdout)
        self.assertLessEqual(described["macs"], 700e3)
        table = tomllib.loads((self.folder / "found" / "table.toml").read_text())
        entry = table["configuration"][5]
        choices = ",".join(f"{hole}={value}" for hole, value in entry["holes"].items())
        described = json.loads(self.vernier("describe", self.specification, "--json", *self.choices(choices)).stdout)
        self.assertEqual((entry["macs"], entry["parameters"]), (described["macs"], described["params"]))
        self.assertLessEqual(entry["milliseconds_low"], entry["milliseconds"])
        for unit in ("macs", "latency", "memory"):
            self.assertIn("<polyline", (self.folder / "found" / f"pareto-{unit}.svg").read_text())
        self.check_memory(tomllib.loads((self.folder / "found" / "best.toml").read_text())["holes"])
        self.check_goes_on()

    def check_memory(self, holes):
        """The memory in the table is what the specialised binary allocates."""
        library = ctypes.CDLL(str(self.folder / "found" / "best" / "libm.so"))
        library.m_model.restype = ctypes.POINTER(Sizes)
        sizes = library.m_model().contents
        bench = json.loads(self.run_model("found/best", "bench", "--runs", "1", "--json").stdout)
        row = self.rows()[",".join(f"{hole}={value:g}" for hole, value in holes.items())]
        arrays = 4 * 4 * (3 * 32 * 32 + 5 + 3 * 8 * 8) if TARGET else 0  # a device's copy of a call's
        self.assertEqual(int(row["memory_bytes"]), sizes.parameter_bytes + sizes.statistics_bytes + sizes.derived_bytes +
                         bench["arena_bytes"] + arrays)

    def check_goes_on(self):
        """Nothing is measured again; a torn line is, by whichever process."""
        before = self.accuracies()
        times = (self.folder / "found" / "times.jsonl").read_text()
        lines = self.folder / "found" / "accuracy-1-of-2.jsonl"
        whole = lines.read_text()
        lines.write_text(whole[:-10])
        self.search("--processes", "3", "--budget", "macs=1M")
        self.assertEqual(self.accuracies(), before)
        again = [row["configuration"] for row in self.lines("accuracy-*-of-3.jsonl")]
        self.assertEqual(again, [json.loads(whole.splitlines()[-1])["configuration"]])
        self.assertEqual((self.folder / "found" / "times.jsonl").read_text(), times)
        lines.write_text(whole + '{"configuration": "first.factor=9"}\n')
        self.assertIn("accuracy-1-of-2.jsonl:14", self.search(status=1))
        first, rest = whole.split("\n", 1)
        for key, value in (("accuracy", None), ("top5", 1.5), ("images", -20)):
            lines.write_text(json.dumps(json.loads(first) | {key: value}) + "\n" + rest)
            message = self.search(status=1)
            self.assertIn("accuracy-1-of-2.jsonl:1\n", message)
            self.assertIn(f"`{key}` is {json.dumps(value)}", message)
            self.assertIn("help: remove the file: what it held is measured again", message)
        # A configuration that computes no numbers is in the table as the others are, and is named.
        lines.write_text(json.dumps(json.loads(first) | {"loss": None}) + "\n" + rest)
        name = json.loads(first)["configuration"]
        self.assertIn(f"warning: the loss of {name} is nan", self.search())
        self.assertEqual(self.rows()[name]["loss"], "nan")
        lines.write_text(whole)

    def test_mistakes(self):
        for budget, message in (("macs=", "positive number"), ("latency=8", "in us, ms or s"), ("watts=3", "begins with"),
                                ("macs=3T", "k, M or G"), ("macs=-1", "positive number"), ("memory=3M", "in B, kB, MB")):
            self.assertIn(message, self.search("--budget", budget, status=1))
        self.assertIn("no budget that a configuration could be the best within", self.search("--build", status=1))
        self.assertIn("cannot open the file", self.search("--budget", "macs=1M", "--fine-tune", "1", "--recipe",
                                                  self.folder / "none.toml", status=1))
        self.assertIn("has no open `choose` holes", self.search(*self.choices(",".join(f"{h}=1" for h in HOLES)), status=1))
        self.assertIn("there is no command", self.search("--mpi", " ", status=1))
        self.assertIn("5 configurations of m", self.search("--sample", "5", found="sample"))
        self.assertIn("another network, weights, images or options", self.search("--sample", "6", found="sample", status=1))
        data = (self.folder / "data").resolve()
        (self.folder / "data").unlink()
        shutil.copytree(data, self.folder / "data")
        train = self.folder / "data" / "train.bin"
        whole = train.read_bytes()
        train.write_bytes(whole[:-1] + bytes([255 - whole[-1]])) # a pixel of the last image
        self.assertIn("another network, weights, images or options", self.search("--sample", "5", found="sample", status=1))
        train.write_bytes(whole)
        self.assertRegex(self.search("--sample", "5", "--budget", "macs=1k", found="sample", status=1),
                         r"no configuration is within macs=1k(.*\n)*help: the least .* macs=\d+,\d+")

    def test_predicted_latency(self):
        """A prediction is the sum of the times of the kernels that the configuration runs."""
        report = self.search("--latency", "predicted", "--budget", "latency=1s")
        self.assertNotIn("of the measured", report)
        self.assertFalse((self.folder / "found" / "times.jsonl").exists())
        kernels = self.lines("kernels.jsonl")
        call = [row for row in kernels if row["kernel"] == "call"]
        self.assertEqual(len(call), 1)
        segments = {}
        for row in kernels:
            if "segment" in row:
                segments.setdefault(row["segment"], {}).setdefault(row["choices"], []).append(row)
        for variants in segments.values():
            holes = [choice.split("=")[0] for choice in next(iter(variants)).split(",") if choice]
            self.assertEqual(len(variants), 3 ** len(holes))  # each was run
        for configuration, row in self.rows().items():
            chosen = set(configuration.split(","))
            expected = call[0]["microseconds"]
            for variants in segments.values():
                expected += sum(kernel["microseconds"] for choices, kernels in variants.items()
                                if set(filter(None, choices.split(","))) <= chosen for kernel in kernels)
            self.assertAlmostEqual(float(row["predicted_milliseconds"]) * 4e3 / expected, 1, 4)
            self.assertEqual(row["milliseconds"], "")
        # Measured too, the table says how far they are apart.
        report = self.search()
        errors = sorted(abs(float(row["predicted_milliseconds"]) / float(row["milliseconds"]) - 1)
                        for row in self.rows().values())
        within = sum(error <= 0.05 for error in errors) / len(errors)
        self.assertIn(f"within 5% of the measured: {100 * within:.1f}% of 27", report)
        prediction = tomllib.loads((self.folder / "found" / "table.toml").read_text())["prediction"]
        self.assertAlmostEqual(prediction["share_within_5_percent"], within, 5)
        # The table's times have six digits, each 5e-6 off at most: so the quotient that an error is one less than.
        self.assertAlmostEqual(prediction["worst_error"], errors[-1], delta=2e-5 * (1 + errors[-1]))
        lines = self.folder / "found" / "kernels.jsonl"
        lines.write_text(lines.read_text().replace('"kernel":"', '"kernel":"not_', 1))
        self.assertIn("no time of a kernel of model `m`", self.search(status=1))

    def test_halving(self):
        options = ("--halving", "5", "--finalists", "4", "--latency", "predicted")
        report = self.search(*options)
        rows, first, second = self.rows(), self.lines("every-4-*"), self.lines("every-2-*")
        self.assertEqual((len(first), len(second)), (27, 14))
        self.assertEqual({row["images"] for row in first}, {5})
        self.assertEqual({row["images"] for row in second}, {10})
        self.assertIn("27 configurations on 5 images, 14 stay", report)
        self.assertIn("7 configurations of m on 20 images\n20 more on fewer images", report)
        final = {name for name, row in rows.items() if row["images"] == "20"}
        self.assertEqual(sorted(int(row["images"]) for row in rows.values()), [5] * 13 + [10] * 7 + [20] * 7)
        # What nothing beats in accuracy and multiply-adds stays; what stays is beaten by nothing that goes.
        def beats(a, b):
            return (a["accuracy"], -a["macs"]) != (b["accuracy"], -b["macs"]) and (
                a["accuracy"] >= b["accuracy"] and a["macs"] <= b["macs"])

        for rung, kept in ((first, {row["configuration"] for row in second}), (second, final)):
            for row in rung:
                if not any(beats(other, row) for other in rung):
                    self.assertIn(row["configuration"], kept)
            for stays, goes in itertools.product((row for row in rung if row["configuration"] in kept),
                                                 (row for row in rung if row["configuration"] not in kept)):
                self.assertFalse(beats(goes, stays))
        # The same by several processes, and for a budget only what is within it.
        self.search(*options, "--processes", "3", found="other")
        self.assertEqual({row["configuration"] for row in self.lines("accuracy-*", found="other")}, final)
        self.search(*options, "--budget", "macs=600k")
        self.assertTrue(all(int(row["macs"]) <= 600e3 for row in self.rows().values()))
        best = tomllib.loads((self.folder / "found" / "best.toml").read_text())["holes"]
        self.assertEqual(self.rows()[",".join(f"{hole}={value:g}" for hole, value in best.items())]["images"], "20")
        self.assertEqual(len(self.lines("every-4-*")), 27)
        self.assertIn("no configuration is within", self.search(*options, "--budget", "memory=1kB", status=1))

    def test_halving_by_costs(self):
        """Where the dearer is the more accurate, throughout, cheap and dear ones stay; under a budget mostly what is close to
        it."""
        found = self.folder / "found"
        options = ("--halving", "5", "--finalists", "13", "--latency", "predicted")
        self.search(*options)
        for path in [*found.glob("every-*"), *found.glob("accuracy-*")]:  # other accuracies take their place
            path.unlink()
        table = json.loads(self.vernier("describe", self.specification, "--configurations", "--json").stdout)
        order = [",".join(f"{hole}={value:g}" for hole, value in row["choices"].items())
                 for row in sorted(table["configurations"], key=lambda row: row["macs"])]
        (found / "every-4-0-of-1.jsonl").write_text("".join(
            json.dumps({"configuration": name, "accuracy": (1 + rank) / 100, "top5": 1, "loss": 1, "images": 5}) + "\n"
            for rank, name in enumerate(order)))
        self.search(*options)
        kept = {row["configuration"] for row in self.lines("every-2-*")}
        self.assertEqual(len(kept), 14)
        self.assertTrue({order[0], order[-1]} <= kept)
        self.assertGreaterEqual(len(kept & set(order[:13])), 5)
        macs = sorted(row["macs"] for row in table["configurations"])[18]
        self.search(*options, "--budget", f"macs={macs}")
        kept = {name for name, row in self.rows().items() if row["images"] == "20"}
        self.assertEqual(len(kept), 13)
        self.assertTrue({order[0], *order[13:19]} <= kept)

    def test_fine_tuning(self):
        recipe = self.folder / "r.toml"
        recipe.write_text('epochs = 30\nbatch = 8\n[optimizer]\nlearning_rate = 0.02\n[schedule]\nkind = "constant"\n',
                          encoding="utf-8")
        options = ("--sample", "3", "--latency", "predicted", "--budget", "macs=5M", "--fine-tune", "6", "--recipe", recipe)
        report = self.search(*options)
        result = tomllib.loads((self.folder / "found" / "fine-tuned.toml").read_text())
        before, after = result["accuracy_before"], result["accuracy_after"]
        self.assertEqual(f"{before:.4g}", self.accuracies()[result["configuration"]])
        self.assertGreater(after, before)  # bright and dark images are soon told apart
        self.assertIn(f"fine-tuned for 6 epochs: {100 * before:.2f}% before, {100 * after:.2f}% after", report)
        run = next((self.folder / "found" / "tuned").iterdir()) / "run"
        summary = json.loads((run / "summary.json").read_text())
        self.assertEqual((summary["epochs"], summary["batch"]), (6, 8))
        self.assertEqual((self.folder / "found" / "best" / "m.safetensors").read_bytes(),
                         (run / "weights.safetensors").read_bytes())
        # It began with the weights of all, not with fresh ones.
        old = self.floats(self.folder / "w.safetensors", "first.conv1.weight")
        new = self.floats(run / "weights.safetensors", "first.conv1.weight")
        self.assertLess(sum((a - b) ** 2 for a, b in zip(old, new)), 0.5 * sum(a ** 2 for a in old))
        self.assertNotEqual(old, new)
        evaluated = json.loads(self.run_model("found/best", "eval", "--data", self.folder / "data", "--split", "train",
                                              "--first", "8", "--count", "20", "--json").stdout)
        self.assertEqual((evaluated["images"], evaluated["top1"]), (20, after))
        self.assertIn("fine-tuned for 6 epochs", self.search(*options))  # which does not train again

    def check_ranks(self, launcher, ranks):
        self.search("--mpi", f"{launcher} -n {ranks}", "--threads", "1", "--sample", "8", "--latency", "predicted",
                    found="ranks")
        self.search("--processes", "1", "--sample", "8", "--latency", "predicted", found="alone")
        self.assertEqual(self.accuracies("ranks"), self.accuracies("alone"))
        files = sorted((self.folder / "ranks").glob("accuracy-*"))
        self.assertEqual([path.name for path in files], [f"accuracy-{i}-of-{ranks}.jsonl" for i in range(ranks)])
        for index, path in enumerate(files):
            self.assertEqual(len(path.read_text().splitlines()), len(range(index, 8, ranks)))

    def test_ranks(self):
        launcher = self.folder / "launcher with spaces"
        launcher.write_text(LAUNCHER, encoding="utf-8")
        launcher.chmod(0o755)
        self.check_ranks(f'"{launcher}"', 3)
        # A launcher that knows nothing of ranks starts no shard.
        self.assertIn("no rank of an MPI program", self.search("--mpi", "env", "--sample", "3", found="none", status=1))
        self.assertIn("cannot run no-such-launcher", self.search("--mpi", "no-such-launcher", "--sample", "3", found="none",
                                                                 status=1))

    def test_mpirun(self):
        # Open MPI asks for these where a container knows no other user, or has fewer cores than ranks.
        for name in ("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "OMPI_MCA_rmaps_base_oversubscribe"):
            os.environ[name] = "1"
        self.check_ranks("mpirun", 2)


if __name__ == "__main__":
    unittest.main()
