"""The networks as ONNX graphs, for the peers that read those."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from networks import Map, Network, build


class OnnxGraph(Network):
    def __init__(self, weights):
        self.weights = weights
        self.nodes, self.initializers = [], []

    def node(self, operation, *operands, **attributes):
        result = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, list(operands), [result], **attributes))
        return result

    def constant(self, name, array):
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def parameter(self, name, shape, kind, stored=None):
        return self.constant(name, self.weights[name].reshape(shape))

    def compute_conv(self, x, weight, stride, padding, groups):
        return self.node("Conv", x, weight, strides=[stride] * 2, pads=[padding] * 4, group=groups)

    def compute_batch_norm(self, x, gamma, beta, mean, var):
        return self.node("BatchNormalization", x, gamma, beta, mean, var, epsilon=1e-5)

    def compute_relu(self, x):
        return self.node("Relu", x)

    def compute_max_pool(self, x, kernel, stride, padding):
        return self.node("MaxPool", x, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4)

    def compute_average_pool(self, x, kernel, stride, padding):
        return self.node("AveragePool", x, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4,
                         count_include_pad=1)

    def compute_resize(self, x, height, width, factors, mode):
        coordinates = "coordinate_transformation_mode"
        modes = {"nearest": {"mode": "nearest", "nearest_mode": "floor", coordinates: "asymmetric"},
                 "bilinear": {"mode": "linear", coordinates: "half_pixel"}}
        # A constant scale lets the runtime keep its blocked layout; one that is no whole number would be rounded.
        if factors:
            scales = self.constant(f"scales{len(self.nodes)}", np.array([1, 1, *factors], np.float32))
            return self.node("Resize", x, "", scales, **modes[mode])
        sizes = self.constant(f"sizes{len(self.nodes)}", np.array([height, width], np.int64))
        return self.node("Resize", x, "", "", sizes, axes=[2, 3], **modes[mode])

    def compute_split(self, x, parts, channels):
        results = [f"v{len(self.nodes)}_{part}" for part in range(parts)]
        self.nodes.append(helper.make_node("Split", [x], results, axis=1, num_outputs=parts))
        return results

    def compute_add(self, a, b):
        return self.node("Add", a, b)

    def compute_concat(self, maps):
        return self.node("Concat", *maps, axis=1)

    def compute_classify(self, x, weight, bias):
        flat = self.node("Flatten", self.node("GlobalAveragePool", x), axis=1)
        return self.node("Gemm", flat, weight, bias, transB=1)


def onnx_model(case, weights, channels):
    """The case's network, serialised."""
    net = OnnxGraph(weights)
    logits = build(net, case["model"], Map(3, case["side"], case["side"], "image"), channels)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [case["batch"], 3, case["side"], case["side"]])
    result = helper.make_tensor_value_info(logits, TensorProto.FLOAT, [case["batch"], None])
    used = {name for node in net.nodes for name in node.input}
    initializers = [tensor for tensor in net.initializers if tensor.name in used]
    graph = helper.make_graph(net.nodes, case["model"], [image], [result], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()
