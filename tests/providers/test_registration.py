"""Registration from other packages: services, prefixes of model strings, and entry points that declare prefixes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pydantic_llm import Agent
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import TextPart
from pydantic_llm.models import Model, infer_model, register_model_prefix
from pydantic_llm.models.names import LOADERS, NAMES
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.providers import Service, infer_provider, infer_provider_class, register_service
from pydantic_llm.providers.registry import ALIASES, MODEL_PREFIXES, PROVIDERS, SERVICES
from tests.providers.server import Server

ACME = Service('acme', 'Acme AI', 'https://api.acme.example/v1', ('ACME_API_KEY', 'ACME_TOKEN'))


@pytest.fixture(autouse=True)
def _clean_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in ACME.key_variables:
        monkeypatch.delenv(variable, raising=False)
    services, prefixes = {*SERVICES}, {*MODEL_PREFIXES}
    yield
    for name in SERVICES.keys() - services:
        del SERVICES[name]
    for name in MODEL_PREFIXES - prefixes:
        del LOADERS[name]
        MODEL_PREFIXES.remove(name)


# ------------------------------------------------------------------------------------------------------------ services


async def test_a_registered_service_is_a_provider_and_a_prefix() -> None:
    register_service(ACME)
    server = Server()
    provider = infer_provider_class('acme')(api_key='key', http_client=server.client())
    agent = Agent(OpenAIModel('some-model', provider=provider))
    assert (await agent.run('Hello?')).output == 'Hello!'
    assert str(server.request.url) == 'https://api.acme.example/v1/chat/completions'
    assert server.request.headers['authorization'] == 'Bearer key'
    assert repr(provider) == "AcmeAIProvider(name='acme', base_url='https://api.acme.example/v1')"


def test_a_registered_service_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    register_service(ACME)
    monkeypatch.setenv('ACME_TOKEN', 'key')
    model = infer_model('acme:some/model')
    assert isinstance(model, OpenAIModel)
    assert (model.system, model.model_name, model.base_url) == ('acme', 'some/model', ACME.base_url)
    assert infer_provider('acme').name == 'acme'
    assert OpenAIModel('some/model', provider='acme').system == 'acme'


def test_a_missing_key_of_a_registered_service_names_its_variables() -> None:
    register_service(ACME)
    with pytest.raises(UserError) as caught:
        infer_model('acme:some/model')
    assert str(caught.value) == (
        "The key of 'acme' is missing: set the environment variable ACME_API_KEY or ACME_TOKEN, or give api_key="
    )


def test_a_registered_service_is_among_the_nearest_names() -> None:
    register_service(ACME)
    with pytest.raises(UserError, match=r"^There is no provider 'acne'; did you mean 'acme'"):
        infer_provider('acne')
    with pytest.raises(UserError, match=r"^There is no model prefix 'acne'; did you mean 'acme'"):
        infer_model('acne:some/model')
    with pytest.raises(UserError, match=r"^'acme' names no model: write 'acme:<model name>'$"):
        infer_model('acme')


def test_an_equal_row_can_be_registered_again() -> None:
    register_service(ACME)
    register_service(replace(ACME))
    assert SERVICES['acme'] is ACME


@pytest.mark.parametrize('name', ['acme', 'deepseek', 'openai', 'xai', 'openai-chat', 'vllm', 'test'])
def test_a_name_that_is_taken_is_refused(name: str) -> None:
    register_service(ACME)
    with pytest.raises(UserError) as caught:
        register_service(replace(ACME, name=name, title='Another'))
    assert str(caught.value) == f'The name {name!r} of a service is taken: register it under another name='


def test_the_prefixes_that_no_service_may_have_are_those_without_a_provider() -> None:
    assert {*NAMES, 'test'} - PROVIDERS.keys() == MODEL_PREFIXES
    assert MODEL_PREFIXES.isdisjoint({*SERVICES, *ALIASES})


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'name': 'acme:ai'},
            "The name 'acme:ai' cannot be a prefix of model strings: use letters, digits, '-', '_' and '.'",
        ),
        ({'name': ''}, "The name '' cannot be a prefix of model strings: use letters, digits, '-', '_' and '.'"),
        (
            {'base_url': 'api.acme.example/v1'},
            (
                "base_url= of 'acme' is 'api.acme.example/v1', which is not a valid URL: "
                "write it like 'https://api.acme.example/v1'"
            ),
        ),
        (
            {'base_url': 'https://{account}.acme.example'},
            (
                "base_url= of 'acme' is 'https://{account}.acme.example': give a URL without braces, and url_variables"
                '= for the URL of each customer'
            ),
        ),
        (
            {'key_variables': 'ACME_API_KEY'},
            "key_variables= of 'acme' is 'ACME_API_KEY', and must be a tuple of names: ('ACME_API_KEY',)",
        ),
        (
            {'key_variables': ()},
            "'acme' has no variable for its key: give key_variables=, or needs_key=False",
        ),
    ],
)
def test_an_invalid_row_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as caught:
        register_service(replace(ACME, **change))
    assert str(caught.value) == message
    assert SERVICES.keys().isdisjoint({'acme', 'acme:ai', ''})


# ------------------------------------------------------------------------------------------------------------ prefixes


def make_model(model_name: str, **options: Any) -> Model:
    return TestModel(custom_output_text=f'{model_name} {options}')


async def test_a_registered_prefix_names_a_model() -> None:
    register_model_prefix('acme', lambda: make_model)
    response = await infer_model('acme:some/model', size=3).request([])
    assert response.parts == [TextPart("some/model {'size': 3}")]
    assert (await Agent('acme:some/model').run('Hello?')).output == 'some/model {}'


def test_a_loader_runs_when_its_prefix_is_used() -> None:
    class AcmeModel(TestModel):
        def __init__(self, model_name: str) -> None:
            super().__init__(model_name=model_name)

    calls: list[None] = []

    def load() -> type[Model]:
        calls.append(None)
        return AcmeModel

    register_model_prefix('acme', load)
    register_model_prefix('acme', load)
    assert calls == []
    assert isinstance(infer_model('acme:some/model'), AcmeModel)
    assert calls == [None]


@pytest.mark.parametrize('name', ['acme', 'openai', 'mlx', 'ollama', 'xai', 'test'])
def test_a_prefix_that_is_taken_is_refused(name: str) -> None:
    register_model_prefix('acme', lambda: make_model)
    with pytest.raises(UserError) as caught:
        register_model_prefix(name, lambda: make_model)
    assert str(caught.value) == f'The model prefix {name!r} is taken: register another one'


def test_services_and_prefixes_share_their_names() -> None:
    register_model_prefix('acme', lambda: make_model)
    with pytest.raises(UserError, match=r"^The name 'acme' of a service is taken"):
        register_service(ACME)
    register_service(replace(ACME, name='acme2'))
    with pytest.raises(UserError, match=r"^The model prefix 'acme2' is taken"):
        register_model_prefix('acme2', lambda: make_model)


def test_a_prefix_without_a_model_is_reported() -> None:
    register_model_prefix('acme', lambda: 'no class')  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError) as caught:
        infer_model('acme:x')
    assert str(caught.value) == "The model prefix 'acme' has an object of type 'str' and no Model class or function"


# -------------------------------------------------------------------------------------------------------- entry points


def install(folder: Path, package: str, entry_points: str, source: str = '') -> None:
    """Write a package with entry points to a folder of `sys.path`."""
    module = package.replace('-', '_')
    (folder / f'{module}.py').write_text(source)
    metadata = folder / f'{module}-1.0.dist-info'
    metadata.mkdir()
    (metadata / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n')
    (metadata / 'entry_points.txt').write_text(f'[pydantic_llm.models]\n{entry_points}\n')


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


MODELS = """
from pydantic_llm.models.test import TestModel

class InitechModel(TestModel):
    def __init__(self, model_name, *, size=1):
        super().__init__(custom_output_text=f'{model_name} {size}')

def make(model_name, **options):
    return InitechModel(model_name, **options)

nothing = None

def make_nothing(model_name):
    return model_name
"""


@pytest.mark.parametrize('value', ['InitechModel', 'make'])
async def test_an_entry_point_declares_a_prefix(folder: Path, value: str) -> None:
    package = f'initech-{value.lower()}'
    install(folder, package, f'initech = {package.replace("-", "_")}:{value}', MODELS)
    response = await infer_model('initech:some/model', size=3).request([])
    assert response.parts == [TextPart('some/model 3')]


@pytest.mark.parametrize(
    ('entry_point', 'message'),
    [
        (
            'initech = initech_broken:missing',
            (
                "The model prefix 'initech' of the package 'initech-broken' cannot be loaded from "
                "'initech_broken:missing': AttributeError: module 'initech_broken' has no attribute 'missing'"
            ),
        ),
        (
            'initech = initech_gone:InitechModel',
            (
                "The model prefix 'initech' of the package 'initech-broken' cannot be loaded from "
                "'initech_gone:InitechModel': ModuleNotFoundError: No module named 'initech_gone'"
            ),
        ),
        (
            'initech = initech_broken:nothing',
            "The model prefix 'initech' has an object of type 'NoneType' and no Model class or function",
        ),
        (
            'initech = initech_broken:make_nothing',
            "The model prefix 'initech' made an object of type 'str' and no Model",
        ),
    ],
)
def test_a_broken_entry_point_is_reported(folder: Path, entry_point: str, message: str) -> None:
    install(folder, 'initech-broken', entry_point, MODELS)
    with pytest.raises(UserError) as caught:
        infer_model('initech:some/model')
    assert str(caught.value) == message


def test_a_prefix_of_two_packages_is_reported(folder: Path) -> None:
    install(folder, 'initech-one', 'initech = initech_one:InitechModel')
    install(folder, 'initech-two', 'initech = initech_two:InitechModel')
    with pytest.raises(
        UserError, match=r"^The model prefix 'initech' is declared by several packages, 'initech-\w+' and "
    ):
        infer_model('initech:some/model')


async def test_a_registered_prefix_wins_over_an_entry_point(folder: Path) -> None:
    install(folder, 'initech-late', 'initech = initech_late:missing')
    register_model_prefix('initech', lambda: make_model)
    assert (await infer_model('initech:x').request([])).parts == [TextPart('x {}')]


def test_the_prefix_of_an_entry_point_is_among_the_known_ones(folder: Path) -> None:
    install(folder, 'initech-known', 'initech = initech_known:InitechModel')
    register_model_prefix('umbrella', lambda: make_model)
    with pytest.raises(UserError, match=r"^There is no model prefix 'initec'; did you mean 'initech'"):
        infer_model('initec:x')
    with pytest.raises(UserError, match=r'^There is no model prefix .* known are .*initech, .*umbrella'):
        infer_model('xyzzy:x')
    with pytest.raises(UserError, match=r"^'initech' names no model: write 'initech:<model name>'$"):
        infer_model('initech')
