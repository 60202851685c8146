"""Times a full sync against the floor: the same pages fetched and decoded, the same rows by COPY, and nothing else.

    python benchmarks/full_sync.py [--plugins 5000] [--grants 200000] [--assignments 20000] [--users 50000] [--latency-ms 0] [--rounds 3]

Everything runs on this machine: the simulated Microsoft, an embedded PostgreSQL in a folder of its own, and one process for each
measurement, in turns, so that a busy machine troubles both alike. What is printed is described in docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

BUDGET_SECONDS = 11  # until the requests of the measurement before no longer count against the tenant's budget
CHILD = "CONSENTRY_BENCHMARK_CHILD"


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plugins", type=int, default=5000)
    parser.add_argument("--grants", type=int, default=200_000)
    parser.add_argument("--assignments", type=int, default=20_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of the table")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="consentry-benchmark-"))
    folder.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
    environment |= {"CONSENTRY_DATA_DIR": str(folder), "CONSENTRY_LOG_LEVEL": "ERROR", CHILD: "1"}
    size = ["--plugins", str(options.plugins), "--grants", str(options.grants), "--users", str(options.users)]
    size += ["--assignments", str(options.assignments)]
    command = [
        sys.executable,
        "-m",
        "consentry.cli",
        "simulate",
        "microsoft",
        "--consented",
        "--latency-ms",
        str(options.latency_ms),
        *size,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as simulator:
        try:
            assert simulator.stdout is not None
            cloud = json.loads(simulator.stdout.readline())
            environment |= {
                "CONSENTRY_MICROSOFT_LOGIN_URL": cloud["login_url"],
                "CONSENTRY_MICROSOFT_GRAPH_URL": cloud["graph_url"],
                "CONSENTRY_MICROSOFT_CLIENT_ID": cloud["client_id"],
                "CONSENTRY_MICROSOFT_CLIENT_SECRET": cloud["client_secret"],
            }
            results: dict[str, list[dict[str, Any]]] = {"floor": [], "sync": []}
            with Keeper(environment):
                for _ in range(options.rounds):
                    for kind, found in results.items():
                        found.append(measure(kind, cloud["tenant_id"], environment))
        finally:
            simulator.terminate()
            shutil.rmtree(folder, ignore_errors=True)
    report(results, as_json=options.json)


class Keeper:
    """Keeps the embedded database running between the measurements."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def __enter__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, "keep"], env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def __exit__(self, *_: object) -> None:
        self.process.communicate("\n")


def measure(kind: str, tenant: str, environment: dict[str, str]) -> dict[str, Any]:
    """One measurement in a process of its own."""
    done = subprocess.run([sys.executable, __file__, kind, tenant], env=environment, check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def report(results: dict[str, list[dict[str, Any]]], *, as_json: bool) -> None:
    """Medians of the rounds, and ratios to the floor."""

    def median(kind: str, name: str) -> float:
        return statistics.median(one[name] for one in results[kind])

    floor = median("floor", "seconds")
    rows = [("floor: fetch, decode, COPY", floor, median("floor", "memory_mb"), results["floor"][0]["requests"])]
    for kind, moment, label in (
        ("first", "fetched", "first sync: fetched and staged"),
        ("first", "visible", "first sync: new state visible"),
        ("first", "scored", "first sync: with aggregates and scores"),
        ("quiet", "scored", "next sync, nothing changed"),
        ("forty", "visible", "next sync, after 40 changes: visible"),
        ("forty", "scored", "next sync, after 40 changes: with scores"),
        ("full", "scored", "full sync again"),
    ):
        requests = results["sync"][0][f"{kind}_requests"]
        rows.append((label, median("sync", f"{kind}_{moment}"), median("sync", f"{kind}_memory_mb"), requests))
    if as_json:
        print(
            json.dumps(
                {label: {"seconds": seconds, "ratio": seconds / floor, "memory_mb": mb, "requests": n} for label, seconds, mb, n in rows}
            )
        )
        return
    print(f"{'':40}{'seconds':>9}{'ratio':>7}{'memory MB':>11}{'requests':>10}")
    for label, seconds, mb, number in rows:
        print(f"{label:40}{seconds:9.2f}{seconds / floor:7.2f}{mb:11.0f}{number:10}")
    print("counts:", results["sync"][0]["counts"])


def peak() -> float:
    """The process's peak memory in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)


def child(arguments: list[str]) -> None:
    """What a process of its own does: keep the database, the floor, or the sync."""
    from consentry.core import boot  # the parent needs no Django

    boot.setup()
    if arguments[0] == "keep":
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        print("ready", flush=True)
        sys.stdin.readline()
    elif arguments[0] == "floor":
        print(json.dumps(asyncio.run(floor(arguments[1]))))
    else:
        print(json.dumps(real(arguments[1])))


def real(tenant: str) -> dict[str, Any]:
    """A first sync of a new connector, then a second one."""
    from consentry.accounts import services as accounts
    from consentry.connect import services as connect
    from consentry.connect.models import Connector
    from consentry.risk import services as risk
    from consentry.sync import queries, services

    times: dict[str, float] = {}
    merge = services._merge

    def timed(found: Any, fetched: Any) -> None:
        times.setdefault("fetched", time.perf_counter() - began)
        merge(found, fetched)
        times.setdefault("visible", time.perf_counter() - began)

    services._merge = timed
    connector = connect.connect_by_credentials(accounts.default_account(), name="benchmark", tenant=tenant, actor="benchmark")
    integration = connect.integrate_by_credentials(connector, description="", actor="benchmark")
    measured: dict[str, Any] = {}
    for kind in ("first", "quiet", "forty", "full"):
        if kind in {"quiet", "forty"}:
            time.sleep(BUDGET_SECONDS)
        if kind == "forty":
            change_forty(connector.pk)
        run = services.start_sync(integration, trigger="benchmark", full=kind == "full")
        times.clear()
        began = time.perf_counter()
        services.run(run.pk)
        begun_scoring = time.perf_counter()
        risk.rescore_run(run.pk)
        times["scored"] = times["visible"] + time.perf_counter() - begun_scoring
        summary = queries.run_summary(run.pk)
        assert summary["status"] in {"done", "incomplete"}, summary
        measured |= {f"{kind}_{name}": value for name, value in times.items()}
        measured |= {
            f"{kind}_memory_mb": peak(),
            f"{kind}_requests": summary["requests"],
            f"{kind}_resource_units": summary["resource_units"],
        }
    measured["counts"] = counts(connector.pk)
    Connector.objects.filter(pk=connector.pk).delete()
    empty()
    return measured


def change_forty(connector_id: Any) -> None:
    """Twenty grants are taken away, twenty are narrowed."""
    from consentry.inventory.models import DelegatedGrant

    address = f"{os.environ['CONSENTRY_MICROSOFT_GRAPH_URL']}/_simulator/directory"
    live = DelegatedGrant.objects.filter(connector_id=connector_id, removed_at__isnull=True).order_by("-grant_id")
    for number, grant in enumerate(live.values_list("grant_id", flat=True)[:40]):
        order = {"method": "revoke", "arguments": {"grant_id": grant}}
        if number % 2:
            order = {"method": "narrow", "arguments": {"grant_id": grant, "scope": f"User.Read Mail.Read extra-{number}"}}
        body = json.dumps(order).encode()
        with urlopen(Request(address, data=body, headers={"Content-Type": "application/json"}), timeout=10) as answer:
            answer.read()


def counts(connector_id: Any) -> dict[str, int]:
    """How much there was to read."""
    from consentry.inventory import models

    kinds = {"plugins": models.Plugin, "grants": models.DelegatedGrant, "assignments": models.AppRoleAssignment, "people": models.Principal}
    return {name: model.objects.filter(connector_id=connector_id).count() for name, model in kinds.items()}


def empty() -> None:
    """Leave nothing behind for the next round."""
    from django.db import connection

    from consentry.inventory import partitions

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE inventory_scopeset")
    partitions.drop_orphans()


async def floor(tenant: str) -> dict[str, Any]:
    """Fetch and decode the same pages with aiohttp and msgspec, COPY the same rows, nothing else."""
    import aiohttp
    import msgspec
    import psycopg
    from django.db import connection

    from consentry.core.dsn import connection_string
    from consentry.providers.entra import shape, structs
    from consentry.sync import staging

    graph, login = os.environ["CONSENTRY_MICROSOFT_GRAPH_URL"], os.environ["CONSENTRY_MICROSOFT_LOGIN_URL"]
    began = time.perf_counter()
    requests = 0
    sets = shape.ScopeSets()
    queue: asyncio.Queue[tuple[str, list[Any]]] = asyncio.Queue(32)

    def page_of(kind: type) -> Any:
        fields: list[Any] = [("value", list[kind]), ("next", str | None, msgspec.field(name="@odata.nextLink", default=None))]
        return msgspec.json.Decoder(msgspec.defstruct("Page", fields))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=8)) as session:
        form = {
            "grant_type": "client_credentials",
            "client_id": os.environ["CONSENTRY_MICROSOFT_CLIENT_ID"],
            "client_secret": os.environ["CONSENTRY_MICROSOFT_CLIENT_SECRET"],
            "scope": f"{graph}/.default",
        }
        async with session.post(f"{login}/{tenant}/oauth2/v2.0/token", data=form) as answer:
            headers = {"Authorization": f"Bearer {(await answer.json())['access_token']}"}

        async def get(url: str, body: Any = None) -> bytes:
            nonlocal requests
            requests += 1
            async with session.request("POST" if body else "GET", url, headers=headers, json=body) as answer:
                answer.raise_for_status()
                return await answer.read()

        async def sweep(path: str, kind: type, table: str, rows: Any) -> None:
            decoder, link = page_of(kind), graph + path
            while link:
                page = decoder.decode(await get(link))
                link = page.next
                await queue.put((table, rows(page.value)))

        people: set[str] = set()
        resources: set[str] = set()

        def grants(rows: list[Any]) -> list[Any]:
            people.update(row.principalId for row in rows if row.principalId)
            resources.update(row.resourceId for row in rows)
            return [shape.grant(row, sets) for row in rows]

        def assignments(rows: list[Any]) -> list[Any]:
            return [shape.assignment(one) for row in rows for one in row.appRoleAssignments]

        def assignees(rows: list[Any]) -> list[Any]:
            made = [one for row in rows for one in shape.assignees(row.appRoleAssignedTo)]
            people.update(row[2] for row in made)
            return made

        async def store() -> None:
            async with await psycopg.AsyncConnection.connect(connection_string(connection.settings_dict), autocommit=True) as database:
                schema = "staging_floor"
                await database.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
                await staging.create(database, schema)
                while True:
                    table, rows = await queue.get()
                    if rows:
                        await staging.copy(database, schema, table, [staging.encode(rows)])
                    queue.task_done()

        writer = asyncio.create_task(store())
        select = "id,appId,displayName,appOwnerOrganizationId,servicePrincipalType,accountEnabled,createdDateTime,replyUrls,tags,verifiedPublisher,keyCredentials,passwordCredentials,info"
        await asyncio.gather(
            sweep(f"/v1.0/servicePrincipals?$select={select}&$top=999", structs.ServicePrincipal, "service_principal", lambda rows: [shape.service_principal(row) for row in rows]),
            sweep("/v1.0/servicePrincipals?$select=id&$expand=appRoleAssignments&$top=999", structs.WithAssignments, "app_role_assignment", assignments),
            sweep("/v1.0/servicePrincipals?$select=id&$expand=owners($select=id)&$top=999", structs.WithOwners, "owner", lambda rows: [(row.id, one.id, "x") for row in rows for one in row.owners]),
            sweep("/v1.0/applications?$select=id&$expand=owners($select=id)&$top=999", structs.WithOwners, "owner", lambda rows: [(row.id, one.id, "x") for row in rows for one in row.owners]),
            sweep("/v1.0/servicePrincipals?$select=id,appOwnerOrganizationId&$expand=appRoleAssignedTo&$top=999", structs.Assignable, "assignee", assignees),
            sweep("/v1.0/applications?$select=id&$expand=federatedIdentityCredentials&$top=999", structs.WithFederatedCredentials, "credential", lambda rows: [shape.federated(row.id, one) for row in rows for one in row.federatedIdentityCredentials]),
            sweep("/v1.0/applications?$top=999", structs.Application, "application", lambda rows: [shape.application(row) for row in rows]),
            sweep("/v1.0/oauth2PermissionGrants?$select=id,clientId,consentType,principalId,resourceId,scope&$top=999", structs.Grant, "delegated_grant", grants),
        )  # fmt: skip
        ids = sorted(people)
        found = page_of(structs.DirectoryObject)
        for start in range(0, len(ids), 8000):
            chunks = [ids[at : at + 1000] for at in range(start, min(start + 8000, len(ids)), 1000)]
            for body in await asyncio.gather(*(get(f"{graph}/v1.0/directoryObjects/getByIds", {"ids": chunk}) for chunk in chunks)):
                await queue.put(("principal", [shape.principal(row) for row in found.decode(body).value]))
        defined = page_of(structs.Resource)
        names = sorted(resources)
        for start in range(0, len(names), 15):
            wanted = ",".join(f"'{one}'" for one in names[start : start + 15])
            body = await get(
                f"{graph}/v1.0/servicePrincipals?$filter=id%20in%20({wanted})&$select=id,appId,displayName,appRoles,oauth2PermissionScopes"
            )
            await queue.put(("permission", [made for row in defined.decode(body).value for made in shape.permissions(row)]))
        await asyncio.wait([asyncio.create_task(queue.join()), writer], return_when=asyncio.FIRST_COMPLETED)
        if writer.done():
            await writer
        writer.cancel()
    return {"seconds": time.perf_counter() - began, "memory_mb": peak(), "requests": requests}


if __name__ == "__main__":
    if os.environ.get(CHILD):
        child(sys.argv[1:])
    else:
        main()
