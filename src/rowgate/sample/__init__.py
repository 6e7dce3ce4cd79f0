"""The sample database: made-up inventory, permission, job and activity rows, the same for the same seed."""

from rowgate.sample.build import build_sample
from rowgate.sample.model import SampleObject, SampleSummary
from rowgate.sample.procedures import write_procedures

__all__ = ["SampleObject", "SampleSummary", "build_sample", "write_procedures"]
