"""Predictions of what tasks take, from what they took."""

from __future__ import annotations

from wfnb.predictions.experience import Experience, forecast_of
from wfnb.predictions.explaining import Explanation
from wfnb.predictions.known import Known

__all__ = ["Experience", "Explanation", "Known", "forecast_of"]
