"""The structure checks find what they should, and nothing else."""

import tempfile
import unittest
from pathlib import Path

import check_extending
import check_file_sizes
import check_includes
import check_links
import check_machine_paths
import check_silence
import run_snippets


class Checks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def test_upward_includes(self):
        self.write("dsl/A.cpp", '#include <vector>\n#include "dsl/A.h"\n#include "llvm/ADT/Twine.h"\n')
        self.write("compiler/B.cpp", '#include "dsl/A.h"\n#include "codegen/C.h"\n#include "mlir/IR/Value.h"\n')
        self.write("codegen/lower/E.cpp", '#include "codegen/program/P.h"\n#include "codegen/cpu/Target.h"\n')
        self.write("codegen/program/F.h", '#include "codegen/lower/Lower.h"\n#include "mlir/IR/Value.h"\n')
        self.write("driver/G.cpp", '#include "codegen/cpu/Target.h"\n#include "tools/Commands.h"\n')
        self.write("codegen/cuda/device/h.cuh", '#include "memory.cuh"\n#include "codegen/program/View.h"\n')
        self.write("codegen/cuda/emulation/I.h", '#include "Memory.h"\n#include "llvm/ADT/Twine.h"\n')
        self.write("runtime/D.cpp", '#include "vernier/abi.h"\n#include "dsl/A.h"\n#include <jpeglib.h>\n')
        self.assertEqual(check_includes.check(self.root), [
            "codegen/cuda/device/h.cuh:2: may not include codegen/program/View.h",
            "codegen/cuda/emulation/I.h:2: may not include llvm/ADT/Twine.h",
            "codegen/lower/E.cpp:2: may not include codegen/cpu/Target.h",
            "codegen/program/F.h:1: may not include codegen/lower/Lower.h",
            "codegen/program/F.h:2: may not include mlir/IR/Value.h",
            "compiler/B.cpp:2: may not include codegen/C.h",
            "driver/G.cpp:2: may not include tools/Commands.h",
            "dsl/A.cpp:3: may not include llvm/ADT/Twine.h",
            "runtime/D.cpp:2: may not include dsl/A.h",
        ])

    def test_long_files(self):
        self.write("dsl/Long.cpp", "\n" * 801)
        self.write("dsl/Fits.cpp", "\n" * 800)
        self.write("codegen/cuda/device/long.cuh", "\n" * 801)
        self.assertEqual(check_file_sizes.check(self.root), [
            "codegen/cuda/device/long.cuh: 801 lines, more than 800", "dsl/Long.cpp: 801 lines, more than 800"])

    def test_libraries_that_print(self):
        self.write("driver/A.cpp", 'out << 1; // llvm::outs() is the caller\'s\n  llvm::outs() << 2;\nsnprintf(text, 3, "x");\n')
        self.write("tools/B.cpp", "llvm::errs() << 1;\n")
        self.write("dsl/C.h", 'std::fprintf(stderr, "x");\n')
        self.assertEqual(check_silence.check(self.root), ["driver/A.cpp:2: prints", "dsl/C.h:1: prints"])

    def test_links(self):
        self.write("docs/a.md", "[b](b.md#part), [up](../x), [web](https://llvm.org)\n[none](c.md)\n")
        self.write("docs/b.md", "")
        self.write("x", "")
        self.assertEqual(check_links.check(self.root), ["docs/a.md:2: leads nowhere: c.md"])
        self.write("README.md", "[b](docs/b.md)\n")
        self.assertEqual(check_links.check(self.root)[1:], ["docs/a.md: no links lead here from README.md"])
        self.write("docs/b.md", "[a](../docs/a.md#part)\n")
        self.assertEqual(len(check_links.check(self.root)), 1)

    def test_machine_paths(self):
        self.write("a.sh", "cp /" + "home/ada/x .\n")
        self.write("b.sh", "ls /usr/lib models/work/x ~/home\n")
        self.assertEqual(len(check_machine_paths.check(self.root)), 1)

    def test_extending(self):
        self.write("examples/custom_block/gated_dilations.vn", "block\n")
        self.write("dsl/Ops.h", "GlobalAvgPool")
        page = "```vernier\nblock\n```\n| `dsl/Ops.h` | `GlobalAvgPool` | |\n"
        self.write("docs/extending.md", page)
        self.assertEqual(check_extending.check(self.root), [])
        self.write("docs/extending.md", page.replace("block", "blok").replace("GlobalA", "GlobalB") + "`dsl/None.h`\n")
        self.assertEqual(check_extending.check(self.root), [
            "docs/extending.md: does not show examples/custom_block/gated_dilations.vn as it is",
            "docs/extending.md: there is no dsl/None.h",
            "docs/extending.md: `GlobalBvgPool` is not in dsl/Ops.h",
        ])

    def test_snippets(self):
        page = "```vernier\n// a.vn\nblock\n```\n\n```console\n$ cat a.vn\n// a.vn\n...\n$ echo 1\n2\n```\n"
        files, commands = run_snippets.extract(page)
        self.assertEqual(files, [("a.vn", "// a.vn\nblock\n")])
        self.assertEqual(commands, [("cat a.vn", ["// a.vn", "..."]), ("echo 1", ["2"])])
        self.assertTrue(run_snippets.matches(["// a.vn", "..."], ["// a.vn", "block"]))
        self.assertFalse(run_snippets.matches(["2"], ["1"]))
        self.assertFalse(run_snippets.matches(["1", "..."], ["2", "1"]))


if __name__ == "__main__":
    unittest.main()
