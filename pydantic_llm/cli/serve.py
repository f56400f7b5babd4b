"""`pydantic-llm serve`: run a gateway that serves any model over the vendors' own protocols."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from ipaddress import ip_address
from typing import Any

from ..models import Model, infer_model
from .choice import default_model_name
from .errors import UsageError
from .notes import print_note
from .parser import KEY_VARIABLE

__all__ = ('serve',)

SERVER_OPTIONS = ('host', 'port', 'grace', 'metrics_port')
"""The options of the server that a configuration file and the command line have."""

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
    """Serve the models until Ctrl-C. Raises `UsageError` for options that do not go together."""
    key: str | None = os.environ.get(KEY_VARIABLE) if arguments.key is None else arguments.key
    if key is not None and not key.strip():
        raise UsageError(f'the key is empty: give --key a value, or unset {KEY_VARIABLE}')
    if arguments.config is not None:
        _serve_config(arguments, key)
        return
    if arguments.check:
        raise UsageError('--check needs --config')
    from ..serve import create_app

    names: list[str] = [*dict.fromkeys(arguments.model or [default_model_name()])]
    models: dict[str, Model] = {name: infer_model(name) for name in names}
    served = models if len(models) > 1 else models[names[0]]
    log = None if arguments.access_log == 'off' else arguments.access_log
    page = _choose_playground(arguments)
    app = create_app(served, key=key, allowed_hosts=arguments.allow_host, access_log=log, playground=page)
    _run_app(app, arguments, {}, names, has_keys=key is not None)


def _serve_config(arguments: Namespace, key: str | None) -> None:
    """Serve what a configuration file describes, or check it. A file that is not valid ends the process with 1."""
    if arguments.allow_host:
        raise UsageError('--allow-host does not go with --config: write allowed_hosts into the file')
    from ..serve import ConfigError, load_config

    try:
        config = load_config(arguments.config)
        app = config.create_app(key=key, access_log=arguments.access_log, playground=_choose_playground(arguments))
    except ConfigError as error:
        print('\n'.join(error.problems), file=sys.stderr)
        raise SystemExit(1) from None
    names, keys = [*config.file.models], config.file.keys
    if arguments.check:
        print(f'{arguments.config} is valid: {len(names)} models, {len(keys)} keys')
        return
    options = {name: getattr(config.server, name) for name in SERVER_OPTIONS}
    _run_app(app, arguments, options, names, has_keys=bool(keys) or key is not None)


def _choose_playground(arguments: Namespace) -> bool | list[Any]:
    """Return the tools of the playground; `False` without `--ui`."""
    if arguments.tool and not arguments.ui:
        raise UsageError('--tool needs --ui')
    if not arguments.ui:
        return False
    from .functions import import_object

    return [import_object(name, option='--tool') for name in arguments.tool]


def _run_app(app: Any, arguments: Namespace, options: dict[str, Any], names: list[str], *, has_keys: bool) -> None:
    """Run an app with the options of a file, replaced by those of the command line."""
    from ..serve import run_server

    given = {name: value for name in SERVER_OPTIONS if (value := getattr(arguments, name)) is not None}
    options = {'host': '127.0.0.1', **options, **given}
    if not has_keys and not _is_loopback(options['host']):
        print_note(f'Warning: {OPEN}.')
    try:
        run_server(
            app, **options, on_start=lambda url: _greet(_to_client_url(url), arguments, names, has_keys=has_keys)
        )
    except KeyboardInterrupt:
        print_note('Stopped.')


def _greet(url: str, arguments: Namespace, names: list[str], *, has_keys: bool) -> None:
    shown_key = "'the key of this server'" if has_keys else "'any'"
    header = ' -H "authorization: Bearer $KEY"' if has_keys else ''
    print(GREETING.format(names=', '.join(names), url=url, key=shown_key, header=header, model=names[0]), flush=True)
    if arguments.ui:
        print(f'  Open {url}/playground to talk to them.\n', flush=True)


def _to_client_url(url: str) -> str:
    """Return a URL that clients of this machine can use: an address for all interfaces is not one."""
    return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'
