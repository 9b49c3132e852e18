"""The libraries that `vernier build` leaves, as programs in C and C++ use them: several models in one process, what they
export, the headers beside them, and what their functions refuse."""

import math
import os
import re
import shutil
import subprocess
import unittest

from commands import CommandTest, write_npy, read_npy, write_safetensors

MODELS = """
network first() {
  input image: [3, 8, 8]
  image |> stem: conv(8, 3, bias = true) |> relu |> global_avg_pool |> fc: linear(4)
}
network second() {
  input image: [3, 8, 8]
  image |> stem: conv(8, 3, bias = true) |> relu |> max_pool(2) |> global_avg_pool |> fc: linear(4)
}
network none() {
  input image: [2, 3, 4]
  output y = image |> relu
}
model first = first()
model second = second()
model First = second()
model none = none()
"""
SHAPES = {"stem.weight": [8, 3, 3, 3], "stem.bias": [8], "fc.weight": [4, 8], "fc.bias": [4]}

# Writes all weights as 0 but for `second` of the last parameter's values.
ZEROS = """
static vn_status zeros(const vn_model *model, vn_session *session, float second) {
  static float values[216];
  int64_t i, k;
  for (i = 0; i < model->num_parameters; ++i) {
    const vn_parameter *parameter = model->parameters + i;
    vn_status status;
    int64_t count = 1;
    for (k = 0; k < parameter->rank; ++k)
      count *= parameter->shape[k];
    values[1] = i + 1 == model->num_parameters ? second : 0;
    status = VN_WRITE(session, i, values, count);
    if (status != VN_OK)
      return status;
  }
  return VN_OK;
}
"""

# Runs each of the models that `MODEL(NAME)` lists, with all weights 0 but for the last bias.
PROGRAM = "#define VN_WRITE vn_session_write_parameter\n" + ZEROS + """
static int run(const vn_model *model) {
  static float image[192];
  float logits[4];
  void *io[2];
  vn_session *session;
  vn_session_options options = {2, 0, 0, {0}};
  io[0] = image;
  io[1] = logits;
  if (vn_session_create(model, &options, &session) != VN_OK)
    return puts(vn_last_error()), 1;
  if (zeros(model, session, 5) != VN_OK || vn_session_run(session, VN_PROGRAM_INFER, io, 2) != VN_OK)
    return puts(vn_last_error()), 1;
  printf("%s %g %g\\n", model->name, logits[0], logits[1]);
  vn_session_destroy(session);
  return 0;
}
"""

# dlopen: MODE LIBRARY MODEL ..., each with functions of its own.
LOADER = """
#define _GNU_SOURCE
#include "vernier/vernier.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static vn_status (*write_parameter)(vn_session *, int64_t, const float *, int64_t);
#define VN_WRITE write_parameter
""" + ZEROS + """
int main(int argc, char **argv) {
  const int mode = RTLD_NOW | (strcmp(argv[1], "global") ? RTLD_LOCAL : RTLD_GLOBAL);
  vn_session *sessions[8];
  vn_status (*runs[8])(vn_session *, vn_program_id, void *const *, int64_t);
  vn_status (*destroys[8])(vn_session *);
  void *libraries[8];
  int n = 0, turn;
  for (int i = 2; i + 1 < argc; i += 2, ++n) {
    void *library = libraries[n] = dlopen(argv[i], mode);
    if (!library)
      return puts(dlerror()), 1;
    char symbol[64];
    snprintf(symbol, sizeof symbol, "%s_model", argv[i + 1]);
    const vn_model *(*model)(void) = (const vn_model *(*)(void))dlsym(library, symbol);
    vn_status (*create)(const vn_model *, const vn_session_options *, vn_session **) =
        (vn_status (*)(const vn_model *, const vn_session_options *, vn_session **))dlsym(library, "vn_session_create");
    write_parameter = (vn_status (*)(vn_session *, int64_t, const float *, int64_t))dlsym(library, "vn_session_write_parameter");
    runs[n] = (vn_status (*)(vn_session *, vn_program_id, void *const *, int64_t))dlsym(library, "vn_session_run");
    destroys[n] = (vn_status (*)(vn_session *))dlsym(library, "vn_session_destroy");
    if (strcmp(model()->name, argv[i + 1]) || create(model(), NULL, &sessions[n]) || zeros(model(), sessions[n], 0))
      return puts(argv[i + 1]), 1;
  }
  for (turn = 0; turn < 50; ++turn)
    for (int i = 0; i < n; ++i) {
      float image[192] = {0}, logits[4];
      void *io[] = {image, logits};
      if (runs[i](sessions[i], VN_PROGRAM_INFER, io, 2))
        return puts("run"), 1;
    }
  for (int i = 0; i < n; ++i) {
    destroys[i](sessions[i]);
    dlclose(libraries[i]);
  }
  printf("%d models\\n", n);
  return 0;
}
"""

# MODEL LABEL: a training step, every label being LABEL.
TRAINER = """
#include "first.h"
#include <stdio.h>
#include <stdlib.h>

#define VN_WRITE vn_session_write_parameter
""" + ZEROS + """
int main(int argc, char **argv) {
  const vn_program *step = &first_model()->train_step;
  vn_session *session;
  vn_session_options options = {1, 1, 0, {0}};
  void *io[8];
  int64_t i, k;
  if (argc != 2 || vn_session_create(first_model(), &options, &session) || zeros(first_model(), session, 0))
    return puts(vn_last_error()), 1;
  for (i = 0; i < step->num_io; ++i) {
    int64_t count = 1;
    for (k = 0; k < step->io[i].rank; ++k)
      count *= step->io[i].shape[k];
    io[i] = calloc((size_t)count, 4);
    if (step->io[i].type == VN_INT32)
      for (k = 0; k < count; ++k)
        ((int32_t *)io[i])[k] = atoi(argv[1]);
  }
  printf("%d ", vn_session_run(session, VN_PROGRAM_TRAIN_STEP, io, step->num_io));
  puts(vn_last_error());
  vn_session_destroy(session);
  return 0;
}
"""


class Libraries(CommandTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or "clang-22"
        cls.cxx = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or "clang++-22"

    def setUp(self):
        super().setUp()
        (self.folder / "m.vn").write_text(MODELS, encoding="utf-8")

    def build(self, model, *options, output=None):
        output = self.folder / (output or model)
        done = self.vernier("build", self.folder / "m.vn", "--model", model, "-o", output, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return output

    def compile(self, source, *arguments, compiler=None, name="program", suffix="c"):
        path = self.folder / f"{name}.{suffix}"
        path.write_text(source, encoding="utf-8")
        done = subprocess.run([compiler or self.compiler, "-Wall", "-Wextra", "-Werror", path, "-o", self.folder / name,
                               *map(str, arguments)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.folder / name

    def run_program(self, *command, **options):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    # The link line that the header gives.
    def libraries(self, header):
        line = next(line for line in header.read_text(encoding="utf-8").splitlines() if "libvernier_runtime.a" in line)
        words = line.split("libvernier_runtime.a", 1)[1].split(";")[0].split()
        self.assertIn("-lstdc++", words)
        return words

    def test_models_named_as_files_of_the_runtime(self):
        for name in ("vernier", "vernier_runtime"):
            (self.folder / "m.vn").write_text(MODELS + f"model {name} = first()\n", encoding="utf-8")
            done = self.vernier("build", self.folder / "m.vn", "--model", name, "-o", self.folder / "refused")
            self.expect_refusal(done, f"`{name}` is the name of a file of the runtime")
            self.assertFalse((self.folder / "refused").exists())

    def test_headers_lie_beside_and_are_plain_c(self):
        out = self.build("first")
        source = '#include "first.h"\nint main(void) { return first_model() == 0; }\n'
        for standard in ("c89", "c99", "c11"):
            self.compile(source, "-I", out, f"-std={standard}", "-pedantic", "-c")
        for standard in ("c++98", "c++11", "c++20"):
            self.compile(source, "-I", out, f"-std={standard}", "-pedantic", "-c", compiler=self.cxx, suffix="cpp")

    def test_three_static_libraries_in_one_program(self):
        # Two targets, whose kernels share names, and two names that differ in a capital letter.
        folders = [self.build("first"), self.build("second", "--cpu", "sse"), self.build("First", output="third")]
        source = "".join(f'#include "{name}.h"\n' for name in ("first", "second", "First")) + "#include <stdio.h>\n" + PROGRAM + \
            "int main(void) {\n  return run(first_model()) || run(second_model()) || run(First_model()) || !vernier_model();\n}\n"
        includes = [word for folder in folders for word in ("-I", folder)]
        archives = [folder / f"lib{name}.a" for folder, name in zip(folders, ("first", "second", "First"))]
        program = self.compile(source, "-std=c89", *includes, *archives, folders[0] / "libvernier_runtime.a",
                               *self.libraries(folders[0] / "first.h"))
        self.assertEqual(self.run_program(program), "first 0 5\nsecond 0 5\nFirst 0 5\n")

    def test_three_shared_libraries_linked_into_one_program(self):
        folders = [self.build("first"), self.build("second"), self.build("First", output="third")]
        source = "".join(f'#include "{name}.h"\n' for name in ("first", "second", "First")) + "#include <stdio.h>\n" + PROGRAM + \
            "int main(void) {\n  return run(first_model()) || run(second_model()) || run(First_model());\n}\n"
        arguments = []
        for folder, name in zip(folders, ("first", "second", "First")):
            arguments += ["-I", folder, "-L", folder, f"-l{name}", f"-Wl,-rpath,{folder}"]
        program = self.compile(source, *arguments)
        self.assertEqual(self.run_program(program), "first 0 5\nsecond 0 5\nFirst 0 5\n")

    def test_three_shared_libraries_loaded(self):
        folders = {"first": self.build("first"), "second": self.build("second"), "First": self.build("First", output="third")}
        program = self.compile(LOADER, "-I", folders["first"], "-Wno-pedantic", "-ldl")
        words = [word for name, folder in folders.items() for word in (folder / f"lib{name}.so", name)]
        for mode in ("local", "global"):
            self.assertEqual(self.run_program(program, mode, *words), "3 models\n")

    def test_shared_library_exports_its_interface_alone(self):
        out = self.build("first")
        nm = shutil.which("nm") or shutil.which("llvm-nm-22")
        text = self.run_program(nm, "-D", "--defined-only", out / "libfirst.so")
        names = {line.split()[-1] for line in text.splitlines()}
        declared = set(re.findall(r"\b(vn_(?:adaptive_)?session_\w+|vn_last_error)\(", (out / "vernier/vernier.h").read_text()))
        self.assertGreater(len(declared), 10)
        self.assertEqual(names, declared | {"first_model", "vernier_model"})

    def test_shared_library_depends_on_no_image_codec(self):
        out = self.build("first")
        readelf = shutil.which("readelf") or shutil.which("llvm-readelf-22")
        for library in ("jpeg", "png", "webp", "libz"):
            self.assertNotIn(library, self.run_program(readelf, "-d", out / "libfirst.so"))
        symbols = self.run_program(shutil.which("nm") or shutil.which("llvm-nm-22"), "-C", out / "libfirst.so")
        self.assertIn("vernier::runtime::Session", symbols)
        for name in ("Trainer", "Loader", "Jpeg", "CLI::", "readRecipe"):
            self.assertNotIn(name, symbols)

    def test_archive_holds_no_path_of_where_it_was_built(self):
        out = self.build("first")
        self.assertNotIn(str(self.folder).encode(), (out / "libfirst.a").read_bytes())

    def test_labels_out_of_range_are_a_status(self):
        out = self.build("first", "--for", "train", "--batch", "4")
        program = self.compile(TRAINER, "-I", out, "-L", out, "-lfirst", f"-Wl,-rpath,{out}")
        for label in (0, 3):
            self.assertTrue(self.run_program(program, label).startswith("0 "))
        for label in (-1, 4, 100000000, -2147483648):
            self.assertTrue(self.run_program(program, label).startswith(
                f"10 error: element 0 of `labels` is {label}, model `first` has 4 classes"))

    def test_threads_that_cannot_start_are_a_message(self):
        out = self.build("first", "--for", "train", "--batch", "4")
        write_npy(self.folder / "x.npy", [1, 3, 8, 8], [0.5] * 192)
        write_safetensors(self.folder / "w.safetensors", {name: [0.0] * math.prod(shape) for name, shape in SHAPES.items()}, shapes=SHAPES)
        command = [out / "first", "run", "--input", "x.npy", "--weights", "w.safetensors", "--output", "y.npy", "--threads"]
        limited = lambda threads: subprocess.run(  # noqa: E731
            ["bash", "-c", 'ulimit -v 500000; exec "$@"', "bash", *map(str, command), str(threads)], cwd=self.folder,
            capture_output=True, text=True)
        done = limited(1000)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("error: cannot start 1000 threads", done.stderr)
        self.assertIn("help: use fewer threads", done.stderr)
        self.assertFalse((self.folder / "y.npy").exists())
        self.assertEqual(limited(2).returncode, 0)
        self.assertEqual(read_npy(self.folder / "y.npy"), ([1, 4], (0.0,) * 4))

    def test_threads_follow_the_affinity_mask(self):
        out = self.build("first")
        threads = lambda *prefix: self.run_program(  # noqa: E731
            *prefix, out / "first", "bench", "--runs", "1", env={key: value for key, value in os.environ.items()
                                                                if key not in ("OMP_NUM_THREADS", "VERNIER_THREADS")})
        allowed = sorted(os.sched_getaffinity(0))
        self.assertIn(" 1 thread,", threads("taskset", "-c", allowed[0]))
        self.assertIn(" 3 threads", threads("taskset", "-c", allowed[0], "env", "VERNIER_THREADS=3"))
        for value in ("0", "-1", "4097", "9" * 300, "two"):
            done = subprocess.run([out / "first", "bench", "--threads", value], capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn("is no number of threads: it is from 1 to 4096", done.stderr)
            self.assertLess(len(done.stderr), 200)

    def test_a_network_without_parameters_needs_no_weights(self):
        out = self.build("none")
        values = [float(i - 12) for i in range(24)]
        write_npy(self.folder / "x.npy", [1, 2, 3, 4], values)
        self.run_program(out / "none", "run", "--input", self.folder / "x.npy", "--output", self.folder / "y.npy")
        self.assertEqual(read_npy(self.folder / "y.npy"), ([1, 2, 3, 4], tuple(max(value, 0.0) for value in values)))
        self.assertIn("inference of none", self.run_program(out / "none", "bench", "--runs", "1"))


if __name__ == "__main__":
    unittest.main()
