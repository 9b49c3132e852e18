"""How long programs take, beside PyTorch."""

import json
import os
import random
import statistics
import sys
from pathlib import Path

import compare

HERE = Path(__file__).resolve().parent
RUNS = 20
# Of torch.compile, which takes a minute or more for each: the most telling first.
COMPILED = (("bf16", 256), ("bf16", 1), ("tf32", 256), ("tf32", 1), ("bf16", 32), ("tf32", 32))
COMPILED_SECONDS = 150
PEER_PRECISIONS = ("bf16", "tf32")  # of f32 there is the time of our own alone


def weights_of(run, case):
    """Options for weights made from their names; none where there is no record, speed being the same."""
    if "record" not in case:
        return []
    folder, problem = compare.golden_files(run, case["record"])
    return [] if problem else ["--weights", folder / f"{case['model']}.safetensors"]


def bench(run, case, options):
    command = [run.path(case["program"]), "bench", "--json", "--layers", "--runs", RUNS, *options]
    problem, text = run.execute(command, 60)
    if problem:
        run.measured(case["name"], problem)
        return
    found = json.loads(text)
    call = found["median_milliseconds"]
    program = found.get("program_median_milliseconds", call)
    run.measured(case["name"], "", f"{program:.3f} ms on the device, {call:.3f} ms with the copies of a call",
                 contender="vernier", model=case["model"], batch=case["batch"], precision=case["precision"],
                 milliseconds=program, minimum_milliseconds=found.get("program_minimum_milliseconds", found["minimum_milliseconds"]),
                 call_milliseconds=call, steps=len(found["layers"]), layers=found["layers"],
                 arena_bytes=found["arena_bytes"], device=found.get("device", ""))


def inference(run):
    for case in run.cases():
        bench(run, case, weights_of(run, case))


def training(run):
    """Forward and backward, without the optimizer's step."""
    for case in run.cases():
        bench(run, case, ["--train"])


# --- PyTorch


def peer_case(run, case, part, mode, precision, batch):
    """Of one measurement what its process needs to know."""
    return {"model": case["model"], "part": part, "mode": mode, "precision": precision, "batch": batch,
            "side": 224 if part == "inference" else 32,
            **{key: str(run.path(case[key])) for key in ("configuration", "record") if key in case}}


def peer(run, cases, limit):
    """Measures in one process, and where that breaks down, what is left in another; what was measured before stays."""
    while cases:
        specification = {"device": "cuda" if run.manifest["target"] == "cuda" else "cpu", "cache": str(run.scratch / "inductor"),
                         "cases": cases}
        path = run.scratch / "peer.json"
        path.write_text(json.dumps(specification), encoding="utf-8")
        problem, text = run.execute([sys.executable, HERE / "peers.py", path], limit, ours=False, output=run.scratch / "peer.txt")
        answers = list(answers_of(text))
        if problem and not answers:  # it does not even start
            run.measured("PyTorch", problem)
            return
        done = 0
        for found in answers[1:]:
            case = cases[done]
            if "distance" in found:
                compare.verdict(run, f"{case['model']}: PyTorch's twin", found["distance"], 1e-3)
                continue
            done += 1
            detail = ", ".join(f"{found[key]:.3f} ms{what}" for key, what in (
                ("milliseconds", ""), ("step_milliseconds", " with the optimizer's step")) if key in found)
            run.measured(label(case), found.pop("problem", ""), detail, contender=case["mode"], kind=case["part"],
                         **{key: case[key] for key in ("model", "precision", "batch")}, **found)
        if not problem:
            return
        for case in cases[done:done + 1]:
            run.measured(label(case), problem)
        cases = cases[done + 1:]
        if problem.startswith("not ended"):
            limit = 0  # the time of all of them


def answers_of(text):
    """What peers.py printed: the first says that it has started."""
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:  # cut off where its time ended, or a library's
            continue
        if isinstance(found, dict):
            yield found


def label(case):
    return f"{case['part']} {case['model']} {case['precision']} batch {case['batch']} {case['mode']}"


def networks(run, part):
    """The first case of each network, and its batches, the most telling first."""
    cases = {}
    for case in run.cases(part):
        cases.setdefault(case["model"], (case, []))[1].append(case["batch"])
    return [(case, list(dict.fromkeys(batches))) for case, batches in cases.values()]


def eager(run):
    """Channels last; as it is, and recorded in a CUDA graph."""
    modes = ("eager", "graph") if run.manifest["target"] == "cuda" else ("eager",)
    peer(run, [peer_case(run, case, part, mode, precision, batch)
               for precision in PEER_PRECISIONS for part in ("inference", "training")
               for case, batches in networks(run, part) for batch in batches for mode in modes], 600)


def compiled(run):
    """torch.compile with max-autotune, which uses CUDA graphs. A process for each, since one may not end."""
    for index, (precision, batch) in enumerate(COMPILED):
        for case, batches in networks(run, "inference"):
            if batch in batches:
                peer(run, [peer_case(run, case, "inference", "compiled", precision, batch)], COMPILED_SECONDS)
        if index == 1:
            for case, batches in networks(run, "training"):
                peer(run, [peer_case(run, case, "training", "compiled", precision, batch) for batch in batches], COMPILED_SECONDS)


# --- a training


def draw_images(folder, train=8192, test=1024, classes=10):
    """In CIFAR-100's format, of the first classes: each a square of a colour at a place, in noise."""
    numbers = random.Random(1)
    looks = [[numbers.randrange(40, 216) for _ in range(3)] + [numbers.randrange(24), numbers.randrange(24)] for _ in range(classes)]
    folder.mkdir(exist_ok=True)
    for name, count in (("train.bin", train), ("test.bin", test)):
        with open(folder / name, "wb") as file:
            for index in range(count):
                kind = index % classes
                *colours, top, left = looks[kind]
                pixels = bytearray(numbers.randbytes(3072))
                for plane, colour in enumerate(colours):
                    for y in range(top, top + 8):
                        begin = plane * 1024 + y * 32 + left
                        pixels[begin:begin + 8] = bytes([colour]) * 8
                file.write(bytes([0, kind]) + pixels)


def longer(run):
    """Some epochs of a training as a person starts it."""
    for case in run.cases():
        data = os.environ.get("VERNIER_CIFAR100")
        drawn = not data
        if drawn:
            data = run.scratch / "drawn"
            draw_images(data)
        out = run.scratch / "longer"
        problem, _ = run.execute([run.path(case["program"]), "train", "--data", data, "--recipe", run.path(case["recipe"]), "--epochs",
                                  case["epochs"], "--out", out], 180)
        summary = out / "summary.json"
        if problem or not summary.exists():
            run.measured(case["name"], problem or "it left no summary.json")
            continue
        log = [line for line in (out / "log.csv").read_text(encoding="utf-8").splitlines() if line]
        run.row(case["name"], "measured", f"{'drawn images' if drawn else 'CIFAR-100'}; {log[0]}: {log[-1]}",
                summary=json.loads(summary.read_text(encoding="utf-8")), log=log)


# --- the table


def table(rows):
    """Lines: each network, precision and batch, milliseconds of each contender, and the best of PyTorch's over ours."""
    found = {}
    for row in rows:
        if row.get("contender") and row["status"] == "measured":
            key = (row.get("kind", row["part"]), row["model"], row["precision"], row["batch"])
            found.setdefault(key, {})[row["contender"]] = row["milliseconds"]
    if not found:
        return []
    contenders = ("vernier", "eager", "graph", "compiled")
    lines = [f"{'milliseconds':<48}" + "".join(f"{name:>11}" for name in contenders) + f"{'ratio':>8}"]
    ratios = []
    for (part, model, precision, batch), times in found.items():
        cells = "".join(f"{times[name]:>11.3f}" if name in times else f"{'-':>11}" for name in contenders)
        peers = [times[name] for name in contenders[1:] if name in times]
        ratio = ""
        if peers and "vernier" in times:
            ratios.append(min(peers) / times["vernier"])
            ratio = f"{ratios[-1]:.2f}"
        lines.append(f"{f'{part} {model} {precision} batch {batch}':<48}{cells}{ratio:>8}")
    if ratios:
        lines.append(f"{'PyTorch fastest over vernier, geometric mean':<48}{'':44}{statistics.geometric_mean(ratios):>8.2f}")
    return lines
