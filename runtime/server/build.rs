//! Embeds the stock plugins, which make has built before.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let guests = std::env::var_os("WEIR_GUESTS_DIR").map_or_else(|| here.join("../../out/guests"), PathBuf::from);
    println!("cargo::rerun-if-env-changed=WEIR_GUESTS_DIR");
    println!("cargo::rerun-if-changed=../plugins");
    let mut list = String::from("&[");
    for plugin in plugins(&here.join("../plugins")) {
        let name = format!("weir_{plugin}");
        let file = guests.join(format!("{name}.wasm"));
        println!("cargo::rerun-if-changed={}", file.display());
        if !file.exists() {
            println!("cargo::error={} is missing: run make guests", file.display());
            std::process::exit(1);
        }
        let file = file.canonicalize().expect("a file that exists has a path");
        write!(list, "({name:?}, include_bytes!({file:?}) as &[u8]),").expect("a string takes all");
    }
    list.push(']');
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    std::fs::write(out.join("stock.rs"), list).expect("OUT_DIR can be written to");
}

/// The names of the stock plugins: the folders beside this crate's that hold one.
fn plugins(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of stock plugins")
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
