//! Connect's transformations on fields and topics, and its predicate on topics.

mod filter;
mod flatten;
mod hoist_field;
mod insert_field;
mod mask_field;
mod naming;
mod number;
mod pattern;
mod regex_router;
mod replace_field;
mod settings;
mod subject;
mod topic_name_matches;

pub use filter::Filter;
pub use flatten::Flatten;
pub use hoist_field::HoistField;
pub use insert_field::InsertField;
pub use mask_field::MaskField;
pub use regex_router::RegexRouter;
pub use replace_field::ReplaceField;
pub use subject::{Half, OfKey, OfValue};
pub use topic_name_matches::TopicNameMatches;

weir_sdk::export!(
    transformations: [
        Filter,
        Flatten<OfKey>,
        Flatten<OfValue>,
        HoistField<OfKey>,
        HoistField<OfValue>,
        InsertField<OfKey>,
        InsertField<OfValue>,
        MaskField<OfKey>,
        MaskField<OfValue>,
        RegexRouter,
        ReplaceField<OfKey>,
        ReplaceField<OfValue>,
    ],
    predicates: [TopicNameMatches],
);
