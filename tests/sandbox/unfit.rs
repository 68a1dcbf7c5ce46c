//! Components that are valid and no plugins: each is refused when it is loaded, with what is wrong with it.

use weir_core::model::{Limits, Refusal};
use weir_core::port::Plugins;
use weir_tests::harness::unfit::{renamed, swapped};
use weir_tests::harness::{guest, plugins};

async fn refusal(wasm: Vec<u8>) -> String {
    match plugins(Limits::default()).load(wasm.into()).await {
        Err(Refusal::Unfit(reason)) => reason,
        Err(other) => panic!("refused as what it is not: {other:?}"),
        Ok(_) => panic!("taken"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_of_other_types_are_refused_by_the_name_of_their_interface() {
    for (name, interface, first, second) in [
        ("counter_source", "source-connector", "start", "watch"),
        ("counter_source", "source-task", "start", "poll"),
        ("http_sink", "sink-connector", "start", "watch"),
        ("http_sink", "sink-task", "put", "pre-commit"),
        ("weir_transforms", "transformations", "validate", "configure"),
        ("counter_source", "plugin", "describe", "recommend"),
    ] {
        let reason = refusal(swapped(guest(name), first, second)).await;
        let named = format!("its weir:connect/{interface}@0.1.0 has other types than the contract's: ");
        assert!(reason.starts_with(&named) && reason.contains("type mismatch"), "{interface}: {reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_lacks_a_function_is_refused_by_the_names_of_both() {
    let reason = refusal(renamed(guest("counter_source"), "watch", "match")).await;
    assert!(reason.contains("weir:connect/source-connector@0.1.0") && reason.contains("`watch`"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_connector_is_refused() {
    let without = |interface: &str, other: &str| renamed(guest("counter_source"), interface, other);
    let reason = refusal(without("weir:connect/source-task@0.1.0", "some:connect/source-task@0.1.0")).await;
    assert!(reason.contains("source-connector without source-task"), "{reason}");
    let reason = refusal(without("weir:connect/source-connector@0.1.0", "some:connect/source-connector@0.1.0")).await;
    assert!(reason.contains("source-task without source-connector"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_of_a_kind_that_is_not_exported_is_refused() {
    let mut wasm = guest("counter_source");
    for interface in ["source-connector", "source-task"] {
        let name = |package: &str| format!("{package}:connect/{interface}@0.1.0");
        wasm = renamed(wasm, &name("weir"), &name("some"));
    }
    let reason = refusal(wasm).await;
    assert!(reason.contains("class example.CounterSource but does not export source-connector"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_with_exports_for_another_world_is_refused() {
    let other = renamed(guest("counter_source"), "weir:connect/plugin@0.1.0", "some:connect/plugin@0.1.0");
    let reason = refusal(other).await;
    assert!(reason.contains("another world"), "{reason}");
}
