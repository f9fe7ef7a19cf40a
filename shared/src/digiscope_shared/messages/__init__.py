"""The messages of DigiScope: frozen dataclasses, one codec (`digiscope_shared.codec`), major versions in the schema."""

from digiscope_shared.messages.capture import CaptureAttributes, CaptureRecord, Prescreen
from digiscope_shared.messages.device import (
    CameraHealth,
    ConfigRefusal,
    DesiredConfig,
    DeviceState,
    ResultRequest,
    TelemetryReading,
)
from digiscope_shared.messages.receipt import Receipt, ReceiptKind
from digiscope_shared.messages.result import AnalysisResult, Refusal, Triage
from digiscope_shared.messages.trace import StepName, TraceStep

__all__ = [
    "AnalysisResult",
    "CameraHealth",
    "CaptureAttributes",
    "CaptureRecord",
    "ConfigRefusal",
    "DesiredConfig",
    "DeviceState",
    "Prescreen",
    "Receipt",
    "ReceiptKind",
    "Refusal",
    "ResultRequest",
    "StepName",
    "TelemetryReading",
    "TraceStep",
    "Triage",
]
