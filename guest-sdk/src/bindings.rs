//! The contract in Rust, made from `wit/`.
#![allow(missing_docs, unsafe_op_in_unsafe_fn, clippy::all)]

/// The words that all worlds share, and what a guest may call.
pub mod words {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r#"
            package weir:sdk;
            world words {
                import weir:connect/columns@0.1.0;
                import weir:connect/schemas@0.1.0;
                import weir:connect/errors@0.1.0;
                import weir:connect/connectors@0.1.0;
                import weir:connect/positions@0.1.0;
                include weir:connect/imports@0.1.0;
            }
        "#,
        generate_all,
    });
}

/// What every component exports.
pub mod plugin {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r#"
            package weir:sdk;
            world plugin-only {
                export weir:connect/plugin@0.1.0;
            }
        "#,
        pub_export_macro: true,
        export_macro_name: "export_plugin",
        default_bindings_module: "weir_sdk::bindings::plugin",
    });
}

/// What a component with sources exports.
pub mod source {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r#"
            package weir:sdk;
            world source-only {
                export weir:connect/source-connector@0.1.0;
                export weir:connect/source-task@0.1.0;
            }
        "#,
        pub_export_macro: true,
        export_macro_name: "export_source",
        default_bindings_module: "weir_sdk::bindings::source",
            with: {
                "weir:connect/columns@0.1.0": crate::bindings::words::weir::connect::columns,
                "weir:connect/schemas@0.1.0": crate::bindings::words::weir::connect::schemas,
                "weir:connect/errors@0.1.0": crate::bindings::words::weir::connect::errors,
                "weir:connect/connectors@0.1.0": crate::bindings::words::weir::connect::connectors,
            },
    });
}

/// What a component with sinks exports.
pub mod sink {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r#"
            package weir:sdk;
            world sink-only {
                export weir:connect/sink-connector@0.1.0;
                export weir:connect/sink-task@0.1.0;
            }
        "#,
        pub_export_macro: true,
        export_macro_name: "export_sink",
        default_bindings_module: "weir_sdk::bindings::sink",
            with: {
                "weir:connect/columns@0.1.0": crate::bindings::words::weir::connect::columns,
                "weir:connect/schemas@0.1.0": crate::bindings::words::weir::connect::schemas,
                "weir:connect/errors@0.1.0": crate::bindings::words::weir::connect::errors,
                "weir:connect/connectors@0.1.0": crate::bindings::words::weir::connect::connectors,
                "weir:connect/positions@0.1.0": crate::bindings::words::weir::connect::positions,
            },
    });
}

/// What a component with transformations or predicates exports.
pub mod transformation {
    wit_bindgen::generate!({
        path: "../wit",
        inline: r#"
            package weir:sdk;
            world transformation-only {
                export weir:connect/transformations@0.1.0;
            }
        "#,
        pub_export_macro: true,
        export_macro_name: "export_transformation",
        default_bindings_module: "weir_sdk::bindings::transformation",
            with: {
                "weir:connect/columns@0.1.0": crate::bindings::words::weir::connect::columns,
                "weir:connect/schemas@0.1.0": crate::bindings::words::weir::connect::schemas,
                "weir:connect/errors@0.1.0": crate::bindings::words::weir::connect::errors,
                "weir:connect/connectors@0.1.0": crate::bindings::words::weir::connect::connectors,
            },
    });
}
