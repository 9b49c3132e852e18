"""make_images.py DIR: patterns of six classes in random sizes and colours, as DIR/train/CLASS/*.png and DIR/val/CLASS/*.png."""

import random
import sys
import zlib
from pathlib import Path

SIDE = 224
PATTERNS = {
    "columns": lambda x, y, p: x // p % 2,
    "rows": lambda x, y, p: y // p % 2,
    "diagonals": lambda x, y, p: (x + y) // p % 2,
    "checkers": lambda x, y, p: (x // p + y // p) % 2,
    "discs": lambda x, y, p: (x % (4 * p) - 2 * p) ** 2 + (y % (4 * p) - 2 * p) ** 2 < (p + p // 2) ** 2,
    "plain": lambda x, y, p: 0,
}


def write_png(path, rows):
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = SIDE.to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])  # 8 bits, red, green and blue
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def main():
    values = random.Random(1)
    for split, count in (("train", 12), ("val", 5)):
        for name, pattern in PATTERNS.items():
            folder = Path(sys.argv[1]) / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                period = values.randrange(8, 20)
                colours = [values.randbytes(3), values.randbytes(3)]
                rows = [b"".join(colours[int(pattern(x, y, period))] for x in range(SIDE)) for y in range(SIDE)]
                write_png(folder / f"{i}.png", rows)


if __name__ == "__main__":
    main()
