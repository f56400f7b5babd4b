"""The ways to do the jobs of `benchmarks.worker`: each module has a class `Way`, made with the URL of the server.

`build(api, kind, conversation, tools)` returns a request in the way's own types, which is not measured; `request` and
`stream` send it. `extend` adds a turn to it. `make_agent` returns a function that runs an agent, `name_proxy` the
arguments of `benchmarks.gateway_proxies`. `build_history`, `dump` and `load` are about messages alone, `encode` about
the body of a request. What a way lacks is skipped.
"""
