"""The names: each is one of the published package of the conventions, or is listed with the reason why it is not."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

import pytest
from opentelemetry.semconv import attributes as stable
from opentelemetry.semconv._incubating import attributes as incubating
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics

import pydantic_llm
from pydantic_llm.models.instrumented.conventions import METRICS, OWN_NAMES, PROVIDER_NAMES
from pydantic_llm.providers.registry import SERVICES, provider_class

PACKAGE = Path(pydantic_llm.__file__).parent
SOURCES = [*(PACKAGE / 'models/instrumented').glob('*.py'), PACKAGE / 'agent/tracing.py']
NAME = re.compile(r"'((?:gen_ai|openai|server|error|exception|http|pydantic_llm)\.[a-z_.{}]+[a-z_}])'")
NEW_PROVIDERS = {'moonshot_ai': 'semantic-conventions-genai, model/gen-ai/registry.yaml'}


def names_of(package: ModuleType) -> set[str]:
    """The constants of the modules of a package."""
    modules = [import_module(f'{package.__name__}.{each.name}') for each in iter_modules(package.__path__)]
    return {
        value
        for module in modules
        for name, value in inspect.getmembers(module)
        if name.isupper() and isinstance(value, str)
    }


def metrics_of(module: ModuleType) -> set[str]:
    return {value for name, value in inspect.getmembers(module) if name.isupper() and isinstance(value, str)}


def names_in_the_sources() -> dict[str, str]:
    """Each name in our sources, with its file; a variable part stands for each value that it can have."""
    values = {'{kind}': ('input', 'output'), '{name}': ('arguments', 'result')}
    found: dict[str, str] = {}
    for path in SOURCES:
        for name in NAME.findall(path.read_text()):
            part = next((each for each in values if each in name), None)
            found |= {name.replace(part, value) if part else name: path.name for value in values.get(part or '', ('',))}
    return found


def test_every_name_is_published_or_listed_with_its_reason() -> None:
    published = names_of(stable) | names_of(incubating) | metrics_of(gen_ai_metrics)
    used = names_in_the_sources()
    assert len(used) > 50
    assert {name: file for name, file in used.items() if name not in published | OWN_NAMES.keys()} == {}


def test_a_name_is_listed_only_if_it_is_used_and_not_published() -> None:
    published = names_of(stable) | names_of(incubating) | metrics_of(gen_ai_metrics)
    text = ''.join(path.read_text() for path in SOURCES if path.name != 'conventions.py')
    used = {name for name in OWN_NAMES if f"'{name}'" in text or f"{{name}}.{name.rpartition('.')[2]}'" in text}
    assert OWN_NAMES.keys() - used - METRICS.keys() == set()
    assert OWN_NAMES.keys() & published == set()


def test_the_metrics_have_the_units_of_the_published_ones() -> None:
    for name, metric in METRICS.items():
        create = getattr(gen_ai_metrics, f'create_{name.replace(".", "_")}', None)
        assert name in OWN_NAMES if create is None else f'unit="{metric.unit}"' in inspect.getsource(create)


@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_the_vendors_have_the_published_names() -> None:
    published = {each.value for each in gen_ai_attributes.GenAiProviderNameValues} | NEW_PROVIDERS.keys()
    assert {*PROVIDER_NAMES.values()} <= published
    assert [name for name in PROVIDER_NAMES if provider_class(name) is None] == []
    ours = {*SERVICES, *PROVIDER_NAMES, 'anthropic', 'openai', 'cohere', 'groq'}
    named = {PROVIDER_NAMES.get(name, name) for name in ours}
    # the model of another vendor that we do not have, and the names of more than one of ours
    assert published - named == {'gcp.gen_ai', 'azure.ai.inference', 'ibm.watsonx.ai'}
