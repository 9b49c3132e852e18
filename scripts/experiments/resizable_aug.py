#!/usr/bin/env python3
"""Resizable-Aug: all configurations for two thirds of the epochs, then the full one, against the full one throughout."""

from common import arguments, build, curves, percent, publish, recipe, table, train, unpacked

MODEL = "rs_resnet20_cifar"
TARGET = "1,1,1"


def main():
    options = arguments(__doc__, epochs=12, limit=20000, batch=64, seed=1, rate=0.1)
    data = unpacked(options)
    executable = build(options, MODEL, "super")
    summaries = {
        "plain": train(options, executable, "full", data, recipe(options, "plain", options.epochs), "--configuration",
                       TARGET),
        "Resizable-Aug": train(options, executable, "aug", data,
                               recipe(options, "aug", options.epochs, choices=f'target = "{TARGET}"'))}
    rows = [[name, summary["epochs"], f"{summary['seconds'] / 60:.1f}", percent(summary["accuracy"]),
             f"{summary['loss'][-1]:.3f}", f"{summary['validation_loss']:.3f}"] for name, summary in summaries.items()]
    publish(options, "resizable-aug",
            table(["training", "epochs", "minutes", "test accuracy", "training loss", "test loss"], rows) +
            "\n\nTest accuracy of the full network after each epoch:\n\n" + curves(options, "resizable-aug", summaries))


if __name__ == "__main__":
    main()
