"""What people may still grant themselves, from the tenant's authorisation policy. Pure.

Source: learn.microsoft.com/entra/identity/enterprise-apps/manage-app-consent-policies.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_FOR_SELF = "managepermissiongrantsforself."
# What Microsoft's managed policy leaves out: mail, calendars, chats, meetings and old protocols, files and sites of others
_LEFT_OUT = re.compile(
    r"^(mail\.|mailboxsettings|calendars\.|chat\.|channelmessage|onlinemeeting|ews\.|eas\.|imap\.|pop\.|(files|sites)\.\w+\.all)",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r"^(openid|profile|email|offline_access|user\.read)$", re.IGNORECASE)


def refuser(authorization_policy: dict[str, Any] | None) -> Callable[[str], bool]:
    """Whether the tenant's policy would refuse it today that a person grants a delegated permission. Unknown policies refuse nothing."""
    if authorization_policy is None:
        return lambda value: False
    given = (authorization_policy.get("defaultUserRolePermissions") or {}).get("permissionGrantPoliciesAssigned")
    if given is None:
        return lambda value: False
    names = {name.lower().removeprefix(_FOR_SELF) for name in given if str(name).lower().startswith(_FOR_SELF)}
    if not names:  # nobody may consent to anything
        return lambda value: not _HARMLESS.match(value)
    if names == {"microsoft-user-default-low"}:
        return lambda value: not _HARMLESS.match(value)
    if names == {"microsoft-user-default-recommended"}:
        return lambda value: bool(_LEFT_OUT.match(value))
    return lambda value: False
