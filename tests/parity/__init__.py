"""Programs that run with pydantic-ai too, with only the name of the package in their imports changed.

`python -m tests.parity PYTHON` runs them with the pydantic-ai of another interpreter, which needs pytest; here, they
run with this package. They use what pydantic-ai documents: agents, tools, toolsets, deferred tools, output, history,
MCP servers, direct requests.
"""
