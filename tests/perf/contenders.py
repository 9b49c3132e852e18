"""The programs that are compared: Vernier's executables, and the peers in processes of their own."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import time

from cases import MODELS

HERE = pathlib.Path(__file__).resolve().parent


class Vernier:
    """A case's executable."""

    def __init__(self, case, folder, weights, threads, name="Vernier"):
        self.name, self.case, self.weights, self.threads = name, case, str(weights), str(threads)
        self.folder = folder / case.name
        self.executable = self.folder / case.model

    def build(self, vernier):
        command = [vernier, "build", MODELS / self.case.file, "--model", self.case.model, "--batch",
                   str(self.case.batch), "--output", self.folder]
        if self.case.configuration:
            command += ["--config", self.case.configuration]
        if self.case.train:
            command += ["--for", "train"]
        if self.case.precision != "f32":
            command += ["--precision", self.case.precision]
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=sys.stderr)
        (self.folder / "seconds").write_text(f"{time.perf_counter() - begin:.1f}")

    def made(self):
        return (self.folder / "seconds").exists() and pathlib.Path(self.weights).exists()

    def build_seconds(self):
        return float((self.folder / "seconds").read_text())

    def call(self, *arguments):
        command = [self.executable, *arguments, "--weights", self.weights, "--threads", self.threads]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout

    def compute(self, image, output):
        self.call("run", "--input", image, "--output", output)

    def bench(self, *more):
        arguments = ["bench", "--json", "--runs", str(self.case.runs), *more]
        return json.loads(self.call(*arguments, *(["--train"] if self.case.train else [])))

    def measure(self):
        found = self.bench()
        return {
            "milliseconds": found["median_milliseconds"],
            "peak_bytes": found["peak_resident_bytes"],
            "operations": found["gflops"] * found["median_milliseconds"] * 1e6,
            "fma_peak": found["fma_peak_gflops"] * 1e9,
        }

    def layers(self):
        found = self.bench("--layers")
        return {"fma_peak": found["fma_peak_gflops"] * 1e9, "steps": found["layers"]}

    def close(self):
        pass


class Peer:
    """A running peer.py, which is asked for one measurement a round; between those it waits."""

    def __init__(self, case, name, folder, weights, threads):
        self.name, self.case = name, case
        module, options = case.peers[name]
        kind = "Training" if case.train else "Inference"
        specification = {"case": dataclasses.asdict(case), "peer": f"{module}.{kind}", "options": options,
                         "weights": str(weights), "threads": threads}
        file = folder / f"{case.name}.{file_name(name)}.json"
        file.write_text(json.dumps(specification))
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), PYTHONDONTWRITEBYTECODE="1",
                           TORCHINDUCTOR_CACHE_DIR=str(folder / "torch-compile"))
        with (folder / f"{case.name}.{file_name(name)}.log").open("w") as self.log:
            self.process = subprocess.Popen([sys.executable, HERE / "peer.py", file], stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment)

    def ask(self, **request):
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"{self.name} stopped on {self.case.name}; see {self.log.name}")
        return json.loads(answer)

    def compute(self, image, output):
        self.ask(input=str(image), output=str(output))

    def measure(self):
        return self.ask(runs=self.case.runs)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def file_name(name):
    return "".join(c if c.isalnum() else "-" for c in name)
