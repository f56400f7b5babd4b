"""Finds the errors that servers send with status 200, in a body or in an event of a stream: `find_error`."""

from __future__ import annotations

from typing import cast

from ....json_types import Json

TEXT_FIELDS = ('message', 'msg', 'detail', 'error_msg', 'error_message', 'errorMessage')
"""The fields that hold the text of an error without an `error` object."""

CODE_FIELDS = ('code', 'error_code', 'errorCode', 'error_type', 'status_code', 'status')
"""The fields that mark such a text as an error, if they have a value that is not a success."""

SUCCESSES = (None, '', 0, '0', 200, '200', 'ok', 'success', 'processing', 'queued', 'in_progress')

MINIMAX_STATUSES = {1001: 504, 1002: 429, 1004: 401, 1008: 402, 1039: 429, 2013: 400}
"""MiniMax's codes -> HTTP statuses: https://platform.minimax.io/docs/api-reference/errorcode, cherry-studio#11287"""


def find_error(event: Json) -> Json | None:
    """Return the error in a body or an event as OpenAI sends it, `{'error': {...}}`, or `None`.

    An `error` that is null or has no values is not an error.
    """
    match event:
        case {'error': str(text)} if text.strip():
            return event
        case {'error': dict()} if any(cast('Json', event['error']).values()):
            return event
        case {'error': True}:
            return {'error': {name: value for name, value in event.items() if name != 'error'}}
        case {'choices': [_, *_]}:
            return None
        case {'errors': [_, *_] as errors}:
            return {'error': errors[0]}
        case {'base_resp': {'status_code': int(code)}} if code:
            text = event['base_resp'].get('status_msg')
            return {'error': {'message': text, 'code': str(code), 'status_code': MINIMAX_STATUSES.get(code)}}
        case {'object': 'error'} | {'type': 'error'}:
            return {'error': event}
        case _:
            return _find_bare_error(event)


def _find_bare_error(event: Json) -> Json | None:
    """Return an error whose fields are the event itself: `{'code': 500, 'msg': '...'}`, `{'detail': '...'}`."""
    text = next((event[name] for name in TEXT_FIELDS if event.get(name) and isinstance(event[name], (str, list))), None)
    codes = (event.get(name) for name in CODE_FIELDS)
    code = next((code for code in codes if isinstance(code, (str, int)) and code not in SUCCESSES), None)
    if text is None or (code is None and 'detail' not in event):
        return None
    return {'error': {'message': text, 'code': code, 'status_code': event.get('status_code') or event.get('status')}}
