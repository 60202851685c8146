"""Microsoft Entra ID: the only code that knows Microsoft.

In: a tenant and our registration in it. Out: proof of the tenant, a state per capability, and shaped rows of every
collection. ``graph.py`` and ``tokens.py`` alone speak HTTP.
"""
