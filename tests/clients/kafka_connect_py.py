"""kafka-connect-py, library and command line, through a connector's life. Arguments: the worker's address, and a folder."""

import json
import sys
import time

import requests
from click.testing import CliRunner
from kafka_connect import KafkaConnect
from kafka_connect.cli import cli

url, folder = sys.argv[1:]
client = KafkaConnect(url)


def until(what, holds):
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.02)


def states(name):
    """The connector's state and its tasks'. Nothing while its status is not known."""
    status = client.list_connectors(expand="status").get(name, {}).get("status")
    return status and [status["connector"]["state"], *(task["state"] for task in status["tasks"])]


def refused(status, call, *arguments):
    try:
        call(*arguments)
    except requests.exceptions.HTTPError as error:
        # restart_connector hands on the text alone.
        given = error.response.status_code if error.response is not None else json.loads(str(error))["error_code"]
        assert given == status, f"{call.__name__}: {error}"
    else:
        raise AssertionError(f"{call.__name__}{arguments} was not refused")


def command(*arguments):
    """Runs `kc`; answers what it printed, as JSON where it is."""
    done = CliRunner().invoke(cli, ["--url", url, *arguments], catch_exceptions=False)
    assert done.exit_code == 0 and done.exception is None, f"kc {arguments}: {done.output}"
    try:
        return json.loads(done.output)
    except ValueError:
        return done.output


# The library.
assert client.get_cluster_info()["version"] == "4.3.1"
assert client.list_connectors() == []
plugins = {plugin["class"]: plugin for plugin in client.list_connector_plugins()}
assert plugins["org.apache.kafka.connect.file.FileStreamSourceConnector"]["type"] == "source"
with open(f"{folder}/in.txt", "w") as lines:
    lines.write("a\nb\n")
source = {"connector.class": "FileStreamSource", "tasks.max": 1, "file": f"{folder}/in.txt", "topic": "lines"}
text = {key: str(value) for key, value in source.items()}
wrong = client.validate_connector_config("FileStreamSource", {**source, "name": "src", "tasks.max": "none"})
assert wrong["error_count"] == 2, wrong  # no number, and so no value
[named] = [config["value"] for config in wrong["configs"] if config["value"]["errors"]]
assert named["name"] == "tasks.max"
assert client.validate_connector_config("FileStreamSource", {**source, "name": "src"})["error_count"] == 0
made = client.create_connector({"name": "src", "config": source})
assert made["name"] == "src" and made["type"] == "source" and made["config"] == {**text, "name": "src"}, made
refused(409, client.create_connector, {"name": "src", "config": source})
refused(400, client.create_connector, {"name": "other", "config": {}})
until("it runs", lambda: states("src") == ["RUNNING", "RUNNING"])
assert client.get_connector("src")["tasks"] == [{"connector": "src", "task": 0}]
assert client.get_connector_config("src") == {**text, "name": "src"}
assert client.get_connector_status("src")["connector"]["worker_id"] in url
assert [task["id"] for task in client.list_connector_tasks("src")] == [{"connector": "src", "task": 0}]
assert client.get_connector_task_status("src", 0)["state"] == "RUNNING"
until("its topic is known", lambda: client.list_connector_topics("src") == {"src": {"topics": ["lines"]}})
client.reset_connector_topics("src")
until("its topic is forgotten", lambda: client.list_connector_topics("src") == {"src": {"topics": []}})
updated = client.update_connector("src", {**source, "batch.size": 10})
assert updated["config"]["batch.size"] == "10", updated
client.pause_connector("src")
until("it is paused", lambda: states("src") == ["PAUSED", "PAUSED"])
assert client.list_connectors(state="paused") == ["src"] and client.list_connectors(state="running") == []
assert list(client.list_connectors(expand="info", pattern="s.c")) == ["src"]
client.resume_connector("src")
until("it runs again", lambda: states("src") == ["RUNNING", "RUNNING"])
assert client.restart_connector("src") is None
client.restart_connector_task("src", 0)
restarted = client.restart_connector("src", include_tasks=True, only_failed=False)
assert [restarted["connector"]["state"], restarted["tasks"][0]["state"]] == ["RESTARTING", "RESTARTING"], restarted
until("it runs after restarts", lambda: states("src") == ["RUNNING", "RUNNING"])
client.stop_connector("src")
until("it is stopped", lambda: states("src") == ["STOPPED"])
client.resume_all_connectors(pattern="src")
until("it runs after its stop", lambda: states("src") == ["RUNNING", "RUNNING"])
refused(404, client.get_connector, "none")
refused(404, client.get_connector_status, "none")
refused(404, client.restart_connector, "none")
refused(404, client.pause_connector, "none")
refused(404, client.delete_connector, "none")
client.delete_connector("src")
assert client.list_connectors() == []

# The command line.
assert command("info")["version"] == "4.3.1"
assert command("create", "--config-data", json.dumps({"name": "kc", "config": source}))["name"] == "kc"
until("kc runs", lambda: states("kc") == ["RUNNING", "RUNNING"])
assert command("list") == ["kc"] and list(command("list", "--expand", "status")) == ["kc"]
assert command("get", "kc")["name"] == "kc" and command("config", "kc")["topic"] == "lines"
assert command("status", "kc")["connector"]["state"] == "RUNNING"
assert command("update", "kc", "--config-data", json.dumps({**source, "batch.size": 20}))["config"]["batch.size"] == "20"
assert command("list-tasks", "kc")[0]["id"]["task"] == 0 and command("task-status", "kc", "0")["id"] == 0
until("kc runs with its tasks", lambda: states("kc") == ["RUNNING", "RUNNING"])
command("restart-task", "kc", "0")
command("restart", "kc")
command("list-topics", "kc")
command("reset-topics", "kc")
command("pause", "--all")
until("kc is paused", lambda: states("kc") == ["PAUSED", "PAUSED"])
command("resume", "kc")
until("kc runs again", lambda: states("kc") == ["RUNNING", "RUNNING"])
# `kc validate-config` sends the text of its JSON as a JSON string, which no Connect takes.
assert any(plugin["class"] in plugins for plugin in command("list-plugins"))
command("delete", "kc")
assert command("list") == []
