"""What a policy says and asks: the product's words for a predefined one, the account's for its own."""

from __future__ import annotations

from dataclasses import dataclass

from consentry.policy import conditions
from consentry.policy.models import Policy
from consentry.policy.predefined import BY_KEY


@dataclass(frozen=True, slots=True)
class Definition:
    """What a policy says and asks, whether the product's or the account's own."""

    title: str
    why: str
    remedy: str
    technique: str
    severity: str
    rule: conditions.Rule

    @property
    def of_change(self) -> bool:
        """True when it can only match in the run that finds a change."""
        return conditions.of_change(self.rule)


def definition(policy: Policy) -> Definition:
    """What ``policy`` says and asks."""
    if found := BY_KEY.get(policy.key):
        return Definition(found.title, found.why, found.remedy, found.technique, policy.severity or found.severity, found.rule)
    return Definition(policy.title, policy.why, "", "", policy.severity, policy.rule or [])
