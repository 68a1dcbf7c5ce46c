"""Whether manifests are what Kubernetes takes, and fit the worker that they run. Arguments: the manifests, the worker's
OpenAPI document, and its properties file."""

import json
import sys

import msgspec
import yaml
from lightkube.codecs import resource_registry

manifests, document, worker = sys.argv[1:]
faults = []


def lost(place, given, understood):
    """What is no more in a value after it was read as what it says it is: members that Kubernetes does not know."""
    if isinstance(given, dict):
        for key, value in given.items():
            if not isinstance(understood, dict) or key not in understood:
                faults.append(f"{place}.{key}: there is no such member")
            else:
                lost(f"{place}.{key}", value, understood[key])
    elif isinstance(given, list):
        for at, (one, other) in enumerate(zip(given, understood, strict=True)):
            lost(f"{place}[{at}]", one, other)
    elif given != understood:
        faults.append(f"{place}: {given!r} is understood as {understood!r}")


def say(right, fault):
    if not right:
        faults.append(fault)


def properties(text):
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


with open(manifests) as file:
    resources = {(resource["kind"], resource["metadata"]["name"]): resource for resource in yaml.safe_load_all(file)}
for (kind, name), resource in resources.items():
    try:
        understood = msgspec.convert(resource, resource_registry.load(resource["apiVersion"], kind))
        lost(f"{kind}/{name}", resource, msgspec.to_builtins(understood))
    except msgspec.ValidationError as error:
        faults.append(f"{kind}/{name}: {error}")
if faults:
    sys.exit("\n".join(faults))

with open(document) as file:
    paths = json.load(file)["paths"]
with open(worker) as file:
    settings = properties(file.read())
say(properties(resources["ConfigMap", "weir"]["data"]["worker.properties"]) == settings, "ConfigMap and worker.properties differ")
stateful = resources["StatefulSet", "weir"]["spec"]
pod = stateful["template"]["spec"]
[container] = pod["containers"]
ports = {port["name"]: port["containerPort"] for port in container["ports"]}
say(ports == {"rest": int(settings["listeners"].rsplit(":", 1)[1])}, f"{ports} is not where the worker listens")
for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
    get = container[probe]["httpGet"]
    say("get" in paths.get(get["path"], {}), f"{probe}: {get['path']} is not in the document")
    say(get["port"] in ports, f"{probe}: there is no port {get['port']}")
annotations = stateful["template"]["metadata"]["annotations"]
say("get" in paths.get(annotations["prometheus.io/path"], {}), "the path of metrics is not in the document")
say(int(annotations["prometheus.io/port"]) in ports.values(), "the port of metrics is none")
labels = stateful["template"]["metadata"]["labels"].items()
for (kind, name), resource in resources.items():
    selector = resource.get("spec", {}).get("selector", {})
    say(selector.get("matchLabels", selector).items() <= labels, f"{kind}/{name} selects no worker")
say(("Service", stateful["serviceName"]) in resources, "the workers' Service is missing")
least = 2 * int(settings["task.shutdown.graceful.timeout.ms"]) / 1000 + 15
say(pod["terminationGracePeriodSeconds"] >= least, f"terminationGracePeriodSeconds is below {least}")
mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
volumes = {volume["name"] for volume in pod["volumes"] + [claim["metadata"] for claim in stateful["volumeClaimTemplates"]]}
say(set(mounts.values()) == volumes, f"mounts of {mounts} and volumes {volumes} differ")
for key in ("plugin.upload.dir", "sandbox.path.ceiling"):
    say(any(settings[key].startswith(f"{path}/") for path in mounts), f"{key} lies on the root, which is read-only")
say(container["args"][1].rsplit("/", 1)[0] in mounts, "the worker's file is not mounted")
secure, own = pod["securityContext"], container["securityContext"]
say(secure["runAsNonRoot"] and secure["runAsUser"] > 0 and own["readOnlyRootFilesystem"], "it may be root, or write to the root")
say(not own["allowPrivilegeEscalation"] and own["capabilities"] == {"drop": ["ALL"]}, "it keeps rights")
sys.exit("\n".join(faults) or None)
