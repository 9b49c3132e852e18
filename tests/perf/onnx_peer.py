"""ONNX Runtime: the network as an ONNX graph, optimised by the runtime, on its CPU provider."""

import numpy as np
import onnx
import onnxruntime
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

    def parameter(self, name, shape, kind):
        return self.constant(name, self.weights[name])

    def compute_conv(self, x, weight, stride, padding):
        return self.node("Conv", x, weight, strides=[stride] * 2, pads=[padding] * 4)

    def compute_batch_norm(self, x, gamma, beta, mean, var):
        return self.node("BatchNormalization", x, gamma, beta, mean, var, epsilon=1e-5)

    def compute_relu(self, x):
        return self.node("Relu", x)

    def compute_max_pool(self, x, kernel, stride, padding):
        return self.node("MaxPool", x, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[padding] * 4)

    def compute_resize(self, x, height, width, factors):
        # A constant scale lets the runtime keep its blocked layout; one that is no whole number would be rounded.
        if factors:
            scales = self.constant(f"scales{len(self.nodes)}", np.array([1, 1, *factors], np.float32))
            return self.node("Resize", x, "", scales, mode="nearest", nearest_mode="floor",
                             coordinate_transformation_mode="asymmetric")
        sizes = self.constant(f"sizes{len(self.nodes)}", np.array([height, width], np.int64))
        return self.node("Resize", x, "", "", sizes, axes=[2, 3], mode="linear",
                         coordinate_transformation_mode="half_pixel")

    def compute_add(self, a, b):
        return self.node("Add", a, b)

    def compute_concat(self, maps):
        return self.node("Concat", *maps, axis=1)

    def compute_classify(self, x, weight, bias):
        flat = self.node("Flatten", self.node("GlobalAveragePool", x), axis=1)
        return self.node("Gemm", flat, weight, bias, transB=1)


class Inference:
    def __init__(self, case, weights, channels, threads):
        batch, side = case["batch"], case["side"]
        net = OnnxGraph(weights)
        logits = build(net, case["model"], Map(3, side, side, "image"), channels)
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, side, side])
        result = helper.make_tensor_value_info(logits, TensorProto.FLOAT, [batch, None])
        graph = helper.make_graph(net.nodes, case["model"], [image], [result], net.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options,
                                                    providers=["CPUExecutionProvider"])

    def prepare(self, image):
        self.image = image

    def run(self):
        return self.session.run(None, {"image": self.image})[0]
