"""Measures Vernier beside its peers on this machine; see compare.sh, which calls it.

Contenders take turns: in each round every contender of a case runs once, so that whatever else the machine does falls
on all of them. A ratio is taken within a round; the tables show the median, smallest and largest of them.
"""

import argparse
import datetime
import json
import os
import pathlib
import sys

import numpy as np

from cases import CASES, reference_of
from contenders import Peer, Vernier, file_name
from networks import read_channels
from report import report
from weights import tensor, write_weights


def say(text):
    print(text, file=sys.stderr, flush=True)


def make_vernier(case, options, folder, name="Vernier"):
    """The case's executable and its weights; made once, not at all with --reuse if they are there."""
    ours = Vernier(case, folder, folder / f"{case.model}.safetensors", options.threads, name)
    if case not in options.made and not (options.reuse and ours.made()):
        channels = read_channels(case.configuration) if case.configuration else None
        write_weights(ours.weights, case.model, case.side, channels)
        ours.build(options.vernier)
    options.made.add(case)
    return ours


def disagreement(case, contender, ours, image):
    """Relative L2 distance of a peer's outputs from Vernier's: the proof that both compute the same network."""
    output = image.with_name(f"{case.name}.{file_name(contender.name)}.npy")
    contender.compute(image, output)
    found, reference = (np.load(path).astype(np.float64).ravel() for path in (output, ours))
    distance = float(np.linalg.norm(found - reference) / np.linalg.norm(reference))
    say(f"{case.name}, {contender.name}: relative L2 {distance:.1e}")
    if not distance <= case.tolerance:
        raise SystemExit(f"{contender.name} computes something else on {case.name}: relative L2 {distance:.1e}")
    return distance


def start_peers(case, ours, options, folder):
    """The peers that run, how far their outputs lie from Vernier's, and which others stopped."""
    peers, distances, failures = [], {}, []
    image, output = folder / f"{case.name}.input.npy", folder / f"{case.name}.Vernier.npy"
    np.save(image, tensor("input", (case.batch, 3, case.side, case.side), "input"))
    if not case.train:
        ours.compute(image, output)
    for name in case.peers:
        if options.peer and name not in options.peer:
            continue
        peer = Peer(case, name, folder, ours.weights, options.threads)
        try:
            if case.train:
                peer.ask(runs=1)  # compiles
            else:
                distances[name] = disagreement(case, peer, output, image)
            peers.append(peer)
        except RuntimeError as error:
            say(str(error))
            failures.append(str(error).partition(";")[0])
    return peers, distances, failures


def close(contenders):
    for contender in contenders:
        contender.close()


def measure_case(case, options, folder):
    before = os.getloadavg()[0]
    ours = make_vernier(case, options, folder)
    reference = reference_of(case) and make_vernier(reference_of(case), options, folder, "Vernier's ResNet-50")
    peers, distances, failures = start_peers(case, ours, options, folder)
    if options.check:
        close(peers)
        return None
    contenders = [ours, *peers] + ([reference] if reference else [])
    measured = {contender.name: [] for contender in contenders}
    for turn in range(options.rounds):
        first = turn % len(contenders)  # nobody always follows the same one
        for contender in contenders[first:] + contenders[:first]:
            measured[contender.name].append(contender.measure())
            say(f"{case.name}, round {turn + 1}, {contender.name}: "
                f"{measured[contender.name][-1]['milliseconds']:.1f} ms")
    close(contenders)
    return {
        "when": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M}",
        "threads": options.threads,
        "rounds": options.rounds,
        "loads": [before, os.getloadavg()[0]],
        "reference": measured.pop(reference.name) if reference else None,
        "measured": measured,
        "distances": distances,
        "failures": failures,
        "layers": ours.layers(),
        "build_seconds": ours.build_seconds(),
    }


def write_between_markers(path, text):
    """Replaces what `path` has between its two markers."""
    begin, end = "<!-- measured: begin -->\n", "<!-- measured: end -->"
    before, rest = path.read_text().split(begin)
    path.write_text(before + begin + text + "\n" + rest[rest.index(end):])


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="build folder")
    parser.add_argument("--vernier", type=pathlib.Path, help="the compiler (default: bin/vernier of the build folder)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--case", action="append", choices=list(CASES), metavar="CASE",
                        help="only this one (repeatable): " + ", ".join(CASES))
    peers = sorted({name for case in CASES.values() for name in case.peers})
    parser.add_argument("--peer", action="append", choices=peers, metavar="PEER",
                        help="only this peer (repeatable): " + "; ".join(peers))
    parser.add_argument("--reuse", action="store_true", help="do not build executables again that are there")
    parser.add_argument("--check", action="store_true", help="compare the outputs of inference, measure nothing")
    parser.add_argument("--stored", action="store_true",
                        help="measure nothing: report on the cases that were measured before, also by several runs")
    parser.add_argument("--write", type=pathlib.Path, help="a Markdown file whose measured part becomes the report")
    options = parser.parse_args()
    options.vernier = options.vernier or options.build / "bin/vernier"
    options.made = set()
    if not options.vernier.exists():
        parser.error(f"there is no {options.vernier}: build the project first, or give --vernier")
    if options.write and "<!-- measured: begin -->" not in options.write.read_text():
        parser.error(f"{options.write} has no marker <!-- measured: begin -->")
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads are at least 1")
    return options


def chosen_cases(options):
    cases = [CASES[name] for name in options.case] if options.case else list(CASES.values())
    if options.check:
        cases = [case for case in cases if not case.train]
    return cases


def main():
    options = parse_options()
    folder = options.build.resolve() / "perf"
    folder.mkdir(parents=True, exist_ok=True)
    stored = folder / "measurements.json"
    earlier = json.loads(stored.read_text()) if stored.exists() else {}
    results = {}
    for case in chosen_cases(options):
        if options.stored:
            results |= {case.name: earlier[case.name]} if case.name in earlier else {}
        elif result := measure_case(case, options, folder):
            results[case.name] = result
            stored.write_text(json.dumps(earlier | results, indent=1))
    if not results:
        return
    text = "\n".join(report(results))
    print(text)
    if options.write:
        write_between_markers(options.write, text)


if __name__ == "__main__":
    main()
