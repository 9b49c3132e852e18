"""What the programs compute, beside what was computed without a GPU."""

import math
import shutil

import arrays

MOST_SUSPECTS = 3


def primitives(run):
    """The device library's primitives, bit by bit."""
    for case in run.cases():
        problem, text = run.execute([run.path(case["program"]), "--compare", run.path(case["expected"])], 60)
        lines = text.strip().splitlines()
        if problem == "no time left":
            run.row(case["name"], "skipped", problem)
            continue
        detail = "; ".join(filter(None, [problem, *lines[-1:], *lines[:-1][:5]]))
        run.row(case["name"], "failed" if problem else "passed", detail)


def verdict(run, name, found, limit, **numbers):
    """One row for arrays that lie `found` apart; NaN is never within a limit."""
    good = found <= limit
    run.row(name, "passed" if good else "failed", f"relative L2 distance {found:.3g}, allowed {limit:.3g}",
            distance=found if math.isfinite(found) else str(found), limit=limit, **numbers)
    return good


def outputs_of(run, case, program, weights, image, expected):
    """Runs a program on an array and compares each of its outputs: name of the file -> path of what it should hold."""
    for path in run.scratch.glob("output*.npy"):
        path.unlink()
    command = [program, "run", "--input", image, "--output", run.scratch / "output.npy", "--weights", weights]
    problem, _ = run.execute(command, 30)
    if problem:
        run.row(case["name"], "skipped" if problem == "no time left" else "failed", problem)
        if problem != "no time left":
            run.suspects.append((case["name"], command))
        return
    worst = 0.0
    for name, path in expected.items():
        (shape, found), (wanted_shape, wanted) = arrays.read_npy(run.scratch / name), arrays.read_npy(path)
        far = arrays.distance(found, wanted) if shape == wanted_shape else math.inf
        worst = far if math.isnan(far) or far > worst else worst
        if math.isnan(worst):
            break
    if not verdict(run, case["name"], worst, case["limit"]):
        run.suspects.append((case["name"], command))


def sanitizer(run):
    """Where a comparison has failed: what compute-sanitizer says of the program."""
    tool = shutil.which("compute-sanitizer")
    for name, command in run.suspects[:MOST_SUSPECTS] if tool else []:
        problem, text = run.execute([tool, "--tool", "memcheck", "--print-limit", 3, *command], 30)
        if problem == "no time left":
            run.row(name, "skipped", problem)
            continue
        said = [line.strip("= ") for line in text.splitlines() if line.startswith("=========")]
        run.row(name, "measured", "; ".join(filter(None, [problem.split(":")[0], *said[1:6]])))


def kernels(run):
    """Small networks, every output of which is compared with the CPU's."""
    for case in run.cases():
        outputs_of(run, case, run.path(case["program"]), run.path(case["weights"]), run.path(case["input"]),
                   {name: run.path(place) for name, place in case["outputs"].items()})


def updates(run):
    """Some updates by stochastic gradient descent: what they changed, beside what the CPU's changed."""
    for case in run.cases():
        data = run.path(case["data"])
        out = run.scratch / f"trained-{data.name}"
        problem, _ = run.execute([run.path(case["program"]), "train", "--data", data, "--recipe", data / "recipe.toml", "--out", out,
                                  "--weights", data / "weights.safetensors", "-q"], 60)
        if problem:
            run.row(case["name"], "skipped" if problem == "no time left" else "failed", problem)
            continue
        before, wanted, found = (arrays.read_safetensors(path) for path in (
            data / "weights.safetensors", data / "expected.safetensors", out / "weights.safetensors"))
        if found.keys() != wanted.keys():
            run.row(case["name"], "failed", "the weights have other names")
            continue
        changed = [[value - old for name in wanted for value, old in zip(tensors[name], before[name])]
                   for tensors in (found, wanted)]
        verdict(run, case["name"], arrays.distance(*changed), case["limit"])


def golden_files(run, record):
    """The folder with a record's weights, inputs and logits, which are made from their names once."""
    folder = run.scratch / record.replace("/", "-").removesuffix(".json")
    if folder.exists():
        return folder, ""
    partial = folder.with_name(folder.name + ".tmp")
    problem, _ = run.execute([run.path("programs/golden-weights"), run.path(record), partial], 60)
    if not problem:
        partial.rename(folder)
    return folder, problem


def goldens(run):
    """Published networks, their logits beside those of their public implementations in double precision."""
    for case in run.cases():
        folder, problem = golden_files(run, case["record"])
        if problem:
            run.row(case["name"], "skipped" if problem == "no time left" else "failed", problem)
            continue
        outputs_of(run, case, run.path(case["program"]), folder / f"{case['model']}.safetensors", folder / "0.input.npy",
                   {"output.npy": folder / "0.logits.npy"})
