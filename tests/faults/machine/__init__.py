"""A model-based test of wrappers: random faults, cancellations and clock steps, in time that only the test moves.

| module | content |
| --- | --- |
| `clock` | an event loop whose time passes at once |
| `vendor` | a vendor behind an HTTP transport, which serves one `Fate` per request and records what it sent |
| `sockets` | the same fates over sockets |
| `redis` | a Redis that runs the router's scripts, at the time of the test, with outages |
| `nestings` | random wrappers around each other, and what each of them promises |
| `calls` | the requests of the test's callers, and the checks of their results |
| `machine` | the rules, the invariants, and the command line |
"""
