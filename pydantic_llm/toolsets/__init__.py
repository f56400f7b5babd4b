"""Toolsets: collections of tools that agents share, change and combine.

Read `toolset` (what a toolset is, and how it is changed), `function` (functions as tools), `combined` (several as one),
`dynamic` (made again for each run or step) and `external` (tools that another program executes).
"""

from __future__ import annotations

from .combined import CombinedToolset
from .dynamic import DynamicToolset, ToolsetFunc
from .external import ExternalToolset
from .function import FunctionToolset
from .toolset import (
    AbstractToolset,
    ApprovalRequiredToolset,
    FilteredToolset,
    PrefixedToolset,
    PreparedToolset,
    RenamedToolset,
    SetMetadataToolset,
    ToolsetTool,
    WrapperToolset,
)

__all__ = (
    'AbstractToolset',
    'ApprovalRequiredToolset',
    'CombinedToolset',
    'DynamicToolset',
    'ExternalToolset',
    'FilteredToolset',
    'FunctionToolset',
    'PrefixedToolset',
    'PreparedToolset',
    'RenamedToolset',
    'SetMetadataToolset',
    'ToolsetFunc',
    'ToolsetTool',
    'WrapperToolset',
)
