"""The options of a configuration file. Options of models, routers and keys are those of the classes in Python."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator
from pydantic_core import PydanticCustomError

from ...exceptions import UserError
from ...models.fallback.sequence import MidStream
from ...models.router.strategy import Strategy
from ...prices import Prices
from ..bodies import MAX_BODY_BYTES
from ..server import GRACE, LOOPBACK

__all__ = (
    'ConfigFile',
    'DeploymentOptions',
    'FallbackOptions',
    'KeyOptions',
    'ModelOptions',
    'Options',
    'RouterOptions',
)

Positive = Annotated[float, Field(gt=0)]
Seconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=0, le=65535)]


TOKEN_CLASSES = tuple(each.name for each in fields(Prices))
"""The classes of tokens that have prices."""


def _read_prices(value: object) -> Prices:
    """Return the prices of a model, given as `[input, output]`, or as a table by the class of tokens."""
    if isinstance(value, list) and len(pair := cast('list[object]', value)) == 2:
        value = dict(zip(('input', 'output'), pair, strict=True))
    if not isinstance(value, dict):
        raise PydanticCustomError('price', 'a price is [input, output], or a table, in US dollars for a million tokens')
    prices = cast('dict[str, Any]', value)
    if unknown := prices.keys() - set(TOKEN_CLASSES):
        names = {'name': min(unknown), 'known': ', '.join(TOKEN_CLASSES)}
        raise PydanticCustomError('price', '{name} is no class of tokens; known are {known}', names)
    try:
        return Prices(**prices)
    except UserError as error:
        raise PydanticCustomError('price', '{problem}', {'problem': str(error)}) from error


ReadPrices = Annotated[Prices, PlainValidator(_read_prices)]


class Options(BaseModel):
    """Options of one table of the file. An unknown one is an error."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra='forbid', allow_inf_nan=False)

    def list_given(self) -> dict[str, Any]:
        """Return the options that are in the file, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class ServerOptions(Options):
    """The table `[server]`: the options of `run_server` and of the app."""

    host: str = LOOPBACK
    port: Port = 8000
    grace: Seconds = GRACE
    """Seconds that requests in progress have to finish when the server stops."""
    metrics_port: Port | None = None
    access_log: Literal['json', 'logfmt', 'off'] = 'off'
    state: str | None = None
    """The home of the budgets: the path of an SQLite file, or the URL of a Redis."""
    max_body_bytes: Count = MAX_BODY_BYTES
    allowed_hosts: list[str] = Field(default_factory=list)
    allowed_origins: list[str] = Field(default_factory=list)


class DeploymentOptions(Options):
    """A deployment of a router."""

    model: str
    """A model of the file, or a model string."""
    name: str = ''
    weight: Positive = 1.0
    concurrency: Count | None = None
    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    cost: ReadPrices | None = None


Group = Annotated[
    list[Annotated[DeploymentOptions, BeforeValidator(lambda value: _name_option(value, 'model'))]], Field(min_length=1)
]
"""Deployments, or the names of their models."""

FallbackOnNames = Annotated[list[str], Field(min_length=1)]
"""The names of exceptions of `pydantic_llm.exceptions`."""


class RouterOptions(Options):
    """The table `[models.NAME.router]`: the options of `RouterModel`."""

    deployments: Group
    fallbacks: list[Group] = Field(default_factory=list[Group])
    strategy: Strategy = 'shuffle'
    fallback_on: FallbackOnNames | None = None
    mid_stream: MidStream = 'raise'
    cooldown: Seconds = 30.0
    max_wait: Seconds | None = None
    max_queue: Count | None = None
    hedge_after: Positive | None = None
    state_url: str | None = None
    state_name: str = 'pydantic_llm:router'


class FallbackOptions(Options):
    """The table `[models.NAME.fallback]`: the options of `FallbackModel`."""

    models: Annotated[list[str], Field(min_length=1)]
    """Models of the file, or model strings."""
    fallback_on: FallbackOnNames | None = None
    mid_stream: MidStream = 'raise'
    attempt_timeout: Positive | None = None


class CacheOptions(Options):
    """The table `[models.NAME.cache]`: the options of `CachedModel`."""

    store: str
    """`memory`, `sqlite:PATH`, or the URL of a Redis."""
    ttl: Positive | None = None
    """Seconds for which a response is kept."""


class ModelOptions(Options):
    """The table `[models.NAME]`. It has one of `model`, `router` and `fallback`."""

    model: str | None = None
    """A model string such as `openai:gpt-5.4-mini`."""
    router: RouterOptions | None = None
    fallback: Annotated[FallbackOptions | None, BeforeValidator(lambda value: _name_option(value, 'models'))] = None
    provider: dict[str, Any] = Field(default_factory=dict)
    """Options of the provider: `api_key`, `base_url`, ..."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Other options of the class of the model, such as those of an engine in this process."""
    settings: dict[str, Any] = Field(default_factory=dict)
    price: ReadPrices | None = None
    concurrency: Count | None = None
    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    max_queue: Count | None = None
    """The most requests that wait for `concurrency`, `requests_per_minute` and `tokens_per_minute`."""
    cache: Annotated[CacheOptions | None, BeforeValidator(lambda value: _name_option(value, 'store'))] = None


class EmbeddingOptions(Options):
    """The table `[embeddings.NAME]`."""

    model: str
    """A model string such as `openai:text-embedding-3-small`."""
    provider: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    price: ReadPrices | None = None


class KeyOptions(Options):
    """An entry of `[[keys]]`: the options of `GatewayKey`."""

    name: str
    key: str
    models: list[str] | None = None
    dollars_per_day: Positive | None = None
    dollars_per_month: Positive | None = None
    tokens_per_day: Count | None = None
    tokens_per_month: Count | None = None
    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    concurrency: Count | None = None
    metrics: bool = False


class ConfigFile(Options):
    """All tables of the file."""

    server: ServerOptions = Field(default_factory=ServerOptions)
    models: Annotated[dict[str, ModelOptions], Field(min_length=1)]
    embeddings: dict[str, EmbeddingOptions] = Field(default_factory=dict[str, EmbeddingOptions])
    aliases: dict[str, str] = Field(default_factory=dict)
    keys: list[KeyOptions] = Field(default_factory=list[KeyOptions])

    def list_prices(self) -> dict[str, Prices]:
        """Return the prices that the file gives, by the names of the models."""
        models: dict[str, ModelOptions | EmbeddingOptions] = {**self.models, **self.embeddings}
        return {name: options.price for name, options in models.items() if options.price is not None}


def _name_option(value: Any, name: str) -> Any:
    """Return a table with this option for a value that is not a table: `cache = 'memory'`."""
    return cast('dict[str, Any]', {name: value}) if isinstance(value, (str, list)) else value
