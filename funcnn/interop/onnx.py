"""A trained network as ONNX: of the named ones, that are layers one after another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from funcnn.core import ArgumentError, MissingExtraError
from funcnn.data.scaling import Scale
from funcnn.models.activations import SLOPE
from funcnn.runs import Predictor

__all__ = ["content"]

NETWORKS = ("mlp", "mlp_linear")

OPSET, IR = 20, 10
"""The first set of operators with Gelu, and the oldest format that holds it: so that runtimes
that are not the newest read it, too."""


def content(trained: Predictor, samples: int | None) -> bytes:
    """What ``Predictor.export`` writes into a ``.onnx`` file.

    Raises:
        ArgumentError: for another model than the named networks, and for float64, which
            ONNX's runtimes compute only some of the activations in.
        MissingExtraError: without the package onnx.
    """
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("onnx", "onnx") from error
    recipe, preparation = trained.recipe or {"model": "a model of your own"}, trained.preparation
    if recipe["model"] not in NETWORKS:
        raise ArgumentError(
            f"{recipe['model']} cannot be written as .onnx: {' and '.join(NETWORKS)} can; "
            f".stablehlo takes any model"
        )
    if preparation.dtype != "float32":
        raise ArgumentError(
            f"dtype={preparation.dtype!r}: runtimes of .onnx compute in float32; train in it, or "
            f"export to .stablehlo"
        )
    graph = _Graph()
    h = "x"
    if preparation.x_scale is not None:
        h = graph.scaled(h, preparation.x_scale, ("Sub", "Div"))
    layers = sum(name.startswith("w") for name in trained.params)
    for layer in range(1, layers + 1):
        if layer > 1:
            h = ACTIVATIONS[recipe.get("activation", "relu")](graph, h)
        h = graph.node("MatMul", h, graph.constant(trained.params[f"w{layer}"]))
        if f"b{layer}" in trained.params:
            h = graph.node("Add", h, graph.constant(trained.params[f"b{layer}"]))
    if preparation.y_scale is not None:
        h = graph.scaled(h, preparation.y_scale, ("Mul", "Add"))
    width = trained.params[f"w{layers}"].shape[1]
    if preparation.target_axes == 1 and width == 1:
        h = graph.node("Squeeze", h, graph.constant(np.array([1])))
    graph.node("Identity", h, output="prediction")

    helper, rows = onnx.helper, samples or "samples"
    axes = [rows] if preparation.target_axes == 1 and width == 1 else [rows, width]
    float32 = onnx.TensorProto.FLOAT
    made = helper.make_graph(
        graph.nodes,
        recipe["model"],
        [helper.make_tensor_value_info("x", float32, [rows, *preparation.sample.shape])],
        [helper.make_tensor_value_info("prediction", float32, axes)],
        graph.constants,
    )
    model = helper.make_model(
        made,
        producer_name="funcnn",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
    )
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


class _Graph:
    """Nodes and constants, each under a name of its own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node; the name of its output."""
        import onnx

        output = output or f"h{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, array: np.ndarray) -> str:
        """Add a constant; its name."""
        import onnx

        name = f"c{len(self.constants)}"
        self.constants.append(onnx.numpy_helper.from_array(np.asarray(array), name))
        return name

    def scaled(self, h: str, scale: Scale, kinds: tuple[str, str]) -> str:
        """By mean and spread, in float64 as in ``predict``."""
        import onnx

        parts = (scale.mean, scale.spread) if kinds[0] == "Sub" else (scale.spread, scale.mean)
        h = self.node("Cast", h, to=onnx.TensorProto.DOUBLE)
        for kind, part in zip(kinds, parts, strict=True):
            h = self.node(kind, h, self.constant(part))
        return self.node("Cast", h, to=onnx.TensorProto.FLOAT)


ACTIVATIONS: dict[str, Callable[[_Graph, str], str]] = {
    "relu": lambda graph, h: graph.node("Relu", h),
    "tanh": lambda graph, h: graph.node("Tanh", h),
    "sigmoid": lambda graph, h: graph.node("Sigmoid", h),
    "gelu": lambda graph, h: graph.node("Gelu", h),
    "silu": lambda graph, h: graph.node("Mul", h, graph.node("Sigmoid", h)),
    "elu": lambda graph, h: graph.node("Elu", h),
    "leaky_relu": lambda graph, h: graph.node("LeakyRelu", h, alpha=SLOPE),
    "softplus": lambda graph, h: graph.node("Softplus", h),
    "identity": lambda _, h: h,
}
"""The activations of ``mlp_linear``, by name."""
