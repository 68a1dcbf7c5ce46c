//! Pure. Handles of plain schemas: one for each in this process.

use std::sync::LazyLock;

use weir_core::model::SchemaHandle;
use weir_data::{Node, Schema, Type};

static PLAIN: LazyLock<Vec<SchemaHandle>> = LazyLock::new(|| {
    let nodes = Type::SCALARS.into_iter().flat_map(|kind| [Node::new(kind.clone()), Node::new(kind).optional()]);
    nodes.map(|node| SchemaHandle::new(Schema::of(node))).collect()
});

/// The process's handle of a schema that is nothing but a scalar type, required or optional.
pub fn plain_schema(kind: &Type, optional: bool) -> Option<SchemaHandle> {
    let found = PLAIN.iter().find(|handle| handle.schema().root().kind == *kind)?;
    let at = PLAIN.iter().position(|handle| handle == found)?;
    PLAIN.get(at + usize::from(optional)).cloned()
}

/// The process's handle of an equal schema, if it is a plain one.
pub(crate) fn handle_of(schema: &Schema) -> Option<SchemaHandle> {
    PLAIN.iter().find(|handle| handle.schema() == schema).cloned()
}

/// The optional string.
pub(crate) fn optional_string() -> SchemaHandle {
    plain_schema(&Type::String, true).expect("a plain schema")
}

/// The optional bytes.
pub(crate) fn optional_bytes() -> SchemaHandle {
    plain_schema(&Type::Bytes, true).expect("a plain schema")
}
