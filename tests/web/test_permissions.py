"""The permissions page: what each lets an app do, and that its number is what opens."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from django.test import Client
from tests.web.test_plugin_page import give_everybody, make

from consentry.accounts import services as accounts
from consentry.connect.models import Connector, Status
from consentry.core.clock import now
from consentry.inventory import queries
from consentry.inventory.filters import Permission, PluginFilter
from consentry.inventory.models import AppRoleAssignment, PermissionDefinition, Plugin, TenantFact

Role = Callable[[str], Client]
GRAPH = UUID("00000003-0000-0000-c000-000000000000")


def define(resource: Plugin, value: str, kind: str = "delegated", **fields: Any) -> PermissionDefinition:
    return PermissionDefinition.objects.create(
        connector=resource.connector, resource_id=resource.service_principal_id, resource_app_id=resource.app_id, kind=kind,
        permission_id=fields.pop("permission_id", uuid4()), value=value, **fields,
    )  # fmt: skip


def assign(plugin: Plugin, resource: Plugin, role: UUID) -> None:
    AppRoleAssignment.objects.create(
        connector=plugin.connector, assignment_id=str(uuid4()), principal_id=plugin.service_principal_id,
        resource_id=resource.service_principal_id, app_role_id=role, first_seen=now(),
    )  # fmt: skip


def listed(client: Client) -> list[tuple[str, int]]:
    """Every row's address and number, over all pages."""
    found: list[tuple[str, int]] = []
    for page in range(1, 50):
        text = client.get(f"/permissions/?page={page}").content.decode()
        rows = re.findall(r'href="(/plugins/\?permission=[^"]+)"[^>]*>([\d,]+)</a>', text)
        if not rows:
            break
        found += [(html.unescape(address), int(number.replace(",", ""))) for address, number in rows]
    return found


def opens(client: Client, address: str) -> int:
    """How many plugins a row's address lists."""
    page = client.get(address).content.decode()
    number = re.search(r"to [\d,]+ of ([\d,]+) plugins", page)
    return int(number[1].replace(",", "")) if number else 0


def named(plugins: Any) -> set[str]:
    return {plugin.name for plugin in plugins}


def matching(value: str) -> set[str]:
    return named(PluginFilter.parse({"permission": [value]}).apply(accounts.default_account().pk))


def test_every_rows_number_is_what_opens(make_world: Any, as_role: Role) -> None:
    world = make_world(plugins=120, users=80)
    world.sync()
    viewer = as_role("viewer")
    rows = listed(viewer)
    assert len(rows) > 50  # more than one page
    assert len({address for address, _ in rows}) == len(rows)
    for address, number in rows:
        assert opens(viewer, address) == number > 0, address
        asked = viewer.get(address.replace("/plugins/?", "/api/v1/plugins?page_size=1&"))
        assert asked.json()["count"] == number, address
    both = {value for value, kinds in kinds_of(rows).items() if len(kinds) > 1}
    assert both  # some are held as either kind, so that the kind matters here


def kinds_of(rows: list[tuple[str, int]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for address, _ in rows:
        kind, value = re.findall(r"permission=(\w+)%3A.*%2F(.+)$", address)[0]
        found.setdefault(value, set()).add(kind)
    return found


def test_odd_permissions_open_what_their_row_counts(as_role: Role, connector: Connector) -> None:
    graph, vendor, nameless = make(connector, "Microsoft Graph", GRAPH), make(connector, "Vendor, API"), make(connector, "")
    Plugin.objects.filter(pk=nameless.pk).update(app_id=None)
    one, two, three = make(connector, "One"), make(connector, "Two"), make(connector, "Three")
    give_everybody(one, vendor, "a,b", "100%", "x/y:z", "<b>&é", "application:Mail.Read", "Mail.Read")
    give_everybody(two, graph, "Mail.Read")
    give_everybody(three, nameless, "Mail.Read")
    mail = define(graph, "Mail.Read", "application")
    assign(two, graph, mail.permission_id)
    assign(three, graph, mail.permission_id)
    assign(three, graph, UUID(int=0))  # default access, which no resource defines
    assign(one, vendor, UUID(int=0))
    assign(one, vendor, define(vendor, "", "application").permission_id)
    gone = make(connector, "Gone")
    give_everybody(gone, graph, "Mail.Read")
    Plugin.objects.filter(pk=gone.pk).update(removed_at=now())
    ours = make(connector, "The console")
    give_everybody(ours, graph, "Mail.Read")
    Plugin.objects.filter(pk=ours.pk).update(is_console=True)
    viewer = as_role("viewer")
    rows = listed(viewer)
    assert len(rows) == 12
    for address, number in rows:
        assert opens(viewer, address) == number == 1 or ("application" in address and number == 2 == opens(viewer, address)), address


def test_the_filter_tells_kinds_and_resources_apart(connector: Connector) -> None:
    graph, vendor = make(connector, "Microsoft Graph", GRAPH), make(connector, "Vendor API")
    acts, asks, other = make(connector, "Acts"), make(connector, "Asks"), make(connector, "Other")
    assign(acts, graph, define(graph, "Mail.Read", "application").permission_id)
    give_everybody(asks, graph, "Mail.Read", "User.Read")
    give_everybody(other, vendor, "Mail.Read")
    assert matching("Mail.Read") == {"Acts", "Asks", "Other"}
    assert matching("application:Mail.Read") == {"Acts"}
    assert matching("delegated:Mail.Read") == {"Asks", "Other"}
    assert matching(f"delegated:{GRAPH}/Mail.Read") == {"Asks"}
    assert matching(f"delegated:{vendor.app_id}/Mail.Read") == {"Other"}
    assert matching(f"application:{vendor.app_id}/Mail.Read") == set()
    assert matching(f"application:{GRAPH}/Mail.Read,delegated:{vendor.app_id}/Mail.Read") == {"Acts", "Other"}
    assert matching("application:Mail.Read,User.Read") == {"Acts", "Asks"}
    for nothing in (
        "application:",
        "delegated:",
        "Application:Mail.Read",
        "sideways:Mail.Read",
        "delegated:%00",
        "delegated:%",
        f"delegated:{GRAPH}/",
    ):
        assert matching(nothing) == set(), nothing


def test_a_permission_survives_being_written_and_read() -> None:
    for value in ("Mail.Read", "a,b", "100%", "%2C", "x/y:z", " spaced ", "é\u202e", f"{GRAPH}/x"):
        for resource in (GRAPH, None):
            wanted = Permission("delegated", value, resource)
            if resource is None and value.startswith(str(GRAPH)):
                continue  # reads as a resource, which is why the page always names it
            (kept,) = PluginFilter.parse({"permission": [str(wanted)]}).values["permission"]
            assert Permission.parse(kept) == wanted
    assert Permission.parse("Mail.Read") is None


def test_the_filter_that_is_on_is_shown_in_words(as_role: Role, connector: Connector) -> None:
    make(connector, "One")
    page = as_role("viewer").get(f"/plugins/?permission=application:{GRAPH}/Mail.%253Cb%253E%E2%80%AE").content.decode()
    assert "Mail.&lt;b&gt;[U+202E] (application)" in page


def test_a_row_says_what_it_allows_and_who_can_grant_it(as_role: Role, connector: Connector) -> None:
    graph, plugin = make(connector, "Microsoft Graph", GRAPH), make(connector, "One")
    define(graph, "Mail.Read", title="Read <i>mail</i>", description="Allows \u202eit.", admin_only=False)
    define(graph, "Directory.ReadWrite.All", admin_only=True)
    give_everybody(plugin, graph, "Mail.Read", "Directory.ReadWrite.All", "IMAP.AccessAsUser.All", "Invented.By.Tomorrow")
    viewer = as_role("viewer")

    def row(value: str) -> str:
        page = viewer.get("/permissions/").content.decode()
        return next(part for part in page.split("<tr>") if f">{value}</code>" in part)

    mail = row("Mail.Read")
    assert "Read the person&#x27;s mail with its attachments." in mail
    assert "Read &lt;i&gt;mail&lt;/i&gt;: Allows [U+202E]it." in mail
    assert "People can grant it themselves." in mail
    assert "Legacy" not in mail and "by rule" not in mail
    directory = row("Directory.ReadWrite.All")
    assert "Only an administrator can grant it." in directory
    assert 'data-label="Take over" class="axis-cell">8.5<' in directory
    assert "Legacy" in row("IMAP.AccessAsUser.All")
    invented = row("Invented.By.Tomorrow")
    assert "by rule" in invented and "Not known" in invented and "says nothing about it" in invented

    nobody = {"defaultUserRolePermissions": {"permissionGrantPoliciesAssigned": []}}
    TenantFact.objects.create(connector=connector, name="authorization_policy", value=nobody, read_at=now())
    assert "refuses it to people today" in row("Mail.Read")
    assert "Only an administrator can grant it." in row("Directory.ReadWrite.All")
    second = Connector.objects.create(account=connector.account, name="Second", tenant_id=uuid4(), status=Status.CONNECTED)
    graph_too, plugin_too = make(second, "Microsoft Graph", GRAPH), make(second, "One")
    define(graph_too, "Mail.Read", admin_only=False)
    give_everybody(plugin_too, graph_too, "Mail.Read")
    assert "differs between the tenants" in row("Mail.Read")
    assert [one["plugins"] for one in queries.held_permissions(connector.account_id, q="Mail.Read")] == [2]


def test_an_empty_list_says_why(as_role: Role, connector: Connector) -> None:
    viewer = as_role("viewer")
    assert "appear after the first sync" in viewer.get("/permissions/").content.decode()
    graph, plugin = make(connector, "Microsoft Graph", GRAPH), make(connector, "One")
    give_everybody(plugin, graph, "Mail.Read")
    for query in ("q=%3Cb%3Ezz%E2%80%AE", "page=99"):
        page = viewer.get(f"/permissions/?{query}").content.decode()
        assert "No permission matches" in page
        assert 'href="/permissions/">Show all permissions' in page
        assert "first sync" not in page
    assert "&lt;b&gt;zz[U+202E]" in viewer.get("/permissions/?q=%3Cb%3Ezz%E2%80%AE").content.decode()
