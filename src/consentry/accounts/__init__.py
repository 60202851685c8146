"""Accounts, people, roles, sign-in, API tokens and entitlements.

In: credentials and an administrator's orders. Out: who asks, for which account, and what they may do.
"""
