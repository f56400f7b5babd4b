"""Declared differences that several vendors share."""

from __future__ import annotations

from tests.wire.declared import Difference

TUPLE = 'a list has `items`: OpenAI refuses one without, also if the schema is not strict (tests/field/LOG.md)'
OPEN = 'a dict is not closed, which would leave it empty: the schema is sent not strict, with a warning'
ROOT = 'the root of a schema is an object and no reference, and Gemini refuses recursion by required properties'
NOT_STRICT = 'Groq enforces no tool, so that optional fields stay optional'
CLOSED = 'Cerebras needs closed objects, for every model (tests/field/LOG.md)'
UNION = '`oneOf` with a discriminator means the same as `anyOf`, which more vendors enforce'
ANNOUNCED = 'a constraint that the API does not have is in the description, for the model to read'
OLLAMA = 'Ollama ignores `max_completion_tokens` (tests/field/LOG.md)'
EMPTY = 'an empty result is refused: hermes-agent#55092'
BLANK = 'an empty turn of the model is not sent (tests/field/LOG.md)'
LAST = 'the model continues no response at the end of a conversation (tests/field/LOG.md)'
ALTERNATION = 'deepseek-reasoner refuses two turns of one role, and system prompts that are not first: DeepSeek-R1#21'
CUT = 'a stream that ends inside an event raises `StreamInterruptedError`, with the partial response'

SCHEMA = r'body\.(tools|toolConfig\.tools|generationConfig|response_format)\b.*'

DECLARED: tuple[Difference, ...] = (
    Difference('decode', '*', '*stream_cut_in_event*', '.*', CUT),
    Difference('encode', '*', 'tools_constraints', r'body\.tools\[0\].*\.pair\.items', TUPLE),
    Difference('encode', '*', 'tools_constraints_strict', SCHEMA, OPEN),
    Difference('encode', '*', 'tools_recursive', r'.*(\$defs\.root|\$ref|properties|required|type)', ROOT),
    *(
        Difference('encode', 'groq@gpt-oss', case, SCHEMA, NOT_STRICT)
        for case in ('tools_defs_strict', 'tools_union_strict')
    ),
    Difference('encode', 'cerebras', '*', SCHEMA, CLOSED),
    Difference('roundtrip', 'cerebras', '*qwen_3_coder*', SCHEMA, CLOSED),
    Difference('encode', 'cerebras', 'output_prompted', r'body\.messages.*', CLOSED),
    Difference('encode', '*', 'tools_union_strict', r'.*\.pet\.(anyOf|oneOf|description)', UNION),
    Difference('encode', 'gemini*', 'tools_constraints', r'.*\.age\.description', ANNOUNCED),
    Difference('encode', 'vertex', 'tools_constraints', r'.*\.age\.description', ANNOUNCED),
    Difference('encode', 'ollama', '*', r'body\.max_(completion_)?tokens', OLLAMA),
    Difference('roundtrip', 'ollama', '*cloud_prompted_output*', r'body\.max_(completion_)?tokens', OLLAMA),
    Difference('encode', 'cohere', 'tool_return_scalars', r'body\.messages\[\d\]\.content', EMPTY),
    Difference('encode', 'bedrock-converse*', 'tool_return_scalars', r'.*\.toolResult\.content\[0\]\.text', EMPTY),
    Difference('encode', '*', 'empty_text_response', r'body\.(contents|messages)', BLANK),
    Difference('roundtrip', 'anthropic', '*opus_46_features_adaptive*', r'body\.messages\[1\]\.content', BLANK),
    Difference('encode', 'gemini*', 'ends_with_response', r'body\.contents', LAST),
    Difference('encode', 'vertex', 'ends_with_response', r'body\.contents', LAST),
    Difference('encode', 'anthropic@adaptive', 'ends_with_response', r'body\.messages', LAST),
    *(
        Difference('encode', 'deepseek@reasoner', case, r'body\.messages.*', ALTERNATION)
        for case in ('consecutive_requests', 'empty_response', 'system_mid')
    ),
)
