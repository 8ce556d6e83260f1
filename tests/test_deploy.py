"""What operators copy from `deploy/`: read by parsers, since no engine runs here, and held against our own words."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from typer.main import get_command

from labbridge.alerts.observe import found, observe
from labbridge.alerts.rules import Severity
from labbridge.backup.models import Backup
from labbridge.cli import app
from labbridge.engine.metrics import DELIVERIES
from labbridge.inbox.models import Event, EventState
from labbridge.practices.models import CallCount, Practice
from labbridge.settings import MAX_WEBHOOK_BYTES, PREFIX, Deployment

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
TEXTS = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
COMMANDS = set(get_command(app).commands)  # type: ignore[attr-defined]  # a group has commands


def unit(path: Path) -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names keep their case
    parser.read(path)
    return parser


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_setting_named_is_a_setting(path: Path) -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Deployment.model_fields}
    for name in re.findall(rf"{PREFIX}[A-Z_]+", path.read_text()):
        assert name.removesuffix("_FILE") in known


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_run_a_command_of_ours_as_an_ordinary_user_and_stop_in_order(path: Path) -> None:
    service = unit(path)["Service"]
    command = service["ExecStart"].split()
    assert command[0].endswith("/labbridge")
    assert command[1] in COMMANDS
    assert service["User"] == "labbridge"
    assert service["Restart"] == "always"
    assert service["KillSignal"] == "SIGTERM"
    assert (service["NoNewPrivileges"], service["ProtectSystem"], service["UMask"]) == (
        "true",
        "strict",
        "0077",
    )


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd's own checker is not on this machine"
)
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_reads_the_units(path: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", str(path)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "is not executable" not in line]
    assert complaints == []


def test_the_compose_file_is_whole() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"web", "worker", "database"}
    for service in services.values():
        assert set(service["secrets"]) <= set(compose["secrets"])
        assert {volume.split(":")[0] for volume in service["volumes"]} <= set(compose["volumes"])
        assert "stop_grace_period" in service
    (ports,) = services["web"]["ports"]
    first, last = re.fullmatch(r"127\.0\.0\.1:(\d+)-(\d+):8000", ports).groups()  # type: ignore[union-attr]  # else it fails
    assert int(last) > int(first), "two of them on one host need two ports"
    for name in ("web", "worker"):
        assert services[name]["command"][0] in COMMANDS
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["depends_on"]["database"]["condition"] == "service_healthy"
        for key, value in services[name]["environment"].items():
            if key.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in services[name]["secrets"]


def test_the_image_copies_what_is_there_and_does_not_run_as_root() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
    users = re.findall(r"^USER (.+)$", text, re.MULTILINE)
    assert users[-1] not in {"root", "0"}


# -- watching ----------------------------------------------------------------------------------------------

RULES = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus-rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]
BOARD = json.loads((DEPLOY / "grafana-board.json").read_text())
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in BOARD["panels"] for target in panel["targets"]
]
SELECTOR = re.compile(r"\b((?:labbridge|process|python)_[a-z_]+|up)\b(?:\{([^}]*)\})?")
#: What Prometheus itself adds to everything that it reads.
OF_PROMETHEUS = {"job", "instance"}


@pytest.fixture
def exported(client: Any, db: None) -> dict[str, list[dict[str, str]]]:
    """The labels of every sample of /metrics, by name, of a service that has something of everything."""
    now = timezone.now()
    willow = Practice.objects.create(slug="willow", name="Willow")
    for state in EventState.values:
        Event.objects.create(
            peer="rupa", external_id=state, type="t", subject="s", body=b"", state=state, practice=willow
        )
    CallCount.objects.create(account="caspio:c1.caspio.com", purpose="filing", day=now.date(), calls=3)
    observe([found("jobs_dead", count=1)], [], now)
    Backup.objects.create(made_at=now, size=77, seconds=1)
    for outcome in OUTCOMES:
        DELIVERIES.labels("rupa", outcome)
    held: dict[str, list[dict[str, str]]] = {"up": [{}]}
    for family in text_string_to_metric_families(client.get("/metrics").content.decode()):
        for sample in family.samples:
            held.setdefault(sample.name, []).append(sample.labels)
    return held


#: As webhooks/views.py counts them; the test below finds each there.
OUTCOMES = ("recorded", "repeated", "not_stored", "secret", "signature_mismatch")


def test_every_metric_and_label_that_is_watched_is_exported(
    exported: dict[str, list[dict[str, str]]],
) -> None:
    named = [match.groups() for expression in EXPRESSIONS for match in SELECTOR.finditer(expression)]
    assert {name for name, _ in named} >= {"labbridge_deliveries_total", "labbridge_ledger_difference"}
    for name, selectors in named:
        assert name in exported, f"{name} is watched and not exported"
        samples = exported[name]
        for label, operator, wanted in re.findall(r'(\w+)(=~|=)"([^"]*)"', selectors or ""):
            if label in OF_PROMETHEUS:
                continue
            for word in wanted.split("|") if operator == "=~" else [wanted]:
                assert any(re.fullmatch(word, labels.get(label, "")) for labels in samples), (
                    name,
                    label,
                    word,
                )
    for expression in EXPRESSIONS:
        for labels in re.findall(r"\bby \(([^)]*)\)", expression):
            known = {key for name, _ in SELECTOR.findall(expression) for one in exported[name] for key in one}
            assert set(labels.split(", ")) <= known, expression


def test_every_figure_of_ours_is_watched(exported: dict[str, list[dict[str, str]]]) -> None:
    ours = {name for name in exported if name.startswith("labbridge_") and not name.endswith("_created")}
    assert ours == {name for expression in EXPRESSIONS for name, _ in SELECTOR.findall(expression)} & ours


def test_prometheus_is_told_who_acts_and_how() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in {severity.value for severity in Severity}
        assert set(rule["annotations"]) == {"summary", "action"}
        for text in rule["annotations"].values():
            assert text.endswith(".")
            for command in re.findall(r"labbridge ([a-z]+)(?= --| [a-z]+|[;.,])", text):
                assert command in COMMANDS, text
    for expression in EXPRESSIONS:
        assert expression.count("(") == expression.count(")")
        assert expression.count("{") == expression.count("}")


def test_the_board_is_whole() -> None:
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    for panel in BOARD["panels"]:
        assert panel["title"]
        assert panel["targets"]
        assert panel["datasource"]["uid"] == "${source}", "the board belongs to no data source of somebody's"
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24


def test_the_proxy_says_what_we_believe_and_writes_no_patient_data_down() -> None:
    text = re.sub(r"#.*", "", (DEPLOY / "nginx.conf").read_text())
    assert text.count("{") == text.count("}")
    locations = re.findall(r"location (/\S*) \{(.*?)\n    \}", text, re.DOTALL)
    assert [path for path, _ in locations] == ["/", "/webhooks/"]
    for _, block in locations:
        headers = dict(re.findall(r"proxy_set_header (\S+) (\S+);", block))
        # Set to what the proxy itself sees (docs/settings.md, LABBRIDGE_TRUSTED_PROXIES), never added to.
        assert headers["X-Forwarded-For"] == "$remote_addr"
        assert headers["X-Forwarded-Proto"] == "$scheme"
        assert headers["Host"] == "$host"
        assert headers["X-Forwarded-Host"] == headers["Forwarded"] == '""'
    (log,) = re.findall(r"log_format labbridge '([^']*)'", text)
    assert "$uri" in log
    assert not {"$request ", '$request"', "$request_uri", "$args", "$http_referer"} & set(
        re.findall(r"\$\w+.?", log)
    )
    (size,) = re.findall(r"client_max_body_size (\d+)m", text)
    assert int(size) * 1024 * 1024 > MAX_WEBHOOK_BYTES
    assert f"client_body_buffer_size {size}m;" in text
    assert "proxy_max_temp_file_size 0;" in text
    assert "location = /metrics { return 404; }" in text
