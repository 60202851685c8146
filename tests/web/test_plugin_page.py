"""A plugin's page at volume: its permissions, what removing them would do, its people part by part and its alerts."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.test import Client

from consentry.accounts.models import Account
from consentry.connect.models import Connector
from consentry.core.clock import now
from consentry.inventory import partitions
from consentry.inventory.models import Assignee, DelegatedGrant, GrantSummary, Plugin, Principal, ScopeSet
from consentry.policy.models import Alert, Policy
from consentry.risk import services as risk
from consentry.web.plugin import MOST_AT_ONCE

Role = Callable[[str], Client]
ROGUE = UUID("ff8d92dc-3d82-41d6-bcbd-b9174d163620")


def make(connector: Connector, name: str, app_id: UUID | None = None) -> Plugin:
    partitions.ensure(connector.pk)
    return Plugin.objects.create(
        connector=connector, service_principal_id=uuid4(), app_id=app_id or uuid4(), name=name, first_seen=now(), origin="third_party"
    )


@pytest.fixture
def graph(connector: Connector) -> Plugin:
    found = make(connector, "Microsoft Graph", UUID("00000003-0000-0000-c000-000000000000"))
    Plugin.objects.filter(pk=found.pk).update(origin="microsoft")
    return found


def give_everybody(plugin: Plugin, resource: Plugin, *values: str) -> None:
    """Delegated permissions for the whole organisation, scored."""
    scopes = ScopeSet.objects.create(pk=uuid4(), scope=" ".join(values), values=list(values))
    same = {"connector": plugin.connector, "client_id": plugin.service_principal_id, "resource_id": resource.service_principal_id}
    DelegatedGrant.objects.create(**same, grant_id=str(uuid4()), consent_type="AllPrincipals", scope_set=scopes, first_seen=now())
    GrantSummary.objects.create(**same, scope_set=scopes, everybody=True, grants=1)
    risk.rescore_plugins([plugin])
    plugin.refresh_from_db()


def let_in(plugin: Plugin, number: int) -> None:
    """So many people let it in."""
    scopes, _ = ScopeSet.objects.get_or_create(pk=UUID(int=1), defaults={"scope": "User.Read", "values": ["User.Read"]})
    people = [
        Principal(connector=plugin.connector, object_id=uuid4(), kind="user", name=f"Person {place:05}", mail=f"p{place}@northfold.example", first_seen=now())
        for place in range(number)
    ]  # fmt: skip
    Principal.objects.bulk_create(people)
    DelegatedGrant.objects.bulk_create(
        DelegatedGrant(
            connector=plugin.connector, grant_id=str(uuid4()), client_id=plugin.service_principal_id, resource_id=UUID(int=2),
            principal_id=person.object_id, consent_type="Principal", scope_set=scopes, first_seen=now(),
        )
        for person in people
    )  # fmt: skip


def shown(page: str) -> list[str]:
    return re.findall(r">(Person \d+)</a>", page)


def test_people_come_after_permissions_and_part_by_part(as_role: Role, connector: Connector) -> None:
    plugin = make(connector, "Acme Notes")
    let_in(plugin, 45)
    viewer, address = as_role("viewer"), f"/plugins/{plugin.pk}/"
    page = viewer.get(address).content.decode()
    assert page.index('id="may"') < page.index('id="who"') < page.index('id="decision"')
    assert len(shown(page)) == 20
    assert "45 people granted it access themselves" in page
    assert page.count("@northfold.example; ") == 44  # the addresses to copy are all there
    last = viewer.get(f"{address}people/?people=3").content.decode()
    assert shown(last) == [f"Person {place:05}" for place in range(40, 45)]
    assert "<html" not in last
    assert "41 to 45 of 45" in last
    assert "Next" not in last
    assert "45 people granted it access themselves" in last
    assert len(shown(viewer.get(f"{address}people/?people=all").content.decode())) == 45
    assert shown(viewer.get(f"{address}?people=3").content.decode()) == shown(last)  # without scripts
    for odd in ("0", "-1", "x", "999", "1e9", "\u0663"):
        assert shown(viewer.get(f"{address}people/", {"people": odd}).content.decode()), odd


def test_few_people_need_no_pages_and_too_many_are_never_shown_at_once(as_role: Role, connector: Connector) -> None:
    few, many = make(connector, "Few"), make(connector, "Many")
    let_in(few, 20)
    let_in(many, MOST_AT_ONCE + 1)
    viewer = as_role("viewer")
    page = viewer.get(f"/plugins/{few.pk}/").content.decode()
    assert len(shown(page)) == 20
    assert "More of people" not in page
    for address in (f"/plugins/{many.pk}/?people=all", f"/plugins/{many.pk}/people/?people=all"):
        page = viewer.get(address).content.decode()
        assert len(shown(page)) == 20
        assert "Show all" not in page
        assert f"of {MOST_AT_ONCE + 1:,}" in page


def test_who_is_assigned_comes_part_by_part_too(as_role: Role, connector: Connector) -> None:
    plugin = make(connector, "Acme Notes")
    Assignee.objects.bulk_create(
        Assignee(
            connector=connector, assignment_id=str(place), service_principal_id=plugin.service_principal_id, principal_id=uuid4(), kind="user",
            name=f"Person {place:05}", app_role_id=UUID(int=0), first_seen=now(),
        )
        for place in range(21)
    )  # fmt: skip
    viewer, address = as_role("viewer"), f"/plugins/{plugin.pk}/"
    assert len(shown(viewer.get(address).content.decode())) == 20
    assert shown(viewer.get(f"{address}assigned/?assigned=2").content.decode()) == ["Person 00020"]
    assert len(shown(viewer.get(f"{address}?assigned=all").content.decode())) == 21


def test_parts_of_another_accounts_plugin_do_not_exist(as_role: Role, connector: Connector) -> None:
    plugin, viewer = make(connector, "Acme Notes"), as_role("viewer")
    Connector.objects.filter(pk=connector.pk).update(account=Account.objects.create(name="Other", slug="other"))
    for part in ("people", "assigned", "what-if"):
        assert viewer.get(f"/plugins/{plugin.pk}/{part}/").status_code == 404


def test_permissions_that_matter_only_together_are_said_to_and_proposed(as_role: Role, connector: Connector, graph: Plugin) -> None:
    plugin, viewer = make(connector, "Acme Notes"), as_role("viewer")
    takers = ("RoleManagement.ReadWrite.Directory", "Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All")
    give_everybody(plugin, graph, "User.Read", *takers)
    assert plugin.risk_level == "high"
    address = f"/plugins/{plugin.pk}/"
    page = viewer.get(address).content.decode()
    assert page.count("No difference alone") == 3
    assert f"What if it were removed? {plugin.risk_score}" not in page
    proposal = page[page.index("What would lower it") : page.index('id="may-form"')]
    assert "Without these 3 permissions" in proposal
    assert all(value in proposal for value in takers)
    assert "User.Read<" not in proposal
    link = re.search(r'href="(\?[^"]+)#may"', proposal)
    assert link
    ticked = viewer.get(address + link[1].replace("&amp;", "&")).content.decode()
    assert len(re.findall(r'name="without" value="\w+" checked', ticked)) == 3
    assert "Without these 3 permissions" in ticked[ticked.index('id="what-if"') :]
    answer = viewer.get(f"{address}what-if/{link[1].replace('&amp;', '&')}").content.decode()
    assert "Without these 3 permissions" in answer
    assert "level-high" not in answer
    for nothing in ("", "?without=nonsense", "?without="):
        assert viewer.get(f"{address}what-if/{nothing}").content == b""


def test_where_no_permission_lowers_the_level_the_reason_is_named(as_role: Role, connector: Connector, graph: Plugin) -> None:
    plugin, viewer = make(connector, "PERFECTDATA", ROGUE), as_role("viewer")
    give_everybody(plugin, graph, "Mail.Read")
    page = viewer.get(f"/plugins/{plugin.pk}/").content.decode()
    proposal = page[page.index("What would lower it") : page.index('id="may-form"')]
    assert "No permission: even without any" in proposal
    assert "A known rogue app" in proposal
    assert "Tick" not in proposal


def test_a_harmless_a_bare_and_a_removed_plugin_propose_nothing(as_role: Role, connector: Connector, graph: Plugin) -> None:
    harmless, bare, gone = make(connector, "Harmless"), make(connector, "Bare", ROGUE), make(connector, "Gone")
    give_everybody(harmless, graph, "User.Read")
    risk.rescore_plugins([bare])
    give_everybody(gone, graph, "Mail.ReadWrite")
    Plugin.objects.filter(pk=gone.pk).update(removed_at=now())
    viewer = as_role("viewer")
    for plugin in (harmless, bare, gone):
        page = viewer.get(f"/plugins/{plugin.pk}/").content.decode()
        assert "What would lower it" not in page, plugin.name
        assert viewer.get(f"/plugins/{plugin.pk}/what-if/?without=x").content == b""


def test_a_permission_is_told_by_its_resource(as_role: Role, connector: Connector, graph: Plugin) -> None:
    plugin, vendor = make(connector, "Acme Notes"), make(connector, "Vendor API")
    give_everybody(plugin, vendor, "Mail.Read")
    page = as_role("viewer").get(f"/plugins/{plugin.pk}/").content.decode()
    assert "Read the person&#x27;s mail with its attachments." not in page
    assert "by our rules" in page


def test_open_alerts_are_shown_but_not_silent_or_closed_ones(as_role: Role, connector: Connector) -> None:
    plugin, other = make(connector, "Acme Notes"), make(connector, "Other")
    address = f"/plugins/{plugin.pk}/"
    viewer = as_role("viewer")
    assert "Open alerts" not in viewer.get(address).content.decode()

    def alert(of: Plugin, title: str, **given: object) -> Alert:
        policy = Policy.objects.create(
            account=connector.account, key=f"custom-{uuid4().hex[:8]}", title=title, severity="high", rule={"any": []}
        )
        fields = {"severity": "high", "evidence": {}, "opened_at": now(), "seen_at": now(), **given}
        return Alert.objects.create(policy=policy, plugin=of, **fields)

    alert(plugin, "Silent", audit=True)
    alert(plugin, "Over", state="resolved")
    alert(plugin, "Dismissed one", state="dismissed")
    alert(other, "Of another")
    assert "Open alerts" not in viewer.get(address).content.decode()
    opened = alert(plugin, "Too <b>much</b>")
    known = alert(plugin, "Looked at", state="acknowledged", severity="critical", assignee="ada@demo.example")
    page = viewer.get(address).content.decode()
    card = page[page.index("Open alerts") : page.index('id="risk"')]
    assert "Too &lt;b&gt;much&lt;/b&gt;" in card
    assert f"/alerts/{opened.pk}/" in card and f"/alerts/{known.pk}/" in card
    assert card.index("Looked at") < card.index("Too ")
    assert "Acknowledged · ada@demo.example" in card
    assert not any(title in page for title in ("Silent", "Over<", "Dismissed one", "Of another"))
