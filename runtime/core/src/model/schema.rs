//! Schemas as records point at them: shared, and told apart by number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use weir_data::Schema;

/// A schema with a number of its own in this process. Handles are equal when their numbers are; who makes schemas
/// (converters, guests' instances) keeps one handle for equal schemas, so that comparing numbers is enough.
#[derive(Clone, Debug)]
pub struct SchemaHandle {
    id: u64,
    schema: Arc<Schema>,
}

impl SchemaHandle {
    /// Gives a schema a number.
    pub fn new(schema: Schema) -> SchemaHandle {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        SchemaHandle { id: NEXT.fetch_add(1, Ordering::Relaxed), schema: Arc::new(schema) }
    }

    /// The number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }
}

impl PartialEq for SchemaHandle {
    fn eq(&self, other: &SchemaHandle) -> bool {
        self.id == other.id
    }
}

impl Eq for SchemaHandle {}
