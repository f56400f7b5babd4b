"""Refuses the unknown fields of a request that other APIs read as content, tools, or the choice of the model.

A decoder keeps the fields that it does not know in `extra_body`, since a vendor may have added them. The model may be
another vendor's, to which such a field would be a second conversation, one that no guard or limit has seen.
"""

from __future__ import annotations

from collections.abc import Collection

from ..exceptions import UserError
from ..wire.served_fields import fold_name
from ..wire.serving import ServedRequest

__all__ = ('find_unknown_fields',)

CONTENT_FIELDS = frozenset(
    (
        # the conversation: Chat Completions, Responses, Gemini, Cohere's first API, text completions, TGI, vLLM
        'messages message input inputs contents content prompt prompts prompttokenids suffix prefix chathistory '
        'conversation history previousresponseid previousinteractionid chattemplate documents document '
        # instructions
        'system systemprompt systeminstruction instructions preamble preambleoverride context cachedcontent '
        # tools
        'tools toolchoice toolconfig toolresources toolresults functions functioncall mcpservers connectors plugins '
        'skills container '
        # the model
        'model models modelid engine route agentid '
        # the form of the response
        'stream streamoptions responseformat textformat outputconfig outputformat background'
    ).split()
)
"""The names, folded, that some API reads as content, tools, a model, or the form of the response."""


def find_unknown_fields(served: ServedRequest) -> Collection[str]:
    """Return the names of the unknown fields. Raises `UserError` if one is content to another API."""
    unknown = served.settings.get('extra_body', {})
    for name, value in unknown.items():
        if value and fold_name(name) in CONTENT_FIELDS:  # clients send `"background": false`
            raise UserError(f'{name!r} is not a field of this API: remove it, or use the path of the API that has it')
    return unknown.keys()
