"""What a role in the directory or in Azure is worth. Pure; roles are texts such as "User Administrator" or "Owner on subscription Lab"."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

ADMINISTRATORS = {
    "global administrator", "privileged role administrator", "privileged authentication administrator", "application administrator",
    "cloud application administrator", "hybrid identity administrator", "user administrator", "exchange administrator",
    "sharepoint administrator", "security administrator", "conditional access administrator", "domain name administrator",
    "authentication administrator", "helpdesk administrator", "partner tier2 support", "intune administrator",
}  # fmt: skip
# Built-in roles that change everything, or give such a role: learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged
_CHANGES_EVERYTHING = re.compile(
    r"(owner|contributor|user access administrator|role based access control administrator) on ",
    re.IGNORECASE,
)
_WIDE = re.compile(r" on (everything in azure$|management group |subscription )", re.IGNORECASE)


def is_powerful(role: str) -> bool:
    """True for an administrator of the directory, and for a role in Azure that changes everything where it holds."""
    return role.lower() in ADMINISTRATORS or bool(_CHANGES_EVERYTHING.match(role))


def is_wide(role: str) -> bool:
    """True for a role that holds in the whole directory, or in Azure on a subscription or more."""
    return " on " not in role or bool(_WIDE.search(role))


def gained(before: Collection[str], after: Collection[str]) -> tuple[str, ...]:
    """The roles that came. One whose place was only renamed did not come: as many of its kind were there before."""
    had, has = Counter(map(_kind, before)), Counter(map(_kind, after))
    return tuple(role for role in after if role not in before and has[_kind(role)] > had[_kind(role)])


def _kind(role: str) -> tuple[str, str]:
    name, _, place = role.partition(" on ")
    return name, place.partition(" ")[0]
