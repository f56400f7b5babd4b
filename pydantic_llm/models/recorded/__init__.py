"""Records the responses of a model into a JSON file, and replays them without the model, its key and a network.

Read `record` (`RecordingModel`) and `replay` (`ReplayModel`) first. `recording` is the file, `exchange` one entry of
it, `matching` finds the entry of a request, `difference` explains why it has no entry, `responses` and `errors` write
values and exceptions as JSON, `redaction` keeps secrets out.
"""

from __future__ import annotations

from .record import RecordingModel
from .recording import Recording
from .redaction import Redact
from .replay import ReplayModel

__all__ = ('Recording', 'RecordingModel', 'Redact', 'ReplayModel')
