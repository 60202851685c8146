"""A simulated tenant with its connector, and what can go wrong on the way to it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from django.db import connection

from consentry.accounts import services as accounts
from consentry.connect import services as connect
from consentry.connect.models import Integration
from consentry.inventory import models
from consentry.policy import services as policy
from consentry.risk import services as risk
from consentry.simulator import server
from consentry.simulator.directory import Directory
from consentry.simulator.options import SimulatorOptions
from consentry.sync import queries, services
from consentry.sync.models import RunState, SyncRun

Rule = Callable[[web.Request, web.StreamResponse], web.StreamResponse | None]


@dataclass
class Weather:
    """What goes wrong on the way. Rules see each answer of Graph and may put another in its place."""

    rules: list[Rule] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def refuse(
        self, path: str, status: int, code: str, *, times: int = 1_000_000, when: Callable[[web.Request], bool] = lambda _: True
    ) -> None:
        """Answer a path with an error."""
        left = [times]

        def rule(request: web.Request, _: web.StreamResponse) -> web.StreamResponse | None:
            if path not in request.path or left[0] < 1 or not when(request):
                return None
            left[0] -= 1
            return web.json_response({"error": {"code": code, "message": "as the test wants"}}, status=status)

        self.rules.append(rule)

    def repeat(self, path: str) -> None:
        """Put the last object of each page on the next one too."""
        last: dict[tuple[str | None, ...], list[Any]] = {}

        def rule(request: web.Request, response: web.StreamResponse) -> web.StreamResponse | None:
            if not request.path.endswith(path) or response.status != 200:
                return None
            body = json.loads(response.body)  # type: ignore[attr-defined]
            query = tuple(request.query.get(name) for name in ("$select", "$expand", "$filter"))
            body["value"] = last.get(query, []) + body["value"]
            last[query] = body["value"][-1:]
            return web.json_response(body)

        self.rules.append(rule)


@dataclass
class World:
    """One tenant, its connector, and syncs."""

    directory: Directory
    weather: Weather
    options: SimulatorOptions
    integration: Integration
    fresh_budget: Callable[[], None]

    def full(self) -> dict[str, Any]:
        """A run that reads everything again."""
        return self.sync(full=True)

    def sync(self, *, full: bool = False, trigger: str = "schedule") -> dict[str, Any]:
        """A whole run in this process. Its summary."""
        self.fresh_budget()
        self.weather.asked.clear()
        run = services.start_sync(self.integration, trigger=trigger, full=full)
        services.run(run.pk)
        if SyncRun.objects.get(pk=run.pk).state == RunState.SCORING:
            risk.rescore_run(run.pk)
            policy.evaluate_run(run.pk)
        return queries.run_summary(run.pk)

    @property
    def connector_id(self) -> Any:
        return self.integration.connector_id

    def live(self, model: Any) -> Any:
        """The rows of a table that are not marked as removed."""
        return model.objects.filter(connector_id=self.connector_id, removed_at__isnull=True)

    def plugin(self, service_principal_id: str) -> models.Plugin:
        return models.Plugin.objects.get(connector_id=self.connector_id, service_principal_id=service_principal_id)

    def assert_equal_to_tenant(self) -> None:
        """The inventory holds exactly what the tenant holds: to the last row, with names and scopes."""
        found = {str(row.service_principal_id): row.name for row in self.live(models.Plugin)}
        assert found == {key: row["displayName"] for key, row in self.directory.service_principals.items()}
        grants = {
            row.grant_id: (str(row.client_id), str(row.principal_id) if row.principal_id else None, set(row.scope_set.values))
            for row in self.live(models.DelegatedGrant).select_related("scope_set")
        }
        assert grants == {key: (one.client_id, one.principal_id, set(one.scope.split())) for key, one in self.directory.grants.items()}
        summary = {
            (str(row.client_id), str(row.resource_id), tuple(row.scope_set.values), row.everybody): row.grants
            for row in models.GrantSummary.objects.filter(connector_id=self.connector_id).select_related("scope_set")
        }
        assert summary == Counter(
            (one.client_id, one.resource_id, tuple(sorted(set(one.scope.split()))), one.consent_type == "AllPrincipals")
            for one in self.directory.grants.values()
        )
        for plugin in self.live(models.Plugin):
            mine = [one for one in self.directory.grants_of(str(plugin.service_principal_id)) if one.consent_type == "Principal"]
            assert plugin.users == len({one.principal_id for one in mine})
        held = {row.assignment_id: str(row.app_role_id) for row in self.live(models.AppRoleAssignment)}
        apps = self.directory.service_principals
        assert held == {
            key: row["appRoleId"] for who, rows in self.directory.assignments.items() if who in apps for key, row in rows.items()
        }
        known = {*self.directory.service_principals, *self.directory.users, *self.directory.groups}
        owners = {(str(row.service_principal_id), str(row.owner_id)) for row in self.live(models.Owner)}
        by_app_id = {row["appId"]: key for key, row in self.directory.service_principals.items()}
        wanted = set()
        for key, people in self.directory.owners.items():
            application = self.directory.applications.get(key)
            holder = by_app_id.get(application["appId"]) if application else key
            wanted |= {(holder, person) for person in people if holder in self.directory.service_principals and person in known}
        assert owners == wanted
        secrets = {(str(row.service_principal_id), row.key_id) for row in self.live(models.Credential)}
        wanted = set()
        for row in [*self.directory.service_principals.values(), *self.directory.applications.values()]:
            holder = row["id"] if row["id"] in self.directory.service_principals else by_app_id.get(row["appId"])
            wanted |= {(holder, key["keyId"]) for key in [*row["passwordCredentials"], *row["keyCredentials"]] if holder}
            wanted |= {(holder, key["id"]) for key in self.directory.federated.get(row["id"], []) if holder}
        assert secrets == wanted
        self.assert_surroundings()

    def assert_surroundings(self) -> None:
        """Who is assigned to apps, and what agents inherit."""
        apps = self.directory.service_principals
        assigned = {(row.assignment_id, str(row.service_principal_id), row.kind) for row in self.live(models.Assignee)}
        assert assigned == {
            (key, row["resourceId"], row["principalType"].lower())
            for who, rows in self.directory.assignments.items()
            if who not in apps
            for key, row in rows.items()
            if row["resourceId"] in apps
        }
        wanted = set()
        for agent, blueprint in self.directory.blueprints.items():
            if agent in apps and blueprint in apps:
                wanted |= {(agent, row["appRoleId"]) for row in self.directory.assignments.get(blueprint, {}).values()}
                grants = [one for one in self.directory.grants_of(blueprint) if one.consent_type == "AllPrincipals"]
                wanted |= {(agent, value) for one in grants for value in one.scope.split()}
        assert {(str(row.service_principal_id), row.permission) for row in self.live(models.InheritedPermission)} == wanted

    def versions(self) -> list[Any]:
        """Changes with every row that is written."""
        tables = (
            "plugin",
            "delegatedgrant",
            "approleassignment",
            "principal",
            "owner",
            "credential",
            "permissiondefinition",
            "tenantfact",
            "assignee",
            "inheritedpermission",
            "grantsummary",
        )
        with connection.cursor() as cursor:
            found = []
            for table in tables:
                name = "" if table != "tenantfact" else " WHERE name <> 'audit_events_read'"
                cursor.execute(f"SELECT count(*), sum(xmin::text::bigint) FROM inventory_{table}{name}")
                found.append((table, cursor.fetchone()))
        return found


@pytest.fixture
def make_world(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    """Start a tenant; options are those of the simulator."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runners: list[web.AppRunner] = []

    def start(**given: Any) -> World:
        options = SimulatorOptions(**{"plugins": 60, "users": 60, "consent_delay_seconds": 0.0, "consented": True, **given})
        weather = Weather()
        cloud = server.build_cloud(options)
        app = server.build_app(cloud, options)

        @web.middleware
        async def watch(request: web.Request, handler: Any) -> web.StreamResponse:
            response = await handler(request)
            if request.path.startswith(("/v1.0/", "/beta/", "/subscriptions")):
                weather.asked.append(f"{request.method} {request.path_qs}")
                for rule in weather.rules:
                    response = rule(request, response) or response
            return response

        app.middlewares.append(watch)

        async def listen() -> int:
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            runners.append(runner)
            return int(runner.addresses[0][1])

        info = server.describe(cloud, asyncio.run_coroutine_threadsafe(listen(), loop).result(30))
        monkeypatch.setenv("CONSENTRY_MICROSOFT_LOGIN_URL", info["login_url"])
        monkeypatch.setenv("CONSENTRY_MICROSOFT_GRAPH_URL", info["graph_url"])
        monkeypatch.setenv("CONSENTRY_MICROSOFT_AZURE_URL", info["azure_url"])
        monkeypatch.setenv("CONSENTRY_MICROSOFT_CLIENT_ID", info["client_id"])
        monkeypatch.setenv("CONSENTRY_MICROSOFT_CLIENT_SECRET", info["client_secret"])
        connector = connect.connect_by_credentials(accounts.default_account(), name="Contoso", tenant=info["tenant_id"], actor="test")
        integration = connect.integrate_by_credentials(connector, description="", actor="test")
        budgets = app[server.GRAPH].budgets
        return World(cloud.tenants[info["tenant_id"]].directory, weather, options, integration, budgets.clear)

    yield start
    for runner in runners:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A small tenant."""
    return make_world()
