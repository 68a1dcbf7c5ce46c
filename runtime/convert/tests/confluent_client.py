"""Writes and reads records with Confluent's client for Python, as a test asks: a JSON object a line each way."""

import base64
import json
import sys

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf import timestamp_pb2  # noqa: F401, imported by schemas

registry = SchemaRegistryClient({"url": sys.argv[1]})
readers = {
    "avro": lambda: AvroDeserializer(registry),
    "json": lambda: JSONDeserializer(None, schema_registry_client=registry),
}
writers = {
    "avro": lambda schema: AvroSerializer(registry, schema),
    "json": lambda schema: JSONSerializer(schema, registry),
}


def shown(value):
    """What JSON has no word for, as text."""
    return value.hex() if isinstance(value, bytes) else str(value)


def given(value):
    """Bytes in a value are {"hex": ...}."""
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"]) if list(value) == ["hex"] else {k: given(v) for k, v in value.items()}
    return [given(element) for element in value] if isinstance(value, list) else value


pool = descriptor_pool.Default()


def message_class(schema):
    """The class of a message: a schema is its file as JSON, and the message's full name."""
    file = json_format.ParseDict(schema["file"], descriptor_pb2.FileDescriptorProto())
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(schema["message"]))


def protobuf(asked, context):
    """Messages are JSON as Protobuf maps it."""
    kind = message_class(asked["schema"])
    if "record" in asked:
        message = ProtobufDeserializer(kind, {"use.deprecated.format": False})(
            base64.b64decode(asked["record"]), context
        )
        value = json_format.MessageToDict(message, preserving_proto_field_name=True)
        return {"value": value}
    conf = {"use.deprecated.format": False}
    record = ProtobufSerializer(kind, registry, conf)(json_format.ParseDict(asked["value"], kind()), context)
    return {"record": record.hex()}


for line in sys.stdin:
    asked = json.loads(line)
    context = SerializationContext(asked["topic"], MessageField.VALUE)
    if asked["format"] == "protobuf":
        print(json.dumps(protobuf(asked, context)), flush=True)
    elif "record" in asked:
        value = readers[asked["format"]]()(base64.b64decode(asked["record"]), context)
        print(json.dumps({"value": value}, default=shown), flush=True)
    else:
        record = writers[asked["format"]](json.dumps(asked["schema"]))(given(asked["value"]), context)
        print(json.dumps({"record": record.hex()}), flush=True)
