#!/usr/bin/env python3
"""What running some images a second time could give: by an oracle, and for those of the smallest margin of the first run's
two best logits. With the super-network that super_network.py has trained."""

import array
import struct

from common import arguments, build, percent, recipe, run, table, train, unpacked

MODEL = "rs_resnet20_cifar"
FIRST, SECONDS = "0.5,0.5,0.5", ("0.75,1,0.5", "1,0.75,1")
MEAN, DEVIATION = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)  # as in common.recipe


def write_images(records, path):
    """CIFAR-100's records as N x 3 x 32 x 32 floats; returns the labels."""
    tables = [[(byte / 255 - mean) / deviation for byte in range(256)] for mean, deviation in zip(MEAN, DEVIATION)]
    values, labels = array.array("f"), []
    for begin in range(0, len(records), 3074):
        labels.append(records[begin + 1])
        for channel, of_byte in enumerate(tables):
            pixels = begin + 2 + 1024 * channel
            values.extend(map(of_byte.__getitem__, records[pixels:pixels + 1024]))
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(labels)}, 3, 32, 32), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values.tobytes())
    return labels


def read_rows(path, count):
    data = path.read_bytes()
    values = array.array("f", data[10 + struct.unpack("<H", data[8:10])[0]:])
    width = len(values) // count
    return [values[row * width:(row + 1) * width] for row in range(count)]


def margin(row):
    best, second = sorted(row)[:-3:-1]
    return best - second


def main():
    options = arguments(__doc__, epochs=12, limit=20000, batch=64, seed=1, rate=0.1)
    data = unpacked(options)
    executable = build(options, MODEL, "super")
    weights = train(options, executable, "fair", data,
                    recipe(options, "fair", options.epochs, choices='sampling = "fair"'))["weights"]
    images, result = options.out / "test.npy", options.out / "logits.npy"
    labels = write_images((data / "test.bin").read_bytes(), images)

    def right(rows):
        return [max(range(len(row)), key=row.__getitem__) == label for row, label in zip(rows, labels)]

    def logits(configuration):
        run(executable, "run", "--input", images, "--output", result, "--weights", weights, "--configuration", configuration)
        return read_rows(result, len(labels))

    first = logits(FIRST)
    first_right = right(first)
    order = sorted(range(len(labels)), key=[margin(row) for row in first].__getitem__)
    rows = []
    for second in SECONDS:
        rest = logits(second)
        rest_right = right(rest)
        both = right([[a + b for a, b in zip(x, y)] for x, y in zip(first, rest)])
        oracle = sum(a or b for a, b in zip(first_right, rest_right)) / len(labels)
        cells = [f"`{second}`", percent(sum(rest_right) / len(labels)), percent(sum(both) / len(labels)), percent(oracle)]
        for share in (0.2, 0.4, 0.6):
            again = set(order[:int(share * len(labels))])
            cells.append(percent(sum(rest_right[i] if i in again else first_right[i] for i in range(len(labels))) / len(labels)))
        rows.append(cells)
    print(f"first `{FIRST}`: {percent(sum(first_right) / len(labels))}\n")
    print(table(["second", "for all images", "both runs' logits added", "oracle", "20% run again", "40%", "60%"], rows))


if __name__ == "__main__":
    main()
