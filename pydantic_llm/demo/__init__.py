"""A tour of the package on one screen: `make demo`, or `python -m pydantic_llm.demo`.

Reading order: `steps` is the code that a user would write, `tour` runs it over both vendors' APIs, `weather` is the
model behind a server on this machine, `screen` shows the code and its results.
"""
