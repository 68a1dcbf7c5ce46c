"""Whether answers are what the OpenAPI document of their worker says. Argument: what tests/clients.rs has written down."""

import json
import sys

import jsonschema


class Document:
    def __init__(self, document):
        self.whole = document
        self.templates = [(path.strip("/").split("/"), item) for path, item in document["paths"].items()]

    def item(self, path):
        """What the document has for a path: its segments' own words count before what any word may stand for."""
        segments = path.strip("/").split("/")
        found = [
            (sum(part.startswith("{") for part in template), item)
            for template, item in self.templates
            if len(template) == len(segments)
            and all(part == segment or part.startswith("{") for part, segment in zip(template, segments))
        ]
        return min(found, key=lambda pair: pair[0])[1] if found else None

    def resolved(self, value):
        while "$ref" in value:
            place = self.whole
            for part in value["$ref"].removeprefix("#/").split("/"):
                place = place[part]
            value = place
        return value

    def faults(self, schema, value):
        # References lead from the root, so the document's components come along.
        whole = {**schema, "components": self.whole["components"]}
        return [f"{list(fault.path)}: {fault.message}" for fault in jsonschema.Draft202012Validator(whole).iter_errors(value)]

    def misfits(self, exchange):
        method, path = exchange["request"].split(" ", 1)
        path = path.split("?")[0]
        if "//" in path:
            return self.error(exchange, 404)
        path = "/".join(segment.split(";")[0] for segment in path.split("/"))
        item = self.item(path)
        if item is None:
            return self.error(exchange, 404)
        methods = {key.upper() for key in item if key != "parameters"}
        if method == "OPTIONS":
            allowed = set(exchange["text"].split(", ")) - {"HEAD", "OPTIONS"}
            return [] if allowed == methods else [f"OPTIONS allows {allowed}"]
        answered = "GET" if method == "HEAD" else method
        if answered not in methods:
            return self.error(exchange, 405) if method != "HEAD" else []
        responses = item[answered.lower()]["responses"]
        status = str(exchange["status"])
        if status not in responses:
            return [f"status {status} is none of {sorted(responses)}"]
        response = self.resolved(responses[status])
        missing = [name for name in response.get("headers", {}) if name.lower() not in exchange["headers"]]
        if missing:
            return [f"without the headers {missing}"]
        if method == "HEAD" or "content" not in response:
            return [f"a body where there is none: {exchange['text']}"] if exchange["text"] else []
        return self.body(exchange, response["content"])

    def body(self, exchange, content):
        media = exchange["headers"].get("content-type", "").split(";")[0]
        if media not in content:
            return [f"{media} is none of {sorted(content)}"]
        if media != "application/json":
            return []
        value = json.loads(exchange["text"])
        faults = self.faults(content[media]["schema"], value)
        if exchange["status"] >= 400 and "error_code" in value:
            faults += self.order(exchange, value)
        return faults

    def order(self, exchange, value):
        right = list(value) == ["error_code", "message"] and value["error_code"] == exchange["status"]
        return [] if right else [f"not an error as Connect gives them: {exchange['text']}"]

    def error(self, exchange, status):
        if exchange["status"] != status:
            return [f"{exchange['status']}, where the document has nothing and {status} is due"]
        if exchange["request"].startswith("HEAD "):
            return []
        error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        return self.body(exchange, error)


def main(played):
    with open(played) as file:
        played = json.load(file)
    misfits, good = [], []
    for scenario in played:
        document = Document(scenario["document"])
        for exchange in scenario["exchanges"]:
            misfits += [f"{exchange['step']} ({exchange['request']}): {misfit}" for misfit in document.misfits(exchange)]
            good += [exchange["request"].split(" ")[0]] if exchange["status"] < 300 else []
    assert len(good) > 100 and {"GET", "POST", "PUT", "PATCH", "DELETE"} <= set(good), "too little to tell anything"
    sys.exit("\n".join(misfits) or None)


main(*sys.argv[1:])
