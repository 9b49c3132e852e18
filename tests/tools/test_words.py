"""What the command line says: versions, help, words that it does not know, sizes, files that are none."""

import os
import re
import unittest

from commands import SPECIFICATION, CommandTest

NETWORK = """block res(x, channels: int) {
  x |> conv(channels, 3) |> batch_norm |> relu |> add(x)
}

network net(width: int = 8, classes: int = 10) {
  input image: [3, 32, 32]
  x = image |> conv(width, 3) |> relu
  x = x |> res(width)
  x |> global_avg_pool |> fc: linear(classes)
}
"""
MODEL = "\nmodel m = net()\n"


class Words(CommandTest):
    def write(self, name, text, encoding="utf-8"):
        path = self.folder / name
        path.write_bytes(text.encode(encoding))
        return path

    def good(self, *arguments):
        done = self.vernier(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def test_version(self):
        text = self.good("--version").stdout
        self.assertRegex(text, r"\Avernier \d+\.\d+\.\d+\nrevision [0-9a-f]{7,}(-dirty)?\n|unknown\n")
        self.assertRegex(text, r"\nLLVM +22\.\d+\.\d+\ntargets +native, .*avx512, avx2, sse, aarch64\n\Z")

    def test_help(self):
        self.assertEqual(self.good("help").stdout, self.good("--help").stdout)
        self.assertIn("--precision", self.good("help", "build").stdout)
        self.expect_refusal(self.vernier("help", "biuld"), "unknown command `biuld`", "closest command: `build`")

    def test_unknown_command(self):
        self.expect_refusal(self.vernier("chek", "a.vn"), "unknown command `chek`\nhelp: closest command: `check`")
        self.expect_refusal(self.vernier("frobnicate"), "unknown command `frobnicate`\nhelp: the commands are `check`")
        self.expect_refusal(self.vernier(), "a command is needed", "`build`")

    def test_unknown_option(self):
        self.expect_refusal(self.vernier("--verison"), "unknown option `--verison`", "closest option: `--version`")
        # Not what the unknown one makes missing.
        self.expect_refusal(self.vernier("check", "--modle", "m"), "unknown option `--modle`", "closest option: `--model`")
        self.expect_refusal(self.vernier("build", SPECIFICATION, "--precison=bf16"), "unknown option `--precison`",
                            "closest option: `--precision`")
        self.expect_refusal(self.vernier("build", SPECIFICATION, "--out", "d"), "closest option: `--output`")
        self.expect_refusal(self.vernier("check", SPECIFICATION, "more"), "unexpected argument `more`")

    def test_numbers(self):
        path = self.write("m.vn", NETWORK + MODEL)
        for value in ("0", "-1", "2.5", "x"):
            done = self.vernier("train", path, "--data", "d", "--recipe", "r", "-o", "o", "--threads", value)
            self.expect_refusal(done, f"`{value}` is no number of threads: it is from 1 to")
            self.assertLess(max(map(len, done.stderr.splitlines())), 120)
            done = self.vernier("train", path, "--data", "d", "--recipe", "r", "-o", "o", "--batch-of-binary", value)
            self.expect_refusal(done, f"--batch-of-binary: `{value}` is no whole number from 1 on")

    def test_sizes(self):
        path = self.write("m.vn", NETWORK + MODEL)
        for text in ("40x", "x40", "40x40x40", "-1", "0x4", "a", "4.5"):
            self.expect_refusal(self.vernier("check", path, "--input", text), "no input size", "from 1 to 65536")
        self.expect_refusal(self.vernier("check", path, "--input", "65537"), "VN0007", "65537x65537", "from 1 to 65536")
        self.good("check", path, "--input", "16385x32")
        self.good("check", path, "--input", "40")

    def test_files(self):
        path = self.write("m.vn", NETWORK + MODEL)
        for command in ("check", "fmt", "describe", "build"):
            extra = ("-o", self.folder / "o") if command == "build" else ()
            self.expect_refusal(self.vernier(command, self.folder / "mm.vn", *extra), "there is no such file",
                                f"closest file: `{path}`")
            self.expect_refusal(self.vernier(command, self.folder, *extra), "it is a folder", "`m.vn`")
            os.mkfifo(self.folder / "pipe")
            self.expect_refusal(self.vernier(command, self.folder / "pipe", *extra), "it is a pipe")
            os.remove(self.folder / "pipe")
            if os.geteuid() != 0:
                os.chmod(path, 0)
                self.expect_refusal(self.vernier(command, path, *extra), "its permissions forbid it")
                os.chmod(path, 0o644)

    def test_byte_order_marks(self):
        marked = self.write("m.vn", NETWORK + MODEL, "utf-8-sig")
        self.good("check", marked)
        wide = self.write("w.vn", NETWORK + MODEL, "utf-16")
        done = self.vernier("check", wide)
        self.expect_refusal(done, "UTF-16", "iconv -f UTF-16 -t UTF-8")
        self.assertEqual(done.stderr.count("error"), 1)
        for command in ("fmt", "check"):
            self.expect_refusal(self.vernier(command, "/bin/ls"), "a binary file" if os.path.getsize("/bin/ls") < 2**20 else "VN000")
        two = self.write("two.vn", SPECIFICATION.read_text())
        bound = self.write("c.toml", "[holes]\nchannels = [3, 1]\n", "utf-8-sig")
        self.good("describe", two, "--model", "two_scales8", "--config", bound)
        bound = self.write("c.toml", "[holes]\nchannels = [3, 1]\n", "utf-16")
        self.expect_refusal(self.vernier("describe", two, "--model", "two_scales8", "--config", bound),
                            "the configuration is UTF-16", "c.toml")

    def test_fmt_makes_plain_text(self):
        plain = self.write("plain.vn", NETWORK + MODEL)
        for name, text in (("bom.vn", "\ufeff" + NETWORK + MODEL), ("crlf.vn", (NETWORK + MODEL).replace("\n", "\r\n")),
                           ("both.vn", "\ufeff" + (NETWORK + MODEL).replace("\n", "\r\n"))):
            path = self.write(name, text)
            self.expect_refusal(self.vernier("fmt", "--check", path), "not in the canonical form")
            self.good("fmt", path)
            self.assertEqual(path.read_bytes(), plain.read_bytes())
            self.good("fmt", "--check", path)

    def test_check_says_what_it_did_not_check(self):
        done = self.good("check", self.write("n.vn", NETWORK))
        self.assertIn("note: no model of `net`: sizes and numbers of channels were not checked", done.stderr)
        done = self.good("check", self.write("e.vn", ""))
        self.assertIn("declares nothing", done.stderr)
        done = self.good("check", self.write("b.vn", NETWORK[:NETWORK.index("network")]))
        self.assertIn("has no model", done.stderr)
        self.assertEqual(self.good("check", self.write("m.vn", NETWORK + MODEL)).stderr, "")
        done = self.good("check", SPECIFICATION, "--model", "two_scales8")
        self.assertIn("model `two_scales8` was checked with 1 `learned` hole at its seed, not with other values", done.stderr)
        bound = self.write("c.toml", "[holes]\nchannels = [3, 1]\n")
        self.assertEqual(self.good("check", SPECIFICATION, "--model", "two_scales8", "--config", bound).stderr, "")

    def test_warnings(self):
        path = self.write("w.vn", NETWORK.replace("x = x |> res(width)", "y = x |> res(width)") + MODEL + "model k = net(width = 4)\n")
        done = self.good("check", path)
        self.assertEqual(done.stderr.count("warning["), 1)
        self.assertIn("warning[VN0701]: `y` is never used\n", done.stderr)
        self.expect_refusal(self.vernier("check", path, "--warnings-as-errors"), "warning[VN0701]", "error: 1 warning, and")
        self.good("check", self.write("m.vn", NETWORK + MODEL), "--warnings-as-errors")

    def test_dialect_is_not_shown(self):
        # Passes report here, not the front end.
        for text in ("channels = [3]", "channels = [-1, 2]", "chanels = [3, 1]", "channels = [0, 0]"):
            bound = self.write("c.toml", f"[holes]\n{text}\n")
            done = self.vernier("describe", SPECIFICATION, "--model", "two_scales8", "--config", bound)
            self.assertEqual(done.returncode, 1, text)
            self.assertIsNone(re.search(r"vn\.|tensor<|see current operation|%\d|@infer", done.stderr), done.stderr)


class BuiltModel(CommandTest):
    def setUp(self):
        super().setUp()
        specification = self.folder / "m.vn"
        specification.write_text(NETWORK + MODEL, encoding="utf-8")
        done = self.vernier("build", specification, "--cpu", "sse", "-o", self.folder / "built")
        self.assertEqual(done.returncode, 0, done.stderr)

    def run_model(self, *arguments):
        return self.execute(self.folder / "built" / "m", *arguments)

    def test_words(self):
        done = self.run_model("--version")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\Am, built by Vernier \d+\.\d+\.\d+ \(revision .*, LLVM 22.*\)\nfor inference with ")
        self.assertEqual(self.run_model("help").stdout, self.run_model("--help").stdout)
        self.assertIn("--top", self.run_model("help", "classify").stdout)
        self.expect_refusal(self.run_model("foo"), "unknown command `foo`", "the commands are `info`, `run`, `bench`")
        self.expect_refusal(self.run_model("clasify"), "closest command: `classify`")
        self.expect_refusal(self.run_model("train"), "unknown command `train`", "this build is for inference alone", "--for train")
        self.expect_refusal(self.run_model("tabulate"), "open `choose` holes")
        self.expect_refusal(self.run_model("build"), "a command of the compiler: `vernier build`")
        self.expect_refusal(self.run_model("bench", "--thread", "2"), "unknown option `--thread`", "closest option: `--threads`")
        self.expect_refusal(self.run_model("run", "--imput", "x.npy"), "unknown option `--imput`", "closest option: `--input`")
        done = self.run_model("bench", "--threads", "0")
        self.expect_refusal(done, "`0` is no number of threads: it is from 1 to")
        self.assertIn("\ninput       1 image of 3 x 32 x 32\n", self.run_model("info").stdout)


if __name__ == "__main__":
    unittest.main()
