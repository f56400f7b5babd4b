"""Serve any model to OpenAI's client, with a key and a budget: python examples/gateway.py [MODEL]"""

from __future__ import annotations

import sys

from openai import OpenAI, RateLimitError

from pydantic_llm import Agent, Model, infer_model
from pydantic_llm.models.test import TestModel
from pydantic_llm.serve import GatewayKey, LocalServer, create_app


def main(model: Model) -> None:
    agent = Agent(model, name='clerk', instructions='You answer letters.')
    keys = [GatewayKey('alice', 'key of Alice', tokens_per_day=3_000)]
    app = create_app({'plain': model, 'clerk': agent}, keys=keys)

    with LocalServer(app) as url, OpenAI(base_url=f'{url}/v1', api_key='key of Alice', max_retries=0) as client:
        print([served.id for served in client.models.list()])
        chunks = client.chat.completions.create(
            model='clerk', stream=True, messages=[{'role': 'user', 'content': 'Thank them for the fish.'}]
        )
        print(''.join(chunk.choices[0].delta.content or '' for chunk in chunks if chunk.choices))
        try:
            client.chat.completions.create(
                model='plain', max_tokens=5_000, messages=[{'role': 'user', 'content': 'Write a novel.'}]
            )
        except RateLimitError as error:
            print(error.response.json()['error']['message'])


if __name__ == '__main__':
    main(infer_model(sys.argv[1]) if len(sys.argv) > 1 else TestModel(custom_output_text='Thank you for the fish.'))
