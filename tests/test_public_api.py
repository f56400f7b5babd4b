"""The names that users import: they have their modules, and the front door has them all and imports nothing early."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

import pydantic_llm
from pydantic_llm.messages import AudioUrl, BinaryContent, CachePoint, ImageUrl, TextContent, UploadedFile

PACKAGE = Path(pydantic_llm.__file__).parent

PATHS = """
pydantic_llm.Agent
pydantic_llm.models.openai.OpenAIModel
pydantic_llm.models.openai.OpenAIChatModel
pydantic_llm.models.openai.OpenAIResponsesModel
pydantic_llm.models.anthropic.AnthropicModel
pydantic_llm.models.gemini.GeminiModel
pydantic_llm.models.groq.GroqModel
pydantic_llm.models.mistral.MistralModel
pydantic_llm.models.cohere.CohereModel
pydantic_llm.models.bedrock.BedrockConverseModel
pydantic_llm.models.huggingface.HuggingFaceModel
pydantic_llm.models.litellm.LiteLLMModel
pydantic_llm.models.litellm.LiteLLMRouterModel
pydantic_llm.models.transformers.TransformersModel
pydantic_llm.models.vllm.VLLMModel
pydantic_llm.models.mlx.MLXModel
pydantic_llm.models.llamacpp.LlamaCppModel
pydantic_llm.models.fallback.FallbackModel
pydantic_llm.models.router.RouterModel
pydantic_llm.models.test.TestModel
pydantic_llm.models.function.FunctionModel
pydantic_llm.models.wrapper.WrapperModel
pydantic_llm.models.instrumented.InstrumentedModel
pydantic_llm.models.Model
pydantic_llm.models.StreamedResponse
pydantic_llm.models.ModelRequestParameters
pydantic_llm.models.infer_model
pydantic_llm.providers.Provider
pydantic_llm.providers.openai.OpenAIProvider
pydantic_llm.providers.azure.AzureProvider
pydantic_llm.providers.anthropic.AnthropicProvider
pydantic_llm.providers.google_gla.GoogleGLAProvider
pydantic_llm.providers.google_vertex.GoogleVertexProvider
pydantic_llm.providers.bedrock.BedrockProvider
pydantic_llm.providers.huggingface.HuggingFaceProvider
pydantic_llm.providers.litellm.LiteLLMProvider
pydantic_llm.providers.deepseek.DeepSeekProvider
pydantic_llm.providers.ollama.OllamaProvider
pydantic_llm.providers.openrouter.OpenRouterProvider
pydantic_llm.messages.ModelMessagesTypeAdapter
pydantic_llm.settings.ModelSettings
pydantic_llm.usage.UsageLimits
pydantic_llm.exceptions.LLMError
pydantic_llm.tools.ToolDefinition
pydantic_llm.constraints.JsonSchema
pydantic_llm.native_tools.WebSearchTool
pydantic_llm.direct.model_request
""".split()
"""The public names with their modules. A module that does not exist yet is skipped."""

REQUIRED = {
    'openai',
    'anthropic',
    'bedrock',
    'cohere',
    'gemini',
    'groq',
    'huggingface',
    'litellm',
    'mistral',
    'test',
    'function',
    'wrapper',
}
"""Modules below `models` that must exist."""

PYDANTIC_AI_NAMES = frozenset(
    """
AbstractConcurrencyLimiter AbstractModel AbstractToolset AdvisorTool Agent AgentCapability AgentModelSettings
AgentNativeTool AgentRetries AgentRun AgentRunError AgentRunEvents AgentRunResult AgentRunResultEvent AgentSpec
AgentStreamEvent AgentToolset AnyConcurrencyLimit ApprovalRequired ApprovalRequiredToolset AudioFormat AudioMediaType
AudioUrl BaseToolCallPart BaseToolReturnPart BinaryAudio BinaryContent BinaryImage CachePoint CallDeferred
CallToolsNode CancellationToken Capability CapabilityFunc CodeExecutionTool CombinedToolset CompactionPart
ConcurrencyLimit ConcurrencyLimitExceeded ConcurrencyLimitedModel ConcurrencyLimiter CostCalculationFailedWarning
CostNotFoundWarning DEFAULT_PROFILE DeferredLoadingToolset DeferredToolRequests DeferredToolRequestsEvent
DeferredToolResults DeferredToolResultsEvent DocumentFormat DocumentMediaType DocumentUrl Embedder EmbeddingModel
EmbeddingResult EmbeddingSettings EndStrategy EnqueuedMessagesEvent ExternalToolset FallbackExceptionGroup FilePart
FileSearchTool FileUrl FilteredToolset FinalResultEvent FinishReason FunctionToolCallEvent FunctionToolResultEvent
FunctionToolset HandleResponseEvent ImageFormat ImageGenerationTool ImageMediaType ImageUrl
IncludeReturnSchemasToolset IncompleteToolCall InlineDefsJsonSchemaTransformer InstructionPart InstrumentationSettings
JsonSchemaTransformer MCPServerTool MemoryTool MessageHistoryMutatedWarning ModelAPIError ModelConnectionError
ModelHTTPError ModelMessage
ModelMessagesTypeAdapter ModelProfile ModelProfileSpec ModelRequest ModelRequestContext ModelRequestNode
ModelRequestPart ModelRequestState ModelResolutionContext ModelResponse ModelResponsePart ModelResponsePartDelta
ModelResponseState ModelResponseStreamEvent ModelRetry ModelSelectionContext ModelSettings MultiModalContent
NativeOutput NativeToolCallPart NativeToolReturnPart OutputToolCallEvent OutputToolResultEvent PartDeltaEvent
PartEndEvent PartStartEvent PrefixedToolset PreparedToolset PromptedOutput PydanticAIDeprecationWarning RenamedToolset
RequestUsage RetryPromptPart RunCancelled RunContext RunUsage SetMetadataToolset SkipModelRequest SkipToolExecution
SkipToolValidation SpeechPart SpeechPartDelta StructuredDict SystemPromptPart TemplateStr TextContent TextOutput
TextPart TextPartDelta ThinkingPart ThinkingPartDelta Tool ToolApproved ToolAvailabilityDeltaEvent
ToolAvailabilityDeltaPart ToolCallEvent ToolCallPart ToolCallPartDelta ToolChoice ToolDefinition ToolDenied ToolFailed
ToolKind ToolOrOutput ToolOutput ToolResultEvent ToolReturn ToolReturnPart ToolsetFunc ToolsetTool
UndrainedPendingMessagesError UnexpectedModelBehavior UploadedFile UsageLimitExceeded UsageLimits UserContent
UserError UserPromptNode UserPromptPart VideoFormat VideoMediaType VideoUrl WebFetchTool WebSearchTool
WebSearchUserLocation WrapperToolset XSearchTool capture_run_messages format_as_xml limit_model_concurrency
""".split()
)
"""The names at the root of pydantic-ai (pydantic_ai_slim/pydantic_ai/__init__.py, August 2026)."""


def module_exists(path: str) -> bool:
    try:
        return find_spec(path.rpartition('.')[0]) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize('path', [path for path in PATHS if module_exists(path)])
def test_a_public_name_is_in_its_module(path: str) -> None:
    module, _, name = path.rpartition('.')
    assert hasattr(importlib.import_module(module), name)


def test_the_required_modules_exist() -> None:
    below_models = {
        path.split('.')[2] for path in PATHS if path.startswith('pydantic_llm.models.') and module_exists(path)
    }
    assert below_models >= REQUIRED


# ---------------------------------------------------------------------- every public module


def public_modules() -> list[str]:
    """Return the modules that users may import. `__main__` is not one: it runs when it is imported."""
    names = [module.name for module in pkgutil.walk_packages([str(PACKAGE)], 'pydantic_llm.', onerror=lambda _: None)]
    return ['pydantic_llm', *(name for name in names if not any(part.startswith('_') for part in name.split('.')))]


def test_a_public_module_contains_its_exports() -> None:
    for name in public_modules():
        module = importlib.import_module(name)
        exported: tuple[str, ...] = getattr(module, '__all__', ())
        assert len(set(exported)) == len(exported), name
        assert [item for item in exported if not hasattr(module, item)] == [], name


def test_the_exports_of_a_public_module_are_documented() -> None:
    undocumented: list[str] = []
    for module in map(importlib.import_module, public_modules()):
        assert module.__doc__, module.__name__
        exported = {*getattr(module, '__all__', ())} - {'__version__'}
        undocumented += [
            f'{module.__name__}.{name}' for name in exported if not is_documented(name, getattr(module, name))
        ]
    assert undocumented == []


def is_documented(name: str, value: object) -> bool:
    """Return whether a class or function has a docstring, or any other value a string below its assignment."""
    if inspect.isclass(value) or inspect.isroutine(value):
        return bool(value.__doc__)
    return name in documented_values()


@cache
def documented_values() -> frozenset[str]:
    """Return the names of the values of all modules that are followed by a string."""
    return frozenset(name for path in PACKAGE.rglob('*.py') for name in find_documented_values(path))


def find_documented_values(path: Path) -> Iterator[str]:
    for node, after in pairwise(ast.parse(path.read_text()).body):
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                    yield name
                case _:
                    pass


# ---------------------------------------------------------------------- the front door


def test_the_front_door_has_every_name_that_type_checkers_see() -> None:
    imported: dict[str, str] = {}
    for node in ast.walk(ast.parse((PACKAGE / '__init__.py').read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module and not node.module.startswith('_'):
            imported |= {alias.asname or alias.name: node.module for alias in node.names}
    modules = {name: module for module, names in pydantic_llm._NAMES.items() for name in names}
    assert modules == imported
    assert sorted({*imported, '__version__'}) == sorted(pydantic_llm.__all__)


@pytest.mark.parametrize('name', [name for name in pydantic_llm.__all__ if name != '__version__'])
def test_a_name_of_the_front_door_is_that_of_its_module(name: str) -> None:
    home = next(module for module, names in pydantic_llm._NAMES.items() if name in names)
    module = importlib.import_module(f'pydantic_llm.{home}')
    assert getattr(pydantic_llm, name) is getattr(module, name)
    assert name in module.__all__


def test_the_front_door_lists_all_its_names() -> None:
    assert {*pydantic_llm.__all__} <= {*dir(pydantic_llm)}
    assert len({*pydantic_llm.__all__}) == len(pydantic_llm.__all__)


def test_the_front_door_has_the_names_that_pydantic_ai_has_at_its_root() -> None:
    ours = {item for name in public_modules() for item in getattr(importlib.import_module(name), '__all__', ())}
    assert sorted(PYDANTIC_AI_NAMES & ours - {*pydantic_llm.__all__}) == []


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'pydantic_llm' has no attribute 'Agnet'"):
        getattr(pydantic_llm, 'Agnet')  # noqa: B009 -- a type checker rejects the attribute
    with pytest.raises(ImportError, match='Agnet'):
        exec('from pydantic_llm import Agnet')


def run(code: str) -> str:
    """Run code in a new interpreter and return its output."""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    return done.stdout


def test_the_import_of_the_package_loads_only_the_standard_library() -> None:
    loaded = json.loads(
        run(
            'import sys; before = set(sys.modules); import pydantic_llm; import json; '
            'print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))'
        )
    )
    assert [name for name in loaded if name not in sys.stdlib_module_names] == ['pydantic_llm']


@pytest.mark.parametrize('name', ['', '.agent', '.messages', '.models.openai', '.tools'])
def test_a_package_that_imports_its_names_lazily_has_all_of_them_and_no_other(name: str) -> None:
    package = importlib.import_module(f'pydantic_llm{name}')
    assert [each for each in package.__all__ if not hasattr(package, each)] == []
    with pytest.raises(AttributeError, match=f"module 'pydantic_llm{name}' has no attribute 'Agnet'"):
        _ = package.Agnet


def test_everything_can_be_imported_at_once() -> None:
    assert run('from pydantic_llm import *; print(Agent.__name__, ImageUrl.__name__)') == 'Agent ImageUrl\n'


def test_the_package_is_marked_as_typed() -> None:
    assert (PACKAGE / 'py.typed').is_file()


@pytest.mark.parametrize('kind', [AudioUrl, BinaryContent, CachePoint, ImageUrl, TextContent, UploadedFile])
def test_the_signature_of_a_content_names_its_parameters(kind: type) -> None:
    """Editors, `help` and hypothesis read it. A class of pydantic whose schema is built later has none."""
    parameters = inspect.signature(kind).parameters
    assert parameters.keys() == {field.name for field in dataclasses.fields(kind) if field.init}
