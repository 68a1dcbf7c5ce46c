//! The converters by their class names, and what each is configured with.

use weir_core::model::{Config, ConfigKey, Problem};
use weir_core::port::Converter;

use crate::avro::{self, AvroSettings};
use crate::byte_array::ByteArrayConverter;
use crate::header::SimpleHeaderConverter;
use crate::json::JsonConverter;
use crate::json_schema::{self, JsonSchemaSettings};
use crate::primitive::{Primitive, PrimitiveConverter};
use crate::protobuf::{self, ProtobufSettings};
use crate::schema_registry::Http;
use crate::settings::{self, JsonSettings};
use crate::string::StringConverter;

/// Which part of records a converter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Keys.
    Key,
    /// Values.
    Value,
    /// Header values.
    Header,
}

impl Role {
    /// The configuration key that names the converter's class.
    pub fn property(self) -> &'static str {
        match self {
            Role::Key => "key.converter",
            Role::Value => "value.converter",
            Role::Header => "header.converter",
        }
    }
}

/// A converter class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConverterClass {
    /// Its full name, as Connect lists it.
    pub name: &'static str,
    /// The short names it answers to as well.
    pub aliases: &'static [&'static str],
    /// Whether it converts keys and values.
    pub converts_records: bool,
    /// Whether it converts headers.
    pub converts_headers: bool,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Avro,
    Json,
    JsonSchema,
    String,
    ByteArray,
    Primitive(Primitive),
    Protobuf,
    SimpleHeader,
}

/// All converter classes, by name.
pub const CLASSES: &[ConverterClass] = &[
    ConverterClass {
        name: "io.confluent.connect.avro.AvroConverter",
        aliases: &["AvroConverter", "Avro"],
        converts_records: true,
        converts_headers: false,
        kind: Kind::Avro,
    },
    ConverterClass {
        name: "io.confluent.connect.json.JsonSchemaConverter",
        aliases: &["JsonSchemaConverter", "JsonSchema"],
        converts_records: true,
        converts_headers: false,
        kind: Kind::JsonSchema,
    },
    ConverterClass {
        name: "io.confluent.connect.protobuf.ProtobufConverter",
        aliases: &["ProtobufConverter", "Protobuf"],
        converts_records: true,
        converts_headers: false,
        kind: Kind::Protobuf,
    },
    ConverterClass {
        name: "org.apache.kafka.connect.converters.BooleanConverter",
        aliases: &["BooleanConverter", "Boolean"],
        converts_records: true,
        converts_headers: true,
        kind: Kind::Primitive(Primitive::Boolean),
    },
    ConverterClass {
        name: "org.apache.kafka.connect.converters.ByteArrayConverter",
        aliases: &["ByteArrayConverter", "ByteArray"],
        converts_records: true,
        converts_headers: true,
        kind: Kind::ByteArray,
    },
    ConverterClass {
        name: "org.apache.kafka.connect.converters.DoubleConverter",
        aliases: &["DoubleConverter", "Double"],
        converts_records: true,
        converts_headers: true,
        kind: Kind::Primitive(Primitive::Double),
    },
    ConverterClass {
        name: "org.apache.kafka.connect.converters.FloatConverter",
        aliases: &["FloatConverter", "Float"],
        converts_records: true,
        converts_headers: true,
        kind: Kind::Primitive(Primitive::Float),
    },
    ConverterClass {
        name: "org.apache.kafka.connect.converters.IntegerConverter",
        aliases: &["IntegerConverter", "Integer"],
        converts_records: true,
        converts_headers: true,
        kind: Kind::Primitive(Primitive::Integer),
    },
    ConverterClass {
        name: "org.apache.kafka.connect.converters.LongConverter",
        aliases: &["LongConverter", "Long"],
        converts_records: true,
        converts_headers: true,
        kind: Kind::Primitive(Primitive::Long),
    },
    ConverterClass {
        name: "org.apache.kafka.connect.converters.ShortConverter",
        aliases: &["ShortConverter", "Short"],
        converts_records: true,
        converts_headers: true,
        kind: Kind::Primitive(Primitive::Short),
    },
    ConverterClass {
        name: "org.apache.kafka.connect.json.JsonConverter",
        aliases: &["JsonConverter", "Json"],
        converts_records: true,
        converts_headers: true,
        kind: Kind::Json,
    },
    ConverterClass {
        name: "org.apache.kafka.connect.storage.SimpleHeaderConverter",
        aliases: &["SimpleHeaderConverter", "Simple"],
        converts_records: false,
        converts_headers: true,
        kind: Kind::SimpleHeader,
    },
    ConverterClass {
        name: "org.apache.kafka.connect.storage.StringConverter",
        aliases: &["StringConverter", "String"],
        converts_records: true,
        converts_headers: true,
        kind: Kind::String,
    },
];

impl ConverterClass {
    /// The class that answers to a name.
    pub fn find(name: &str) -> Option<&'static ConverterClass> {
        CLASSES.iter().find(|class| class.name == name || class.aliases.contains(&name))
    }

    /// Its configuration keys, without prefix, in Connect's order.
    pub fn definition(&self) -> Vec<ConfigKey> {
        match self.kind {
            Kind::Avro => avro::avro_keys(),
            Kind::Json => settings::json_keys(),
            Kind::JsonSchema => json_schema::json_schema_keys(),
            Kind::Protobuf => protobuf::protobuf_keys(),
            Kind::String => settings::string_keys(),
            Kind::ByteArray | Kind::Primitive(_) => vec![settings::converter_type()],
            Kind::SimpleHeader => Vec::new(),
        }
    }
}

/// Makes the converter that answers to `class`. The keys of `config` and of problems stand without prefix; a problem
/// with the class itself has the key of [`Role::property`]. Those that ask a schema registry do it over `http`.
pub fn converter(class: &str, config: &Config, role: Role, http: &Http) -> Result<Box<dyn Converter>, Vec<Problem>> {
    let refuse = |message: String| Err(vec![Problem { key: role.property().into(), message }]);
    let Some(class) = ConverterClass::find(class) else {
        let known: Vec<&str> = CLASSES.iter().map(|class| class.name).collect();
        return refuse(format!("Class {class} could not be found. Known converters: {}", known.join(", ")));
    };
    if role != Role::Header && !class.converts_records {
        return refuse(format!("Not a Converter: {} converts headers only", class.name));
    }
    if role == Role::Header && !class.converts_headers {
        return refuse(format!("Not a HeaderConverter: {} converts keys and values only", class.name));
    }
    Ok(match class.kind {
        Kind::Avro => {
            let is_key = role == Role::Key;
            Box::new(avro::converter(AvroSettings::parse(config, is_key)?, is_key, http)?)
        }
        Kind::Json => Box::new(JsonConverter::new(&JsonSettings::parse(config)?)?),
        Kind::JsonSchema => {
            let is_key = role == Role::Key;
            Box::new(json_schema::converter(JsonSchemaSettings::parse(config, is_key)?, is_key, http)?)
        }
        Kind::Protobuf => {
            let is_key = role == Role::Key;
            Box::new(protobuf::converter(ProtobufSettings::parse(config, is_key)?, is_key, http)?)
        }
        Kind::String => {
            settings::check_encoding(config)?;
            Box::new(StringConverter)
        }
        Kind::ByteArray => Box::new(ByteArrayConverter),
        Kind::Primitive(primitive) => Box::new(PrimitiveConverter(primitive)),
        Kind::SimpleHeader => Box::new(SimpleHeaderConverter::new()),
    })
}
