"""What the experiments share: data, builds, trainings, and their results as Markdown in docs/experiments.md."""

import argparse
import json
import lzma
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "experiments.md"


def arguments(description, **defaults):
    """`defaults` are the options that make an experiment shorter or longer."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--vernier", type=pathlib.Path, default=ROOT / "build/bin/vernier")
    parser.add_argument("--data", type=pathlib.Path, required=True,
                        help="folder with train.bin and test.bin of CIFAR-100, or their parts train-*.bin.xz")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for builds and trainings")
    parser.add_argument("--write", action="store_true", help="put the results into docs/experiments.md")
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    options = parser.parse_args()
    options.out = options.out.resolve()
    options.vernier = options.vernier.resolve()
    return options


def unpacked(options):
    """The folder of the data, unpacked below --out where it has to be."""
    if (options.data / "train.bin").exists():
        return options.data
    folder = options.out / "data"
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "test"):
        parts = sorted(options.data.glob(f"{split}*.bin.xz"))
        if not parts:
            raise SystemExit(f"error: no {split}.bin and no {split}*.bin.xz\n  --> {options.data}")
        (folder / f"{split}.bin").write_bytes(b"".join(lzma.decompress(part.read_bytes()) for part in parts))
    return folder


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def build(options, model, name, *more):
    """The path of the executable for training `model` of resizable_cifar.vn."""
    folder = options.out / name
    if not (folder / model).exists():
        say(f"building {name}")
        run(options.vernier, "build", ROOT / "models/networks/resizable_cifar.vn", "--model", model, "--for", "train",
            "--batch", options.batch, "-o", folder, *more)
    return folder / model


def recipe(options, name, epochs, **tables):
    """A recipe's path; `tables` are lines of TOML of further tables, by their names."""
    text = (f"epochs = {epochs}\nseed = {options.seed}\nvalidate_every = 1\nlog_every = 1000000\n"
            f"[optimizer]\nlearning_rate = {options.rate}\nnesterov = true\nweight_decay = 5e-4\n"
            "decay_norms_and_biases = false\n[schedule]\nkind = \"cosine\"\nwarmup_epochs = 0.5\n"
            f"[data]\nlimit = {options.limit}\nmean = [0.5071, 0.4865, 0.4409]\nstd = [0.2673, 0.2564, 0.2762]\n"
            "[augmentation]\ncrop_padding = 4\nflip = true\n")
    for table, lines in tables.items():
        text += f"[{table}]\n{lines}\n"
    path = options.out / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def train(options, executable, name, data, recipe_path, *more):
    """The summary of a training, which is made only once."""
    out = options.out / f"{name}-trained"
    if not (out / "summary.json").exists():
        say(f"training {name}")
        run(executable, "train", "--data", data, "--recipe", recipe_path, "--out", out, "--resume", *more)
    return json.loads((out / "summary.json").read_text()) | {"weights": out / "weights.safetensors"}


def evaluate(executable, data, weights, *more):
    return json.loads(run(executable, "eval", "--data", data, "--weights", weights, "--json", *more))


def percent(value):
    return f"{100 * value:.2f}%"


def table(titles, rows):
    lines = ["| " + " | ".join(titles) + " |", "| " + " | ".join("---" for _ in titles) + " |"]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def figure(options, name, x, y, lines):
    """Markdown of a figure beside the page; `lines`: points by name. Drawn in an environment of its own, made once."""
    environment = options.out / "environment"
    python = environment / "bin/python"
    if not (environment / "complete").exists():
        say("installing matplotlib")
        run(sys.executable, "-m", "venv", "--clear", environment)
        run(python, "-m", "pip", "install", "--quiet", "matplotlib==3.10.*")
        (environment / "complete").touch()
    numbers = options.out / f"{name}.json"
    numbers.write_text(json.dumps({"x": x, "y": y, "lines": lines}), encoding="utf-8")
    folder = PAGE.with_suffix("") if options.write else options.out
    folder.mkdir(exist_ok=True)
    run(python, pathlib.Path(__file__).with_name("plot.py"), numbers, folder / f"{name}.svg")
    return f"![{y} over {x}](experiments/{name}.svg)"


def curves(options, name, summaries):
    """Accuracy after each epoch of several trainings."""
    return figure(options, name, "epoch", "test accuracy in percent",
                  {name: [[epoch + 1, 100 * entry["top1"]] for epoch, entry in enumerate(summary["validation"])]
                   for name, summary in summaries.items()})


def publish(options, section, text):
    """Prints the results; with --write also replaces the section's in docs/experiments.md."""
    print(text)
    if not options.write:
        return
    begin, end = f"<!-- {section} -->\n", f"<!-- end of {section} -->"
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(re.escape(begin) + ".*?" + re.escape(end), page, re.DOTALL)
    if not found:
        raise SystemExit(f"error: {PAGE} has no section {section}")
    PAGE.write_text(page[:found.start()] + begin + text + "\n" + end + page[found.end():], encoding="utf-8")
