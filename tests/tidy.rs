//! The mechanical part of the house rules, over every file that git tracks. Each rule is tested beside it.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/contract.rs"]
mod contract;
#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/rust.rs"]
mod rust;
#[path = "tidy/tree.rs"]
mod tree;

use std::path::Path;
use tree::{Finding, Tree};

fn hold(rule: fn(&Tree) -> Vec<Finding>) {
    let package = std::env::var("CARGO_MANIFEST_DIR").expect("run by cargo");
    let tree = Tree::of_clone(Path::new(&package));
    assert!(tree.rust().count() > 5 && tree.get("Cargo.toml").is_some(), "the clone was not found");
    let findings: Vec<String> = rule(&tree).iter().map(Finding::to_string).collect();
    assert!(findings.is_empty(), "{} to mend:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn crates_depend_as_the_picture_says() {
    hold(arrows::check);
}

#[test]
fn layers_of_the_core_look_down_only() {
    hold(layers::check_layers);
}

#[test]
fn the_contract_says_what_everything_is_and_since_when() {
    hold(contract::check);
}

#[test]
fn files_that_say_pure_are() {
    hold(layers::check_pure);
}

#[test]
fn every_file_says_first_what_it_holds() {
    hold(files::check_first_lines);
}

#[test]
fn no_source_file_is_too_long() {
    hold(files::check_lengths);
}

#[test]
fn no_tracked_file_is_too_large() {
    hold(files::check_sizes);
}

#[test]
fn names_say_something() {
    hold(files::check_names);
}

#[test]
fn unsafe_code_stays_in_its_few_files() {
    hold(files::check_unsafe);
}

#[test]
fn nothing_is_left_unfinished() {
    hold(files::check_unfinished);
}

#[test]
fn no_test_sleeps() {
    hold(files::check_sleeps);
}

#[test]
fn nothing_belongs_to_one_machine() {
    hold(files::check_machine);
}

#[test]
fn the_readme_says_the_two_commands() {
    hold(files::check_readme);
}
