"""Send an image, and get one: python examples/images.py [MODEL [IMAGE]]

For example `google-gla:gemini-2.5-flash-image harbour.png`: a model that makes images too.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from pathlib import Path

from pydantic_llm import Agent, BinaryContent, BinaryImage, Model
from pydantic_llm.messages import FilePart, ModelMessage, ModelResponse, TextPart
from pydantic_llm.models.function import AgentInfo, FunctionModel

PIXEL = base64.b64decode(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
)


def main(model: Model | str, picture: BinaryContent, folder: Path) -> None:
    seen = Agent(model).run_sync(['What is in this picture?', picture])
    print(seen.output)

    painter = Agent(model, output_type=BinaryImage)
    image = painter.run_sync(['Paint this picture as a woodcut.', picture]).output
    path = folder / f'woodcut.{image.format}'
    path.write_bytes(image.data)
    print(f'{path.name}: {image.media_type}, {len(image.data)} bytes')


def answer_offline(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Describe the picture, or send it back."""
    if info.model_request_parameters.allow_image_output:
        return ModelResponse([FilePart(BinaryImage(PIXEL, media_type='image/png'))])
    return ModelResponse([TextPart('One transparent pixel.')])


if __name__ == '__main__':
    if len(sys.argv) == 3:
        main(sys.argv[1], BinaryContent.from_path(sys.argv[2]), Path.cwd())
    else:
        pixel = BinaryContent(PIXEL, media_type='image/png')
        with tempfile.TemporaryDirectory() as name:
            main(sys.argv[1] if len(sys.argv) > 1 else FunctionModel(answer_offline), pixel, Path(name))
