"""The append-only trail of what people and the product did.

In: one event per deed, from every room. Out: rows that nothing updates or deletes.
"""
