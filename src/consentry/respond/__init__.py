"""Decisions on plugins.

In: what a person says of a plugin. Out: a decision that survives removal and reinstallation, and can be undone.
"""
