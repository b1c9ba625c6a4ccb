"""The manifests for Kubernetes are valid, ask for little, and lead the internet to the public port alone."""

import copy
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from wamcp.doctor.run import CHECKS
from wamcp.settings import Settings, env_names, is_secret

ROOT = Path(__file__).parents[2]
HERE = ROOT / "deploy/kubernetes"
RELEASES = ("1.28", "1.32", "1.37")
PROCESSES = {"door", "answers", "normalizer", "worker", "migrate"}
Manifest = dict[str, Any]


def documents(path: Path) -> list[Manifest]:
    return [told for told in yaml.safe_load_all(path.read_text()) if told]


def variables(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def merged(one: Any, other: Any) -> Any:
    """``one`` under ``other``; items of lists are the same when their names are, and new ones come first."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {key: merged(one[key], value) if key in one else value for key, value in other.items()}
    if isinstance(one, list) and isinstance(other, list) and all("name" in item for item in one + other):
        known, laid = ({item["name"]: item for item in items} for items in (one, other))
        new = [item for name, item in laid.items() if name not in known]
        return new + [merged(item, laid.get(name, {})) for name, item in known.items()]
    return other


def built(directory: Path) -> list[Manifest]:
    """What ``kubectl kustomize`` makes of a directory, for the few of its words that are used here."""
    told = documents(directory / "kustomization.yaml")[0]
    known = {"apiVersion", "kind", "resources", "configMapGenerator", "namespace", "images", "replicas", "patches"}
    assert set(told) <= known, "teach this function the new word"
    found: list[Manifest] = []
    for name in told["resources"]:
        path = directory / name
        found.extend(built(path) if path.is_dir() else documents(path))
    found = copy.deepcopy(found)
    for patch in (documents(directory / item["path"])[0] for item in told.get("patches", [])):
        at = next(place for place, manifest in enumerate(found) if name_of(manifest) == name_of(patch))
        found[at] = merged(found[at], patch)
    for item in told.get("configMapGenerator", []):
        data = {key: value for name in item["envs"] for key, value in variables(directory / name).items()}
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": item["name"]}, "data": data}
        old = next((manifest for manifest in found if name_of(manifest) == name_of(made)), None)
        assert (old is not None) == (item.get("behavior") == "merge")
        found = [manifest for manifest in found if manifest is not old] + [merged(old or {}, made)]
    for item in told.get("replicas", []):
        next(one for one in found if name_of(one) == ("Deployment", item["name"]))["spec"]["replicas"] = item["count"]
    for manifest in found:
        for container in containers(manifest):
            for item in told.get("images", []):
                if container["image"] == item["name"]:
                    container["image"] = f"{item['newName']}:{item['newTag']}"
        if "namespace" in told and manifest["kind"] != "Namespace":
            manifest["metadata"]["namespace"] = told["namespace"]
    return found


def name_of(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def pod(manifest: Manifest) -> Manifest:
    return manifest["spec"]["template"]["spec"]


def containers(manifest: Manifest) -> list[Manifest]:
    """Of its pods, those first that come before the others."""
    if "template" not in manifest.get("spec", {}):
        return []
    return [*pod(manifest).get("initContainers", []), *pod(manifest)["containers"]]


BASE, EXAMPLE = built(HERE / "base"), built(HERE / "example")
SECRET = documents(HERE / "secret.example.yaml")[0]
MANIFESTS = [*EXAMPLE, *BASE, SECRET]
RUNNING = {manifest["metadata"]["name"]: manifest for manifest in EXAMPLE if "template" in manifest.get("spec", {})}
CONFIG = next(manifest for manifest in EXAMPLE if manifest["kind"] == "ConfigMap")["data"]


def of_kind(kind: str) -> dict[str, Manifest]:
    return {manifest["metadata"]["name"]: manifest for manifest in EXAMPLE if manifest["kind"] == kind}


@pytest.mark.parametrize("release", RELEASES)
def test_every_manifest_is_valid(release: str) -> None:
    for manifest in MANIFESTS:
        kubernetes_validate.validate(manifest, release, strict=True)


def test_a_manifest_that_says_something_unknown_is_not_valid() -> None:
    wrong = copy.deepcopy(RUNNING["door"])
    pod(wrong)["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, RELEASES[-1], strict=True)


@pytest.mark.parametrize("directory", ["base", "example"])
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not here; what it builds is imitated above")
def test_kubectl_builds_what_is_tested_here(directory: str) -> None:
    done = subprocess.run(["kubectl", "kustomize", HERE / directory], capture_output=True, text=True, check=True)
    without_hash = re.sub(r"\bwamcp-[a-z0-9]{10}$", "wamcp", done.stdout, flags=re.MULTILINE)
    theirs = {name_of(told): told for told in yaml.safe_load_all(without_hash)}
    ours = {name_of(told): told for told in built(HERE / directory)}
    assert theirs == ours


def test_all_processes_are_there() -> None:
    assert set(RUNNING) == PROCESSES
    commands = {name: pod(manifest)["containers"][0]["command"] for name, manifest in RUNNING.items()}
    assert commands["door"] == ["wamcp", "api", "--only", "door"]
    assert commands["answers"] == ["wamcp", "api", "--only", "answers"]
    assert commands["normalizer"] == ["wamcp", "worker", "--only", "normalizer"]
    assert commands["worker"] == ["wamcp", "worker", "--only", "celery"]
    assert commands["migrate"] == ["wamcp", "migrate"]


@pytest.mark.parametrize("name", ["normalizer", "worker"])
def test_what_writes_by_itself_waits_for_the_schema(name: str) -> None:
    (first,) = pod(RUNNING[name])["initContainers"]
    assert first["command"] == ["wamcp", "doctor", "--only", "schema"]
    assert "schema" in {check.name for check in CHECKS}


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_a_pod_can_do_little(name: str) -> None:
    spec = pod(RUNNING[name])
    assert spec["automountServiceAccountToken"] is False and spec["enableServiceLinks"] is False
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(RUNNING[name]):
        assert container["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        for bound in ("requests", "limits"):
            assert set(container["resources"][bound]) == {"cpu", "memory"}
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert volumes["tmp"]["emptyDir"]["sizeLimit"] and volumes["secrets"]["secret"]["defaultMode"] == 0o440


@pytest.mark.parametrize("name", sorted(PROCESSES - {"migrate"}))
def test_what_stays_is_probed_spread_and_not_evicted_all_at_once(name: str) -> None:
    container = pod(RUNNING[name])["containers"][0]
    part = {"door": "api", "answers": "api", "worker": "celery"}.get(name, name)
    assert container["readinessProbe"]["exec"]["command"] == ["python", "/opt/wamcp/healthy.py", part]
    assert f'part == "{part}"' in (ROOT / "docker/healthy.py").read_text()
    if part == "api":
        for probe in ("startupProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["path"] == "/healthz"
    assert pod(RUNNING[name])["topologySpreadConstraints"]
    labels = RUNNING[name]["spec"]["template"]["metadata"]["labels"]
    assert of_kind("PodDisruptionBudget")[name]["spec"]["selector"]["matchLabels"] == labels
    assert RUNNING[name]["spec"]["selector"]["matchLabels"] == labels


def test_every_variable_is_a_setting_and_no_secret_is_one() -> None:
    own = {pair["name"]: pair["value"] for one in RUNNING.values() for pair in pod(one)["containers"][0].get("env", [])}
    names = {name: field for field in Settings.model_fields for name in env_names(field)}
    for variable, value in (CONFIG | own).items():
        field = names[variable.removesuffix("_FILE")]
        assert variable.endswith("_FILE") == is_secret(field), variable
        if is_secret(field):
            assert Path(value).parent == Path("/run/secrets/wamcp")
    files = {Path(value).name for variable, value in CONFIG.items() if variable.endswith("_FILE")}
    assert files == set(SECRET["stringData"])
    assert not any(SECRET["stringData"].values())


def test_the_internet_gets_to_the_public_port_alone() -> None:
    services = of_kind("Service")
    assert {name: one["spec"]["ports"][0]["targetPort"] for name, one in services.items()} == {
        "door": "public",
        "answers": "full",
    }
    assert all(one["spec"].get("type", "ClusterIP") == "ClusterIP" for one in services.values())
    for ingress in of_kind("Ingress").values():
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                assert path["pathType"] == "Exact" and path["path"] in ("/webhooks/whatsapp", "/healthz")
                assert path["backend"]["service"] == {"name": "door", "port": {"name": "public"}}


def test_network_policies_close_everything_and_open_what_is_named() -> None:
    policies = {name: one["spec"] for name, one in of_kind("NetworkPolicy").items()}
    assert policies["wamcp"]["policyTypes"] == ["Ingress", "Egress"] and "ingress" not in policies["wamcp"]
    assert policies["wamcp"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "wamcp"}}
    assert all(rule.get("from") for spec in policies.values() for rule in spec.get("ingress", []))
    from_ingress = [
        (name, port["port"])
        for name, spec in policies.items()
        for rule in spec.get("ingress", [])
        for port in rule["ports"]
        if "ingress-nginx" in json.dumps(rule["from"])
    ]
    assert sorted(from_ingress) == [("answers", 8000), ("door", 8001)]
    assert policies["outside"]["podSelector"]["matchExpressions"][0]["values"] == ["answers", "worker"]


def test_workers_grow_by_metrics_that_exist_and_are_offered() -> None:
    told = of_kind("HorizontalPodAutoscaler")["worker"]["spec"]
    asked = {metric["external"]["metric"]["name"] for metric in told["metrics"]}
    offered = documents(HERE / "monitoring/adapter.yml")[0]["rules"]["external"]
    assert {rule["name"]["as"] for rule in offered} == asked >= {"wamcp_oldest_pending_seconds"}
    for rule in offered:
        assert rule["metricsQuery"] == f"max({rule['seriesQuery']})"
        assert f"`{rule['seriesQuery']}" in (ROOT / "docs/monitoring.md").read_text()
    for scaled in of_kind("HorizontalPodAutoscaler"):
        assert "replicas" not in RUNNING[scaled]["spec"], "an apply would undo what the autoscaler did"


def test_prometheus_finds_the_ports_by_their_names() -> None:
    text = (HERE / "monitoring/prometheus.yml").read_text()
    kept = set(re.findall(r"regex: wamcp;(\w+)", text))
    named = {port["name"] for one in RUNNING.values() for port in pod(one)["containers"][0].get("ports", [])}
    assert kept == {"full", "metrics"} and kept < named
