"""Which requests an app accepts: keys in every form, and, without a key, the `Host` and the `Origin`."""

from __future__ import annotations

import io
import json
import logging
import re
from typing import Any

import httpx2
import pytest
from starlette.routing import Route

from pydantic_llm.exceptions import UserError
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.serve import LocalServer, create_app
from pydantic_llm.serve.protocols import PROTOCOLS
from tests.serve.conftest import Connect
from tests.serve.protocols import GEMINI, OPENAI, Wire
from tests.serve.raw import exchange_bytes

KEY = 's3cret-of-the-gateway'

# ------------------------------------------------------------------------------------------------------------- hosts

KNOWN_HOSTS = (
    'localhost LOCALHOST LocalHost:8000 localhost. localhost.:80 app.localhost 127.0.0.1 127.0.0.1:8000 127.0.0.1. '
    '10.0.0.7 [::1] [::1]:8000 [FE80::1]:80 [::ffff:127.0.0.1] gateway Gateway:80 gateway.'
).split()

STRANGE_HOSTS = (
    '',
    *(
        'evil.example evil.example:8000 localhost.evil.example 127.0.0.1.nip.io xlocalhost localhost.. .localhost '
        'evil.example:80@127.0.0.1 127.0.0.1@evil.example localhost:80@evil.example user:password@localhost '
        'localhost:evil [::1]evil.example [::1]:80:evil.example [evil.example] ::1 [::1 localhost/evil localhost#evil '
        '127.1 0x7f.0.0.1 2130706433 127.0.0.1:999999 gateway.evil.example evil.gateway *'
    ).split(),
    'localhost evil.example',
    'localhost, evil.example',
    'löcalhost',
)


@pytest.mark.parametrize(
    ('host', 'status'), [*((host, 200) for host in KNOWN_HOSTS), *((host, 403) for host in STRANGE_HOSTS)]
)
async def test_without_a_key_only_known_hosts_are_accepted(connect: Connect, host: str, status: int) -> None:
    model = TestModel()
    async with connect(model, allowed_hosts=['gateway']) as client:
        headers: Any = [(b'host', host.encode())]
        response = await client.post(OPENAI.path, json=OPENAI.request(), headers=headers)
        listed = await client.get('/v1/models', headers=headers)
    assert (response.status_code, listed.status_code) == (status, status)
    assert (model.last_messages is None) == (status == 403)


@pytest.mark.parametrize('key', [None, KEY])
async def test_a_request_without_a_host_or_with_several_is_rejected(key: str | None) -> None:
    model = TestModel()
    async with LocalServer(create_app(model, key=key)) as url:
        for hosts in ('', 'host: localhost\r\nhost: evil.example\r\n'):
            for version in ('1.0', '1.1') if key is None else ('1.1',):
                request = f'GET /v1/models HTTP/{version}\r\n{hosts}x-api-key: {key}\r\nconnection: close\r\n\r\n'
                assert (await exchange_bytes(url, request.encode()))[9:12] in (b'400', b'403')


async def test_a_host_that_is_refused_is_not_repeated_in_full(connect: Connect) -> None:
    async with connect(TestModel()) as client:
        response = await client.get('/v1/models', headers={'host': 'x' * 10_000})
    assert response.status_code == 403
    assert len(response.text) < 1000


# ----------------------------------------------------------------------------------------------------------- origins

OWN_ORIGINS = (
    'http://localhost http://localhost:3000 HTTPS://LocalHost:3000 http://127.0.0.1:3000 http://[::1]:3000 '
    'http://app.localhost:5173 http://gateway:9 app://gateway http://10.0.0.7:9000'
).split()

STRANGE_ORIGINS = (
    'null http://evil.example https://evil.example:8000 http://localhost.evil.example http://localhost@evil.example '
    'http://evil.example#localhost http://203.0.113.5 http://203.0.113.5:8000 http://[2001:db8::1] file:// '
    'chrome-extension://abcdefghijklmnop http://localhost/evil http:localhost //localhost localhost http://'
).split()


@pytest.mark.parametrize(
    ('origin', 'status'),
    [*((origin, 200) for origin in OWN_ORIGINS), *((origin, 403) for origin in (*STRANGE_ORIGINS, ''))],
)
async def test_without_a_key_a_page_of_another_machine_gets_nothing(connect: Connect, origin: str, status: int) -> None:
    model = TestModel()
    async with connect(model, allowed_hosts=['gateway']) as client:
        headers = {'host': '10.0.0.7:8000', 'origin': origin}
        response = await client.post(OPENAI.path, json=OPENAI.request(), headers=headers)
        listed = await client.get('/v1/models', headers=headers)
    assert (response.status_code, listed.status_code) == (status, status)
    assert (model.last_messages is None) == (status == 403)


async def test_every_one_of_several_origins_must_be_known(connect: Connect) -> None:
    async with connect(TestModel()) as client:
        headers: Any = [('origin', 'http://localhost'), ('origin', 'http://evil.example')]
        assert (await client.get('/v1/models', headers=headers)).status_code == 403


async def test_a_rebound_page_gets_nothing_even_with_the_right_content_type(connect: Connect, wire: Wire) -> None:
    """The page of evil.example, whose name now leads to this machine: the browser sees one origin, and asks nobody."""
    async with connect(TestModel()) as client:
        headers = {'host': 'evil.example:8000', 'origin': 'http://evil.example:8000', 'sec-fetch-site': 'same-origin'}
        response = await client.post(wire.to(body := wire.request()), json=body, headers=headers)
    assert response.status_code == 403
    assert 'does not know the host' in wire.read_error(response.json())


@pytest.mark.parametrize('key', [None, KEY])
async def test_no_response_lets_a_page_of_another_origin_read_it(connect: Connect, key: str | None) -> None:
    asked = {
        'origin': 'http://evil.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type, authorization',
        'access-control-request-private-network': 'true',
    }
    app = create_app(TestModel(), key=key)
    paths = {route.path for route in app.routes if isinstance(route, Route)}
    async with connect(TestModel(), key=key) as client:
        for path in [re.sub(r'{verb}', 'generateContent', re.sub(r'{[a-z]+:?\w*}', 'm', path)) for path in paths]:
            for method in ('OPTIONS', 'GET', 'POST'):
                response = await client.request(method, path, headers=asked, json=OPENAI.request())
                assert not any(name.startswith('access-control') for name in response.headers)
                assert response.status_code >= 400 or path in ('/health', '/ready')


# -------------------------------------------------------------------------------------------------------------- keys

KEY_FORMS: list[list[tuple[str, str]]] = [
    [('authorization', f'Bearer {KEY}')],
    [('AUTHORIZATION', f'bearer {KEY}')],
    [('Authorization', f'BEARER   {KEY}')],
    [('authorization', KEY)],
    [('x-api-key', KEY)],
    [('api-key', KEY)],
    [('X-Goog-Api-Key', KEY)],
    [('authorization', 'Bearer another'), ('x-api-key', KEY)],
    [('authorization', f'Bearer {KEY}'), ('x-api-key', 'another')],
]

WRONG_FORMS: list[list[tuple[str, str]]] = [
    [],
    [('authorization', '')],
    [('authorization', 'Bearer')],
    [('authorization', 'Bearer ')],
    [('authorization', f'Bearer {KEY.upper()}')],
    [('authorization', f'Bearer {KEY}x')],
    [('authorization', f'Bearer {KEY[:-1]}')],
    [('authorization', f'Basic {KEY}')],
    [('authorization', f'Basic Bearer {KEY}')],
    [('authorization', f'Bearer Bearer {KEY}')],
    [('authorization', f'Token {KEY}')],
    [('authorization', f'Bearer {KEY}, Bearer x')],
    [('x-api-key', '')],
    [('x-api-key', f'Bearer {KEY}')],
    [('x-api-key', 'é')],
    [('proxy-authorization', f'Bearer {KEY}')],
    [('cookie', f'key={KEY}')],
    [('x-api-key', KEY), ('x-api-key', 'another')],
    [('x-api-key', 'another'), ('x-api-key', KEY)],
    [('authorization', f'Bearer {KEY}'), ('authorization', f'Bearer {KEY}')],
]


@pytest.mark.parametrize(
    ('headers', 'status'), [*((form, 200) for form in KEY_FORMS), *((form, 401) for form in WRONG_FORMS)]
)
async def test_a_key_is_accepted_in_the_form_of_every_client(
    connect: Connect, headers: list[tuple[str, str]], status: int
) -> None:
    model = TestModel()
    encoded: Any = [(name.encode(), value.encode()) for name, value in headers]
    async with connect(model, key=KEY) as client:
        responses = [
            await client.post(OPENAI.path, json=OPENAI.request(), headers=encoded),
            await client.get('/v1/models', headers=encoded),
            await client.get('/v1/models/test', headers=encoded),
        ]
    assert [response.status_code for response in responses] == [status, status, status]
    assert not any(KEY in response.text for response in responses)
    assert (model.last_messages is None) == (status == 401)


@pytest.mark.parametrize(
    ('query', 'status'),
    [
        (f'?key={KEY}', 200),
        (f'?alt=sse&key={KEY}', 200),
        ('?key=', 401),
        (f'?key={KEY}&key=x', 401),
        (f'?k={KEY}', 401),
    ],
)
async def test_a_key_in_the_url_is_accepted(connect: Connect, query: str, status: int) -> None:
    """As Google's documentation shows: https://ai.google.dev/api."""
    async with connect(TestModel(), key=KEY) as client:
        response = await client.post(f'/v1beta/models/m:generateContent{query}', json=GEMINI.request())
    assert response.status_code == status
    assert KEY not in response.text


async def test_every_path_but_the_health_check_needs_the_key() -> None:
    app = create_app(TestModel(), key=KEY)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url='http://localhost') as client:
        for route in app.routes:
            assert isinstance(route, Route)
            path = re.sub(r'{verb}', 'converse' if 'converse' in route.path else 'generateContent', route.path)
            path = re.sub(r'{[a-z]+(:path)?}', 'm', path)
            for method in route.methods or ():
                response = await client.request(method, path, json=OPENAI.request())
                assert response.status_code == (200 if path in ('/health', '/ready') else 401), (method, path)


def test_no_log_and_no_object_shows_a_key(caplog: pytest.LogCaptureFixture) -> None:
    """Also with the most verbose logs, for a right key and for wrong ones, in headers and in URLs."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    loggers = [logging.getLogger(name) for name in ('uvicorn.access', 'uvicorn.error', 'pydantic_llm')]
    app = create_app(TestModel(), key=KEY)
    with LocalServer(app) as url, httpx2.Client() as client, caplog.at_level(logging.DEBUG):
        for logger in loggers:
            logger.addHandler(handler)
            logger.setLevel(5)
        try:
            for key in (KEY, 'a-wrong-key'):
                for headers in ({'authorization': f'Bearer {key}'}, {'x-api-key': key}):
                    client.post(f'{url}{OPENAI.path}', json=OPENAI.request(), headers=headers)
                    client.post(f'{url}{OPENAI.path}', content=b'{', headers=headers)
                    client.get(f'{url}/nothing', headers=headers)
                for path in ('/v1beta/models/m:generateContent', '/nothing', '/v1/models'):
                    client.get(f'{url}{path}?key={key}&alt=sse')
                    client.post(f'{url}{path}?%6Bey={key}', json=GEMINI.request())
        finally:
            for logger in loggers:
                logger.removeHandler(handler)
                logger.setLevel(logging.NOTSET)
    assert '/nothing' in text.getvalue()
    assert KEY not in text.getvalue()
    assert 'a-wrong-key' not in text.getvalue()
    assert KEY not in repr([vars(each) for each in reachable_objects(app)])


def reachable_objects(app: Any) -> list[Any]:
    """Return the objects of this package that an app holds: what a traceback with local variables shows."""
    endpoints = [route.endpoint for route in app.routes]
    gateways = [vars(each)['_gateway'] for each in endpoints if '_gateway' in getattr(each, '__dict__', {})]
    assert gateways
    return [app, *gateways, *(gateway.access for gateway in gateways)]


@pytest.mark.parametrize('key', ['', ' ', 'a\n', ' a', 'a ', 'a\tb', 'é', 'a\x00b'])
def test_a_key_that_no_client_can_send_is_an_error(key: str) -> None:
    with pytest.raises(UserError, match='key='):
        create_app(TestModel(), key=key)


@pytest.mark.parametrize(
    'host', ['', '*', 'http://gateway', 'gateway:8000', 'gateway/', 'a b', '.gateway', '*.gateway', 'user@gateway']
)
def test_an_allowed_host_that_is_no_name_is_an_error(host: str) -> None:
    with pytest.raises(UserError, match=r'allowed_hosts= holds .*pass the name alone'):
        create_app(TestModel(), allowed_hosts=[host])


def test_every_protocol_has_an_error_for_each_refusal(wire: Wire) -> None:
    protocol = next(each for each in PROTOCOLS if each.name == wire.name)
    for status in (401, 403, 408, 413, 415, 503):
        from pydantic_llm.exceptions import ModelHTTPError

        sent, body = protocol.encode_error(ModelHTTPError(status, '', message='No'))
        assert sent == status
        assert wire.read_error(json.loads(json.dumps(body))) == 'No'
