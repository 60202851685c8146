"""Clock, ids, secret box, database, settings, errors, logging, events. No domain words.

In: the environment. Out: what every room needs and none should know the making of.
"""
