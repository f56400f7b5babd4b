"""Encodes a request for a summary of the conversation: the parameter `compaction` of `anthropic.types.beta`."""

from __future__ import annotations

from ...json_types import Json

REPLY_FIELDS = ('context_management', 'stop_sequences')
"""The fields that the API rejects in such a request, since it has no reply: `anthropic.lib.tools._beta_runner`."""


def encode_compaction_request(body: Json, instructions: str | None) -> Json:
    """Encode the body of a request for a summary, from the body of a request for a response."""
    fields = {name: value for name, value in body.items() if name not in REPLY_FIELDS}
    if fields.get('tool_choice', {}).get('type') in ('any', 'tool'):
        del fields['tool_choice']
    config = {name: value for name, value in fields.pop('output_config', {}).items() if name != 'format'}
    compaction = {'type': 'summarize', **({'instructions': instructions} if instructions else {})}
    return {**fields, **({'output_config': config} if config else {}), 'compaction': compaction}
