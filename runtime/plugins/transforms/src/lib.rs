//! Connect's transformations and predicates.

mod cast;
mod cast_value;
mod date_format;
mod date_parse;
mod drop_headers;
mod extract_field;
mod field_path;
mod filter;
mod flatten;
mod has_header_key;
mod header_from;
mod hoist_field;
mod insert_field;
mod insert_header;
mod mask_field;
mod naming;
mod number;
mod pattern;
mod record_is_tombstone;
mod regex_router;
mod replace_field;
mod set_schema_metadata;
mod settings;
mod subject;
mod timestamp_converter;
mod timestamp_router;
mod topic_name_matches;
mod value_to_key;

pub use cast::Cast;
pub use drop_headers::DropHeaders;
pub use extract_field::ExtractField;
pub use filter::Filter;
pub use flatten::Flatten;
pub use has_header_key::HasHeaderKey;
pub use header_from::HeaderFrom;
pub use hoist_field::HoistField;
pub use insert_field::InsertField;
pub use insert_header::InsertHeader;
pub use mask_field::MaskField;
pub use record_is_tombstone::RecordIsTombstone;
pub use regex_router::RegexRouter;
pub use replace_field::ReplaceField;
pub use set_schema_metadata::SetSchemaMetadata;
pub use subject::{Half, OfKey, OfValue};
pub use timestamp_converter::TimestampConverter;
pub use timestamp_router::TimestampRouter;
pub use topic_name_matches::TopicNameMatches;
pub use value_to_key::ValueToKey;

weir_sdk::export!(
    transformations: [
        Cast<OfKey>,
        Cast<OfValue>,
        DropHeaders,
        ExtractField<OfKey>,
        ExtractField<OfValue>,
        Filter,
        Flatten<OfKey>,
        Flatten<OfValue>,
        HeaderFrom<OfKey>,
        HeaderFrom<OfValue>,
        HoistField<OfKey>,
        HoistField<OfValue>,
        InsertField<OfKey>,
        InsertField<OfValue>,
        InsertHeader,
        MaskField<OfKey>,
        MaskField<OfValue>,
        RegexRouter,
        ReplaceField<OfKey>,
        ReplaceField<OfValue>,
        SetSchemaMetadata<OfKey>,
        SetSchemaMetadata<OfValue>,
        TimestampConverter<OfKey>,
        TimestampConverter<OfValue>,
        TimestampRouter,
        ValueToKey,
    ],
    predicates: [HasHeaderKey, RecordIsTombstone, TopicNameMatches],
);
