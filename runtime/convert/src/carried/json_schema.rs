//! JSON Schema carries what JSON does.

use proptest::prelude::*;
use weir_data::{Schema, Type};

use super::{shown, through, typed, with_nodes};
use crate::json_schema::fuzzed::format;
use crate::support::carried::{self, Defaults, json_float, with_plain_text_keys};
use crate::support::random::same;

/// What is left of a schema: of keys that are members' names nothing but that they are text, and no default of a struct
/// that may be null.
fn left(schema: &Schema) -> Schema {
    let with_defaults = carried::defaults(schema, json_float, Defaults::Everywhere);
    let left = with_nodes(&with_defaults, |_, node| {
        if node.optional && matches!(node.kind, Type::Struct(_)) {
            node.default = None;
        }
    });
    with_plain_text_keys(&left)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn schemas_and_values_survive(seed in any::<u64>(), depth in 0usize..5) {
        let (schema, value) = typed(seed, depth);
        let (back_schema, back) = through(&format(), Some(&schema), &value).unwrap();
        let expected = carried::value(&schema, 0, value, json_float, Defaults::Everywhere);
        prop_assert!(same(&back, &expected), "{back:?}\n{expected:?}");
        if let Some(back_schema) = back_schema {
            prop_assert_eq!(shown(&back_schema), shown(&left(&schema)));
        }
    }
}
