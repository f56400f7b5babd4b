"""boto3 clients for tests, with several kinds of credentials, for a local server."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.session import Session

from pydantic_llm.transport import RawRequest
from pydantic_llm.transport.aws import AwsConnection
from pydantic_llm.transport.aws_http import make_http_client
from pydantic_llm.transport.loops import LoopClients
from pydantic_llm.transport.pools import HttpClients

Json = dict[str, Any]

REGION = 'eu-central-1'
ID, SECRET = 'an-id-of-a-key', 'a-secret-that-must-not-be-shown'
MODEL = 'arn:aws:bedrock:eu-central-1:1:inference-profile/eu.x.y-v1:0'
PATH = '/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Feu.x.y-v1%3A0/converse'
HELLO = b'{"messages":[{"role":"user","content":[{"text":"hi"}]}]}'
RESPONSE: Json = {
    'output': {'message': {'role': 'assistant', 'content': [{'text': 'Hello'}]}},
    'stopReason': 'end_turn',
    'usage': {'inputTokens': 1, 'outputTokens': 1, 'totalTokens': 2},
    'metrics': {'latencyMs': 1},
}


def client(url: str, credentials: Any = None, **config: Any) -> Any:
    """Return a boto3 client for a server."""
    session = Session()
    session._credentials = credentials or Credentials(ID, SECRET)
    own = Config(**{'retries': {'total_max_attempts': 1}, **config})
    return boto3.Session(botocore_session=session).client(
        'bedrock-runtime', region_name=REGION, endpoint_url=url, config=own
    )


def connection(aws: Any) -> AwsConnection:
    """Return a connection with the settings of a boto3 client."""
    clients = LoopClients[Any](make_http_client(aws), HttpClients())
    operations = {'converse': 'Converse', 'converse-stream': 'ConverseStream'}
    return AwsConnection(clients, aws, operations, provider_name='vendor')


def raw_request(**headers: str) -> RawRequest:
    """Return a request to `Converse`."""
    return RawRequest(PATH, HELLO, 'the-model', headers)


def send_by_boto3(aws: Any) -> Json:
    """Send the same request through boto3 and return its response."""
    response: Json = aws.converse(modelId=MODEL, messages=[{'role': 'user', 'content': [{'text': 'hi'}]}])
    return response


def is_signed(url: str, path: str, headers: Mapping[str, str], body: bytes, secret: str = SECRET) -> bool:
    """Return whether a request has the signature that Amazon's servers would accept."""
    authorization = headers['authorization']
    fields = dict(field.split('=', 1) for field in authorization.removeprefix('AWS4-HMAC-SHA256 ').split(', '))
    signed = fields['SignedHeaders'].split(';')
    request = AWSRequest('POST', url + path, {name: headers[name] for name in signed if name != 'host'}, body)
    request.context['timestamp'] = headers['x-amz-date']
    region, service = fields['Credential'].split('/')[2:4]
    auth = SigV4Auth(Credentials(ID, secret), service, region)
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    return bool((service, region) == ('bedrock', REGION) and fields['Signature'] == expected)


class CredentialSource:
    """A slow source of refreshable credentials, which counts its fetches."""

    def __init__(self, *, seconds: float = 0.0, lifetime: float = 3600.0) -> None:
        self.seconds = seconds
        self.lifetime = lifetime
        self.fetches = 0
        self.threads: set[str] = set()
        self.error: Exception | None = None

    def fetch(self) -> Json:
        self.fetches += 1
        self.threads.add(threading.current_thread().name)
        time.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        until = datetime.now(UTC) + timedelta(seconds=self.lifetime)
        return {
            'access_key': ID,
            'secret_key': SECRET,
            'token': f'token-{self.fetches}',
            'expiry_time': until.isoformat(),
        }

    def credentials(self) -> RefreshableCredentials:
        """Return expired credentials, which will be fetched at the next request."""
        past = datetime.now(UTC) - timedelta(hours=1)
        return RefreshableCredentials(ID, SECRET, 'token-0', past, self.fetch, 'test')
