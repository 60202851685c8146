"""Changes as sentences that a person can read."""

from __future__ import annotations

from typing import Any

_SENTENCES = {
    "plugin_first_seen": "was there when the tenant was first read",
    "plugin_added": "appeared in the tenant",
    "plugin_removed": "was removed from the tenant",
    "plugin_returned": "came back",
    "plugin_renamed": "was renamed from {before} to {after}",
    "publisher_changed": "changed its publisher from {before} to {after}",
    "publisher_verification_changed": "changed its publisher verification from {before} to {after}",
    "plugin_enabled_changed": "changed from enabled={before} to enabled={after}",
    "disabled_by_microsoft_changed": "has a new verdict of Microsoft: {after}",
    "reply_urls_changed": "changed its reply URLs from {before} to {after}",
    "grant_added": "gained {after} on {subject} for {who}",
    "grant_removed": "lost {before} on {subject} for {who}",
    "grant_changed": "now has {after} on {subject} for {who}, before {before}",
    "grant_added_for_many": "gained {after} on {subject}",
    "grant_removed_for_many": "lost {before} on {subject}",
    "grant_changed_for_many": "now has {after} on {subject}, before {before}",
    "permission_added": "gained the application permission {after} on {subject}",
    "permission_removed": "lost the application permission {before} on {subject}",
    "inherited_added": "inherits {after} from {subject}",
    "inherited_removed": "no longer inherits {before} from {subject}",
    "assignees_added": "got {subject} assigned, among them {after}",
    "assignees_removed": "lost {subject} who were assigned, among them {after}",
    "plugin_woke_up": "was used on {after}, and before that not since {before}",
    "roles_changed": "now holds the directory roles {after}, before {before}",
    "azure_roles_changed": "now holds in Azure {after}, before {before}",
    "credential_added": "has a new credential {subject}",
    "credential_removed": "no longer has the credential {subject}",
    "owner_added": "has a new owner, {who}",
    "owner_removed": "lost the owner {who}",
    "consent_requested": "An administrator is asked to let in {subject} with {after}",
    "consent_policy_changed": "The tenant's {subject} changed",
}


def sentence(kind: str, *, subject: str, before: Any, after: Any, who: str | None) -> str:
    """What happened, to follow the plugin's name. ``who`` None means everybody."""
    words = {"subject": subject, "before": _plain(before), "after": _plain(after), "who": who or "everybody"}
    return _SENTENCES.get(kind, kind.replace("_", " ")).format(**words)


def _plain(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "nothing"
    return str(value)
