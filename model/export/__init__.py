"""The integer graph in other formats."""

from intarsia.model.export.network import OPSET, export_onnx
from intarsia.model.export.runtime import run_onnx, run_outputs

__all__ = ["OPSET", "export_onnx", "run_onnx", "run_outputs"]
