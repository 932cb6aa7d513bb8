"""The integer graph in other formats."""

from model.export.network import OPSET, export_onnx
from model.export.runtime import run_onnx

__all__ = ["OPSET", "export_onnx", "run_onnx"]
