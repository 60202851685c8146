"""A Microsoft cloud on loopback: sign-in, admin consent, tokens and Graph for tenants made from a seed.

In: a seed and sizes. Out: one HTTP server that behaves as Microsoft documents, awkward parts included.
It is a double of Microsoft, not of our client: it imports nothing of the other rooms, and they reach it only over HTTP.
"""
