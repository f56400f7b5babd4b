"""Ready-made history processors: functions that choose the messages of each request of an agent.

Read `turns` (the places for shortening a conversation) and `budget` (how many tokens there may be), then the
processors: `keep`, `media` and `summarize`. `repair` is for histories of any origin.
"""

from __future__ import annotations

from .keep import KeepLastTurns
from .media import DropOldMedia
from .repair import RepairedHistory, repair_history
from .summarize import SummarizeOldTurns

__all__ = ('DropOldMedia', 'KeepLastTurns', 'RepairedHistory', 'SummarizeOldTurns', 'repair_history')
