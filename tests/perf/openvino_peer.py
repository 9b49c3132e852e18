"""OpenVINO: the same ONNX graph, read and compiled by OpenVINO for its CPU device, tuned for latency."""

import openvino

from onnx_graph import onnx_model


class Inference:
    def __init__(self, case, weights, channels, threads):
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": case["precision"],  # f32 or bf16
        }
        core = openvino.Core()
        model = core.read_model(onnx_model(case, weights, channels))
        self.request = core.compile_model(model, "CPU", settings).create_infer_request()

    def prepare(self, image):
        self.image = image  # the tensor does not keep its memory alive
        self.request.set_input_tensor(openvino.Tensor(image, shared_memory=True))

    def run(self):
        self.request.infer()
        return self.request.get_output_tensor().data
