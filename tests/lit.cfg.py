# Text tests of the compiler: each runs tools on a program and checks what comes out.
import os

import lit.formats

config.name = "vernier"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.vernier_build, "tests")
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.vernier_build, "bin"), config.llvm_tools, config.environment.get("PATH", "")])
# A variable captured in one labelled section must not leak into the next.
config.substitutions.append((r"\bFileCheck\b", "FileCheck --enable-var-scope"))
