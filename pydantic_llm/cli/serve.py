"""`pydantic-llm serve`: run a gateway that serves any model over the vendors' own protocols."""

from __future__ import annotations

from argparse import Namespace
from ipaddress import ip_address

from ..models import Model, infer_model
from .choice import default_model_name
from .errors import UsageError
from .parser import KEY_VARIABLE
from .turn import print_note

__all__ = ('serve',)

GREETING = """\
Serving {names} at {url} (Ctrl-C stops it)

  from openai import OpenAI
  OpenAI(base_url='{url}/v1', api_key={key})

  from anthropic import Anthropic
  Anthropic(base_url='{url}', api_key={key})

  curl {url}/v1/chat/completions -H 'content-type: application/json'{header} \\
    -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
"""
"""The text to print when the server has started."""

OPEN = f'Every machine that can reach this one can use your models: give --key, or set {KEY_VARIABLE}'
"""The warning for a server without a key that other machines can reach."""


def serve(arguments: Namespace) -> None:
    """Serve the models until Ctrl-C. Raises `UsageError` if the key is empty."""
    if arguments.key is not None and not arguments.key.strip():
        raise UsageError(f'the key is empty: give --key a value, or unset {KEY_VARIABLE}')
    from ..serve import create_app, run_server

    names: list[str] = arguments.model or [default_model_name()]
    models: dict[str, Model] = {name: infer_model(name) for name in names}
    served = models if len(models) > 1 else models[names[0]]
    app = create_app(served, key=arguments.key, allowed_hosts=arguments.allow_host)
    if arguments.key is None and not _is_loopback(arguments.host):
        print_note(f'Warning: {OPEN}.')
    try:
        run_server(
            app,
            host=arguments.host,
            port=arguments.port,
            on_start=lambda url: _print_greeting(url, names, arguments.key),
        )
    except KeyboardInterrupt:
        print_note('Stopped.')


def _print_greeting(url: str, names: list[str], key: str | None) -> None:
    shown_key = "'the key of this server'" if key else "'any'"
    header = ' -H "authorization: Bearer $KEY"' if key else ''
    print(GREETING.format(names=', '.join(names), url=url, key=shown_key, header=header, model=names[0]), flush=True)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'
