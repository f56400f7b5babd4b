"""The class that pydantic-ai has for Snowflake Cortex: `OpenAIChatModel` with its provider."""

from typing import ClassVar

from .openai.chat.service_model import ServiceModel

__all__ = ('SnowflakeModel',)


class SnowflakeModel(ServiceModel):
    """A model of Snowflake Cortex. Takes what `OpenAIChatModel` takes; `provider` is `'snowflake'` by default."""

    service: ClassVar[str] = 'snowflake'
