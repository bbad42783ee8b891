"""Writes the network as ONNX files, real-valued and in integers: onnx_files.py NETWORK.npz FOLDER

FOLDER/{encoder,decoder}-f32.onnx   floats in, floats out
FOLDER/{encoder,decoder}-i8.onnx    onnxruntime's static quantisation, bytes in, bytes out
FOLDER/onnx.json                    what the bytes stand for: value = scale * (byte - zero_point)
"""

import json
import logging
import sys
import tempfile
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

WINDOW = {"kernel_shape": [4, 4], "strides": [2, 2], "pads": [1, 1, 1, 1]}
# Operator, its parameters, its attributes.
LAYERS = {
    "encoder": [
        ("Conv", "encoder.0", WINDOW),
        ("Relu", None, {}),
        ("Conv", "encoder.1", WINDOW),
        ("Relu", None, {}),
        ("Flatten", None, {}),
        ("Gemm", "encoder.2", {"transB": 1}),
    ],
    "decoder": [
        ("Gemm", "decoder.0", {"transB": 1}),
        ("Relu", None, {}),
        ("Reshape", "map", {}),
        ("ConvTranspose", "decoder.1", WINDOW),
        ("Relu", None, {}),
        ("ConvTranspose", "decoder.2", WINDOW),
    ],
}
SHAPES = {"encoder": ([1, 1, 28, 28], [1, 32]), "decoder": ([1, 32], [1, 1, 28, 28])}
MAP = [1, 32, 7, 7]
# Of the forms that quantise every layer the one that onnxruntime runs fastest: with a scale for each output channel or signed
# activations its decoder takes a quarter longer. It computes transposed convolutions in floats all the same, so a decoder
# in which they are left as they are takes the time of the real one.
INTEGERS = {
    "quant_format": quantization.QuantFormat.QDQ,
    "activation_type": quantization.QuantType.QUInt8,
    "weight_type": quantization.QuantType.QInt8,
}


def real(half, arrays):
    """The half as a graph of floats."""
    nodes, constants, x = [], [], "x"
    for index, (operator, name, attributes) in enumerate(LAYERS[half]):
        parameters = []
        if name == "map":
            parameters = ["map"]
            constants.append(numpy_helper.from_array(numpy.array(MAP, numpy.int64), "map"))
        elif name:
            parameters = [f"{name}.weight", f"{name}.bias"]
            constants += [numpy_helper.from_array(arrays[parameter], parameter) for parameter in parameters]
        y = "y" if index + 1 == len(LAYERS[half]) else f"{half}.{index}"
        nodes.append(helper.make_node(operator, [x, *parameters], [y], name=f"{operator}{index}", **attributes))
        x = y
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end, shape in zip("xy", SHAPES[half])]
    graph = helper.make_graph(nodes, half, ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model


class Calibration(quantization.CalibrationDataReader):
    """Item after item of an array."""

    def __init__(self, items):
        self.items = iter(items)

    def get_next(self):
        item = next(self.items, None)
        return None if item is None else {"x": item[None]}


def quantise(source, target, items, **options):
    """The graph in integers, as onnxruntime's guide has it: cleaned up, then calibrated."""
    with tempfile.TemporaryDirectory() as folder:
        clean = Path(folder, "clean.onnx")
        quant_pre_process(source, clean, skip_symbolic_shape=True)
        quantization.quantize_static(clean, target, Calibration(items), **options)
    model = onnx.load(target)
    scales = {"x": bare_input(model.graph), "y": bare_output(model.graph)}
    onnx.checker.check_model(model)
    onnx.save(model, target)
    return scales


def bare_input(graph):
    """Cuts off the node that quantises the input: bytes go in, as they do in our files."""
    (node,) = [node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == "x"]
    graph.node.remove(node)
    scale = stands_for(graph, node)
    for other in graph.node:
        other.input[:] = ["x" if name == node.output[0] else name for name in other.input]
    graph.input[0].type.tensor_type.elem_type = scale.pop("type")
    return scale


def bare_output(graph):
    """Cuts off the node that makes reals of the output."""
    (node,) = [node for node in graph.node if node.output[0] == "y"]
    assert node.op_type == "DequantizeLinear", node.op_type
    graph.node.remove(node)
    scale = stands_for(graph, node)
    for other in graph.node:
        other.output[:] = ["y" if name == node.input[0] else name for name in other.output]
    graph.output[0].type.tensor_type.elem_type = scale.pop("type")
    return scale


def stands_for(graph, node):
    """Scale, zero point and type of the bytes on a node's integer side."""
    constants = {constant.name: constant for constant in graph.initializer}
    scale, zero_point = (constants[name] for name in node.input[1:3])
    return {
        "scale": float(numpy_helper.to_array(scale)),
        "zero_point": int(numpy_helper.to_array(zero_point)),
        "type": zero_point.data_type,
    }


def main(network, folder):
    logging.disable(logging.WARNING)
    arrays = numpy.load(network)
    items = {"encoder": arrays["images"], "decoder": arrays["codes"]}
    scales = {}
    for half in LAYERS:
        source = folder / f"{half}-f32.onnx"
        onnx.save(real(half, arrays), source)
        scales[half] = quantise(source, folder / f"{half}-i8.onnx", items[half], **INTEGERS)
    (folder / "onnx.json").write_text(json.dumps(scales))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
