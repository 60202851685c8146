"""What is known of one plugin when it is judged. Pure: the clock is a fact too.

None means unknown, which is neither good nor bad: signals say how they treat it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

from consentry.risk.catalogue import Judged

_FOREIGN = {"third_party", "unknown"}


class Held(NamedTuple):
    """One permission a plugin holds. ``users`` counts the people who granted it themselves."""

    value: str
    resource: str
    kind: str  # delegated | application
    everybody: bool
    users: int
    judged: Judged
    inherited: bool = False  # an agent identity has it from its blueprint's principal

    def reach(self, axis: float) -> float:
        """``axis`` by how many people it reaches: one person's grant counts three quarters, everybody's or the app's own counts full."""
        if self.kind == "application" or self.everybody:
            return axis
        return axis * min(1.0, 0.75 + 0.05 * math.log2(max(self.users, 1) + 1))

    @property
    def who(self) -> str:
        """Whose data it reaches, in words."""
        if self.kind == "application" or self.everybody:
            return "the whole organisation"
        return f"{self.users:,} {'person' if self.users == 1 else 'people'}"


@dataclass(frozen=True, slots=True)
class Key:
    """A secret or certificate, without its value."""

    source: str  # service_principal | application | federated
    kind: str  # secret | certificate | federated
    usage: str | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    added_at: datetime | None = None  # seen appearing between two syncs


@dataclass(frozen=True, slots=True)
class Burst:
    """The most people who consented within 24 hours, lately."""

    people: int
    began_at: datetime


@dataclass(frozen=True, slots=True)
class Drift:
    """What a sanctioned plugin has beyond what was approved."""

    since: datetime
    permissions: tuple[Held, ...] = ()
    keys: int = 0
    publisher: tuple[str | None, str | None] | None = None
    reply_urls: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()  # in the directory and in Azure
    verification_lost: bool = False

    @property
    def gained(self) -> list[str]:
        """The new permissions by name."""
        return sorted({held.value or "default access" for held in self.permissions})

    @property
    def power(self) -> float:
        """The stronger axis of the strongest new permission."""
        return max((max(held.judged.takeover, held.judged.data) for held in self.permissions), default=0.0)


@dataclass(frozen=True)
class Facts:
    """One plugin. Times are aware; ``now`` is when it is judged."""

    now: datetime
    name: str = ""
    app_id: str = ""
    origin: str = "unknown"
    publisher: str | None = None
    publisher_verified: bool | None = None
    publisher_tenant: str = ""  # what Microsoft says that the owner tenant is called
    enabled: bool | None = None
    permissions: tuple[Held, ...] = ()
    users: int = 0
    all_users: bool = False
    keys: tuple[Key, ...] = ()
    reply_urls: tuple[str, ...] = ()
    created_at: datetime | None = None
    consented_at: datetime | None = None
    last_used: datetime | None = None
    last_used_state: str = "unknown"  # known | never | unknown | unlicensed
    woke_up: tuple[datetime, datetime] | None = None  # used before, used again
    disabled_by_microsoft: str | None = None
    microsoft_risk: tuple[str, str] | None = None  # level, state
    owners: int | None = None
    owner_names: tuple[str, ...] = ()
    guests: int = 0  # guests among the people who granted it something
    directory_roles: tuple[str, ...] | None = None
    azure_roles: tuple[str, ...] | None = None  # such as "Owner on subscription Production"
    powerful_consenters: tuple[str, ...] = ()  # people with an administrator role who granted it something
    assignment_required: bool | None = None
    multi_tenant: bool | None = None
    single_sign_on: str | None = None
    burst: Burst | None = None
    drift: Drift | None = None
    publisher_changed: tuple[str | None, str | None] | None = None  # in the last 30 days
    refused_today: tuple[str, ...] = ()  # granted by people, and more than the tenant's consent policy lets them grant now
    tenant_names: tuple[str, ...] = ()
    own_rogues: frozenset[str] = frozenset()  # app ids that the customer added to the list

    @property
    def foreign(self) -> bool:
        """True unless the app is known to be the tenant's own or Microsoft's."""
        return self.origin in _FOREIGN

    @property
    def vouched(self) -> bool:
        """True when the publisher is verified."""
        return self.publisher_verified is True

    @cached_property
    def takeover(self) -> float:
        """How far it could take over the tenant, 0 to 10."""
        furthest = 0.0
        for held in self.permissions:
            if held.judged.takeover > furthest:  # its reach may be less, never more
                furthest = max(furthest, held.reach(held.judged.takeover))
        return furthest

    @cached_property
    def data(self) -> float:
        """How much data it could reach, 0 to 10."""
        furthest = 0.0
        for held in self.permissions:
            if held.judged.data > furthest:
                furthest = max(furthest, held.reach(held.judged.data))
        return furthest

    @cached_property
    def power(self) -> float:
        """The stronger of the two axes."""
        return max(self.takeover, self.data)

    @cached_property
    def strongest(self) -> float:
        """The stronger axis of its strongest permission, however few people it reaches."""
        return max((max(held.judged.takeover, held.judged.data) for held in self.permissions), default=0.0)

    @property
    def since(self) -> datetime | None:
        """When it came: the first consent, or when its service principal was made."""
        known = [moment for moment in (self.created_at, self.consented_at) if moment]
        return min(known) if known else None

    def aged(self, moment: datetime | None, *, more_than: timedelta) -> bool:
        """True when ``moment`` is known and longer ago than that."""
        return moment is not None and self.now - moment > more_than

    def lately(self, moment: datetime | None, *, within: timedelta) -> bool:
        """True when ``moment`` is known and in that time before now."""
        return moment is not None and self.now - moment <= within

    def holding(self, pattern: re.Pattern[str]) -> tuple[Held, ...]:
        """The permissions whose value starts with ``pattern``."""
        return tuple(held for held in self.permissions if pattern.match(held.value))

    @cached_property
    def live_keys(self) -> tuple[Key, ...]:
        """Keys that work now, without those that only sign SAML assertions.

        Single sign-on over SAML puts a signing certificate, its public half and a secret with the same dates on the service principal.
        """
        signing = {(key.source, key.starts_at, key.ends_at) for key in self.keys if key.usage == "Sign" and key.ends_at}
        return tuple(
            key
            for key in self.keys
            if key.usage != "Sign"
            and (key.source, key.starts_at, key.ends_at) not in signing
            and (key.ends_at is None or key.ends_at > self.now)
        )

    def unused_since(self, days: int) -> datetime | None:
        """The last use, when that is known and longer ago than ``days``."""
        return self.last_used if self.last_used_state == "known" and self.aged(self.last_used, more_than=timedelta(days=days)) else None
