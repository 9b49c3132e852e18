#!/usr/bin/env python3
"""What other exporters write: small models in their words are imported and exported again, and ONNX Runtime computes the same
from both, to a relative L2 distance of 1e-5; and what the language lacks is refused with the node's name.

  compare_foreign.py --vernier VERNIER
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from compare_onnxruntime import LIMIT, distance, random, run, sessions
from onnx import helper, numpy_helper, parser

CONSTANTS = {
    "k": (8, 4, 3, 3), "b8": (8,), "k1": (5, 8, 1, 1), "matrix": (4, 6), "turned": (6, 4), "b6": (6,), "flat": (7, 144),
    "gamma": (4,), "beta": (4,), "each": (4, 1, 1), "each4": (1, 4, 1, 1), "up": (4, 3, 2, 2), "mean": (4,), "variance": (4,),
}

# Name, opset, nodes. Models take x, 1 x 4 x 6 x 6, and give y.
ACCEPTED = [
    ("attributes of old opsets", 9, """
        a = Clip <min = 0.0, max = 6.0> (x)
        b = Pad <mode = "constant", pads = [0, 0, 1, 0, 0, 0, 2, 1]> (a)
        c = Slice <axes = [2, 3], starts = [0, 1], ends = [8, -1]> (b)
        y = ReduceMean <axes = [2, 3], keepdims = 0> (c)"""),
    ("automatic padding", 17, """
        a = Conv <auto_pad = "SAME_UPPER", strides = [2, 2]> (x, k, b8)
        b = MaxPool <auto_pad = "SAME_LOWER", kernel_shape = [2, 2], strides = [1, 1]> (a)
        y = Conv <auto_pad = "VALID"> (b, k1)"""),
    ("a constant of a node and its sizes", 17, """
        sides = Shape (x)
        two = Constant <value_ints = [2]> ()
        zero = Constant <value_int = 0> ()
        channels = Gather (sides, two)
        minus = Constant <value_ints = [-1]> ()
        sizes = Concat <axis = 0> (channels, minus)
        batch = Gather (sides, zero)
        a = GlobalAveragePool (x)
        first = Constant <value_ints = [0]> ()
        one = Unsqueeze (batch, first)
        shape = Concat <axis = 0> (one, minus)
        b = Reshape (a, shape)
        y = Gemm <transB = 1> (b, turned, b6)"""),
    ("a scaled product", 17, """
        a = GlobalMaxPool (x)
        b = Flatten (a)
        y = Gemm <alpha = 0.5, beta = 2.0> (b, matrix, b6)"""),
    ("a map that is flattened", 17, """
        a = Relu (x)
        b = Flatten (a)
        y = Gemm <transB = 1> (b, flat)"""),
    ("channels that come last", 17, """
        a = Transpose <perm = [0, 2, 3, 1]> (x)
        b = LayerNormalization <axis = -1, epsilon = 1e-6> (a, gamma, beta)
        c = MatMul (b, matrix)
        d = Add (b6, c)
        y = Transpose <perm = [0, 3, 1, 2]> (d)"""),
    ("GELU in parts", 17, """
        root = Constant <value_float = 1.41421354> ()
        one = Constant <value_float = 1.0> ()
        half = Constant <value_float = 0.5> ()
        a = Div (x, root)
        b = Erf (a)
        c = Add (b, one)
        d = Mul (x, c)
        y = Mul (d, half)"""),
    ("GELU in other parts", 17, """
        root = Constant <value_float = 0.70710677> ()
        one = Constant <value_float = 1.0> ()
        half = Constant <value_float = 0.5> ()
        a = Mul (x, root)
        b = Erf (a)
        c = Add (one, b)
        d = Mul (x, half)
        y = Mul (d, c)"""),
    ("layer normalisation in parts", 13, """
        last = Constant <value_ints = [-1]> ()
        epsilon = Constant <value_float = 1e-6> ()
        two = Constant <value_float = 2.0> ()
        t = Transpose <perm = [0, 2, 3, 1]> (x)
        m = ReduceMean <axes = [-1]> (t)
        d = Sub (t, m)
        q = Pow (d, two)
        v = ReduceMean <axes = [-1]> (q)
        e = Add (v, epsilon)
        s = Sqrt (e)
        n = Div (d, s)
        w = Mul (n, gamma)
        r = Add (w, beta)
        y = Transpose <perm = [0, 3, 1, 2]> (r)"""),
    ("layer normalisation in parts, without a weight", 13, """
        epsilon = Constant <value_float = 1e-5> ()
        m = ReduceMean <axes = [1]> (x)
        d = Sub (x, m)
        q = Mul (d, d)
        v = ReduceMean <axes = [1]> (q)
        e = Add (v, epsilon)
        s = Sqrt (e)
        y = Div (d, s)"""),
    ("numbers for channels", 17, """
        a = Sub (x, each)
        b = Div (a, each4)
        c = Relu (b)
        d = Mul (each, c)
        y = Sub (each4, d)"""),
    ("gates", 17, """
        a = Sigmoid (x)
        b = Mul (a, x)
        c = HardSigmoid <alpha = 0.16666667, beta = 0.5> (b)
        d = Mul (b, c)
        axes = Constant <value_ints = [1]> ()
        e = ReduceMean <axes = [1]> (d)
        f = ReduceMax <axes = [1]> (d)
        g = Concat <axis = 1> (e, f)
        y = Sigmoid (g)"""),
    ("channels in another order", 17, """
        apart = Constant <value_ints = [1, 2, 2, 6, 6]> ()
        whole = Constant <value_ints = [1, 4, 6, 6]> ()
        a = Reshape (x, apart)
        b = Transpose <perm = [0, 2, 1, 3, 4]> (a)
        c = Reshape (b, whole)
        d, e = Split <axis = 1> (c)
        y = Concat <axis = 1> (e, d, x)"""),
    ("resizes from centre to centre", 17, """
        twice = Constant <value_floats = [1.0, 1.0, 2.0, 3.0]> ()
        sizes = Constant <value_ints = [1, 4, 9, 11]> ()
        a = Resize <mode = "nearest", coordinate_transformation_mode = "half_pixel"> (x, , twice)
        b = Resize <mode = "linear", coordinate_transformation_mode = "pytorch_half_pixel"> (a, , , sizes)
        y = Resize <mode = "linear", coordinate_transformation_mode = "align_corners"> (b, , twice)"""),
    ("a cubic, and nearest centres", 18, """
        s = Constant <value_floats = [1.0, 1.0, 1.5, 2.0]> ()
        sizes = Constant <value_ints = [1, 4, 7, 9]> ()
        a = Resize <mode = "cubic"> (x, , s)
        y = Resize <mode = "nearest", nearest_mode = "round_prefer_ceil"> (a, , , sizes)"""),
    ("pools with ceil", 17, """
        a = MaxPool <kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1> (x)
        y = AveragePool <kernel_shape = [3, 3], strides = [1, 1], pads = [2, 2, 2, 2], count_include_pad = 1> (a)"""),
    ("a transposed convolution and a sum of three", 17, """
        a = ConvTranspose <strides = [2, 2], output_padding = [1, 1], pads = [0, 0, 1, 1]> (x, up)
        b = Neg (a)
        c = Tanh (a)
        y = Sum (a, b, c)"""),
    ("batch norm and dropout", 17, """
        a = BatchNormalization <epsilon = 1e-3> (x, gamma, beta, mean, variance)
        b = Dropout (a)
        y = LeakyRelu <alpha = 0.2> (b)"""),
    ("one layer called twice", 17, """
        twice = Constant <value_floats = [1.0, 1.0, 2.0, 2.0]> ()
        a = Conv <pads = [1, 1, 1, 1]> (x, k, b8)
        small = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)
        b = Conv <pads = [1, 1, 1, 1]> (small, k, b8)
        c = Resize <mode = "nearest", coordinate_transformation_mode = "asymmetric", nearest_mode = "floor"> (b, , twice)
        y = Add (a, c)"""),
]

# Name, nodes, what the refusals say.
REFUSED = [
    ("several nodes", "a = Softplus (x)\n b = Mul (a, x)\n c = Elu (x)\n y = Add (b, c)",
     ["(Softplus): the language has no such operation", "(Elu): the language has no such operation"]),
    ("a product of maps", "t = Transpose <perm = [0, 1, 3, 2]> (x)\n y = MatMul (x, t)", ["(MatMul)", "depends on the image"]),
    ("rows that become channels", "y = Transpose <perm = [0, 2, 1, 3]> (x)", ["laid out otherwise than N x C x H x W"]),
    ("erf alone", "y = Erf (x)", ["(Erf)", "GELU only"]),
    ("dilated pools", "y = MaxPool <kernel_shape = [2, 2], dilations = [2, 2]> (x)", ["it is dilated"]),
    ("a constant map", "c = Constant <value_floats = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> ()\n y = Add (x, c)",
     ["neither a number nor one number for each channel"]),
    ("an axis that is none", "y = Flatten <axis = 9> (x)", ["axis 9 of 4"]),
    ("a weight of other channels", "y = Conv (x, k1)", ["does not fit its operand of 4 channels"]),
    ("cubic", "s = Constant <value_floats = [1.0, 1.0, 2.0, 2.0]> ()\n y = Resize <mode = \"cubic\", cubic_coeff_a = -0.5> (x, , s)",
     ["by a cubic of -0.5"]),
    ("one layer called in two ways", """a = Conv <pads = [1, 1, 1, 1]> (x, k, b8)
        b = Conv <pads = [2, 2, 2, 2], dilations = [2, 2]> (x, k, b8)
        y = Add (a, b)""", ["its weights are those of another layer that has another stride, padding or dilation"]),
    ("rows alone by a factor", """r = Constant <value_ints = [0, 0, 1, 1, 2, 3, 4]> ()
        y = Gather <axis = 2> (x, r)""", ["(Gather): the rows or columns that it takes are not those of a resize"]),
    ("training", "y, m, v = BatchNormalization <training_mode = 1> (x, gamma, beta, mean, variance)", ["in training mode"]),
]


def model(nodes, opset):
    text = "\n".join(line.strip() for line in nodes.strip().splitlines())
    graph = parser.parse_graph(f"g (float[1, 4, 6, 6] x) => (float y) {{ {text} }}")
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None))
    used = {name for node in graph.node for name in node.input}
    for node in graph.node:
        node.name = f"node_{node.output[0]}"
    for name, shape in CONSTANTS.items():
        if name in used:
            graph.initializer.append(numpy_helper.from_array(random(name, shape, 0.2, 1), name))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def compare(vernier, nodes, opset, folder):
    path, imported, again = folder / "m.onnx", folder / "m.vn", folder / "again.onnx"
    onnx.save(model(nodes, opset), path)
    run(vernier, "import-onnx", path, "-o", imported)
    run(vernier, "export-onnx", imported, "--weights", imported.with_suffix(".safetensors"), "-o", again)
    x = random("image", (1, 4, 6, 6), -1.7, 1.7)
    expected = next(sessions(path)).run(None, {"x": x})[0]
    found = next(sessions(again)).run(None, {"image": x})[0]
    return distance(found, expected.reshape(found.shape).astype(np.float64))


def check_refusal(vernier, nodes, texts, folder):
    path = folder / "m.onnx"
    onnx.save(model(nodes, 17), path)
    done = subprocess.run([vernier, "import-onnx", path, "-o", folder / "m.vn"], capture_output=True, text=True)
    missing = [text for text in texts if text not in done.stderr]
    if done.returncode != 1 or missing or (folder / "m.vn").exists():
        raise RuntimeError(f"exit status {done.returncode}, without {missing}:\n{done.stderr}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--vernier", required=True, type=Path)
    vernier = arguments.parse_args().vernier.resolve()
    failures = 0
    for name, *rest in ACCEPTED + REFUSED:
        with tempfile.TemporaryDirectory() as folder:
            try:
                if isinstance(rest[0], int):
                    error = compare(vernier, rest[1], rest[0], Path(folder))
                    failures += not error <= LIMIT
                    print(f"{name}: {error:.1e}", flush=True)
                else:
                    check_refusal(vernier, *rest, Path(folder))
            except Exception as failure:  # the others are still worth comparing
                print(f"{name}: {failure}", flush=True)
                failures += 1
    print(f"{len(ACCEPTED)} compared, {len(REFUSED)} refused; {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
