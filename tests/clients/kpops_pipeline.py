"""kpops, as its command line runs it, on a pipeline of connectors. Arguments: the worker's address, and a folder."""

import os
import subprocess
import sys
import time
from pathlib import Path

import kpops.api as kpops
import requests
import yaml

url, folder = sys.argv[1], Path(sys.argv[2])
os.chdir(folder)
NAMES = ["lines", "copy"]
written_down = []


def get(path):
    return requests.get(url + path, timeout=30)


def until(what, holds):
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for: {what}: {get('/connectors?expand=status').text}"
        time.sleep(0.02)


def state(name):
    return get(f"/connectors/{name}/status").json().get("connector", {}).get("state")


def pipeline(state=None, **config):
    """Writes the pipeline down: a source and a sink, with more keys for both."""
    classes = "org.apache.kafka.connect.file.FileStream"
    parts = {
        "lines": ("source", {"connector.class": f"{classes}SourceConnector", "file": f"{folder}/in.txt", "topic": "lines"}),
        "copy": ("sink", {"connector.class": f"{classes}SinkConnector", "file": f"{folder}/out.txt", "topics": "lines"}),
    }
    written = []
    for name, (kind, keys) in parts.items():
        component = {"type": f"kafka-{kind}-connector", "name": name, "prefix": "", "config": {**keys, **config}}
        written.append({**component, **({"state": state} if state else {})})
    # kpops remembers what it has read from a file.
    written_down.append(Path(f"pipelines-{len(written_down)}/pipeline.yaml"))
    written_down[-1].parent.mkdir()
    written_down[-1].write_text(yaml.safe_dump(written))


def run(command, execute=True):
    command(written_down[-1], config=Path(), dry_run=not execute, verbose=False)


Path("config.yaml").write_text(yaml.safe_dump({"kafka_brokers": "none:9092", "kafka_connect": {"url": url}}))
Path("in.txt").write_text("a\nb\n")
pipeline(**{"tasks.max": 1})

run(kpops.deploy, execute=False)
assert get("/connectors").json() == [], "a dry run makes nothing"
run(kpops.deploy)
until("both run", lambda: [state(name) for name in NAMES] == ["RUNNING", "RUNNING"])
until("the lines are there", lambda: Path("out.txt").exists() and Path("out.txt").read_text() == "a\nb\n")
assert get("/connectors/copy/config").json()["topics"] == "lines"

pipeline(**{"tasks.max": 1, "offset.flush.timeout.ms": 4000})
run(kpops.deploy, execute=False)
assert "offset.flush.timeout.ms" not in get("/connectors/lines/config").json(), "a dry run changes nothing"
run(kpops.deploy)
assert [get(f"/connectors/{name}/config").json()["offset.flush.timeout.ms"] for name in NAMES] == ["4000", "4000"]
until("both run again", lambda: [state(name) for name in NAMES] == ["RUNNING", "RUNNING"])

pipeline(state="paused")
run(kpops.deploy)
until("both are paused", lambda: [state(name) for name in NAMES] == ["PAUSED", "PAUSED"])
pipeline(state="running")
run(kpops.deploy)
until("both run after their pause", lambda: [state(name) for name in NAMES] == ["RUNNING", "RUNNING"])

until("offsets are known", lambda: all(get(f"/connectors/{name}/offsets").json()["offsets"] for name in NAMES))
run(kpops.reset, execute=False)
assert sorted(get("/connectors").json()) == sorted(NAMES), "a dry run resets nothing"
run(kpops.reset)  # stops them, resets their offsets, and removes them
assert get("/connectors").json() == []
run(kpops.deploy)
until("all is read again from the beginning", lambda: Path("out.txt").read_text().count("a\n") >= 2)
until("both run after their reset", lambda: [state(name) for name in NAMES] == ["RUNNING", "RUNNING"])

run(kpops.destroy, execute=False)
assert sorted(get("/connectors").json()) == sorted(NAMES)
run(kpops.destroy)
assert get("/connectors").json() == []
run(kpops.destroy)  # what is gone is passed over
run(kpops.reset)  # made for as long as it takes
assert get("/connectors").json() == []
run(kpops.deploy)
until("both run once more", lambda: [state(name) for name in NAMES] == ["RUNNING", "RUNNING"])
run(kpops.clean)
assert get("/connectors").json() == []

# A configuration that the worker refuses is what kpops says, and its end.
pipeline(**{"tasks.max": "none"})
refused = subprocess.run(
    [sys.executable, "-m", "kpops.cli.main", "deploy", str(written_down[-1]), "--dry-run"],
    capture_output=True, text=True, timeout=60,
)
said = refused.stdout + refused.stderr
assert refused.returncode != 0 and "Invalid value none for configuration tasks.max" in said.replace("\n", " "), said
