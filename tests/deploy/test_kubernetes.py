"""The manifests: by Kubernetes' own schemas, and by what the sentinel really has."""

from __future__ import annotations

import inspect
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from livekit.agents import AgentServer
from starlette.routing import Route

from onhook.livekit import Credentials
from onhook.sentinel.plans_file import PlansFile
from onhook.sentinel.sentinel_settings import PORT, SentinelSettings
from onhook.sentinel.service import Sentinel
from tests.deploy.deploy_files import DEPLOY, accepted, documents, instructions, known_variables

FOLDER = DEPLOY / "kubernetes"
KUSTOMIZATION = FOLDER / "kustomization.yaml"
MANIFESTS = sorted(path.name for path in FOLDER.glob("*.yaml") if path != KUSTOMIZATION)
VERSIONS = ("1.31", "1.35")
"""An old Kubernetes that clouds still run, and a new one. Sidecars are on by default since 1.29."""


def manifest(name: str) -> dict[str, Any]:
    (document,) = documents(FOLDER / name)
    return document


def containers(name: str) -> Iterator[dict[str, Any]]:
    spec = manifest(name)["spec"]["template"]["spec"]
    yield from (*spec.get("initContainers", ()), *spec["containers"])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_kubernetes_accepts_it(name: str, version: str) -> None:
    for document in documents(FOLDER / name):
        kubernetes_validate.validate(document, version, strict=True)


def test_a_mistake_in_one_would_be_told() -> None:
    wrong = manifest("deployment.yaml")
    wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_all_but_the_example_of_a_worker_is_applied() -> None:
    told = documents(KUSTOMIZATION)[0]
    assert set(told["resources"]) == set(MANIFESTS) - {"worker.yaml"}
    (plans,) = (c for c in told["configMapGenerator"] if "files" in c)
    assert PlansFile(FOLDER / plans["files"][0], own=()).plans.default.limits.max_call == 7200
    (image,) = told["images"]
    assert image["name"] == next(containers("deployment.yaml"))["image"]


def test_every_selector_finds_the_sentinels() -> None:
    labels = manifest("deployment.yaml")["spec"]["template"]["metadata"]["labels"]
    for name, path in (
        ("deployment.yaml", ("selector", "matchLabels")),
        ("service.yaml", ("selector",)),
        ("network-policy.yaml", ("podSelector", "matchLabels")),
        ("pod-disruption-budget.yaml", ("selector", "matchLabels")),
    ):
        found = manifest(name)["spec"]
        for step in path:
            found = found[step]
        assert found.items() <= labels.items(), name
    assert manifest("deployment.yaml")["spec"]["replicas"] == 2
    assert manifest("pod-disruption-budget.yaml")["spec"]["minAvailable"] == 1


def test_commands_and_variables_are_onhooks() -> None:
    entry = ["onhook"]
    (sentinel,) = containers("deployment.yaml")
    assert accepted([*entry, *sentinel["args"]]) == "sentinel run"
    watchdog, worker = containers("worker.yaml")
    assert accepted(watchdog["command"]) == "watchdog run"
    script = worker["lifecycle"]["preStop"]["exec"]["command"][2]
    assert accepted(shlex.split(script.partition("exec ")[2])) == "drain"
    configured = documents(KUSTOMIZATION)[0]["configMapGenerator"][0]["literals"]
    given = {literal.partition("=")[0] for literal in configured}
    for container in (sentinel, watchdog, worker):
        given |= {variable["name"] for variable in container["env"]}
    assert given <= known_variables()


def test_secrets_are_named_as_the_readers_are_told_to_make_them() -> None:
    (sentinel,) = containers("deployment.yaml")
    text = KUSTOMIZATION.read_text()
    refs = [v["valueFrom"]["secretKeyRef"] for v in sentinel["env"] if "valueFrom" in v]
    assert {ref["name"] for ref in refs} == set(re.findall(r"secret generic (\S+)", text))
    made = set(re.findall(r"--from-literal=(\w+)=", text))
    assert {ref["key"] for ref in refs if not ref.get("optional")} <= made
    assert made <= {ref["key"] for ref in refs}
    assert "SECRET" not in str([v for v in sentinel["env"] if "value" in v])


def test_probes_ask_for_what_the_sentinel_has(tmp_path: Path) -> None:
    given = SentinelSettings(journal=tmp_path / "j.db", outages=tmp_path / "o.json")
    app = Sentinel(given, Credentials("ws://127.0.0.1:1", "key", "s" * 32)).app
    paths = {route.path for route in app.router.routes if isinstance(route, Route)}
    (sentinel,) = containers("deployment.yaml")
    asked = {sentinel[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness")}
    assert asked == {"/healthz"}
    assert sentinel["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert asked | {"/readyz", "/webhook", "/lease"} <= paths


def test_one_port_everywhere() -> None:
    (sentinel,) = containers("deployment.yaml")
    (port,) = sentinel["ports"]
    (served,) = manifest("service.yaml")["spec"]["ports"]
    ((allowed,),) = (rule["ports"] for rule in manifest("network-policy.yaml")["spec"]["ingress"])
    assert port["containerPort"] == served["port"] == allowed["port"] == PORT
    assert served["targetPort"] == port["name"]
    assert sentinel["args"][-1] == f"0.0.0.0:{PORT}"
    _, worker = containers("worker.yaml")
    env = {variable["name"]: variable["value"] for variable in worker["env"]}
    service = manifest("service.yaml")["metadata"]["name"]
    namespace = documents(KUSTOMIZATION)[0]["namespace"]
    assert env["ONHOOK_SENTINEL"] == f"http://{service}.{namespace}:{PORT}"


def test_it_is_locked_down_and_its_files_are_where_it_may_write() -> None:
    spec = manifest("deployment.yaml")["spec"]["template"]["spec"]
    (sentinel,) = spec["containers"]
    (user,) = (rest for name, rest in instructions() if name == "USER")
    assert user == f"{spec['securityContext']['runAsUser']}:0"
    assert sentinel["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    writable = {
        mount["mountPath"]
        for mount in sentinel["volumeMounts"]
        if "emptyDir" in volumes[mount["name"]]
    }
    assert writable == {"/var/lib/onhook", "/tmp"}  # noqa: S108 - the very folder is meant
    pause = int(sentinel["lifecycle"]["preStop"]["exec"]["command"][1])
    assert spec["terminationGracePeriodSeconds"] > pause + 5


def test_worker_and_watchdog_share_socket_user_and_time() -> None:
    spec = manifest("worker.yaml")["spec"]["template"]["spec"]
    watchdog, worker = containers("worker.yaml")
    assert watchdog["restartPolicy"] == "Always"
    for key in ("env", "volumeMounts", "envFrom", "image"):
        assert watchdog[key] == worker[key]
    assert spec["shareProcessNamespace"]
    assert spec["securityContext"]["runAsUser"]
    drain = inspect.signature(AgentServer.__init__).parameters["drain_timeout"].default
    assert spec["terminationGracePeriodSeconds"] >= drain + 60
    waited = worker["lifecycle"]["preStop"]["exec"]["command"][2].split()[-1]
    assert int(waited) == drain


def test_the_prestop_of_a_worker_tells_it_to_end(tmp_path: Path) -> None:
    """The scripts run as they stand, but for what the worker and the waiting are."""
    _, worker = containers("worker.yaml")
    command, end = worker["command"], worker["lifecycle"]["preStop"]["exec"]["command"]
    assert "$$" not in command[2], "Kubernetes makes one of two"
    pid = tmp_path / "worker.pid"
    begun = command[2].replace("/tmp/worker.pid", str(pid))  # noqa: S108 - the file of the example
    ended = end[2].replace("/tmp/worker.pid", str(pid))  # noqa: S108
    begun = begun.replace("python -m livekit.agents start agent.py", "sleep 60")
    with subprocess.Popen([*command[:2], begun]) as running:
        try:
            while not pid.exists() or not pid.read_text():
                time.sleep(0.01)
            script = re.sub("onhook drain .*", "true", ended)
            subprocess.run([*end[:2], script], check=True, timeout=10)
            assert running.wait(10) == -signal.SIGTERM
        finally:
            running.kill()
