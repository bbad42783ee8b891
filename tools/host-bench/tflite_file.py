"""Writes the encoder as the TFLite file that microflow is compiled with: tflite_file.py NETWORK.npz ENCODER.tflite

Run by hand when the network changes; needs numpy and ai-edge-litert (for its writer of TFLite's format).
"""

import sys

import flatbuffers
import numpy
from ai_edge_litert import schema_py_generated as tflite

PIXEL = (1 / 255, -128)


class Graph:
    """Operators one after the other, and the tensors between them."""

    def __init__(self):
        self.tensors, self.buffers, self.operators, self.codes = [], [tflite.BufferT()], [], []

    def tensor(self, name, shape, kind, scales, zero_point=0, data=None):
        quantization = tflite.QuantizationParametersT()
        quantization.scale = numpy.atleast_1d(scales).astype(numpy.float32)
        quantization.zeroPoint = numpy.full(quantization.scale.shape, zero_point, numpy.int64)
        tensor = tflite.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.quantization = name, shape, kind, quantization
        if data is not None:
            tensor.buffer = len(self.buffers)
            buffer = tflite.BufferT()
            buffer.data = numpy.frombuffer(data.tobytes(), numpy.uint8)
            self.buffers.append(buffer)
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def operator(self, code, options_type, options, inputs, output):
        operator = tflite.OperatorT()
        operator.opcodeIndex = len(self.codes)
        operator.inputs, operator.outputs = inputs, [output]
        operator.builtinOptionsType, operator.builtinOptions = options_type, options
        self.operators.append(operator)
        self.codes.append(tflite.OperatorCodeT(deprecatedBuiltinCode=code, builtinCode=code, version=1))

    def bytes(self, first, last):
        graph = tflite.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, [first], [last]
        model = tflite.ModelT()
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], self.buffers, self.codes
        builder = flatbuffers.Builder(0)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def parameters(graph, name, weight, bias, x_scale, per_channel):
    """Weights in 8 bits, biases in 32. `weight` has output channels first."""
    axes = tuple(range(1, weight.ndim)) if per_channel else None
    scale = numpy.abs(weight).max(axis=axes) / 127
    q = numpy.round(weight / numpy.reshape(scale, (-1,) + (1,) * (weight.ndim - 1))).astype(numpy.int8)
    b = numpy.round(bias / (x_scale * scale)).astype(numpy.int32)
    return [
        graph.tensor(f"{name}.weight", q.shape, tflite.TensorType.INT8, scale, data=q),
        graph.tensor(f"{name}.bias", b.shape, tflite.TensorType.INT32, x_scale * scale, data=b),
    ]


def convolve(x, weight, bias):
    """4x4, stride 2, padding 1; `(N,H,W,C)` and `(O,4,4,C)`."""
    padded = numpy.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    patches = numpy.lib.stride_tricks.sliding_window_view(padded, (4, 4), axis=(1, 2))[:, ::2, ::2]
    return numpy.einsum("nhwcij,oijc->nhwo", patches, weight, optimize=True) + bias


def main(network, target):
    arrays = numpy.load(network)
    graph = Graph()
    x = arrays["images"].transpose(0, 2, 3, 1)
    scale, zero_point = PIXEL
    first = tensor = graph.tensor("x", [1, 28, 28, 1], tflite.TensorType.INT8, scale, zero_point)
    for name in ["encoder.0", "encoder.1"]:
        weight, bias = arrays[f"{name}.weight"].transpose(0, 2, 3, 1), arrays[f"{name}.bias"]
        inputs = [tensor, *parameters(graph, name, weight, bias, scale, per_channel=True)]
        x = numpy.maximum(convolve(x, weight, bias), 0)
        scale, zero_point = x.max() / 255, -128
        tensor = graph.tensor(name, [1, *x.shape[1:]], tflite.TensorType.INT8, scale, zero_point)
        options = tflite.Conv2DOptionsT()
        options.padding, options.strideH, options.strideW = tflite.Padding.SAME, 2, 2
        options.fusedActivationFunction = tflite.ActivationFunctionType.RELU
        kind = tflite.BuiltinOptions.Conv2DOptions
        graph.operator(tflite.BuiltinOperator.CONV_2D, kind, options, inputs, tensor)
    # The columns of the dense layer follow torch's order of axes.
    weight, bias = arrays["encoder.2.weight"].reshape(-1, 32, 7, 7).transpose(0, 2, 3, 1), arrays["encoder.2.bias"]
    weight = weight.reshape(len(weight), -1)
    inputs = [tensor, *parameters(graph, "encoder.2", weight, bias, scale, per_channel=False)]
    y = x.reshape(len(x), -1) @ weight.T + bias
    scale = (y.max() - y.min()) / 255
    last = graph.tensor("y", [1, y.shape[1]], tflite.TensorType.INT8, scale, round(-128 - y.min() / scale))
    kind, options = tflite.BuiltinOptions.FullyConnectedOptions, tflite.FullyConnectedOptionsT()
    graph.operator(tflite.BuiltinOperator.FULLY_CONNECTED, kind, options, inputs, last)
    with open(target, "wb") as file:
        file.write(graph.bytes(first, last))


if __name__ == "__main__":
    main(*sys.argv[1:])
