"""A tour of the package on one screen: `make demo`, or `python -m pydantic_llm.demo`.

Read `steps` first: it is what you would write. `tour` runs it with both vendors' clients, `weather` is the model that
answers them from a server on this machine, and `screen` draws.
"""
