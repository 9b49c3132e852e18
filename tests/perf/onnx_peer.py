"""ONNX Runtime: the ONNX graph with all the runtime's optimisations, on its CPU provider."""

import onnxruntime

from onnx_graph import onnx_model


class Inference:
    def __init__(self, case, weights, channels, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(onnx_model(case, weights, channels), options,
                                                    providers=["CPUExecutionProvider"])

    def prepare(self, image):
        self.image = image

    def run(self):
        return self.session.run(None, {"image": self.image})[0]
