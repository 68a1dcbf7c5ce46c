//! `plugin.path`: where components are found, and that whatever else lies there is named and keeps no worker from
//! starting.

use std::path::Path;

use weir_tests::harness::guest;
use weir_tests::harness::http::request;
use weir_tests::harness::worker::Worker;

fn put(folder: &Path, file: &str, bytes: &[u8]) {
    let file = folder.join(file);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, bytes).unwrap();
}

/// Starts a worker with this `plugin.path`: the classes that it offers, and the lines that it logged about the path.
fn start(folder: &Path, path: &str) -> (String, Vec<String>) {
    let properties = format!(
        "bootstrap.servers=local:memory\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n\
         plugin.path={path}\n"
    );
    let mut worker = Worker::standalone(folder, &properties, &[]);
    let url = worker.url();
    let classes = request("GET", &format!("{url}/connector-plugins?connectorsOnly=false"), None).text;
    let log = worker.log();
    assert!(worker.stop());
    (classes, log.lines().filter(|line| line.contains("plugin.path")).map(str::to_owned).collect())
}

#[test]
fn components_are_found_in_a_folder_and_in_those_below_it_and_by_themselves() {
    let made = tempfile::tempdir().unwrap();
    let folder = made.path();
    put(folder, "plugins/counter_source.wasm", &guest("counter_source"));
    put(folder, "plugins/http/http_sink.wasm", &guest("http_sink"));
    put(folder, "plugins/weather/lib/weather.wasm", &guest("weather"));
    put(folder, "plugins/weather/notes.txt", b"nothing to load");
    put(folder, "one/guest_echo.wasm", &guest("guest_echo"));
    std::os::unix::fs::symlink(folder.join("plugins"), folder.join("plugins/http/up")).unwrap();
    let path = format!("{0}/plugins,{0}/one/guest_echo.wasm", folder.display());
    let (classes, lines) = start(folder, &path);
    for class in ["example.CounterSource", "example.HttpSink", "example.Weather", "test.Echo"] {
        assert!(classes.contains(class), "{class}: {classes}");
    }
    assert_eq!(lines, Vec::<String>::new());
}

#[test]
fn jars_are_skipped_with_one_line_for_all_of_them() {
    let made = tempfile::tempdir().unwrap();
    let folder = made.path();
    for jar in ["a.jar", "connector/b.jar", "connector/lib/c.jar"] {
        put(folder, &format!("plugins/{jar}"), b"PK\x03\x04");
    }
    put(folder, "plugins/connector/counter_source.wasm", &guest("counter_source"));
    let (classes, lines) = start(folder, &folder.join("plugins").display().to_string());
    assert!(classes.contains("example.CounterSource"), "{classes}");
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line.contains("jars are skipped") && line.contains("jars=3") && line.contains("a.jar"), "{line}");
}

#[test]
fn what_cannot_be_loaded_or_read_is_named_and_the_worker_starts_without_it() {
    let made = tempfile::tempdir().unwrap();
    let folder = made.path();
    put(folder, "plugins/broken.wasm", b"garbage and more of it");
    put(folder, "plugins/counter_source.wasm", &guest("counter_source"));
    put(folder, "plugins/module.wasm", b"\0asm\x01\0\0\0");
    put(folder, "plugin.properties", b"no plugin");
    std::os::unix::fs::symlink("nowhere.wasm", folder.join("plugins/gone.wasm")).unwrap();
    std::os::unix::fs::symlink("loop", folder.join("loop")).unwrap();
    let places = ["missing", "loop", "plugin.properties", "plugins"].map(|place| folder.join(place));
    let path: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    let (classes, lines) = start(folder, &path.join(","));
    assert!(classes.contains("example.CounterSource"), "{classes}");
    for (place, reason) in [
        ("/missing", "cannot be read and is left out"),
        ("/loop", "cannot be read and is left out"),
        ("/plugin.properties", "it is neither a folder nor a component"),
        ("/plugins/broken.wasm", "not WebAssembly"),
        ("/plugins/module.wasm", "core WebAssembly module"),
        ("/plugins/gone.wasm", "No such file"),
    ] {
        let named =
            lines.iter().filter(|line| line.contains(&format!("{}{place}", folder.display()))).collect::<Vec<_>>();
        let [line] = named[..] else { panic!("{place}: {lines:?}") };
        assert!(line.contains(reason), "{place}: {line}");
    }
    assert_eq!(lines.len(), 6, "{lines:?}");
}
