#!/usr/bin/env python3
"""One set of weights for all configurations of a Resizable network against networks trained for one each."""

from common import arguments, build, curves, evaluate, percent, publish, recipe, table, train, unpacked

MODEL = "rs_resnet20_cifar"
# The full network, one of half its multiply-adds, and one of a quarter.
BUDGETS = {"full": "1,1,1", "half": "0.75,0.75,0.5", "quarter": "0.5,0.5,0.5"}


def main():
    options = arguments(__doc__, epochs=12, limit=20000, batch=64, seed=1, rate=0.1)
    data = unpacked(options)
    executable = build(options, MODEL, "super")
    recipes = {sampling: recipe(options, f"{sampling}", options.epochs, choices=f'sampling = "{sampling}"')
               for sampling in ("fair", "random")}
    supers = {sampling: train(options, executable, sampling, data, recipes[sampling]) for sampling in recipes}
    singles = {name: train(options, executable, name, data, recipes["fair"], "--configuration", configuration)
               for name, configuration in BUDGETS.items()}
    rows = []
    for name, configuration in BUDGETS.items():
        accuracies = [evaluate(executable, data, summary["weights"], "--configuration", configuration)["top1"]
                      for summary in supers.values()]
        rows.append([name, f"`{configuration}`", f"{singles[name]['macs'] / 1e6:.2f} M", percent(singles[name]["accuracy"]),
                     *map(percent, accuracies)])
    minutes = {name: summary["seconds"] / 60 for name, summary in (supers | singles).items()}
    publish(options, "super-network",
            table(["budget", "factors", "MACs", "trained alone", "super-network, fair", "super-network, random"], rows) +
            "\n\nAccuracy of the full configuration, or of the one trained alone, after each epoch:\n\n" +
            curves(options, "super-network", supers | singles) + "\n\nMinutes of training: " +
            ", ".join(f"{name} {value:.1f}" for name, value in minutes.items()) + ".")


if __name__ == "__main__":
    main()
