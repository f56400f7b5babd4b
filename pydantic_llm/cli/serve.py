"""`pydantic-llm serve`: a gateway that speaks the vendors' own protocols in front of any model."""

from __future__ import annotations

from argparse import Namespace
from ipaddress import ip_address

from ..models import Model, infer_model
from .arguments import KEY_VARIABLE, UsageError
from .choice import default_model_name
from .turn import tell

__all__ = ('serve',)

WHERE = """\
Serving {names} at {url} (Ctrl-C stops it)

  from openai import OpenAI
  OpenAI(base_url='{url}/v1', api_key={key})

  from anthropic import Anthropic
  Anthropic(base_url='{url}', api_key={key})

  curl {url}/v1/chat/completions -H 'content-type: application/json'{header} \\
    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
"""
"""What is said on start."""

OPEN = f'Anybody who can reach this machine can use your models: give --key, or set {KEY_VARIABLE}'
"""What is said where neither the address nor a key keeps strangers out."""


def serve(given: Namespace) -> None:
    """Serve until interrupted."""
    if given.key is not None and not given.key.strip():
        raise UsageError(f'the key is empty: give --key a value, or unset {KEY_VARIABLE}')
    from ..serve import create_app, run_server

    names: list[str] = given.model or [default_model_name()]
    models: dict[str, Model] = {name: infer_model(name) for name in names}
    app = create_app(models if len(models) > 1 else models[names[0]], key=given.key)
    if given.key is None and not _is_loopback(given.host):
        tell(f'Warning: {OPEN}.')
    try:
        run_server(app, host=given.host, port=given.port, on_start=lambda url: _greet(url, names, given.key))
    except KeyboardInterrupt:
        tell('Stopped.')


def _greet(url: str, names: list[str], key: str | None) -> None:
    said = "'the key of this server'" if key else "'any'"
    header = ' -H "authorization: Bearer $KEY"' if key else ''
    print(WHERE.format(names=', '.join(names), url=url, key=said, header=header, model=names[0]), flush=True)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'
