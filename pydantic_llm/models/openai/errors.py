"""The errors of OpenAI's APIs: https://platform.openai.com/docs/guides/error-codes."""

from __future__ import annotations

ERROR_TYPES = {
    400: 'invalid_request_error',
    401: 'authentication_error',
    403: 'permission_error',
    404: 'not_found_error',
    429: 'rate_limit_error',
}
"""HTTP status -> the error's `type`; the type of other errors is `server_error`."""
