"""What schemathesis does not know of a worker: connectors that are there, and configurations that make one. By numbers that
follow from what it made, so that the same seed does the same."""

import os
import time
import zlib

import requests
import schemathesis

FOLDER = os.environ["WEIR_FOLDER"]
SOURCE = {"connector.class": "FileStreamSource", "file": f"{FOLDER}/in.txt", "topic": "lines"}
SINK = {"connector.class": "FileStreamSink", "file": f"{FOLDER}/out.txt", "topics": "lines",
        "errors.deadletterqueue.topic.name": "dead", "errors.deadletterqueue.topic.replication.factor": "1"}
THERE = {"a source": SOURCE, "sïnk/%": SINK, "stopped": SOURCE}


def number(value):
    return zlib.crc32(repr(value).encode("utf-8", "surrogatepass"))


def until(what, holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def insist(method, url, **more):
    """Asks until the worker's group is between two changes of who runs what."""
    answers = []

    def done():
        answers.append(requests.request(method, url, timeout=30, **more))
        return answers[-1].status_code != 409

    until(f"{method} {url}", done)
    answers[-1].raise_for_status()


def base(url):
    return url[: url.index("/", len("http://"))]


def known(label, parameter):
    """Values of a path's parameter that are there."""
    if label.endswith("/admin/loggers/{name}"):
        return ["guest", "root"]
    if label.endswith("/redrive"):
        return ["sïnk/%"]
    if label.endswith("/offsets") and not label.startswith("GET"):
        return ["stopped"]
    if "{task}" in label and parameter == "name":
        return ["a source"]
    return {"name": list(THERE), "class": ["FileStreamSource", "JsonConverter", "HoistField$Value"], "task": [0]}[parameter]


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Three of four values are those of connectors, tasks, classes and loggers that are there."""
    for parameter, value in (path_parameters or {}).items():
        at = number((parameter, value))
        if at % 4:
            values = known(context.operation.label, parameter)
            path_parameters[parameter] = values[at // 4 % len(values)]
    return path_parameters


@schemathesis.hook
def map_body(context, body):
    """Three of four bodies are good for something, with what was made up beside it."""
    label = context.operation.label
    if not isinstance(body, dict) or number(body) % 4 == 0:
        return body
    if label == "POST /connectors" and isinstance(body.get("config"), dict):
        return {**body, "config": {**body["config"], **SINK}}
    if label in ("PUT /connectors/{name}/config", "PUT /connector-plugins/{class}/config/validate"):
        return {**body, **SOURCE}
    if label == "PATCH /connectors/{name}/offsets":
        return {"offsets": [{"partition": {"filename": SOURCE["file"]}, "offset": {"position": 2}}]}
    return body


@schemathesis.hook
def before_call(context, case, kwargs):
    """A connector that an earlier call has removed is there again."""
    encoded = (case.path_parameters or {}).get("name") or ""
    name = requests.utils.unquote(encoded)
    if name in THERE:
        connector = f"{base(case.operation.base_url + '/')}/connectors/{encoded}"

        def answers(path):
            return requests.get(f"{connector}{path}", timeout=30)

        if answers("").status_code == 404:
            insist("PUT", f"{connector}/config", json=THERE[name])
            until(f"{name} to be there", lambda: answers("").status_code == 200)
        if name == "stopped":
            insist("PUT", f"{connector}/stop")
            until("it to stop", lambda: answers("/status").json().get("connector", {}).get("state") == "STOPPED")
        elif "task" in case.path_parameters:
            insist("PUT", f"{connector}/resume")
            until(f"a task of {name}", lambda: answers("/tasks/0/status").status_code == 200)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """A connector may refuse to have its offsets altered, which is 500 as in Connect; the document says so."""
    altering = case.operation.label == "PATCH /connectors/{name}/offsets"
    return not (altering and response.status_code == 500 and "contain the key 'position'" in response.text)


@schemathesis.hook
def after_call(context, case, response):
    """Notes which operations got which answers."""
    with open(f"{FOLDER}/answers", "a") as answers:
        path = case.operation.label.split(" ")[1]
        answers.write(f"{response.status_code} {response.request.method} {path}\n")
