"""Drawings fit their sheets: every text lies within the view box, with one block and with fifty, short names and long."""

import math
import re
import unittest
from xml.etree import ElementTree

from commands import CommandTest

SVG = "{http://www.w3.org/2000/svg}"
FONT = 11
# Of a letter in a sans-serif font, on average, as a share of the font's size; bold ones are wider.
LETTER, BOLD = 0.6, 0.68


def specification(blocks, name, channels, scales=2):
    body = "\n".join(f'  x = x |> "{name}{i}": two({channels})' for i in range(blocks))
    return f"""block two(x, width: int) {{
  learned channels: [int] = even(width, {scales}) within macs(x |> conv(width, 3))
  concat(for (i, c) in enumerate(channels):
    x |> max_pool(i + 1) |> "c{{i}}": conv(c, 3) |> resize(nearest, like = x) |> "b{{i}}": batch_norm) |> relu
}}

network net() {{
  input image: [3, 32, 32]
  x = image
{body}
  x |> global_avg_pool |> fc: linear(10)
}}

model {name}m = net()
"""


def box(text):
    """Corners of a text element, by its anchor and rotation."""
    x, y = float(text.get("x")), float(text.get("y"))
    width = len(text.text) * FONT * (BOLD if text.get("font-weight") == "bold" else LETTER)
    left = {"middle": -width / 2, "end": -width}.get(text.get("text-anchor"), 0)
    turn = re.match(r"rotate\((\S+) (\S+) (\S+)\)", text.get("transform", ""))
    angle = math.radians(float(turn[1])) if turn else 0
    if turn:
        assert (float(turn[2]), float(turn[3])) == (x, y)
    for along in (left, left + width):
        for across in (-0.8 * FONT, 0.2 * FONT):
            yield (x + along * math.cos(angle) - across * math.sin(angle), y + along * math.sin(angle) + across * math.cos(angle))


class Drawings(CommandTest):
    def read(self, path):
        root = ElementTree.parse(path).getroot()
        left, top, width, height = map(float, root.get("viewBox").split())
        self.assertEqual((float(root.get("width")), float(root.get("height"))), (width, height))
        texts = list(root.iter(SVG + "text"))
        for text in texts:
            for x, y in box(text):
                self.assertTrue(left <= x <= left + width and top <= y <= top + height, f"`{text.text}` is cut off")
        for shape in root.iter(SVG + "rect"):
            x, y = float(shape.get("x")), float(shape.get("y"))
            self.assertTrue(left <= x and x + float(shape.get("width")) <= left + width)
            self.assertTrue(top <= y and y + float(shape.get("height")) <= top + height)
        return root, [text.text for text in texts]

    def draw(self, *arguments, **options):
        path = self.folder / "m.vn"
        path.write_text(specification(**options), encoding="utf-8")
        done = self.vernier("describe", path, "--svg", self.folder / "d.svg", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return self.read(self.folder / "d.svg")

    def test_numbers_of_blocks(self):
        for blocks in (1, 2, 5, 20, 50):
            root, words = self.draw(blocks=blocks, name="b", channels=16)
            self.assertIn("share of channels", words)
            self.assertIn("pixels", words)
            for i in range(blocks):
                self.assertEqual(words.count(f"b{i}"), 2)

    def test_long_names(self):
        name = "a_block_with_a_name_that_is_longer_than_most_others_are_"
        _, words = self.draw(blocks=1, name=name, channels=16)
        self.assertIn(name + "0", words)

    def test_many_scales(self):
        _, words = self.draw(blocks=1, name="b", channels=64, scales=8)
        self.assertIn("full scale", words)
        self.assertIn("1/8 scale", words)

    def test_numbers_fit_their_bars(self):
        root, words = self.draw(blocks=2, name="b", channels=10000)
        bars = [shape for shape in root.iter(SVG + "rect") if shape.get("fill") == "#1b4965"][1:]
        self.assertIn("5000", words)
        for bar in bars:
            self.assertGreaterEqual(float(bar.get("width")), len("5000") * FONT * LETTER)

    def test_comparison(self):
        (self.folder / "other.toml").write_text("[holes]\n" + "".join(f'"b{i}.channels" = [3, 9]\n' for i in range(3)))
        _, words = self.draw("--diff", self.folder / "other.toml", blocks=3, name="b", channels=16)
        self.assertIn("other: channels of each scale", words)

    def test_nothing_to_draw(self):
        path = self.folder / "plain.vn"
        path.write_text("network net() {\n  input image: [3, 8, 8]\n  image |> relu\n}\n\nmodel m = net()\n")
        self.assertEqual(self.vernier("describe", path, "--svg", self.folder / "d.svg").returncode, 0)
        _, words = self.read(self.folder / "d.svg")
        self.assertEqual(words, ["m: no blocks and no learned holes to draw"])

    def test_ticks_are_round(self):
        for blocks in (1, 3, 9, 27):
            root, words = self.draw(blocks=blocks, name="b", channels=16)
            top = max(i for i, word in enumerate(words) if word.endswith("pixels"))
            ticks = [float(word) for word in words[top + 1:] if re.fullmatch(r"[0-9.]+", word)]
            steps = ticks[1] - ticks[0]
            self.assertIn(f"{steps:e}"[0], "125")


if __name__ == "__main__":
    unittest.main()
