"""The betas that a request needs, which the header `anthropic-beta` lists."""

from __future__ import annotations

from ...json_types import Json
from ...messages import UploadedFile
from ...native_tools import MCPServerTool, MemoryTool, WebFetchTool
from ...profiles.anthropic import AnthropicModelProfile
from ...wire.files import content_items
from ...wire.prepare import PreparedRequest
from .options import COMPACT_BETA, find_compaction_beta

MCP_BETA = 'mcp-client-2025-04-04'
FILES_BETA = 'files-api-2025-04-14'
FETCH_BETA = 'web-fetch-2025-09-10'
CONTEXT_BETA = 'context-management-2025-06-27'
TASK_BUDGET_BETA = 'task-budgets-2026-03-13'
FAST_MODE_BETA = 'fast-mode-2026-02-01'


def list_betas(request: PreparedRequest, profile: AnthropicModelProfile) -> list[str]:
    """Return the betas that the request needs, and those of the setting `anthropic_betas`."""
    settings = request.options
    betas = [TASK_BUDGET_BETA] if 'anthropic_task_budget' in settings else []
    if settings.get('anthropic_speed') == 'fast':
        betas.append(FAST_MODE_BETA)
    edits: list[Json] = settings.get('anthropic_context_management', {}).get('edits', [])
    betas += [COMPACT_BETA if edit['type'].startswith('compact') else CONTEXT_BETA for edit in edits]
    for tool in request.parameters.native_tools:
        match tool:
            case MCPServerTool():
                betas.append(MCP_BETA)
            case MemoryTool():
                betas.append(CONTEXT_BETA)
            case WebFetchTool() if profile.anthropic_web_fetch == 'web_fetch_20250910':
                betas.append(FETCH_BETA)
            case _:
                pass
    if beta := find_compaction_beta(request):
        betas.append(beta)
    known = request.get_known()
    may_have_files = known is None or known.has_items
    if may_have_files and any(isinstance(item, UploadedFile) for item in content_items(request.messages)):
        betas.append(FILES_BETA)
    return list(dict.fromkeys([*betas, *settings.get('anthropic_betas', ())]))
