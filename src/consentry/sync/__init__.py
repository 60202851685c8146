"""Runs: fetch every collection into staging, merge once, record what changed.

In: a connected integration. Out: a new state of the inventory, or the untouched old one.
"""
