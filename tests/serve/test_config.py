"""The configuration file of a gateway: what it builds, and how its mistakes are reported."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from pydantic_llm.cli import main
from pydantic_llm.models.fallback import FallbackModel
from pydantic_llm.models.limits import ConcurrencyLimitedModel, RateLimitedModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.router import Deployment, RouterModel
from pydantic_llm.serve import ConfigError, GatewayConfig, GatewayKey, load_config
from pydantic_llm.serve.config.schema import DeploymentOptions, FallbackOptions, KeyOptions, RouterOptions
from tests.serve.protocols import OPENAI

ENVIRONMENT = {'KEY': 'sk-secret', 'ALICE': 'secret-of-alice', 'HOST': 'vendor.example'}

EXAMPLE = """
[server]
port = 0
state = "{folder}/budgets.db"
access_log = "json"

[models.large]
model = "openai:gpt-4o"
provider = { api_key_env = "KEY", base_url = "https://${HOST}/v1" }
settings = { timeout = 600, temperature = 0 }
price = [2.5, 10]
concurrency = 8
max_queue = 100

[models.small]
model = "test"
requests_per_minute = 500
price = { input = 1, cache_read = 0.1, output = 2 }

[models.safe]
fallback = ["large", "test"]

[models.pool.router]
strategy = "sticky"
cooldown = 10
fallback_on = ["RateLimitError", "ModelTimeoutError"]
deployments = ["large", { model = "small", weight = 3, tokens_per_minute = 1000, cost = [1, 2] }]
fallbacks = [["test"]]

[aliases]
"claude-*" = "safe"

[[keys]]
name = "alice"
key_env = "ALICE"
models = ["small", "safe"]
tokens_per_day = 100_000

[[keys]]
name = "bob"
key_file = "{folder}/bob.key"
dollars_per_month = 10
models = ["large"]
"""


def load(text: str, folder: Path, **environment: str) -> GatewayConfig:
    path = folder / 'gateway.toml'
    path.write_text(text.replace('{folder}', str(folder)))
    (folder / 'bob.key').write_text('secret-of-bob\n')
    return load_config(path, environment={**ENVIRONMENT, **environment})


def list_problems(text: str, folder: Path) -> list[str]:
    """Return the problems of a file, without its path."""
    with pytest.raises(ConfigError) as raised:
        load(text, folder).create_app()
    return [problem.replace(f'{folder}/', '') for problem in raised.value.problems]


def test_a_file_describes_models_keys_and_the_server(tmp_path: Path) -> None:
    config = load(EXAMPLE, tmp_path)
    app = config.create_app()
    gateway = app.state.gateway
    large, small, safe, pool = gateway.catalog.models.values()
    assert isinstance(large, ConcurrencyLimitedModel)
    assert isinstance(large.wrapped, OpenAIChatModel)
    assert large.base_url == 'https://vendor.example/v1/'
    assert large.settings == {'timeout': 600, 'temperature': 0}
    assert isinstance(small, RateLimitedModel)
    assert isinstance(safe, FallbackModel)
    assert safe.models[0] is large
    assert isinstance(pool, RouterModel)
    assert [[each.name for each in group] for group in pool.groups] == [['large', 'small'], ['test:test']]
    assert (pool.deployments[1].built, pool.deployments[1].weight, pool.strategy) == (small, 3, 'sticky')
    assert (config.server.port, gateway.logs_requests) == (0, True)
    assert repr(config) == 'GatewayConfig(models: large, small, safe, pool; 2 keys)'


def test_a_file_can_be_served_with_a_playground(tmp_path: Path) -> None:
    config = load('[models.hello]\nmodel = "test"\n', tmp_path)
    for playground, status in ((True, 200), (False, 404)):
        client = TestClient(config.create_app(playground=playground), base_url='http://127.0.0.1')
        assert client.get('/playground').status_code == status


async def test_the_keys_of_a_file_are_accepted(tmp_path: Path) -> None:
    app = load(EXAMPLE, tmp_path).create_app()
    client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url='http://localhost')
    body = OPENAI.request(model='claude-opus-5')
    statuses = [
        (await client.post(OPENAI.path, json=body | {'model': model}, headers={'x-api-key': key})).status_code
        for model, key in (('small', 'secret-of-alice'), ('pool', 'secret-of-alice'), ('small', 'secret-of-bob'))
    ]
    assert statuses == [200, 403, 403]
    assert (await client.get('/usage', headers={'x-api-key': 'secret-of-alice'})).json()['spent'][0]['tokens'] > 0


MODEL = '[models.a]\nmodel = "test"\n'


def read_problems() -> dict[str, list[str]]:
    """Return the files of `config_problems.txt`, with the problems of each, which begin with `> `."""
    found: dict[str, list[str]] = {}
    for case in Path(__file__).with_name('config_problems.txt').read_text().split('\n\n'):
        lines = case.splitlines()
        text = '\n'.join(line for line in lines if not line.startswith('> '))
        found[text] = [line.removeprefix('> ') for line in lines if line.startswith('> ')]
    return found


PROBLEMS = read_problems()


@pytest.mark.parametrize('text', PROBLEMS, ids=range(len(PROBLEMS)))
def test_a_mistake_is_reported_with_its_line_and_its_option(text: str, tmp_path: Path) -> None:
    assert list_problems(text, tmp_path) == PROBLEMS[text]


def test_no_mistake_shows_a_secret(tmp_path: Path) -> None:
    text = f'{MODEL}[[keys]]\nname = "a"\nkey = ["${{ALICE}}"]\ncolour = 1\n[[keys]]\nname = 5\nkey = "${{ALICE}}"'
    problems = '\n'.join(list_problems(text, tmp_path))
    assert 'line 5: keys.0.key' in problems
    assert 'secret-of-alice' not in problems


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='cannot be read: No such file'):
        load_config(tmp_path / 'missing.toml')
    (tmp_path / 'bytes.toml').write_bytes(b'\xff\xfe')
    with pytest.raises(ConfigError, match='not text in UTF-8'):
        load_config(tmp_path / 'bytes.toml')


@pytest.mark.parametrize(
    ('schema', 'function', 'others'),
    [
        (RouterOptions, RouterModel, {'settings', 'state'}),
        (FallbackOptions, FallbackModel, {'settings', 'first', 'others'}),
        (DeploymentOptions, Deployment, set[str]()),
        (KeyOptions, GatewayKey, set[str]()),
    ],
)
def test_a_file_has_every_option_of_the_class(schema: Any, function: Any, others: set[str]) -> None:
    assert {*inspect.signature(function).parameters} - others - {*schema.model_fields} == set()


def test_the_options_of_keys_are_those_of_the_class() -> None:
    assert {*KeyOptions.model_fields} == {field.name for field in fields(GatewayKey)}


# --------------------------------------------------------------------------------------------------- the command line


def test_check_reports_a_valid_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / 'gateway.toml'
    path.write_text(MODEL)
    assert main(['serve', '--config', str(path), '--check']) == 0
    assert capsys.readouterr().out == f'{path} is valid: 1 models, 0 keys\n'


def test_check_reports_each_problem_on_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / 'gateway.toml'
    path.write_text(f'{MODEL}a = 1\nb = 2')
    with pytest.raises(SystemExit) as raised:
        main(['serve', '--config', str(path), '--check'])
    assert raised.value.code == 1
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--check'], '--check needs --config'),
        (['--config', 'x', '-m', 'test'], 'not allowed with argument'),
        (['--config', 'x', '--allow-host', 'y'], 'write allowed_hosts'),
    ],
)
def test_options_that_do_not_go_together_are_an_error(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(['serve', *arguments])
    assert message in capsys.readouterr().err


def test_a_gateway_runs_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / 'gateway.toml'
    path.write_text('[server]\nport = 0\n[models.a]\nmodel = "test"\n[[keys]]\nname = "alice"\nkey_env = "ALICE"\n')
    command = [sys.executable, '-m', 'pydantic_llm', 'serve', '--config', str(path), '--access-log', 'logfmt']
    environment = {**os.environ, **ENVIRONMENT, 'PYTHONUNBUFFERED': '1'}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[3]
        body = OPENAI.request(model='a')
        for _ in range(50):
            response = httpx2.post(url + OPENAI.path, json=body, headers={'x-api-key': 'secret-of-alice'})
            if response.status_code == 200:
                break
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=10)
    assert response.status_code == 200
    assert 'key=alice model=a protocol=openai-chat stream=false status=200' in output
    assert 'secret' not in output


def test_the_configuration_of_the_documentation_is_valid(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / 'docs' / 'deploy.md').read_text(encoding='utf-8')
    text = page.partition('```toml title="gateway.toml"\n')[2].partition('```')[0]
    (tmp_path / 'anthropic').write_text('key')
    text = text.replace('/run/secrets/', f'{tmp_path}/').replace('/data/', f'{tmp_path}/')
    config = load(text, tmp_path, OPENAI_API_KEY='k', ALICE_KEY='a', NIGHTLY_KEY='n')
    assert config.create_app().state.gateway.logs_requests
