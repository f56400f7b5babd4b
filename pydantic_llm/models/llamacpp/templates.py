"""Render chat templates with Jinja, in a sandbox: they come with the file of a model.

The functions and filters are those that templates for transformers use.
https://huggingface.co/docs/transformers/main/en/chat_templating_writing
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from ..._extras import import_extra

__all__ = ('render_template',)


def render_template(template: str, variables: Mapping[str, Any]) -> str:
    """Render a chat template. Raises any exception of Jinja, or of the template."""
    text: str = _compile_template(template).render(**variables)
    return text


@lru_cache(maxsize=32)
def _compile_template(template: str) -> Any:
    jinja2 = import_extra('jinja2', extra='llamacpp', what='A chat template')
    sandbox = import_extra('jinja2.sandbox', extra='llamacpp', what='A chat template')
    environment = sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=['jinja2.ext.loopcontrols', _make_generation_tag(jinja2)]
    )
    environment.filters['tojson'] = _encode_json
    environment.globals['raise_exception'] = _make_raise(jinja2)
    environment.globals['strftime_now'] = _format_now
    return environment.from_string(template)


def _encode_json(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """Encode a value as JSON, without Jinja's escapes for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _format_now(form: str) -> str:
    return datetime.now().astimezone().strftime(form)


def _make_raise(jinja2: Any) -> Any:
    def raise_exception(message: str) -> None:
        raise jinja2.TemplateError(message)

    return raise_exception


def _make_generation_tag(jinja2: Any) -> Any:
    """Return an extension that renders what is between `{% generation %}` and `{% endgeneration %}`."""

    def parse(self: Any, parser: Any) -> Any:
        line = next(parser.stream).lineno
        body = parser.parse_statements(['name:endgeneration'], drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)

    extension: Any = import_extra('jinja2.ext', extra='llamacpp', what='A chat template').Extension
    return type('GenerationTag', (extension,), {'tags': {'generation'}, 'parse': parse})
