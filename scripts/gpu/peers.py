"""PyTorch's twin of a network, on a GPU: peers.py SPECIFICATION.json prints a line of JSON for each measurement.

The network is the one of tests/perf/networks.py, an FX graph of nothing but its operations; its weights are made from their
names. For a network with a golden record its logits are compared first, so that what is measured is the network.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

# Before PyTorch is loaded, which reads them then.
SPECIFICATION = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", SPECIFICATION["cache"])

import torch
import torch.nn.functional as F

from networks import Map, build, read_channels
from torch_peer import make_module
from weights import Parameters, tensor

SECONDS = 0.4  # of timed runs of each case
MOST_RUNS, FEWEST_RUNS, WARM_UP = 200, 5, 5
TYPES = {"f32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}


def answer(**found):
    print(json.dumps(found), flush=True)


class Clock:
    """Milliseconds that the device was busy with a call, by its events; of a CPU, those of the call."""

    def __init__(self, device):
        self.device = device

    def wait(self):
        if self.device == "cuda":
            torch.cuda.synchronize()

    def time(self, call):
        if self.device == "cuda":
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            call()
            end.record()
            torch.cuda.synchronize()
            return begin.elapsed_time(end)
        began = time.perf_counter()
        call()
        return (time.perf_counter() - began) * 1e3


def measure(clock, call, before=lambda: None):
    times = []
    for run in range(MOST_RUNS + WARM_UP):
        before()
        clock.wait()
        milliseconds = clock.time(call)
        if run >= WARM_UP:
            times.append(milliseconds)
        if len(times) >= FEWEST_RUNS and sum(times) > SECONDS * 1e3:
            break
    return {"milliseconds": statistics.median(times), "minimum_milliseconds": min(times), "runs": len(times)}


def allow_tf32(allowed):
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


class Twin:
    """A network, and its weights."""

    def __init__(self, case, device):
        self.case, self.device = case, device
        self.channels = read_channels(case["configuration"]) if "configuration" in case else None
        made = Parameters()
        build(made, case["model"], Map(3, case["side"], case["side"], None), self.channels)
        self.weights = made.tensors
        self.clock = Clock(device)

    def module(self, training, kind=torch.float32):
        module = make_module(self.case, self.weights, self.channels, training)
        return module.to(self.device, kind).to(memory_format=torch.channels_last)

    def image(self, batch, kind=torch.float32):
        side = self.case["side"]
        image = torch.from_numpy(tensor("input", (batch, 3, side, side), "input"))
        return image.to(self.device, kind).to(memory_format=torch.channels_last)

    def check(self):
        """The distance of its logits from the record's."""
        record = json.loads(Path(self.case["record"]).read_text(encoding="utf-8"))["forward"][0]
        allow_tf32(False)
        with torch.no_grad():
            found = self.module(False)(self.image(record["input"][0])).double().cpu().flatten()
        wanted = torch.tensor(record["logits"], dtype=torch.float64).flatten()
        return float((found - wanted).norm() / wanted.norm())

    def recorded(self, call):
        """`call` as a CUDA graph."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                call()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            call()
        return graph.replay

    def inference(self, mode, precision, batch):
        module, image = self.module(False, TYPES[precision]), self.image(batch, TYPES[precision])
        if mode == "compiled":
            torch._inductor.config.freezing = True  # batch norms go into the weights
            module = torch.compile(module, fullgraph=True, mode="max-autotune")
        with torch.no_grad():
            call = self.recorded(lambda: module(image)) if mode == "graph" else lambda: module(image)
            return measure(self.clock, call)

    def training(self, mode, precision, batch):
        """Forward and backward; the whole step, with the optimizer's, is measured beside it."""
        module, image = self.module(True), self.image(batch)
        labels = torch.zeros(batch, dtype=torch.int64, device=self.device)
        optimizer = torch.optim.SGD(module.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True, foreach=True)
        narrow = precision == "bf16"

        def loss(image, labels):
            with torch.autocast(self.device, torch.bfloat16, enabled=narrow, cache_enabled=False):
                return F.cross_entropy(module(image).float(), labels)

        computed = torch.compile(loss, fullgraph=True, mode="max-autotune") if mode == "compiled" else loss

        def forget():
            optimizer.zero_grad(set_to_none=True)

        def step():
            computed(image, labels).backward()

        def whole():
            step()
            optimizer.step()

        if mode == "graph":
            def fresh(call):
                def run():
                    forget()
                    call()
                return self.recorded(run)
            found, both = measure(self.clock, fresh(step)), measure(self.clock, fresh(whole))
        else:
            found, both = measure(self.clock, step, forget), measure(self.clock, whole, forget)
        return {**found, "step_milliseconds": both["milliseconds"]}


def main():
    device = SPECIFICATION["device"]
    torch.backends.cudnn.benchmark = True
    answer(torch=torch.__version__)
    twins = {}
    for case in SPECIFICATION["cases"]:
        began = time.perf_counter()
        try:
            if case["model"] not in twins:
                twins[case["model"]] = Twin(case, device)
                if "record" in case:
                    answer(distance=twins[case["model"]].check())
            twin = twins[case["model"]]
            allow_tf32(case["precision"] != "f32")
            found = getattr(twin, case["part"])(case["mode"], case["precision"], case["batch"])
            answer(**found, images_per_second=case["batch"] / found["milliseconds"] * 1e3, seconds=time.perf_counter() - began)
        except Exception as error:  # noqa: BLE001 - the next case may do
            answer(problem=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
        if device == "cuda":
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
