"""Plugins, grants, permissions, principals, credentials and changes; the list and detail queries.

In: what ``sync`` merged. Out: the rows that pages, API, exports and policies share.
"""
