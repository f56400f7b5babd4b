"""What would change, or would be left out, if a history were sent to another model: `portability_report`.

Nothing is sent. The report is what the model itself does with the history and with pieces of it: `pieces` takes a
history apart, `examine` compares what the model makes of the pieces, `report` has the values.
"""

from .examine import portability_report
from .report import PortabilityEffect, PortabilityIssue, PortabilityReport

__all__ = ('PortabilityEffect', 'PortabilityIssue', 'PortabilityReport', 'portability_report')
