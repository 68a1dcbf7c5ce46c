"""schemathesis over /openapi.json. Arguments: the worker's address, a folder, and how many examples of each operation.

Left out are checks that hold any API to more than Connect's promises: that what the document does not describe is refused
(Connect ignores query parameters and values that it does not know), and that what it does is taken (no schema says which
classes a worker has). No answer may be a server's error."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import requests

url, folder, examples = sys.argv[1:]
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
]
Path(folder, "in.txt").write_text("a\nb\n")
environment = {**os.environ, "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "WEIR_FOLDER": folder}
environment["PYTHONPATH"] = str(Path(__file__).parent)
done = subprocess.run(
    [
        sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--checks", ",".join(CHECKS),
        "--phases", "examples,coverage,fuzzing", "--max-examples", examples, "--seed", "1", "--generation-deterministic",
        "--continue-on-failure", "--no-color", "--warnings", "off",
    ],
    env=environment,
)
answered = [line.split(" ", 1) for line in Path(folder, "answers").read_text().splitlines()]
document = requests.get(f"{url}/openapi.json", timeout=30).json()["paths"]
operations = {f"{method.upper()} {path}" for path, item in document.items() for method in item if method != "parameters"}
# Nobody signs what workers ask of a worker of its own, no plugin is made up by chance, and the document is not asked for itself.
unlikely = {"POST /connectors/{name}/tasks", "PUT /connectors/{name}/fence", "POST /connector-plugins", "GET /openapi.json"}
went_well = {label for status, label in answered if status.startswith("2")}
missed = operations - unlikely - went_well
print("answers:", Counter(status for status, _ in answered), "went well nowhere:", sorted(missed))
sys.exit(done.returncode or bool(missed))
