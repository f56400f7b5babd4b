"""The words by which servers report a kind of error, as public reports show them."""

from __future__ import annotations

import pickle
import re
from typing import Any

import pytest

from pydantic_llm.exceptions import (
    ContentFilterError,
    ContentFilterHTTPError,
    ContextLengthError,
    ModelHTTPError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
)
from pydantic_llm.json_types import Json
from pydantic_llm.transport.error_wording import WORDINGS, classify
from pydantic_llm.transport.errors import error_from_event
from tests.transport.test_errors import error_body, make_error

TOO_LONG = {
    'llama.cpp': error_body('exceed_context_size_error', 'request (9000 tokens) exceeds the available context size'),
    'llama.cpp, older': error_body(message='the request exceeds the available context size. try increasing it'),
    'llama-cpp-python': error_body(message='Requested tokens (9000) exceed context window of 512'),
    'LM Studio': {
        'error': 'Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded '
        'with context length of only 4096 tokens, which is not enough.'
    },
    'LM Studio, the initial prompt': error_body(
        message='The number of tokens to keep from the initial prompt is greater than the context length.'
    ),
    'vLLM': error_body(
        'BadRequestError', 'The decoder prompt (length 9) is longer than the maximum model length of 8.'
    ),
    'vLLM, older': error_body(
        message='The prompt (total length 9) is too long to fit into the model (context length 8)'
    ),
    'vLLM, newer': error_body(
        message="This model's maximum context length is 8 tokens. However, you requested 0 output tokens and your "
        'prompt contains at least 9 input tokens, for a total of at least 9 tokens.'
    ),
    'SGLang': {
        'object': 'error',
        'message': "The input (9 tokens) is longer than the model's context length (8 tokens).",
        'code': 400,
    },
    'SGLang, the pool': error_body(
        message='Input length (160062 tokens) exceeds the maximum allowed length (59862 tokens).'
    ),
    'SGLang, newer': error_body(
        message="Requested token count exceeds the model's maximum context length of 8 tokens."
    ),
    'Fireworks': error_body(message='Input length 9 exceeds the maximum allowed input length of 8 tokens.'),
    'TGI': {
        'error': 'Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8. Given: 9',
        'error_type': 'validation',
    },
    'TGI, the prompt alone': {'error': 'Input validation error: `inputs` must have less than 4096 tokens. Given: 4545'},
    'Ollama': error_body('api_error', 'prompt too long; exceeded max context length by 300 tokens'),
    'Ollama, newer': {'error': 'the input length exceeds the context length'},
    'xAI': {
        'code': 'Client specified an invalid argument',
        'error': "This model's maximum prompt length is 8 but the request contains 9 tokens.",
    },
    'Moonshot': error_body(message='Invalid request: Your request exceeded model token limit: 131072'),
    'Z.ai': {'error': {'code': '1261', 'message': 'Prompt exceeds max length'}},
    'Z.ai, in Chinese': {'error': {'code': '1261', 'message': 'Prompt 超长'}},
    'GLM': error_body(message='tokens in request more than max tokens allowed'),
    'MiniMax': error_body(message='invalid params, context window exceeds limit'),
    'Together': error_body(message="The input (9 tokens) is longer than the model's context length (8 tokens)."),
    'Perplexity': error_body(message='The total length of all messages is too long.'),
    'Alibaba': error_body(message='<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 8]'),
    'Azure': error_body(
        message='Input tokens exceed the configured limit of 8 tokens. Your messages resulted in 9 tokens.'
    ),
    'OpenAI Responses': error_body(message='Your input exceeds the context window of this model.'),
    'Anthropic': {
        'type': 'error',
        'error': {'type': 'invalid_request_error', 'message': 'prompt is too long: 9 tokens > 8 maximum'},
    },
    'Anthropic, with the response': error_body(
        message='input length and `max_tokens` exceed context limit: 9 + 1 > 8, decrease'
    ),
    'Bedrock': {'message': 'Too many input tokens. Max input tokens: 300000, request input token count: 310000'},
    'Bedrock, Nova': {
        'message': 'The model returned the following errors: Input Tokens Exceeded: Number of input tokens'
    },
    'Bedrock, Claude': {'message': 'Input is too long for requested model.'},
    'Google': {
        'error': {'code': 400, 'message': 'The input token count (9) exceeds the maximum number of tokens allowed (8).'}
    },
    'Vertex': error_body(message='The input token count exceeds the maximum number of tokens allowed 1048576.'),
    'Cohere': {'message': 'too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292.'},
    'Mistral': {
        'object': 'error',
        'message': 'Prompt contains 9 tokens and 0 draft tokens, too large for model with 8 maximum context length',
    },
    'Groq': error_body(
        code='context_length_exceeded', message='Please reduce the length of the messages or completion.'
    ),
    'Cerebras': {
        'message': 'Please reduce the length of the messages or completion. Current length is 9 while limit is 8'
    },
    'DeepSeek': error_body(
        message="This model's maximum context length is 65536 tokens. However, you requested 69135 tokens"
    ),
    'OpenRouter': error_body(
        code=400, message="This endpoint's maximum context length is 8 tokens. However, you requested about 9 tokens"
    ),
    'OpenRouter, from upstream': {
        'error': {
            'message': 'Provider returned error',
            'code': 400,
            'metadata': {'raw': '{"error":{"message":"prompt is too long: 9"}}'},
        }
    },
    'GitHub Copilot': error_body(message='prompt token count of 9 exceeds the limit of 8'),
    'a gateway': {'error': {'error': {'message': 'context length exceeded', 'code': 400}, 'code': 400}},
}

NO_CREDIT = {
    'OpenAI': error_body('insufficient_quota', 'You exceeded your current quota'),
    'Moonshot': error_body('exceeded_current_quota_error', 'Your account is suspended due to insufficient balance'),
    'DeepSeek': error_body('unknown_error', 'Insufficient Balance'),
    'Z.ai': {'error': {'code': '1113', 'message': 'Insufficient balance or no resource package. Please recharge.'}},
    'Z.ai by Messages': error_body(
        'rate_limit_error', '[1113][Insufficient balance or no resource package. Please recharge.]'
    ),
    'Z.ai, in Chinese': error_body(message='余额不足或无可用资源包,请充值。'),
    'xAI': {
        'code': 'permission-denied',
        'error': 'Your team has either used all available credits or reached its limit.',
    },
    'Alibaba': error_body('Arrearage', 'Access denied, please make sure your account is in good standing.'),
    'OpenRouter': error_body(code=402, message='This request requires more credits, or fewer max_tokens.'),
    'Anthropic': error_body(
        'invalid_request_error', 'You have reached your specified API usage limits. You will regain access'
    ),
    'Anthropic, long context': error_body('rate_limit_error', 'Extra usage is required for long context requests.'),
    'OpenRouter, from upstream': {
        'error': {
            'message': 'Provider returned error',
            'code': 429,
            'metadata': {'raw': 'suspended due to insufficient balance'},
        }
    },
}

REFUSED = {
    'Moonshot': {
        'error': {
            'code': 400,
            'message': 'The request was rejected because it was considered high risk',
            'type': 'content_filter',
        }
    },
    'OpenAI': error_body(
        code='invalid_prompt',
        message='Invalid prompt: your prompt was flagged as potentially violating our usage policy.',
    ),
    'Anthropic': error_body('invalid_request_error', 'Output blocked by content filtering policy'),
    'xAI': {
        'code': 'The caller does not have permission',
        'error': 'Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO',
    },
    'Alibaba': error_body(
        message='<400> InternalError.Algo.DataInspectionFailed: Input text data may contain inappropriate content.'
    ),
    'DeepSeek': error_body('invalid_request_error', 'Content Exists Risk'),
    'Z.ai': {
        'error': {
            'code': '1301',
            'message': 'System detected potentially unsafe or sensitive content in input or generation.',
        }
    },
    'OpenRouter': error_body(
        code=403, message='openai/gpt-4o requires moderation. Your input was flagged for "violence".'
    ),
}

BUSY = {
    'Google': {
        'error': {'code': 503, 'message': 'The model is overloaded. Please try again later.', 'status': 'UNAVAILABLE'}
    },
    'Moonshot': error_body('engine_overloaded_error', 'The engine is currently overloaded, please try again later'),
    'Z.ai': {'error': {'code': '1305', 'message': 'The service may be temporarily overloaded, please try again later'}},
}

TOO_FAST = {
    'Groq': error_body(
        'tokens',
        'Request too large for model `m` on tokens per minute (TPM): Limit 6000, please reduce your message size',
        'rate_limit_exceeded',
    ),
    'OpenAI': error_body(
        'tokens', 'Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 342389.'
    ),
    'Bedrock': {'message': 'Too many tokens, please wait before trying again.'},
    'Moonshot': error_body(
        'rate_limit_reached_error', 'request reached project TPM rate limit, current: 1410, limit: 100'
    ),
}

NEITHER = {
    'OpenAI: the parameter': error_body(
        message='max_tokens is too large: 100000. This model supports at most 16384 completion tokens'
    ),
    'vLLM: the parameter': error_body(
        message="'max_tokens' or 'max_completion_tokens' is too large: 9. This model's maximum context length is 8"
    ),
    'Bedrock: the parameter': {
        'message': 'The maximum tokens you requested exceeds the model limit of 2048. Try again with a lower value'
    },
    'TGI: the parameter': {'error': 'Input validation error: `max_new_tokens` must be <= 192. Given: 200'},
    'Anthropic: the parameter': error_body(
        message='max_tokens: 100000 > 64000, the maximum allowed number of output tokens'
    ),
    'a field': error_body(message="Invalid 'messages[0].name': input is too long for this field"),
    'an id': error_body(
        code='string_above_max_length',
        message="Invalid 'id': string too long. Expected a string with maximum length 40",
    ),
    'a parameter': error_body(message='num_ctx, the context window, must be a positive number'),
}


def cases(bodies: dict[str, Json]) -> list[Any]:
    return [pytest.param(body, id=name) for name, body in bodies.items()]


@pytest.mark.parametrize('status', [400, 403, 413, 422, 429, 500])
@pytest.mark.parametrize('body', cases(TOO_LONG))
def test_a_conversation_that_is_too_long_is_recognised_at_every_status(body: Json, status: int) -> None:
    error = make_error(status, body)
    assert (type(error), error.status_code, error.retryable) == (ContextLengthError, status, False)


@pytest.mark.parametrize('status', [400, 402, 403, 429])
@pytest.mark.parametrize('body', cases(NO_CREDIT))
def test_an_account_without_credit_is_recognised_and_not_retried(body: Json, status: int) -> None:
    error = make_error(status, body)
    assert (type(error), error.retryable) == (QuotaExceededError, False)


@pytest.mark.parametrize('status', [400, 403, 422, 500])
@pytest.mark.parametrize('body', cases(REFUSED))
def test_refused_content_is_both_an_http_error_and_a_content_filter_error(body: Json, status: int) -> None:
    error = make_error(status, body)
    assert isinstance(error, ContentFilterError)
    assert (type(error), error.body, error.retryable) == (ContentFilterHTTPError, body, False)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.body, again.status_code, str(again)) == (type(error), body, status, str(error))


@pytest.mark.parametrize('status', [429, 500, 503])
@pytest.mark.parametrize('body', cases(BUSY))
def test_an_overloaded_server_is_recognised_and_retried(body: Json, status: int) -> None:
    error = make_error(status, body)
    assert (type(error), error.retryable) == (OverloadedError, True)


@pytest.mark.parametrize('status', [413, 429])
@pytest.mark.parametrize('body', cases(TOO_FAST))
def test_too_many_tokens_in_a_minute_are_a_rate_limit(body: Json, status: int) -> None:
    assert type(make_error(status, body)) is RateLimitError


@pytest.mark.parametrize('body', cases(NEITHER))
def test_a_wrong_parameter_is_not_a_conversation_that_is_too_long(body: Json) -> None:
    assert type(make_error(400, body)) is ModelHTTPError


@pytest.mark.parametrize(
    ('bodies', 'kind'),
    [
        (TOO_LONG, ContextLengthError),
        (NO_CREDIT, QuotaExceededError),
        (REFUSED, ContentFilterHTTPError),
        (BUSY, OverloadedError),
    ],
)
def test_the_words_are_recognised_inside_a_stream_too(bodies: dict[str, Json], kind: type[ModelHTTPError]) -> None:
    errors = {name: error_from_event(body, model_name='m', provider_name=None) for name, body in bodies.items()}
    assert {name: type(error) for name, error in errors.items() if type(error) is not kind} == {}


def test_every_wording_has_a_source_and_is_written_in_lower_case() -> None:
    for _, rows in WORDINGS:
        for row in rows:
            assert row.source
            assert re.sub(r'\\\w', '', row.pattern) == re.sub(r'\\\w', '', row.pattern).lower()


def test_a_long_message_is_searched_in_bounded_time() -> None:
    assert classify('input length 1' + ' exceeds' * 1_000_000 + ' context length') is None


def test_the_upstream_vendors_message_is_in_the_error() -> None:
    body = {'error': {'message': 'Provider returned error', 'code': 400, 'metadata': {'raw': 'At most 1 image.'}}}
    assert str(make_error(400, body)) == 'm answered 400: Provider returned error: At most 1 image.'


def test_a_code_of_thousands_of_digits_is_no_status() -> None:
    assert type(make_error(500, error_body(code='9' * 5000))) is ModelHTTPError
