"""Values of options that the parser and the commands share."""

from __future__ import annotations

__all__ = ('KEY_VARIABLE', 'THINKING')

KEY_VARIABLE = 'PYDANTIC_LLM_SERVE_KEY'
"""The environment variable of `serve --key`. Unlike an argument, it is not visible in the list of processes."""

THINKING = {'on': True, 'off': False, 'minimal': 'minimal', 'low': 'low', 'medium': 'medium', 'high': 'high'}
"""The values of `--thinking`, as values of the setting `thinking`."""
