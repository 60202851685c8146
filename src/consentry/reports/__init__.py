"""CSV, JSON and XLSX from the same queries as the pages.

In: rows as data. Out: bytes, streamed; formulas that a tenant wrote are neutralised where a spreadsheet would run them.
"""
