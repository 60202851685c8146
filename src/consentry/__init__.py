"""Consentry: see, judge and remove other people's apps inside your Microsoft 365.

``flow.py`` is the table of contents; every room states in its docstring what comes in and what goes out.
"""

__version__ = "0.1.0"
