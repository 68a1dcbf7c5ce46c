//! Pure. ExtractField: one field in the place of the key or value that held it.

use std::marker::PhantomData;

use weir_data::Type;
use weir_sdk::fields::Edits;
use weir_sdk::prelude::*;

use crate::field_path;
use crate::settings::{self, invalid};
use crate::subject::{self, Half, replace_null_with_default, require_fields};

/// Connect's ExtractField.
pub struct ExtractField<H> {
    text: String,
    path: Vec<String>,
    replace_null: bool,
    edits: Edits,
    half: PhantomData<H>,
}

impl<H: Half> Transformation for ExtractField<H> {
    fn class() -> Class {
        let doc = "Extract the specified field from a Struct when schema present, or a Map in the case of schemaless \
                   data. Any null values are passed through unmodified.";
        subject::class::<H>("ExtractField", doc)
            .key(Key::text("field").doc("Field name to extract."))
            .key(replace_null_with_default())
            .key(
                Key::text("field.syntax.version")
                    .default("V1")
                    .one_of_ignoring_case(&["V1", "V2"])
                    .importance(Importance::High)
                    .doc(
                        "Defines the version of the syntax to access fields. If set to <code>V1</code>, then the field \
                         paths are limited to access the elements at the root level of the struct or map. If set to \
                         <code>V2</code>, the syntax will support accessing nested elements. To access nested \
                         elements, dotted notation is used. If dots are already included in the field name, then \
                         backtick pairs can be used to wrap field names containing dots. E.g. to access the subfield \
                         <code>baz</code> from a field named \"foo.bar\" in a struct/map the following format can be \
                         used to access its elements: \"<code>foo.bar</code>.baz\".",
                    ),
            )
            .wants_validate()
    }

    fn validate(config: &Config) -> Vec<Problem> {
        let given = config.get("field").map(|_| path(config));
        given.and_then(Result::err).map_or_else(Vec::new, settings::problems)
    }

    fn configure(config: &Config) -> Result<Self> {
        Ok(ExtractField {
            text: settings::text(config, "field")?.to_owned(),
            path: path(config)?,
            replace_null: settings::replace_null(config)?,
            edits: Edits::default(),
            half: PhantomData,
        })
    }

    fn parts(&self) -> StepParts {
        StepParts { reads: H::PART, writes: H::PART }
    }

    fn apply(&mut self, record: &mut Record) -> Result<Outcome> {
        let ExtractField { text, path, replace_null, edits, .. } = self;
        edits.apply(
            record,
            H::SIDE,
            0,
            |layout| {
                if !layout.is_null() {
                    require_fields(layout, "field extraction")?;
                }
                if let Some(schema) = layout.schema() {
                    require_field(schema, path, text)?;
                }
                let last = path.len() - 1;
                for (at, name) in path.iter().enumerate() {
                    if !layout.is_null() {
                        require_fields(layout, "nested field access")?;
                    }
                    // As in Connect, the setting is for what is extracted, not for what it stands in.
                    layout.extract(name, *replace_null || at < last)?;
                }
                Ok(())
            },
            |_, _, _| Ok(()),
        )?;
        Ok(Outcome::Keep)
    }
}

fn path(config: &Config) -> Result<Vec<String>> {
    const VERSION: &str = "field.syntax.version";
    let text = settings::text(config, "field")?;
    let version = settings::text(config, VERSION)?;
    if version.eq_ignore_ascii_case("V1") {
        return Ok(vec![text.to_owned()]);
    }
    if !version.eq_ignore_ascii_case("V2") {
        return Err(invalid(VERSION, version, "String must be one of (case insensitive): V1, V2"));
    }
    if text.is_empty() {
        return Err(invalid("field", text, "a path has at least one name"));
    }
    field_path::names(text).map_err(|at| {
        Error::config(
            "field",
            format!(
                "Incomplete backtick pair in path: [{text}], consider adding a backslash before backtick at position \
                 {at} to escape it"
            ),
        )
    })
}

fn require_field(schema: &Schema, path: &[String], text: &str) -> Result<()> {
    let mut node = schema.root();
    for name in path {
        let Type::Struct(fields) = &node.kind else {
            return Err(Error::data("Cannot look up fields on non-struct type"));
        };
        let field = fields.iter().find(|field| field.name == *name);
        node = schema.node(field.ok_or_else(|| Error::data(format!("Unknown field: {text}")))?.node);
    }
    Ok(())
}
