"""Means over very large maps, as a built program gives them: right to float32's precision whatever the size."""

import array
import unittest

from commands import CommandTest, npy_header, read_npy, write_safetensors

HEIGHT, WIDTH = 6000, 5003
SPECIFICATION = """network means() {
  input image: [1, 8, 8]
  output global = image |> global_avg_pool
  output window = image |> avg_pool([image.height, image.width])
}
model means = means()
"""


def write_constant(path, value, shape):
    with open(path, "wb") as file:
        file.write(npy_header(shape))
        row = array.array("f", [value]) * shape[-1]
        for _ in range(shape[0] * shape[1] * shape[2]):
            row.tofile(file)


class Sums(CommandTest):
    def test_means_of_a_very_large_map(self):
        (self.folder / "means.vn").write_text(SPECIFICATION)
        write_constant(self.folder / "x.npy", 0.1, [1, 1, HEIGHT, WIDTH])
        write_safetensors(self.folder / "none.safetensors", {})
        for cpu in ("native", "sse"):
            done = self.vernier("build", self.folder / "means.vn", "--model", "means", "--input", f"{HEIGHT}x{WIDTH}",
                                "--cpu", cpu, "-o", self.folder / cpu)
            self.assertEqual(done.returncode, 0, done.stderr)
            for threads in ("1", "2"):
                done = self.execute(self.folder / cpu / "means", "run", "--input", self.folder / "x.npy", "--output",
                                    self.folder / "y.npy", "--weights", self.folder / "none.safetensors", "--threads", threads)
                self.assertEqual(done.returncode, 0, done.stderr)
                outputs = list(self.folder.glob("y*.npy"))
                self.assertEqual(len(outputs), 2)
                for path in outputs:
                    mean, = read_npy(path)[1]
                    self.assertLessEqual(abs(mean / 0.1 - 1), 1e-6, f"{path.name} on {cpu} is {mean}")


if __name__ == "__main__":
    unittest.main()
