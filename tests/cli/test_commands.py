"""The commands as people script them: on a fresh machine, against a Microsoft double, and with everything that goes wrong."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.simulator.cloud import Running, running

Machine = Any


class Fresh:
    """A machine on which nothing of Consentry was ever started."""

    def __init__(self, folder: Path, cloud: Running) -> None:
        self.folder, self.cloud = folder, cloud
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(("CONSENTRY_", "DJANGO_"))}
        self.environment |= {
            "CONSENTRY_DATA_DIR": str(folder),
            "CONSENTRY_MICROSOFT_LOGIN_URL": cloud.url,
            "CONSENTRY_MICROSOFT_GRAPH_URL": cloud.url,
            "CONSENTRY_MICROSOFT_CLIENT_ID": cloud.info["client_id"],
            "CONSENTRY_MICROSOFT_CLIENT_SECRET": cloud.info["client_secret"],
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command, with variables replaced; an empty one is unset."""
        given = {name: value for name, value in {**self.environment, **environment}.items() if value}
        command = [sys.executable, "-m", "consentry.cli", *arguments]
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=120, check=False)

    def json(self, *arguments: str, **environment: str) -> Any:
        """What a command prints as its one JSON document."""
        done = self.run(*arguments, **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Running]:
    with running(consented=True, plugins=80, users=60, consent_delay_seconds=0.0) as started:
        yield started


@pytest.fixture(scope="module")
def machine(cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    folder = tmp_path_factory.mktemp("machine")
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)  # the embedded server of root runs as somebody else
    return Fresh(folder, cloud)


def explained(done: subprocess.CompletedProcess[str], code: str) -> None:
    """One sentence that says what happened, one that says what to do, the code, nothing else."""
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert lines[-1] == f"Code: {code}", done.stderr
    assert "Traceback" not in done.stderr
    assert lines[-2].count(".") >= 2, done.stderr


def test_connect_integrate_sync_export_on_a_fresh_machine(machine: Fresh) -> None:
    tenant = machine.cloud.info["tenant_id"]
    connector = machine.json("connect", "microsoft", "--name", "Main", "--tenant", tenant, "--json")
    assert (connector["tenant_id"], connector["status"]) == (tenant, "connected")
    integration = machine.json("integrate", "third-party-apps", "--connector", "Main", "--json")
    assert integration["status"] == "connected"
    summary = machine.json("sync", "--connector", "Main", "--wait", "--json")
    assert summary["status"] == "done"
    assert summary["incomplete"] == []
    directory = machine.cloud.cloud.tenants[tenant].directory
    assert summary["counts"]["delegated_grants"] == len(directory.grants)
    ours = {machine.cloud.info[name] for name in ("client_id", "tenant_client_id", "responder_client_id")}
    exported = machine.json("export", "plugins", "--format", "json", "--include-microsoft")
    assert {row["service_principal_id"]: row["name"] for row in exported if row["app_id"] not in ours} == {
        key: row["displayName"] for key, row in directory.service_principals.items() if row["appId"] not in ours
    }
    rows = list(csv.DictReader(io.StringIO(machine.run("export", "grants", "--format", "csv").stdout)))
    assert {row["consent"] for row in rows} == {"admin", "user"}
    made = machine.json("token", "create", "--name", "script", "--role", "viewer", "--json")
    assert set(made) == {"token", "id"}
    doctor = machine.run("doctor", CONSENTRY_BASE_URL="https://consentry.example.com")
    assert doctor.returncode == 0, doctor.stdout


@pytest.mark.parametrize(
    ("tenant", "environment", "code"),
    [
        ("own", {"CONSENTRY_MICROSOFT_CLIENT_SECRET": "wrong"}, "AADSTS7000215"),
        ("own", {"CONSENTRY_MICROSOFT_CLIENT_ID": "11111111-2222-3333-4444-555555555555"}, "AADSTS700016"),
        ("11111111-2222-3333-4444-555555555555", {}, "AADSTS90002"),
        ("own", {"CONSENTRY_MICROSOFT_LOGIN_URL": "http://localhost:9"}, "microsoft_unreachable"),
        ("own", {"CONSENTRY_MICROSOFT_GRAPH_URL": "http://localhost:9"}, "microsoft_unreachable"),
        ("own", {"CONSENTRY_MICROSOFT_LOGIN_URL": "http://login.example.com"}, "address_insecure"),
        ("own", {"CONSENTRY_MICROSOFT_LOGIN_URL": "https://login.example.com/v2.0"}, "address_invalid"),
        ("own", {"CONSENTRY_MICROSOFT_CLIENT_ID": "", "CONSENTRY_MICROSOFT_CLIENT_SECRET": ""}, "registration_missing"),
        ("own", {"CONSENTRY_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"}, "database_down"),
    ],
)
def test_a_wrong_connection_is_explained_and_leaves_nothing(machine: Fresh, tenant: str, environment: dict[str, str], code: str) -> None:
    chosen = machine.cloud.info["tenant_id"] if tenant == "own" else tenant
    done = machine.run("connect", "microsoft", "--name", f"Wrong {code}", "--tenant", chosen, "--timeout", "1", "--json", **environment)
    explained(done, code)
    assert machine.run("sync", "--connector", f"Wrong {code}").stderr.strip().endswith("Code: connector_unknown")


def test_a_second_connector_for_the_tenant_is_refused_with_a_pointer(machine: Fresh) -> None:
    done = machine.run("connect", "microsoft", "--name", "Twin", "--tenant", machine.cloud.info["tenant_id"])
    assert done.returncode == 1
    assert "Main" in done.stderr


def certificate(folder: Path, *, ends: timedelta) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Consentry")])
    end = datetime.now(UTC) + ends
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    made = builder.not_valid_before(end - timedelta(days=30)).not_valid_after(end).sign(key, hashes.SHA256())
    file = folder / "registration.pem"
    file.write_bytes(made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return file


def test_certificates_work_until_they_expire(machine: Fresh, tmp_path: Path) -> None:
    with_file = {"CONSENTRY_MICROSOFT_CLIENT_SECRET": "", "CONSENTRY_MICROSOFT_CERTIFICATE_FILE": str(tmp_path / "registration.pem")}
    missing = machine.run("doctor", **with_file)
    assert "can't be read" in missing.stdout
    certificate(tmp_path, ends=timedelta(days=-2))
    found = machine.run("doctor", **with_file)
    assert found.returncode == 1
    assert "The certificate expired on" in found.stdout
    explained(
        machine.run("connect", "microsoft", "--name", "Old", "--tenant", machine.cloud.info["tenant_id"], **with_file),
        "certificate_unusable",
    )
    certificate(tmp_path, ends=timedelta(days=20))
    unknown = machine.run("doctor", "--tenant", machine.cloud.info["tenant_id"], **with_file)
    assert "AADSTS700027" in unknown.stdout
    machine.cloud.order("certificate/add", registration="reader", pem=(tmp_path / "registration.pem").read_text())
    known = machine.run(
        "doctor", "--tenant", machine.cloud.info["tenant_id"], CONSENTRY_BASE_URL="https://consentry.example.com", **with_file
    )
    assert known.returncode == 0, known.stdout


def test_a_clock_that_is_off_is_named(machine: Fresh) -> None:
    machine.cloud.order("token-error", number=700024, error="invalid_client", times=1)
    done = machine.run("connect", "microsoft", "--name", "Late", "--tenant", machine.cloud.info["tenant_id"])
    explained(done, "AADSTS700024")
    assert "clock" in done.stderr


def test_microsoft_down_keeps_what_is_known(machine: Fresh) -> None:
    before = machine.json("export", "plugins", "--format", "json")
    machine.cloud.order("down", down=True)
    try:
        done = machine.run("sync", "--connector", "Main", "--wait", "--json")
    finally:
        machine.cloud.order("down", down=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == "failed"
    assert json.loads(done.stdout)["error"]["remedy"]
    assert machine.json("export", "plugins", "--format", "json")[0]["connector_status"] in {"warning", "failure"}
    assert len(machine.json("export", "plugins", "--format", "json")) == len(before)
    assert machine.json("sync", "--connector", "Main", "--wait", "--json")["status"] == "done"
    assert machine.json("export", "plugins", "--format", "json")[0]["connector_status"] == "connected"


def test_a_revoked_consent_is_a_failure_with_its_remedy(machine: Fresh) -> None:
    machine.cloud.order("secret/expire", registration="reader")
    try:
        done = machine.run("sync", "--connector", "Main", "--wait", "--json")
        assert done.returncode == 1
        assert json.loads(done.stdout)["error"]["code"] == "AADSTS7000222"
        assert "AADSTS7000222" in machine.run("doctor").stdout
    finally:
        machine.cloud.order("secret/add", registration="reader", secret=machine.cloud.info["client_secret"])
    assert machine.json("sync", "--connector", "Main", "--wait", "--json")["status"] == "done"


def test_a_taken_port_is_named(machine: Fresh) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        explained(machine.run("up", "--port", str(port)), "port_taken")
        found = machine.run("doctor", CONSENTRY_BASE_URL=f"http://localhost:{port}")
    assert found.returncode == 1
    assert f"Port {port} is taken" in found.stdout


def test_a_folder_that_can_not_be_written_is_named(machine: Fresh, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    wrong = {"CONSENTRY_DATA_DIR": str(tmp_path / "file" / "data")}
    explained(machine.run("licence", "show", **wrong), "data_dir_not_writable")
    assert "error   data folder" in machine.run("doctor", **wrong).stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the full device of Linux")
def test_a_full_disk_is_named_and_leaves_no_half_export(machine: Fresh, tmp_path: Path) -> None:
    (tmp_path / "plugins.csv.partial").symlink_to("/dev/full")
    explained(machine.run("export", "plugins", "-o", str(tmp_path / "plugins.csv")), "disk_full")
    assert not (tmp_path / "plugins.csv").exists()


@pytest.mark.parametrize(
    "arguments",
    [("export", "horses"), ("sync",), ("connect", "microsoft"), ("user", "add", "a@b.example", "--role", "king"), ("nonsense",)],
)
def test_wrong_use_is_exit_code_2(machine: Fresh, arguments: tuple[str, ...]) -> None:
    done = machine.run(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_of_an_older_version_says_so(machine: Fresh) -> None:
    script = (
        "from consentry.core import boot; boot.setup(); from django.db import connection;"
        "connection.cursor().execute(\"DELETE FROM django_migrations WHERE app = 'respond' OR (app = 'sync' AND name = '0003_repeat_at')\")"
    )
    subprocess.run([sys.executable, "-c", script], env=machine.environment, check=True, timeout=60)
    explained(machine.run("export", "plugins"), "migrations_pending")
    undo = script.replace(
        "DELETE FROM django_migrations WHERE app = 'respond' OR (app = 'sync' AND name = '0003_repeat_at')",
        "INSERT INTO django_migrations (app, name, applied) VALUES ('sync', '0003_repeat_at', now())",
    )
    subprocess.run([sys.executable, "-c", undo], env=machine.environment, check=True, timeout=60)
    assert machine.run("export", "plugins").returncode == 0


def test_up_serves_until_it_is_told_to_stop(machine: Fresh) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    up = subprocess.Popen(
        [sys.executable, "-m", "consentry.cli", "up", "--port", str(port)], env=machine.environment, stderr=subprocess.PIPE, text=True
    )
    try:
        found = _until_ready(port)
        assert found == {"ready": True, "database": True, "migrations": True, "worker": True}
        summary = machine.json("sync", "--connector", "Main", "--wait", "--json")
        assert summary["status"] == "done"
    finally:
        up.terminate()
        _, said = up.communicate(timeout=40)
    assert f"http://localhost:{port}/setup/" in said
    assert "Traceback" not in said
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def _until_ready(port: int) -> Any:
    import requests

    for _ in range(120):
        time.sleep(0.5)
        try:
            answer = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=2)
        except requests.ConnectionError:
            continue
        if answer.status_code == 200:
            assert "consentry_plugins" in requests.get(f"http://127.0.0.1:{port}/metrics", timeout=2).text
            assert requests.get(f"http://127.0.0.1:{port}/healthz", timeout=2).text == "ok\n"
            return answer.json()
    raise AssertionError("not ready within a minute")
