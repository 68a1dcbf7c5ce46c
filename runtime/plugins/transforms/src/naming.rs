//! Pure. The names that classes answer to: weir's own, and those of the classes they take the place of, long and short.

use weir_sdk::Class;

/// The version whose classes these are: in Connect they all report Kafka's.
const KAFKA: &str = "4.3.1";

/// A transformation of this name.
pub fn transformation(name: &str) -> Class {
    Class::new(&format!("weir.transforms.{name}"), KAFKA)
        .alias(name)
        .alias(&format!("org.apache.kafka.connect.transforms.{name}"))
}

/// A predicate of this name.
pub fn predicate(name: &str) -> Class {
    Class::new(&format!("weir.transforms.predicates.{name}"), KAFKA)
        .alias(name)
        .alias(&format!("org.apache.kafka.connect.transforms.predicates.{name}"))
}
