#!/usr/bin/env python3
"""Draws the share of channels that each scale got in each block, one panel per configuration, as one SVG.

    plot_channels.py --scales 1,2,4 -o channels.svg allocated.toml [even.toml ...]
"""

import argparse
import sys
import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

COLOURS = ["#1b4965", "#3a86a8", "#8ecae6", "#ffb703", "#fb8500", "#d62828"]  # fine scales to coarse ones
BAR, GAP, HEIGHT = 34, 10, 220
LEFT, TOP, BOTTOM = 52, 64, 86


def allocation(path):
    """[(block, channels per scale)] of a configuration, in the file's order."""
    try:
        holes = tomllib.loads(path.read_text(encoding="utf-8")).get("holes", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        sys.exit(f"plot_channels: {path}: {error}")
    blocks = [(place.removesuffix(".channels"), channels) for place, channels in holes.items()
              if place.endswith(".channels")]
    if not blocks:
        sys.exit(f"plot_channels: {path} binds no `channels`")
    return blocks


def text(x, y, content, **attributes):
    written = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{written}>{escape(content)}</text>'


def panel(top, title, blocks):
    """One configuration's bars; `top` is the y of the panel's origin."""
    parts = [text(LEFT, top - 12, title, font_weight="bold")]
    for percent in (0, 25, 50, 75, 100):
        y = top + HEIGHT * (1 - percent / 100)
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + len(blocks) * (BAR + GAP)}" y1="{y:.1f}" y2="{y:.1f}" '
                     'stroke="#ddd"/>')
        parts.append(text(LEFT - 6, y + 4, f"{percent}%", text_anchor="end", fill="#555"))
    for number, (name, channels) in enumerate(blocks):
        x = LEFT + GAP / 2 + number * (BAR + GAP)
        y = top + HEIGHT
        for scale, count in enumerate(channels):
            height = HEIGHT * count / max(1, sum(channels))
            y -= height
            parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{BAR}" height="{height:.1f}" '
                         f'fill="{COLOURS[scale % len(COLOURS)]}"/>')
            if height >= 14:
                light = scale % len(COLOURS) in (0, 1, 5)
                parts.append(text(x + BAR / 2, y + height / 2 + 4, str(count), text_anchor="middle",
                                  fill="#fff" if light else "#000"))
        label_x, label_y = x + BAR / 2 + 4, top + HEIGHT + 12
        parts.append(text(label_x, label_y, name, text_anchor="end",
                          transform=f"rotate(-45 {label_x:.1f} {label_y:.1f})"))
    return parts


def legend(scales):
    parts = []
    for number, scale in enumerate(scales):
        x = LEFT + number * 96
        parts.append(f'<rect x="{x}" y="14" width="12" height="12" fill="{COLOURS[number % len(COLOURS)]}"/>')
        parts.append(text(x + 18, 24, "full scale" if scale == "1" else f"1/{scale} scale"))
    return parts


def draw(panels, scales):
    width = LEFT + max(len(blocks) for _, blocks in panels) * (BAR + GAP) + 20
    width = max(width, LEFT + 96 * len(scales))
    step = HEIGHT + TOP + BOTTOM - 30
    parts = legend(scales)
    for number, (title, blocks) in enumerate(panels):
        parts += panel(TOP + number * step, title, blocks)
    height = step * len(panels) + 30
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>', *parts, "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configurations", nargs="+", type=Path)
    parser.add_argument("--scales", help="downsampling factors, finest first, such as 1,2,4")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()

    panels = [(path.stem, allocation(path)) for path in options.configurations]
    most = max(len(channels) for _, blocks in panels for _, channels in blocks)
    scales = options.scales.split(",") if options.scales else [str(2 ** scale) for scale in range(most)]
    if len(scales) < most:
        sys.exit(f"plot_channels: {most} scales in a block, {len(scales)} named by --scales")
    options.output.write_text(draw(panels, scales), encoding="utf-8")


if __name__ == "__main__":
    main()
