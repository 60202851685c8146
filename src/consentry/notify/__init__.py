"""Telling people and systems.

In: a message that a later room publishes in its own transaction. Out: a delivery for each channel that wants it, tried until it
arrives, with a log of every try.
"""
