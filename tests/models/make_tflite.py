#!/usr/bin/env python3
"""Makes tests/data/tflite: small TFLite networks and what TFLite's own interpreter computes.

    python3 tests/models/make_tflite.py [NAME...]
    python3 tests/models/make_tflite.py FILE.tflite...     (only FILE.io, beside the file)

needs tensorflow (its converter) and ai-edge-litert (its interpreter). Every case is NAME.tflite and
NAME.io: the bytes of the first inputs in the file's order, then those of the outputs, for as many
inferences as fit. The networks are ours; their weights are random numbers.
"""
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import tensorflow as tf
from tensorflow.compiler.tf2xla.python.xla import dynamic_update_slice
import flatbuffers
from flatbuffers import flexbuffers
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "..", "data", "tflite")
MOST_BYTES = 100_000
K = tf.keras
CASES = {}
EXPECTED = {}


def case(function):
    CASES[function.__name__.rstrip("_")] = function
    return function


def numbers(*shape, low=-1.0, high=1.0, seed=0):
    return np.random.RandomState(seed).uniform(low, high, shape).astype(np.float32)


def f32(*shape):
    return tf.TensorSpec(shape, tf.float32)


def i32(*shape):
    return tf.TensorSpec(shape, tf.int32)


def of(function, *specs):
    """A converter for a function of tensors."""
    concrete = tf.function(function, input_signature=specs).get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([concrete], concrete)


def simple(name, function, *specs):
    CASES[name] = lambda: of(function, *specs)


# Element-wise, with and without broadcasting.
A, B = f32(2, 3, 4), f32(3, 1)
for name, function in {
    "add": tf.add, "sub": tf.subtract, "mul": tf.multiply, "maximum": tf.maximum,
    "minimum": tf.minimum, "squared_difference": tf.math.squared_difference,
    "floor_div": tf.math.floordiv, "floor_mod": tf.math.floormod,
}.items():
    simple(name, function, A, B)
simple("div", lambda a, b: a / (b + 3), A, B)
simple("pow", lambda a, b: tf.pow(tf.abs(a) + 0.1, b), A, B)
for name, function in {
    "less": tf.less, "greater": tf.greater, "greater_equal": tf.greater_equal,
    "less_equal": tf.less_equal, "equal": tf.equal, "not_equal": tf.not_equal,
}.items():
    simple(name, function, i32(2, 5), i32(5))
for name, function in {
    "abs": tf.abs, "neg": tf.negative, "exp": tf.exp, "sin": tf.sin, "cos": tf.cos,
    "floor": tf.floor, "ceil": tf.math.ceil, "round": tf.round, "square": tf.square,
    "relu": tf.nn.relu, "relu6": lambda x: tf.nn.relu6(9 * x), "elu": tf.nn.elu,
    "gelu": tf.nn.gelu, "gelu_tanh": lambda x: tf.nn.gelu(x, approximate=True),
    "tanh": tf.tanh, "logistic": tf.sigmoid, "sign": tf.sign, "hard_swish": tf.keras.activations.hard_silu,
    "leaky_relu": lambda x: tf.nn.leaky_relu(x, 0.2), "softmax": tf.nn.softmax,
    "log_softmax": tf.nn.log_softmax, "zeros_like": lambda x: x + tf.zeros_like(x),
    "relu_n1": lambda x: tf.minimum(tf.maximum(2 * x, -1.0), 1.0),
    "cast": lambda x: tf.cast(9 * x, tf.int32), "l2_norm": lambda x: tf.nn.l2_normalize(x, -1),
}.items():
    simple(name, function, A)
simple("log_sqrt_rsqrt", lambda x: (tf.math.log(x + 2), tf.sqrt(x + 2), tf.math.rsqrt(x + 2)), A)
simple("floor_div_ints", lambda a: (tf.math.floordiv(a - 1, 2), tf.math.floormod(a - 1, 2)), i32(7))
simple("bitwise", lambda a: (tf.bitwise.bitwise_xor(a, 5), tf.bitwise.right_shift(a, 1)), i32(7))
simple("logical", lambda a, b: (tf.logical_and(a > 0, b > 1), tf.logical_or(a > 0, b > 1), tf.logical_not(a > 0)), i32(6), i32(6))
simple("select", lambda a, b: tf.where(a > 0, a, b), A, B)
simple("atan2", tf.math.atan2, f32(3, 4), f32(3, 4))
simple("add_n", lambda a, b: tf.add_n([a, b, a]), f32(2, 3), f32(2, 3))
simple("fake_quant", lambda x: tf.quantization.fake_quant_with_min_max_args(x, -0.7, 0.9), A)

# Reductions and orders.
for name, function in {
    "mean": tf.reduce_mean, "sum": tf.reduce_sum, "reduce_max": tf.reduce_max,
    "reduce_min": tf.reduce_min, "reduce_prod": tf.reduce_prod,
}.items():
    simple(name, lambda x, function=function: (function(x, 1), function(x, [0, 2], keepdims=True)), A)
simple("reduce_any", lambda x: (tf.reduce_any(x > 0, 1), tf.reduce_all(x > -1, [0, 2])), A)
simple("arg_max", lambda x: (tf.argmax(x, 1), tf.argmin(x, -1, output_type=tf.int32)), A)
simple("topk", lambda x: tf.math.top_k(x, 3), f32(2, 6))
simple("cumsum", lambda x: (tf.cumsum(x, 1), tf.cumsum(x, 2, exclusive=True, reverse=True)), A)

# Parts and shapes.
simple("strided_ellipsis", lambda x: x[..., 1:3], f32(2, 3, 4, 5))
simple("strided_new_axis", lambda x: x[1, tf.newaxis, :, ::2, tf.newaxis], f32(2, 3, 4))
simple("strided_shrink", lambda x: x[-1, ..., 2], f32(2, 3, 4, 5))
simple("strided_back", lambda x: x[:, ::-1, 3:0:-2], f32(2, 3, 4))
simple("slice", lambda x: tf.slice(x, [0, 1, 2], [2, -1, 1]), A)
simple("slice_computed", lambda x: tf.slice(x, [0, 1, 0], tf.shape(x) - 1), A)
simple("strided_computed", lambda x: x[: tf.shape(x)[1] - 1], A)
simple("split", lambda x: tf.split(x, 2, 2), A)
simple("split_v", lambda x: tf.split(x, [1, 3], 2), A)
simple("pack", lambda a, b: tf.stack([a, b], 1), f32(2, 3), f32(2, 3))
simple("unpack", lambda x: tf.unstack(x, axis=1), A)
simple("concatenation", lambda a, b: tf.concat([a, b], 1), f32(2, 3), f32(2, 4))
simple("tile", lambda x: tf.tile(x, [1, 2, 1]), A)
simple("broadcast_to", lambda x: tf.broadcast_to(x, [2, 3, 4]), f32(3, 1))
simple("reverse", lambda x: (tf.reverse(x, [1]), tf.reverse(x, [1, 2])), A)
simple("reverse_sequence", lambda x: tf.reverse_sequence(x, [3, 1], seq_axis=1, batch_axis=0), f32(2, 4, 3))
simple("expand_squeeze", lambda x: tf.squeeze(tf.expand_dims(x, 1), [1]) + tf.reshape(x, [2, 3, 4]), A)
simple("transpose", lambda x: tf.transpose(x, [2, 0, 1]), A)
simple("pad", lambda x: (tf.pad(x, [[0, 1], [2, 0], [0, 0]]), tf.pad(x, [[1, 1], [0, 0], [0, 2]], constant_values=3.5)), A)
simple("mirror_reflect", lambda x: tf.pad(x, [[0, 0], [2, 1], [3, 0]], "REFLECT"), A)
simple("mirror_symmetric", lambda x: tf.pad(x, [[1, 2], [3, 1], [0, 4]], "SYMMETRIC"), A)
simple("space_to_depth", lambda x: tf.nn.space_to_depth(x, 2), f32(1, 4, 6, 3))
simple("depth_to_space", lambda x: tf.nn.depth_to_space(x, 2), f32(1, 2, 3, 8))
simple("space_to_batch", lambda x: tf.space_to_batch(x, [2, 3], [[1, 1], [0, 1]]), f32(1, 4, 5, 2))
simple("batch_to_space", lambda x: tf.batch_to_space(x, [2, 2], [[0, 1], [1, 0]]), f32(4, 2, 3, 2))
simple("shape_rank", lambda x: (tf.shape(x), x + tf.cast(tf.rank(x), tf.float32)), A)
simple("fill_range", lambda x: x + tf.fill([3, 4], 2.5) + tf.range(0.0, 2.0, 0.5), A)
simple("resize_bilinear", lambda x: (tf.image.resize(x, [7, 5]), tf.compat.v1.image.resize_bilinear(x, [6, 8], align_corners=True), tf.compat.v1.image.resize_bilinear(x, [6, 8])), f32(1, 4, 3, 2))
simple("resize_nearest", lambda x: (tf.image.resize(x, [7, 5], "nearest"), tf.compat.v1.image.resize_nearest_neighbor(x, [6, 8], align_corners=True), tf.compat.v1.image.resize_nearest_neighbor(x, [6, 8])), f32(1, 4, 3, 2))

# By index.
simple("gather", lambda x: (tf.gather(x, [2, 0], axis=1), tf.gather(x, [[1], [0]], axis=0)), A)
simple("gather_batch", lambda x: tf.gather(x, [[2, 0], [1, 1]], axis=1, batch_dims=1), A)
simple("gather_nd", lambda x: tf.gather_nd(x, [[1, 2], [0, 0]]), A)
simple("scatter_nd", lambda x: tf.scatter_nd([[1], [3], [1]], x, [5, 4]), f32(3, 4))
simple("one_hot", lambda x: (tf.one_hot(x, 4), tf.one_hot(x, 3, 2.0, -1.0, axis=0)), i32(2, 3))
simple("matrix_diag", lambda x: tf.linalg.diag(x), f32(2, 3))
simple("matrix_set_diag", lambda x, y: tf.linalg.set_diag(x, y), f32(2, 3, 3), f32(2, 3))
simple("segment_sum", lambda x: tf.math.segment_sum(x, [0, 0, 1]), f32(3, 4))
simple("unsorted_segment", lambda x: (tf.math.unsorted_segment_sum(x, [1, 0, 1], 3), tf.math.unsorted_segment_max(x, [1, 0, 2], 3), tf.math.unsorted_segment_min(x, [1, 0, 2], 3), tf.math.unsorted_segment_prod(x, [1, 0, 2], 3)), f32(3, 4))
simple("sparse_to_dense", lambda x: tf.raw_ops.SparseToDense(sparse_indices=[[0, 1], [2, 0]], output_shape=[3, 2], sparse_values=x, default_value=0.5), f32(2))
simple("where", lambda x: x + tf.cast(tf.where([True, False, True])[1], tf.float32), f32(1))
simple("dynamic_update_slice", lambda x, y, i: dynamic_update_slice(x, y, tf.stack([0, i[0], 0])), A, f32(2, 1, 4), i32(1))
simple("broadcast_args", lambda x: tf.broadcast_to(x, tf.broadcast_dynamic_shape(tf.shape(x), tf.constant([2, 3, 1]))), f32(1, 3, 4))


# Layers.
def layer(build, *shape):
    def make():
        x = K.Input(shape[1:], batch_size=shape[0])
        model = K.Model(x, build(x))
        for i, weight in enumerate(model.weights):
            weight.assign(numbers(*weight.shape, low=-0.5, high=0.5, seed=i + 1))
        return tf.lite.TFLiteConverter.from_keras_model(model)
    return make


L = K.layers
CASES.update({
    "conv": layer(lambda x: L.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x), 1, 7, 6, 3),
    "conv_dilated": layer(lambda x: L.Conv2D(4, 3, dilation_rate=2, padding="same")(x), 1, 9, 8, 2),
    "conv_grouped": layer(lambda x: L.Conv2D(4, 3, groups=2)(x), 1, 5, 5, 4),
    "depthwise": layer(lambda x: L.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same")(x), 1, 6, 7, 3),
    "transpose_conv": layer(lambda x: L.Conv2DTranspose(3, 3, strides=2, padding="same", activation="relu")(x), 1, 4, 5, 2),
    "transpose_conv_valid": layer(lambda x: L.Conv2DTranspose(3, 4, strides=2)(x), 1, 4, 5, 2),
    "conv_3d": layer(lambda x: L.Conv3D(3, (2, 3, 3), strides=(1, 2, 1), padding="same", activation="relu")(x), 1, 4, 5, 6, 2),
    "conv_3d_transpose": layer(lambda x: L.Conv3DTranspose(2, 3, strides=2, padding="same")(x), 1, 2, 3, 3, 2),
    "transpose_conv_batches": layer(lambda x: L.Conv2DTranspose(3, 3, strides=2, padding="same")(x), None, 4, 5, 2),
    "prelu": layer(lambda x: L.PReLU(shared_axes=[1, 2])(x), 1, 3, 4, 2),
    "conv_1d": layer(lambda x: L.Conv1D(4, 3, padding="causal")(x), 1, 9, 3),
    "dense": layer(lambda x: L.Dense(5, activation="relu")(x), 2, 7),
    "dense_3d": layer(lambda x: L.Dense(5)(x), 1, 4, 7),
    "pools": layer(lambda x: L.Concatenate()([L.MaxPooling2D(3, 2, "same")(x), L.AveragePooling2D(3, 2, "same")(x)]), 1, 7, 6, 2),
    "lstm": layer(lambda x: L.LSTM(5, return_sequences=True)(x), 1, 6, 3),
    "lstm_last": layer(lambda x: L.Dense(2)(L.LSTM(4)(L.LSTM(5, return_sequences=True)(x))), 1, 6, 3),
    "lstm_both_ways": layer(lambda x: L.Bidirectional(L.LSTM(3))(x), 1, 5, 3),
    "gru_unrolled": layer(lambda x: L.GRU(4, unroll=True)(x), 1, 3, 3),
    "attention": layer(lambda x: L.LayerNormalization()(x + L.MultiHeadAttention(2, 4)(x, x)), 1, 5, 8),
})
simple("spectrum_parts", lambda x: (tf.cast(tf.signal.stft(x, 16, 8), tf.float32), tf.abs(tf.signal.rfft(x[:, :16]))), f32(None, 40))
simple("lrn", lambda x: tf.nn.local_response_normalization(x, 2, 1.0, 0.5, 0.75), f32(1, 2, 3, 6))
simple("batch_matmul", lambda a, b: (tf.matmul(a, b), tf.matmul(a, a, transpose_b=True), tf.matmul(b, b, adjoint_a=True)), f32(2, 3, 4), f32(2, 4, 5))


@case
def while_counted():
    def loop(x):
        return tf.while_loop(lambda i, y: i < 4, lambda i, y: (i + 1, y * 0.5 + tf.cast(i, tf.float32)),
                             (tf.constant(0), x))[1]
    return of(loop, f32(2, 3))


@case
def while_shape():
    """How many rounds it takes follows from the shape of an input whose batch is open."""
    def loop(x):
        steps = tf.shape(x)[0] * tf.shape(x)[1]
        return tf.while_loop(lambda i, y: i < steps, lambda i, y: (i + 1, tf.matmul(y, numbers(3, 3)) + y),
                             (tf.constant(0), x))[1]
    return of(loop, f32(None, 3))


simple("topk_of_shape", lambda x: tf.math.top_k(x, tf.shape(x)[0] + 1)[0], f32(None, 4))


@case
def if_():
    return of(lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: x + 1, lambda: x * 2), f32(2, 3))


@case
def variable():
    class Counter(tf.Module):
        def __init__(self):
            self.total = tf.Variable(numbers(2, 3, seed=9))

        @tf.function(input_signature=[f32(2, 3)])
        def run(self, x):
            self.total.assign_add(x)
            return self.total * 2.0
    module = Counter()
    concrete = module.run.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    converter.experimental_enable_resource_variables = True
    return converter


# Quantised networks.
def small_network(x):
    x = L.Conv2D(8, 3, strides=2, padding="same", activation="relu")(x)
    y = L.ReLU(6.0)(L.DepthwiseConv2D(3, padding="same")(x))
    x = L.Add()([x, L.Conv2D(8, 1)(y)])
    z = L.MaxPooling2D(2)(L.Conv2DTranspose(4, 3, strides=2, padding="same")(x))
    x = L.AveragePooling2D(2)(L.Concatenate()([x, z]))
    x = L.Multiply()([x, L.Activation("sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(x))])
    x = L.Activation("tanh")(L.Flatten()(x))
    return L.Dense(10, activation="softmax")(x)


def quantised(make, shape, kind):
    def build():
        converter = make()
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if kind == "f16":
            converter.target_spec.supported_types = [tf.float16]
        if kind in ("i8", "u8", "i8_inside", "i16"):
            converter.representative_dataset = lambda: ([numbers(*shape, seed=s)] for s in range(20))
            ops = tf.lite.OpsSet
            converter.target_spec.supported_ops = [
                ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8 if kind == "i16"
                else ops.TFLITE_BUILTINS_INT8]
        if kind in ("i8", "u8"):
            converter.inference_input_type = converter.inference_output_type = (
                tf.int8 if kind == "i8" else tf.uint8)
        return converter
    return build


for kind in ("f32", "f16", "dynamic", "i8", "u8", "i8_inside", "i16"):
    CASES["small_" + kind] = quantised(layer(small_network, 1, 12, 12, 3), (1, 12, 12, 3), kind) \
        if kind != "f32" else layer(small_network, 1, 12, 12, 3)
CASES["dense_dynamic"] = quantised(layer(lambda x: L.Dense(64)(x), 1, 64), (1, 64), "dynamic")
CASES["lstm_dynamic"] = quantised(layer(lambda x: L.LSTM(32)(x), 1, 6, 32), (1, 6, 32), "dynamic")


def flexible(options):
    """A FlexBuffer map; lists are of integers."""
    builder = flexbuffers.Builder()
    with builder.Map():
        for key, value in options.items():
            builder.Key(key)
            if not isinstance(value, list):
                builder.Add(value)
                continue
            with builder.TypedVector():
                for number in value:
                    builder.Int(number)
    return builder.Finish()


# Operators that the converter does not write of its own accord, by hand.
class Written:
    """A network of one operator; of() gives what convert() would."""

    def __init__(self, operator, inputs, outputs, options=None, **fields):
        """Tensors are arrays (constants), (shape, type) pairs, or None for one left out; a third
        element "variable" marks what the operator keeps. options: the name of a table of the schema,
        or the attributes of a custom operator, a dict. branches: further subgraphs that it calls,
        each a Written."""
        branches, version = fields.pop("branches", []), fields.pop("version", 1)
        self.model = schema.ModelT()
        self.model.version, self.model.buffers = 3, [schema.BufferT()]
        graph = schema.SubGraphT()
        graph.tensors, code = [], schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, operator, schema.BuiltinOperator.CUSTOM)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
        node = schema.OperatorT()
        node.inputs = [self.tensor(graph, "in", value) for value in inputs]
        node.outputs = [self.tensor(graph, "out", value) for value in outputs]
        if isinstance(options, dict):
            code.customCode = operator
            node.customOptions = list(flexible(options)) if options else None
        elif isinstance(options, bytes):
            code.customCode, node.customOptions = operator, list(options)
        elif options:
            attributes = getattr(schema, options + "T")()
            for name, value in fields.items():
                setattr(attributes, name, value)
            if hasattr(schema.BuiltinOptions, options):
                node.builtinOptionsType, node.builtinOptions = getattr(schema.BuiltinOptions, options), attributes
            else:
                node.builtinOptions2Type = getattr(schema.BuiltinOptions2, options)
                node.builtinOptions2 = attributes
        graph.inputs = [i for i, value in zip(node.inputs, inputs)
                        if isinstance(value, tuple) and len(value) == 2]
        graph.outputs, graph.operators = list(node.outputs), [node]
        self.model.operatorCodes, self.model.subgraphs = [code], [graph]
        for branch in branches:
            self.call(branch.model)

    def call(self, other):
        """Adds the subgraph of another network, whose constants and operators come behind ours."""
        graph = other.subgraphs[0]
        for tensor in graph.tensors:
            tensor.buffer += (len(self.model.buffers) - 1) if tensor.buffer else 0
        for node in graph.operators:
            node.opcodeIndex += len(self.model.operatorCodes)
        self.model.buffers += other.buffers[1:]
        self.model.operatorCodes += other.operatorCodes
        self.model.subgraphs.append(graph)

    def tensor(self, graph, name, value):
        if value is None:
            return -1
        types = {"float32": 0, "int32": 2, "int64": 4, "bool": 6, "int16": 7, "complex64": 8, "int8": 9, "uint8": 3}
        tensor, buffer = schema.TensorT(), schema.BufferT()
        if isinstance(value, tuple):
            tensor.shape, dtype = list(value[0]), value[1]
            tensor.isVariable = len(value) == 3
        else:
            tensor.shape, dtype = list(value.shape), str(value.dtype)
            buffer.data = list(value.tobytes())
        tensor.type = types[dtype]
        tensor.name = f"{name}{len(graph.tensors)}".encode()
        tensor.buffer = 0
        if buffer.data is not None:
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1

    def convert(self):
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def written(name, /, *arguments, **fields):
    CASES["written_" + name] = lambda: Written(*arguments, **fields)


def known(name, expected, /, *arguments, **fields):
    """An operator that the interpreter has no kernel for: expected gives the outputs."""
    written(name, *arguments, **fields)
    EXPECTED["written_" + name] = expected


F, I, BOOL, C = "float32", "int32", "bool", "complex64"
X = ((2, 3, 4), F)
ints = lambda *values: np.array(values, np.int32)
for name in ("RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"):
    written(name.lower(), name, [X], [X])
written("expand_dims", "EXPAND_DIMS", [X, ints(1)], [((2, 1, 3, 4), F)])
written("squeeze", "SQUEEZE", [((2, 1, 3, 1), F)], [((2, 3), F)], "SqueezeOptions", squeezeDims=[1, 3])
written("logical_not", "LOGICAL_NOT", [((5,), BOOL)], [((5,), BOOL)])
written("zeros_like", "ZEROS_LIKE", [X], [X])
written("fill", "FILL", [ints(2, 3), np.array(2.5, np.float32)], [((2, 3), F)])
written("range", "RANGE", [np.array(1, np.int32), np.array(9, np.int32), np.array(3, np.int32)], [((3,), I)])
written("rank", "RANK", [X], [((), I)])
written("shape", "SHAPE", [X], [((3,), I)], "ShapeOptions", outType=2)
written("where", "WHERE", [np.array([[True, False], [True, True]])], [((3, 2), "int64")])
written("select", "SELECT", [((2,), BOOL), X, X], [X])
written("broadcast_args", "BROADCAST_ARGS", [ints(1, 3, 4), ints(2, 1, 4)], [((3,), I)])
written("bucketize", "BUCKETIZE", [X], [((2, 3, 4), I)], "BucketizeOptions", boundaries=[-0.5, 0.0, 0.7])
written("fake_quant", "FAKE_QUANT", [X], [X], "FakeQuantOptions", min=-0.71, max=0.9, numBits=8)
written("embedding_lookup", "EMBEDDING_LOOKUP", [((3,), I), numbers(4, 5)], [((3, 5), F)])
written("l2_pool", "L2_POOL_2D", [((1, 6, 7, 2), F)], [((1, 3, 4, 2), F)], "Pool2DOptions",
        padding=0, strideW=2, strideH=2, filterWidth=3, filterHeight=2, fusedActivationFunction=1)
written("rnn", "RNN", [((2, 3), F), numbers(4, 3), numbers(4, 4), numbers(4), ((2, 4), F, "variable")],
        [((2, 4), F)], "RNNOptions", fusedActivationFunction=4)
for time_major in (False, True):
    written(f"sequence_rnn_{time_major}".lower(), "UNIDIRECTIONAL_SEQUENCE_RNN",
            [((2, 5, 3), F), numbers(4, 3), numbers(4, 4), numbers(4),
             ((5 if time_major else 2, 4), F, "variable")],
            [((2, 5, 4), F)], "SequenceRNNOptions", timeMajor=time_major, fusedActivationFunction=1)
written("svdf", "SVDF", [((2, 3), F), numbers(8, 3), numbers(8, 5), numbers(4), ((2, 40), F, "variable")],
        [((2, 4), F)], "SVDFOptions", rank=2, fusedActivationFunction=1)


def lstm_inputs(x, units, batch, peepholes):
    inputs = [(x, F)] + [numbers(units, x[-1], seed=i) for i in range(4)]
    inputs += [numbers(units, units, seed=4 + i) for i in range(4)]
    inputs += [numbers(units, seed=8 + i) if peepholes else None for i in range(3)]
    inputs += [numbers(units, seed=11 + i) for i in range(4)] + [None, None]
    return inputs + [((batch, units), F, "variable")] * 2 + [None] * 4


for peepholes in (False, True):
    written(f"lstm_{peepholes}".lower(), "LSTM", lstm_inputs((2, 3), 4, 2, peepholes), [((2, 4), F)],
            "LSTMOptions", fusedActivationFunction=4)
    written(f"sequence_lstm_{peepholes}".lower(), "UNIDIRECTIONAL_SEQUENCE_LSTM",
            lstm_inputs((2, 5, 3), 4, 5 if peepholes else 2, peepholes), [((2, 5, 4), F)],
            "UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4, timeMajor=peepholes)


# Recurrent layers with what only some of them have.
def gates(first, *shape, count=4):
    return [numbers(*shape, seed=first + i) for i in range(count)]


def lstm_weights(inputs, units, given, seed=0, projection=0, coupled=False):
    """The 17 inputs from the weights to the bias of the projection."""
    outputs = projection or units
    peepholes = gates(seed + 8, units, count=3) if "peepholes" in given else [None] * 3
    weights = gates(seed, units, inputs) + gates(seed + 4, units, outputs) + peepholes + gates(seed + 11, units)
    weights += [numbers(projection, units, seed=seed + 15), numbers(projection, seed=seed + 16)] if projection \
        else [None, None]
    if coupled:
        weights[0] = weights[4] = weights[8] = weights[11] = None
    return weights


def lstm_states(batch, units, projection=0):
    return [((batch, projection or units), F, "variable"), ((batch, units), F, "variable")]


def norms(units, seed, coupled):
    return [None if coupled and i == 0 else 1 + numbers(units, seed=seed + i) for i in range(4)]


written("lstm_projection", "LSTM", [((2, 3), F)] + lstm_weights(3, 5, (), projection=4)
        + lstm_states(2, 5, 4) + [None] * 4, [((2, 4), F)], "LSTMOptions", fusedActivationFunction=4,
        cellClip=0.3, projClip=0.4)
written("lstm_coupled", "LSTM", [((2, 3), F)] + lstm_weights(3, 4, ("peepholes",), coupled=True)
        + lstm_states(2, 4) + [None] * 4, [((2, 4), F)], "LSTMOptions", fusedActivationFunction=4)
written("lstm_norms", "UNIDIRECTIONAL_SEQUENCE_LSTM",
        [((2, 5, 3), F)] + lstm_weights(3, 4, ("peepholes",), projection=3) + lstm_states(2, 4, 3)
        + norms(4, 30, False), [((2, 5, 3), F)], "UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4)
written("lstm_norms_coupled", "UNIDIRECTIONAL_SEQUENCE_LSTM",
        [((5, 2, 3), F)] + lstm_weights(3, 4, (), coupled=True) + lstm_states(2, 4) + norms(4, 30, True),
        [((5, 2, 4), F)], "UnidirectionalSequenceLSTMOptions", fusedActivationFunction=4, timeMajor=True)
written("lstm_basic", "LSTM", [((2, 3), F), ((2, 4), F), numbers(16, 7), numbers(16), ((2, 4), F)],
        [((2, 4), F), ((2, 4), F), ((2, 7), F), ((2, 16), F)], "LSTMOptions", fusedActivationFunction=4,
        kernelType=1)


def both_ways(given, merged=False, time_major=True, projection=0, aux=None):
    weights = lstm_weights(3, 4, given, 0, projection) + lstm_weights(3, 4, given, 50, projection)
    states = lstm_states(2, 4, projection) + lstm_states(2, 4, projection)
    x = ((5, 2, 3), F) if time_major else ((2, 5, 3), F)
    more = [None] * 9 if aux is None else [x] + ([None] * 8 if not aux else gates(90, 4, 3) + gates(94, 4, 3))
    size = projection or 4
    out = lambda n: ((5, 2, n) if time_major else (2, 5, n), F)
    return ["BIDIRECTIONAL_SEQUENCE_LSTM", [x] + weights + states + more,
            [out(2 * size)] if merged else [out(size), out(size)], "BidirectionalSequenceLSTMOptions"], dict(
                fusedActivationFunction=4, mergeOutputs=merged, timeMajor=time_major)


for name, arguments in (("plain", both_ways((), merged=True)),
                        ("peepholes", both_ways(("peepholes",), time_major=False)),
                        ("projection", both_ways((), projection=3)),
                        ("aux", both_ways((), merged=True, aux=True)),
                        ("cross", both_ways((), aux=False))):
    written("lstm_both_ways_" + name, *arguments[0], **arguments[1])


def rnn_both_ways(aux, merged):
    x = ((5, 2, 3), F)  # by time: of batches the interpreter gives the first input to both directions
    weights = [numbers(4, 3), numbers(4, 4, seed=1), numbers(4, seed=2), ((2, 4), F, "variable"),
               numbers(4, 3, seed=3), numbers(4, 4, seed=4), numbers(4, seed=5), ((2, 4), F, "variable")]
    out = lambda n: ((5, 2, n), F)
    return ["BIDIRECTIONAL_SEQUENCE_RNN", [x] + weights + [x if aux else None, None, None],
            [out(8)] if merged else [out(4), out(4)], "BidirectionalSequenceRNNOptions"], dict(
                timeMajor=True, fusedActivationFunction=4, mergeOutputs=merged)


for name, aux, merged in (("merged", False, True), ("cross", True, False)):
    arguments = rnn_both_ways(aux, merged)
    written("rnn_both_ways_" + name, *arguments[0], **arguments[1])

# Spectra: RFFT2D and what takes its complex numbers.
def spectrum(part, height):
    def make():
        network = Written("RFFT2D", [((2, height, 12), F), ints(height, 16)], [((2, height, 9), C)], "Rfft2dOptions")
        graph = network.model.subgraphs[0]
        code, node = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode, code.version = getattr(schema.BuiltinOperator, part), 1
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        node.inputs, node.outputs, node.opcodeIndex = graph.outputs, [network.tensor(graph, "part", ((2, height, 9), F))], 1
        graph.outputs = list(node.outputs)
        graph.operators.append(node)
        network.model.operatorCodes.append(code)
        return network
    return make


for part, height in (("REAL", 4), ("IMAG", 1), ("COMPLEX_ABS", 4)):
    CASES["written_spectrum_" + part.lower()] = spectrum(part, height)

# StableHLO.
HLO = "STABLEHLO_"
Y = ((2, 3, 4), I)
for name in ("ADD", "MULTIPLY", "MAXIMUM", "MINIMUM"):
    written("hlo_" + name.lower(), HLO + name, [X, X], [X])
written("hlo_and", HLO + "AND", [((6,), BOOL)] * 2, [((6,), BOOL)])
written("hlo_shift_left", HLO + "SHIFT_LEFT", [Y, Y], [Y], "StablehloShiftLeftOptions")
written("hlo_pad", HLO + "PAD", [X, np.array(0.5, np.float32)], [((3, 4, 3), F)], "StablehloPadOptions",
        edgePaddingLow=[0, 1, 0], edgePaddingHigh=[1, 0, -1], interiorPadding=[0, 0, 0])
written("hlo_composite", HLO + "COMPOSITE", [X, X], [X], "StableHLOCompositeOptions", name="divvy.sum",
        decompositionSubgraphIndex=1, compositeAttributes=[], branches=[Written("ADD", [X, X], [X], "AddOptions", fusedActivationFunction=1)])
known("hlo_or", lambda a, b: [a | b], HLO + "OR", [Y, Y], [Y])
for name, function in (("LOGISTIC", lambda x: 1 / (1 + np.exp(-x))), ("ABS", np.abs), ("COSINE", np.cos),
                       ("EXPONENTIAL", np.exp), ("FLOOR", np.floor), ("NEGATE", np.negative),
                       ("TANH", np.tanh), ("CBRT", np.cbrt)):
    known("hlo_" + name.lower(), lambda x, f=function: [f(x)], HLO + name, [X], [X])
for name, function in (("LOG", np.log), ("RSQRT", lambda x: 1 / np.sqrt(x))):
    known("hlo_" + name.lower(), lambda f=function: [f(np.float32([1.5]))], HLO + name,
          [np.array([1.5], np.float32)], [((1,), F)])
for name, function in (("DIVIDE", np.divide), ("SUBTRACT", np.subtract), ("REMAINDER", np.fmod)):
    known("hlo_" + name.lower(), lambda a, b, f=function: [f(a, b)], HLO + name, [X, X], [X])
known("hlo_power", lambda a: [np.power(a, np.float32(2))], HLO + "POWER", [X, np.full((2, 3, 4), 2, np.float32)], [X])
known("hlo_reshape", lambda x: [x.reshape(4, 6)], HLO + "RESHAPE", [X], [((4, 6), F)])
known("hlo_clamp", lambda x: [np.clip(x, -0.25, 0.5)], HLO + "CLAMP",
      [np.array(-0.25, np.float32), X, np.array(0.5, np.float32)], [X])
known("hlo_concatenate", lambda a, b: [np.concatenate([a, b], 1)], HLO + "CONCATENATE", [X, X], [((2, 6, 4), F)],
      "StablehloConcatenateOptions", dimension=1)
known("hlo_broadcast_in_dim", lambda x: [np.broadcast_to(x[:, None, :], (3, 2, 4))], HLO + "BROADCAST_IN_DIM",
      [((3, 4), F)], [((3, 2, 4), F)], "StablehloBroadcastInDimOptions", broadcastDimensions=[0, 2])
known("hlo_slice", lambda x: [x[0:2, 1:3, 0:4:2]], HLO + "SLICE", [X], [((2, 2, 2), F)], "StablehloSliceOptions",
      startIndices=[0, 1, 0], limitIndices=[2, 3, 4], strides=[1, 1, 2])
known("hlo_select", lambda c, a, b: [np.where(c, a, b)], HLO + "SELECT", [((2, 3, 4), BOOL), X, X], [X])
known("hlo_compare", lambda a, b: [a >= b], HLO + "COMPARE", [Y, Y], [((2, 3, 4), BOOL)], "StablehloCompareOptions",
      comparisonDirection=2)
known("hlo_convert", lambda x: [x.astype(np.float32)], HLO + "CONVERT", [Y], [X])
known("hlo_iota", lambda: [np.broadcast_to(np.arange(3, dtype=np.float32)[None, :, None], (2, 3, 4))], HLO + "IOTA",
      [], [X], "StablehloIotaOptions", iotaDimension=1)
known("hlo_transpose", lambda x: [x.transpose(2, 0, 1)], HLO + "TRANSPOSE", [X], [((4, 2, 3), F)],
      "StablehloTransposeOptions", permutation=[2, 0, 1])
known("hlo_dot_general", lambda a, b: [np.einsum("bijk,kbl->bijl", a, b)], HLO + "DOT_GENERAL",
      [((2, 3, 2, 5), F), ((5, 2, 4), F)], [((2, 3, 2, 4), F)], "StablehloDotGeneralOptions",
      lhsBatchingDimensions=[0], rhsBatchingDimensions=[1], lhsContractingDimensions=[3],
      rhsContractingDimensions=[0])


def blockwise():
    """A layer whose weights have a scale for every four of a row."""
    network = Written("FULLY_CONNECTED", [((2, 8), F), numbers(3, 8), None], [((2, 3), F)], "FullyConnectedOptions")
    graph, buffers = network.model.subgraphs[0], network.model.buffers
    weight, scales = graph.tensors[1], network.tensor(graph, "scales", np.abs(numbers(3, 2)))
    weight.type = 9
    buffers[weight.buffer].data = [(17 * i) % 15 - 7 & 255 for i in range(24)]
    weight.quantization = schema.QuantizationParametersT()
    weight.quantization.detailsType = schema.QuantizationDetails.BlockwiseQuantization
    weight.quantization.details = schema.BlockwiseQuantizationT()
    weight.quantization.details.scales, weight.quantization.details.blockSize = scales, 4
    return network


CASES["written_blockwise"] = blockwise
EXPECTED["written_blockwise"] = lambda x: [x @ (
    np.array([(17 * i) % 15 - 7 for i in range(24)], np.float32).reshape(3, 8)
    * np.repeat(np.abs(numbers(3, 2)), 4, axis=1)).T]


class Unsized:
    """A network whose file tells no dims of what is computed, as old converters left them out."""

    def __init__(self, make):
        self.make = make

    def convert(self):
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(self.make().convert(), 0))
        for graph in model.subgraphs:
            made = {i for node in graph.operators for i in node.outputs}
            for i in made:
                graph.tensors[i].shape, graph.tensors[i].shapeSignature = [], None
                graph.tensors[i].hasRank = False
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def unsized_network(x):
    x = L.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = L.UpSampling2D(2)(x)
    x = L.Lambda(lambda t: tf.pad(t, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT"))(x)
    return L.Conv2D(2, 3, activation="sigmoid")(x)


CASES["unsized"] = lambda: Unsized(layer(unsized_network, 1, 6, 6, 3))


def integer_svdf():
    random = np.random.RandomState(5)
    draw_ints = lambda low, kind, *shape: random.randint(-low, low, shape).astype(kind)
    network = Written("SVDF", [((2, 3), "int8"), draw_ints(127, np.int8, 8, 3), draw_ints(3000, np.int16, 8, 5),
                               draw_ints(900, np.int32, 4), ((2, 40), "int16", "variable")], [((2, 4), "int8")],
                      "SVDFOptions", rank=2, fusedActivationFunction=1)
    scales = [1 / 128, 1 / 127, 1 / 4096, 1 / 4096 / 2048, 1 / 2048, 1 / 64]
    for tensor, scale in zip(network.model.subgraphs[0].tensors, scales):
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
    tensor.quantization.zeroPoint = [-128]  # the kernel's RELU is the end of the range
    return network


CASES["written_svdf_i8"] = integer_svdf


def integer_average():
    """One in 64 averages ends in a half."""
    network = Written("AVERAGE_POOL_2D", [((1, 8, 8, 512), "int8")], [((1, 1, 1, 512), "int8")], "Pool2DOptions",
                      padding=1, strideW=8, strideH=8, filterWidth=8, filterHeight=8)
    for tensor in network.model.subgraphs[0].tensors:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [0.127], [7]
    return network


CASES["written_average_i8"] = integer_average


# Boxes that are picked. Scores of few values are often equal; some boxes have no area.
def suppression(name, boxes, most, overlap, least, sigma=None, steps=None):
    """Of that many boxes in a square, computed from numbers between -1 and 1."""
    soft = sigma is not None

    def network(x, scores):
        middle, size = tf.split(x, 2, 1)
        corners = tf.concat([3 * middle - size, 3 * middle + size], 1)
        scores = scores if steps is None else tf.round(scores * steps) / steps
        if soft:
            return tf.raw_ops.NonMaxSuppressionV5(
                boxes=corners, scores=scores, max_output_size=most, iou_threshold=overlap,
                score_threshold=least, soft_nms_sigma=sigma, pad_to_max_output_size=True)
        return tf.raw_ops.NonMaxSuppressionV4(
            boxes=corners, scores=scores, max_output_size=most, iou_threshold=overlap, score_threshold=least,
            pad_to_max_output_size=True)
    simple(name, network, f32(boxes, 4), f32(boxes))


suppression("suppression", 200, 40, 0.3, 0.1)
suppression("suppression_few", 30, 40, 0.3, 0.1)
suppression("suppression_steps", 300, 60, 0.4, 0.0, steps=8)
suppression("suppression_soft", 120, 50, 0.6, 0.05, sigma=0.4)
suppression("suppression_soft_steps", 120, 50, 1.0, 0.05, sigma=0.3, steps=4)
written("suppression_without_area", "NON_MAX_SUPPRESSION_V5",
        [np.float32([[0, 0, 1, 1], [2, 2, 2, 3], [0, 0, 1, 1.2], [5, 5, 5, 5]]), ((4,), F), np.array(6, np.int32),
         np.array(0.5, np.float32), np.array(-2, np.float32), np.array(0, np.float32)],
        [((6,), I), ((6,), F), ((), I)])


def detection(name, boxes, classes, width=4, background=1, quantised=False, **attributes):
    options = {"max_detections": 10, "max_classes_per_detection": 1, "num_classes": classes,
               "nms_score_threshold": 0.1, "nms_iou_threshold": 0.5, "y_scale": 10.0, "x_scale": 10.0,
               "h_scale": 5.0, "w_scale": 5.0}
    options.update(attributes)
    random = np.random.RandomState(len(name))
    anchors = np.concatenate([random.uniform(0, 1, (boxes, 2)), random.uniform(0.1, 0.6, (boxes, 2))], 1)
    kind = "uint8" if quantised else F
    anchors = (anchors * 200).astype(np.uint8) if quantised else anchors.astype(np.float32)
    rows = options["max_detections"] * options["max_classes_per_detection"]

    def make():
        network = Written("TFLite_Detection_PostProcess",
                          [((1, boxes, width), kind), ((1, boxes, classes + background), kind), anchors],
                          [((1, rows, 4), F), ((1, rows), F), ((1, rows), F), ((1,), F)], options)
        for tensor, scale, zero in zip(network.model.subgraphs[0].tensors, (0.07, 1 / 256, 1 / 200), (130, 0, 0)):
            if quantised:
                tensor.quantization = schema.QuantizationParametersT()
                tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero]
        return network
    CASES["written_" + name] = make


detection("detection", 120, 5)
detection("detection_u8", 150, 6, quantised=True)
detection("detection_by_class", 120, 4, use_regular_nms=True)
detection("detection_by_class_u8", 150, 3, quantised=True, use_regular_nms=True, detections_per_class=4)
detection("detection_classes", 90, 4, width=6, max_classes_per_detection=3)
detection("detection_no_background", 60, 3, background=0, max_detections=7, max_classes_per_detection=2,
          nms_score_threshold=-1.0, nms_iou_threshold=0.9)


# MediaPipe's operators, which TFLite's own interpreter does not know.
MARKS = [5, 1, 7, 2, 9]


def crop_matrix(marks, left=3, right=8, target=0.3, scale=(1.5, 1.25), size=(6, 8), chosen=MARKS):
    """By angles; sizes are (height, width)."""
    xy = marks[0, :, :2].astype(np.float64)
    turn = target - np.arctan2(*(xy[right] - xy[left])[::-1])
    rotation = lambda r: np.array([[np.cos(r), -np.sin(r)], [np.sin(r), np.cos(r)]])
    upright = xy[chosen] @ rotation(turn).T
    low, high = upright.min(0), upright.max(0)
    matrix, shift, grow, back = np.eye(4), np.eye(4), np.eye(4), np.eye(4)
    shift[:2, 3] = rotation(-turn) @ (low + high) / 2
    matrix[:2, :2] = rotation(-turn)
    grow[0, 0], grow[1, 1] = (high - low) * scale / np.array(size[::-1])
    back[:2, 3] = -np.array(size[::-1]) / 2
    return [(shift @ matrix @ grow @ back)[None]]


def through(matrix, x, y):
    m = matrix[0].astype(np.float64)
    return m[0, 0] * x + m[0, 1] * y + m[0, 3], m[1, 0] * x + m[1, 1] * y + m[1, 3]


def turned_marks(marks, matrix):
    out = marks.astype(np.float64)
    out[..., 0], out[..., 1] = through(matrix, out[..., 0].copy(), out[..., 1].copy())
    return [out]


PLACE = np.float32([[[3.1, 0.4, 0, 1.9], [-0.6, 2.7, 0, 1.2], [0, 0, 1, 0], [0, 0, 0, 1]]])


def warped(image, height=5, width=7):
    out = np.zeros((1, height, width, image.shape[3]))
    for v in range(height):
        for u in range(width):
            x, y = (at - 0.5 for at in through(PLACE, u + 0.5, v + 0.5))
            if 0 <= x <= image.shape[2] - 1 and 0 <= y <= image.shape[1] - 1:
                i, j = int(y), int(x)
                k, l = min(i + 1, image.shape[1] - 1), min(j + 1, image.shape[2] - 1)
                out[0, v, u] = (y - i) * ((x - j) * image[0, k, l] + (1 - x + j) * image[0, k, j]) \
                    + (1 - y + i) * ((x - j) * image[0, i, l] + (1 - x + j) * image[0, i, j])
    return [out]


def pool_places(image):
    _, height, width, channels = image.shape
    windows = image.reshape(height // 2, 2, width // 3, 3, channels).transpose(0, 2, 4, 1, 3).reshape(
        1, height // 2, width // 3, channels, 6)
    return [windows.max(-1), windows.argmax(-1) + np.float32(0.1)]


def unpool_places(image, places=((np.arange(24) * 5) % 6).reshape(1, 3, 2, 4)):
    _, height, width, channels = image.shape
    out = np.zeros((1, 2 * height, 3 * width, channels), np.float32)
    for y, x, c in np.ndindex(height, width, channels):
        out[0, 2 * y + places[0, y, x, c] // 3, 3 * x + places[0, y, x, c] % 3, c] = image[0, y, x, c]
    return [out]


POOL = np.int32([1, 3, 2, 3, 2, 0]).tobytes()
known("landmarks_matrix", crop_matrix, "Landmarks2TransformMatrix", [((1, 10, 3), F)], [((1, 4, 4), F)],
      dict(left_rotation_idx=3, right_rotation_idx=8, target_rotation_radians=0.3, output_height=6, output_width=8,
           scale_x=1.5, scale_y=1.25, subset_idxs=MARKS), version=2)
for size in (2, 3):
    known(f"transform_landmarks_{size}", turned_marks, "TransformLandmarks", [((1, 6, size), F), ((1, 4, 4), F)],
          [((1, 6, size), F)], {}, version=2)
known("transform_tensor", warped, "TransformTensorBilinear", [((1, 20, 25, 3), F), PLACE], [((1, 5, 7, 3), F)],
      dict(output_height=5, output_width=7), version=2)
known("pool_places", pool_places, "MaxPoolingWithArgmax2D", [((1, 6, 6, 4), F)], [((1, 3, 2, 4), F)] * 2, POOL)
known("unpool_places", unpool_places, "MaxUnpooling2D",
      [((1, 3, 2, 4), F), (((np.arange(24) * 5) % 6).reshape(1, 3, 2, 4) + 0.1).astype(np.float32)], [((1, 6, 6, 4), F)], POOL)


def draw(detail, seed):
    random, dtype, shape = np.random.RandomState(seed), detail["dtype"], detail["shape"]
    if np.issubdtype(dtype, np.floating):
        return random.uniform(-1, 1, shape).astype(dtype)
    if detail["quantization"][0]:
        return random.randint(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, shape).astype(dtype)
    return random.randint(0, 2 if dtype == np.bool_ else 3, shape).astype(dtype)


def interpreter_of(path):
    """The reference kernels; the ordinary ones where there is no reference, and for lrn, where the
    reference leaves out the last channel of each window."""
    kinds = [OpResolverType.BUILTIN_REF, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES]
    if path.endswith("lrn.tflite"):
        kinds.reverse()
    for kind in kinds:
        try:
            interpreter = Interpreter(path, experimental_op_resolver_type=kind)
            interpreter.allocate_tensors()
            return interpreter
        except (RuntimeError, ValueError):
            if kind is kinds[-1]:
                raise


def compute(model, name):
    """The inputs and outputs of a case that the interpreter has no kernel for."""
    graph = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0)).subgraphs[0]
    types = {0: np.float32, 2: np.int32, 6: np.bool_}
    values = [draw({"dtype": types[graph.tensors[t].type], "shape": graph.tensors[t].shape,
                    "quantization": (0, 0)}, k) for k, t in enumerate(graph.inputs)]
    outputs = [np.asarray(out, types[graph.tensors[t].type])
               for out, t in zip(EXPECTED[name](*values), graph.outputs)]
    return b"".join(value.tobytes() for value in values + outputs)


def run(path, runs):
    interpreter = interpreter_of(path)
    data = b""
    for seed in range(runs):
        for k, detail in enumerate(interpreter.get_input_details()):
            value = draw(detail, 10 * seed + k)
            interpreter.set_tensor(detail["index"], value)
            data += value.tobytes()
        interpreter.invoke()
        for detail in interpreter.get_output_details():
            data += interpreter.get_tensor(detail["index"]).tobytes()
    return data


def main():
    os.makedirs(OUT, exist_ok=True)
    failed = []
    for name in sys.argv[1:] or CASES:
        if name.endswith(".tflite"):
            with open(name[: -len("tflite")] + "io", "wb") as file:
                file.write(run(name, 1))
            continue
        path = os.path.join(OUT, name)
        try:
            model = CASES[name]().convert()
            if len(model) > MOST_BYTES:
                raise ValueError(f"{len(model)} bytes are too many")
            with open(path + ".tflite", "wb") as file:
                file.write(model)
            data = compute(model, name) if name in EXPECTED else run(path + ".tflite", 1 + 2 * ("rnn" in name or "lstm" in name or name == "variable" or "svdf" in name))
            with open(path + ".io", "wb") as file:
                file.write(data)
            print(f"{name}: {len(model)} bytes", flush=True)
        except Exception as error:  # the converter's own kinds are many
            failed.append(name)
            if os.path.exists(path + ".tflite"):
                os.remove(path + ".tflite")
            print(f"{name}: FAILED: {str(error).splitlines()[-1][:300] if str(error) else error!r}", flush=True)
    return f"failed: {' '.join(failed)}" if failed else 0


if __name__ == "__main__":
    sys.exit(main())
