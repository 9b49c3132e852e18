"""Only commands print: what a library has to say it returns, or writes to where its caller wants it."""

import re

import sources

PRINTS = re.compile(r"llvm::(outs|errs)\(|std::(cout|cerr)\b|fmt::print\(|(?<![\w:])(std::)?f?(printf|puts)\(")
FOLDERS = ("dsl/", "compiler/", "codegen/", "driver/")
EXCEPT = ("compiler/passes/PrintCost.cpp", # a pass that prints, for vernier-opt
          "codegen/cuda/emulation/", "codegen/cuda/device/") # part of programs
SUFFIXES = (".h", ".cpp")


def check(root):
    violations = []
    for path in sources.project_files(root):
        name = path.as_posix()
        if not name.startswith(FOLDERS) or name.startswith(EXCEPT) or path.suffix not in SUFFIXES:
            continue
        for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), 1):
            if PRINTS.search(line.split("//")[0]):
                violations.append(f"{path}:{number}: prints")
    return violations


if __name__ == "__main__":
    sources.run(check)
