"""Fact sheets: what a model is for."""

from quark_trace.fact_sheet.fact_sheet import FactSheet
from quark_trace.fact_sheet.loader import load_fact_sheet

__all__ = ["FactSheet", "load_fact_sheet"]
