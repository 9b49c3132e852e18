"""The one-way rule: dsl -> compiler -> codegen -> driver -> tools, and a runtime that knows none of them.

Files that meet a person's machine (dsl, runtime) must stay free of LLVM, and a later stage may include an earlier one,
never the reverse. What writes files and runs programs is the runtime's, for codegen too.
"""

import re

import sources

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
STANDARD = r"[a-z_0-9]+(\.h)?"  # <vector>, <stdint.h>: no folder in the name

# Folder -> what its files may include. The first folder that contains a file decides.
ALLOWED = [
    ("dsl/", [r"dsl/", STANDARD + "$"]),
    ("compiler/", [r"compiler/", r"dsl/", r"(mlir|llvm)(-c)?/", r"toml\+\+/", STANDARD + "$"]),
    ("tools/", [r".*"]),
    ("driver/", [r"driver/", r"codegen/", r"compiler/", r"dsl/", r"vernier/", r"runtime/", r"(mlir|llvm)(-c)?/",
                 r"fmt/", r"nlohmann/", STANDARD + "$"]),
    ("codegen/onnx/", [r"codegen/onnx/", r"compiler/ir/", r"dsl/(Graph|Sampling|ShapeRules).h$", r"runtime/io/", r"runtime/Error.h$",
                       r"(mlir|llvm)(-c)?/", r"onnx/", STANDARD + "$"]),
    ("codegen/program/", [r"codegen/program/", r"dsl/(ShapeRules|Activation|Pointwise|Resampling).h$", r"vernier/abi.h$", r"llvm/", STANDARD + "$"]),
    ("codegen/plan/", [r"codegen/(program|plan)/", r"llvm/", STANDARD + "$"]),
    ("codegen/lower/", [r"codegen/(program|plan|lower)/", r"compiler/ir/", r"(mlir|llvm)/", STANDARD + "$"]),
    ("codegen/tables/", [r"codegen/(program|tables)/", r"llvm/", STANDARD + "$"]),
    ("codegen/cpu/", [r"codegen/(program|plan|tables|cpu)/", r"compiler/passes/Passes.h$", r"dsl/Sampling.h$", r"vernier/abi.h$", r"(mlir|llvm)/", STANDARD + "$"]),
    # Copied beside what is emitted and compiled there: they name each other by file name.
    ("codegen/cuda/device/", [r"[a-z_]+\.cuh$", r"\.\./emulation/Emulation\.h$", r"vernier/abi\.h$", r"cudaTypedefs\.h$", STANDARD + "$"]),
    ("codegen/cuda/emulation/", [r"[A-Z]\w+\.h$", r"boost/context/", r"sanitizer/common_interface_defs.h$", STANDARD + "$"]),
    ("codegen/cuda/", [r"codegen/(program|plan|tables|cuda)/", r"compiler/passes/Passes.h$", r"runtime/(io|process)/", r"llvm/",
                       STANDARD + "$"]),
    ("runtime/", [r"vernier/", r"runtime/", r"CLI/", r"toml\+\+/", r"fmt/", r"nlohmann/", r"sys/", r"webp/",
                  STANDARD + "$"]),
]
SUFFIXES = (".h", ".c", ".cpp", ".cuh", ".cu", ".td", ".def", ".inc")


def check(root):
    violations = []
    for path in sources.project_files(root):
        allowed = next((rules for folder, rules in ALLOWED if path.as_posix().startswith(folder)), None)
        if allowed is None or path.suffix not in SUFFIXES:
            continue
        text = (root / path).read_text(encoding="utf-8")
        for match in INCLUDE.finditer(text):
            name = match.group(2)
            if not any(re.match(rule, name) for rule in allowed):
                line = text.count("\n", 0, match.start(1)) + 1
                violations.append(f"{path}:{line}: may not include {name}")
    return violations


if __name__ == "__main__":
    sources.run(check)
