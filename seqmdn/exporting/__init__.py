"""Trained models as files that other programs run: one step of a sequence as an ONNX graph."""

from seqmdn.exporting.agreement import Agreement, compare_with_torch
from seqmdn.exporting.onnx import export_onnx
from seqmdn.exporting.step import OUTPUTS, ExportError, Step

__all__ = ["OUTPUTS", "Agreement", "ExportError", "Step", "compare_with_torch", "export_onnx"]
