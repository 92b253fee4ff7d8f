"""Whether the files of deploy/ that others read are what those others take: Kubernetes' objects by
Kubernetes' own schemas, as kustomize renders them, the compose file by a library of its specification, and
the Dockerfile by hadolint.

    lint_deploy.py FOLDER
"""

import json
import pathlib
import subprocess
import sys

import kubernetes_validate
import yaml
from compose_spec import PyCompose

# The oldest version that people run, and the newest that the library knows.
VERSIONS = ["1.29", kubernetes_validate.latest_version()]
# The user of the image.
USER = 65532

folder = pathlib.Path(sys.argv[1])
found = []


def rendered(name):
    place = folder / "kubernetes" / name
    run = subprocess.run(["kubectl", "kustomize", place], capture_output=True, text=True)
    if run.returncode != 0:
        found.append(f"{name}: {run.stderr.strip()} (kubectl 1.22 or later is needed)")
        return []
    return list(yaml.safe_load_all(run.stdout))


def fits_the_schema(name, object):
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(object, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{name}: {object['kind']}: {version}: {error.message} at {list(error.path)}")


# Private, shared and link-local addresses (RFC 1918, 6598 and 3927), as the provider itself has them.
OWN_NETWORKS = {"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"}


def reaches_nobody_of_our_own(name, object):
    """Where everybody may be reached, our own networks may not."""
    blocks = [to.get("ipBlock", {}) for rule in object["spec"]["egress"] for to in rule.get("to", [])]
    for block in blocks:
        if block.get("cidr") == "0.0.0.0/0":
            found.extend(f"{name}: pods may go to {net}" for net in OWN_NETWORKS - set(block.get("except", [])))


def pods(objects):
    for object in objects:
        if object["kind"] in ("Deployment", "Job"):
            yield object["metadata"]["name"], object["spec"]["template"]


def is_restricted(name, template):
    """The Pod Security Standard "restricted", and what this project asks besides."""
    spec = template["spec"]
    whole = spec.get("securityContext", {})
    wanted = [
        (whole.get("runAsNonRoot"), True),
        (whole.get("runAsUser"), USER),
        (whole.get("seccompProfile", {}).get("type"), "RuntimeDefault"),
        (spec.get("automountServiceAccountToken"), False),
    ]
    for container in spec["containers"] + spec.get("initContainers", []):
        own = container.get("securityContext", {})
        wanted += [
            (own.get("allowPrivilegeEscalation"), False),
            (own.get("readOnlyRootFilesystem"), True),
            (own.get("capabilities"), {"drop": ["ALL"]}),
        ]
    for number, (is_so, should_be) in enumerate(wanted):
        if is_so != should_be:
            found.append(f"{name}: rule {number} of a restricted pod: {is_so} and not {should_be}")
    for volume in spec.get("volumes", []):
        if "secret" in volume and volume["secret"].get("defaultMode", 0o644) & 0o007:
            found.append(f"{name}: everybody can read {volume['name']}")


def hangs_together(name, objects):
    """What is named by one object is there in another one."""
    templates = dict(pods(objects))
    ports = {
        port["name"]
        for template in templates.values()
        for container in template["spec"]["containers"]
        for port in container.get("ports", [])
    }
    services = {o["metadata"]["name"]: o for o in objects if o["kind"] == "Service"}
    for object in objects:
        kind, spec = object["kind"], object.get("spec", {})
        selector = spec.get("selector") if kind == "Service" else spec.get("selector", {}).get("matchLabels")
        selector = spec.get("podSelector", {}).get("matchLabels") if kind == "NetworkPolicy" else selector
        labels = [template["metadata"]["labels"].items() for template in templates.values()]
        if selector and not any(selector.items() <= of for of in labels):
            found.append(f"{name}: {kind}: no pod is selected by {selector}")
        if kind == "Service":
            named = [port["targetPort"] for port in spec["ports"]]
        elif kind == "NetworkPolicy":
            named = [port["port"] for rule in spec["ingress"] for port in rule["ports"]]
        elif kind == "Ingress":
            named = []
            backends = [p["backend"]["service"] for r in spec["rules"] for p in r["http"]["paths"]]
            for backend in backends:
                service = services.get(backend["name"])
                names = [port["name"] for port in service["spec"]["ports"]] if service else []
                if backend["port"]["name"] not in names:
                    found.append(f"{name}: Ingress: no service is {backend}")
        else:
            named = []
        found.extend(f"{name}: {kind}: no port is {port}" for port in named if port not in ports)


for name in ["base", "migrate", "overlays/example", "overlays/example/migrate"]:
    objects = rendered(name)
    for object in objects:
        fits_the_schema(name, object)
        if object["kind"] == "NetworkPolicy":
            reaches_nobody_of_our_own(name, object)
    for pod, template in pods(objects):
        is_restricted(f"{name}: {pod}", template)
    if name != "migrate" and not name.endswith("/migrate"):
        hangs_together(name, objects)
example = (folder / "kubernetes/base/secret.example.yaml").read_text()
for object in yaml.safe_load_all(example):
    fits_the_schema("secret.example.yaml", object)

compose = yaml.safe_load((folder / "compose/compose.yaml").read_text())
try:
    PyCompose.from_json(json.dumps(compose)).validate()
except ValueError as error:
    found.append(f"compose: {error}")
services = compose["services"]
for name, service in services.items():
    found.extend(
        f"compose: {name} depends on {other}, which is none"
        for other in service.get("depends_on", {})
        if other not in services
    )
    for contained, value in {"read_only": True, "cap_drop": ["ALL"]}.items():
        if service.get(contained) != value:
            found.append(f"compose: {name}: {contained} is not {value}")
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        is_there = (folder / "compose" / source).exists() if source.startswith(".") else source in compose["volumes"]
        if not is_there:
            found.append(f"compose: {name}: {source} is not there")

hadolint = pathlib.Path(sys.executable).parent / "hadolint"
run = subprocess.run([hadolint, "--no-color", folder / "docker/Dockerfile"], capture_output=True, text=True)
if run.returncode != 0:
    found.append(run.stdout + run.stderr)

for line in found:
    print(line)
sys.exit(1 if found else 0)
