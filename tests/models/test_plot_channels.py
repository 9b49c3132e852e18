"""The channel plot: bars as high as the shares, and clear messages for what it cannot draw."""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

SCRIPT = sys.argv.pop()


class PlotChannels(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def plot(self, configuration, *options):
        source, output = self.folder / "allocated.toml", self.folder / "out.svg"
        source.write_text(configuration, encoding="utf-8")
        done = subprocess.run([sys.executable, SCRIPT, source, "-o", output, *options], capture_output=True, text=True)
        return done, output

    def test_bar_heights_are_shares(self):
        done, output = self.plot('[holes]\n"layer1.0.channels" = [6, 2]\n"layer1.1.channels" = [0, 4]\n')
        self.assertEqual(done.returncode, 0, done.stderr)
        svg = ElementTree.parse(output).getroot()
        bars = [rect for rect in svg.iter("{http://www.w3.org/2000/svg}rect") if rect.get("width") == "34"]
        self.assertEqual([float(bar.get("height")) for bar in bars], [165.0, 55.0, 0.0, 220.0])
        words = [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("layer1.0", words)
        self.assertIn("1/2 scale", words)

    def test_without_channels(self):
        done, output = self.plot("[holes]\n")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, re.escape("binds no `channels`"))
        self.assertFalse(output.exists())

    def test_too_few_scales_named(self):
        done, output = self.plot('[holes]\n"a.channels" = [1, 2, 3]\n', "--scales", "1,2")
        self.assertEqual(done.returncode, 1)
        self.assertFalse(output.exists())


if __name__ == "__main__":
    unittest.main()
