"""The HTTP API under ``/api/v1``: JSON in, a service or a query called, JSON out; errors as ``application/problem+json`` (RFC 9457).

Each file holds the addresses of one room. The rows are those of the pages and of the exports.
"""
