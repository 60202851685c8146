"""Connectors, integrations and the authorisation flow; the provider protocol and its registry.

In: an administrator's wish to connect a tenant. Out: a proven, authorised connector with a state per capability.
"""
