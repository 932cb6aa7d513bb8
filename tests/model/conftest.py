"""Parts of ONNX models, run in ONNX Runtime."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto, checker, helper, shape_inference

from intarsia.model.export.network import IR_VERSION, OPSET
from intarsia.model.export.writer import Writer

Arrays = Mapping[str, NDArray[Any]]


def session(model: ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Waiting threads that spin slow down everybody on a small machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.intra_op_num_threads = 2
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


@pytest.fixture
def infer() -> Callable[[ModelProto, Arrays], dict[str, NDArray[Any]]]:
    """All outputs of a model by name."""

    def run(model: ModelProto, inputs: Arrays) -> dict[str, NDArray[Any]]:
        names = [output.name for output in model.graph.output]
        return dict(zip(names, session(model).run(None, dict(inputs)), strict=True))

    return run


@pytest.fixture
def evaluate(infer) -> Callable[..., NDArray[Any]]:
    """The result of what a function appends to a writer, with arrays as inputs of that name."""

    def run(emit: Callable[[Writer], str], dtype: str, **inputs: NDArray[Any]) -> NDArray[Any]:
        writer = Writer()
        writer.begin("result")
        writer.end(emit(writer))

        def info(name: str, dtype: np.dtype[Any], shape: tuple[int, ...] | None) -> Any:
            kind = helper.np_dtype_to_tensor_dtype(dtype)
            return helper.make_tensor_value_info(name, kind, shape)

        graph = helper.make_graph(
            writer.nodes,
            "part",
            [info(name, array.dtype, array.shape) for name, array in inputs.items()],
            [info("result", np.dtype(dtype), None)],
            writer.initializers,
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
        # Without a stated shape of the result the checker is content with the inferred one.
        model.graph.output[0].CopyFrom(_inferred(model))
        checker.check_model(model, full_check=True)
        result: NDArray[Any] = infer(model, inputs)["result"]
        return result

    return run


def _inferred(model: ModelProto) -> ValueInfoProto:
    inferred = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    output: ValueInfoProto = inferred.graph.output[0]
    return output
