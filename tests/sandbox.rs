//! Hostile guests: each hurts itself and nobody else, and the fault says which limit ended it and by how much.
//! What compiles them is bounded, too.

#[path = "sandbox/compiling.rs"]
mod compiling;
#[path = "sandbox/crossing.rs"]
mod crossing;
#[path = "sandbox/limits.rs"]
mod limits;
#[path = "sandbox/sinks.rs"]
mod sinks;
#[path = "sandbox/unfit.rs"]
mod unfit;

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_core::model::{Endpoint, Fault, Grants, Limit, Limits, PathAccess, PathGrant, Records, Refusal};
use weir_core::port::{Context, Plugins, SinkRecords, SourceTask, Step};
use weir_data::{Cells, Column};
use weir_tests::harness::{BATCH, component, config, context, guest, plugins};
use weir_wasm::WasmPlugins;

/// Limits that end a hostile guest soon.
fn tight() -> Limits {
    Limits {
        memory_bytes: 16 << 20,
        call_cpu: Duration::from_millis(300),
        start: Duration::from_secs(5),
        poll_beyond: Duration::from_secs(2),
        put: Duration::from_secs(2),
        other: Duration::from_secs(2),
        ..Limits::default()
    }
}

async fn hostile(plugins: &WasmPlugins, entries: &[(&str, &str)]) -> Box<dyn SourceTask> {
    let component = component(plugins, "guest_hostile").await;
    component.source_task(context("test.HostileSource", entries, &tight())).await.unwrap()
}

async fn poll_of(behaviour: &str, path: &str, grants: Grants) -> Fault {
    let plugins = plugins(tight());
    let component = component(&plugins, "guest_hostile").await;
    let entries = [("behaviour", behaviour), ("path", path)];
    let given = Context { grants: Arc::new(grants), ..context("test.HostileSource", &entries, &tight()) };
    let mut task = component.source_task(given).await.unwrap();
    task.start().await.unwrap();
    task.poll(Duration::ZERO, BATCH).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_breaks_down_leaves_its_neighbours_running() {
    let plugins = plugins(tight());
    let mut neighbour = hostile(&plugins, &[]).await;
    neighbour.start().await.unwrap();
    for behaviour in ["trap", "panic", "exit", "loop", "hoard", "recurse", "dawdle"] {
        let mut task = hostile(&plugins, &[("behaviour", behaviour)]).await;
        task.start().await.unwrap();
        let polling = tokio::spawn(async move {
            let fault = task.poll(Duration::from_millis(10), BATCH).await.unwrap_err();
            (fault, task)
        });
        while !polling.is_finished() {
            let began = Instant::now();
            assert_eq!(neighbour.poll(Duration::ZERO, BATCH).await.unwrap().records.rows, 1, "beside {behaviour}");
            assert!(began.elapsed() < Duration::from_secs(1), "{behaviour} held up its neighbour");
            tokio::task::yield_now().await;
        }
        let (fault, mut task) = polling.await.unwrap();
        assert!(fault.ends_instance(), "{behaviour}: {fault:?}");
        let again = task.poll(Duration::ZERO, BATCH).await.unwrap_err();
        assert!(again.to_string().contains("has ended"), "{behaviour}: {again}");
    }
}

#[tokio::test]
async fn a_trap_tells_where_it_happened_and_what_the_guest_said_last() {
    let fault = poll_of("panic", "", Grants::default()).await.to_string();
    assert!(fault.contains("poll trapped"), "{fault}");
    assert!(fault.contains("misbehave"), "a backtrace with names: {fault}");
    assert!(fault.contains("I was told to panic"), "{fault}");
    assert!(!fault.contains("Stack backtrace"), "the host's own backtrace: {fault}");
}

#[test]
fn a_trap_tells_nothing_of_the_host_when_it_keeps_backtraces() {
    let traps = "a_trap_tells_where_it_happened_and_what_the_guest_said_last";
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    let ran = again.args(["--exact", traps]).env("RUST_BACKTRACE", "1").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_its_instance_with_it() {
    let plugins = plugins(tight());
    let mut task = hostile(&plugins, &[("behaviour", "dawdle")]).await;
    task.start().await.unwrap();
    let dropped = tokio::time::timeout(Duration::from_millis(50), task.poll(Duration::ZERO, BATCH)).await;
    assert!(dropped.is_err());
    assert!(task.poll(Duration::ZERO, BATCH).await.unwrap_err().to_string().contains("has ended"));
}

#[tokio::test]
async fn nothing_is_open_without_a_grant() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    for (behaviour, path) in [
        ("read", secret.to_str().unwrap()),
        ("read", "/etc/passwd"),
        ("write", folder.path().join("new").to_str().unwrap()),
        ("list", "/"),
        ("list", "."),
        ("connect", here.as_str()),
        ("connect", "169.254.169.254:80"),
        ("connect", "localhost:80"),
        ("listen", "127.0.0.1:0"),
        ("send", "127.0.0.1:53"),
    ] {
        let fault = poll_of(behaviour, path, Grants::default()).await;
        let text = fault.to_string();
        let reached = ["reached", "read secret", "listed", "connected", "listens", "sent"]
            .iter()
            .any(|did| text.starts_with(did));
        assert!(!reached, "{behaviour} {path}: {fault:?}");
    }
    assert!(!folder.path().join("new").exists());
    let plugins = plugins(tight());
    let mut task = hostile(&plugins, &[("behaviour", "environment")]).await;
    task.start().await.unwrap();
    task.poll(Duration::ZERO, BATCH).await.unwrap();
}

#[tokio::test]
async fn sockets_reach_granted_endpoints_and_no_others() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let granted =
        |host: &str| Grants { endpoints: vec![Endpoint { host: host.to_owned(), port }], ..Grants::default() };
    let connect = async |path: String, grants: Grants| poll_of("connect", &path, grants).await.to_string();
    for host in ["127.0.0.1", "localhost"] {
        let here = format!("{host}:{port}");
        assert_eq!(connect(here.clone(), granted(host)).await, format!("connected to {here}"));
    }
    assert_eq!(
        connect(format!("127.0.0.1:{port}"), granted("localhost")).await,
        format!("connected to 127.0.0.1:{port}")
    );
    for path in [
        format!("127.0.0.1:{}", other.local_addr().unwrap().port()),
        format!("127.0.0.2:{port}"),
        format!("localhost:{port}"), // a name that no grant has is not looked up
        "169.254.169.254:80".to_owned(),
    ] {
        let said = connect(path.clone(), granted("127.0.0.1")).await;
        assert!(said.starts_with("could not connect"), "{path}: {said}");
    }
    for behaviour in ["listen", "send"] {
        let said = poll_of(behaviour, &format!("127.0.0.1:{port}"), granted("127.0.0.1")).await.to_string();
        assert!(said.starts_with("could not"), "{behaviour}: {said}");
    }
}

#[tokio::test]
async fn requests_reach_granted_endpoints_and_no_others() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let redirect = format!("http://127.0.0.1:{port}/elsewhere");
    // Two connections, an answer to each, and no third.
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        for _ in 0..2 {
            let (mut connection, _) = listener.accept().unwrap();
            assert!(connection.read(&mut [0; 4096]).unwrap() > 0);
            let answer =
                format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {redirect}\r\ncontent-length: 0\r\n\r\n");
            connection.write_all(answer.as_bytes()).unwrap();
        }
        listener.set_nonblocking(true).unwrap();
        listener
    });
    let granted =
        |host: &str| Grants { endpoints: vec![Endpoint { host: host.to_owned(), port }], ..Grants::default() };
    let get = async |url: String, grants: Grants| poll_of("http", &url, grants).await.to_string();
    for (url, grants) in [
        (format!("http://127.0.0.1:{port}/"), Grants::default()),
        (format!("http://127.0.0.1:{port}/"), granted("localhost")),
        (format!("http://localhost:{port}/"), granted("127.0.0.1")),
        (format!("http://[::ffff:127.0.0.1]:{port}/"), granted("127.0.0.1")),
        (format!("http://user@127.0.0.1:{}/", port ^ 1), granted("127.0.0.1")),
        ("http://169.254.169.254/latest/meta-data".to_owned(), granted("127.0.0.1")),
    ] {
        let said = get(url.clone(), grants).await;
        assert!(said.contains("HttpRequestDenied"), "{url}: {said}");
    }
    // A name may mean addresses of both families, and the server has one.
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{port}/x");
        assert_eq!(get(url.clone(), granted(host)).await, format!("reached {url}: 307"));
    }
    let listener = server.join().unwrap();
    assert!(listener.accept().is_err(), "a redirect is not followed by the host");
}

#[tokio::test]
async fn a_granted_file_shows_its_own_name_only() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("granted"), "granted text").unwrap();
    std::fs::write(at("other"), "other text").unwrap();
    std::os::unix::fs::symlink(at("other"), at("link")).unwrap();
    let grants = |name: &str, access| Grants {
        paths: vec![PathGrant { path: folder.path().join(name), access, ceiling: None }],
        ..Grants::default()
    };
    let read = |name: &str| grants(name, PathAccess::Read);
    let text =
        async |behaviour: &str, path: String, grants: Grants| poll_of(behaviour, &path, grants).await.to_string();
    assert_eq!(text("read", at("granted"), read("granted")).await, "read granted text");
    assert_eq!(text("list", folder.path().to_str().unwrap().into(), read("granted")).await, "listed granted");
    assert!(text("read", at("other"), read("granted")).await.starts_with("could not read"));
    assert!(text("read", at("link"), read("link")).await.starts_with("could not read"), "a link is not followed");
    assert!(text("read", at("../granted"), read("granted")).await.starts_with("could not read"));
    text("write", at("granted"), read("granted")).await;
    assert_eq!(std::fs::read_to_string(at("granted")).unwrap(), "granted text", "a read grant does not write");
    text("write", at("other"), grants("granted", PathAccess::Write)).await;
    assert_eq!(std::fs::read_to_string(at("other")).unwrap(), "other text");
}

#[tokio::test]
async fn no_link_on_a_granted_path_leads_out_of_its_ceiling() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("ceiling/inner")).unwrap();
    std::fs::create_dir(at("outside")).unwrap();
    for file in ["outside/file", "ceiling/inner/file"] {
        std::fs::write(at(file), file).unwrap();
    }
    for (link, target) in [
        ("ceiling/absolute", at("outside")),
        ("ceiling/relative", "../outside".into()),
        ("ceiling/inner/up", "../../outside".into()),
        ("ceiling/within", "inner".into()),
    ] {
        std::os::unix::fs::symlink(target, at(link)).unwrap();
    }
    let ceiling = Some(at("ceiling"));
    let read = async |path: &str| {
        let paths = vec![PathGrant { path: at(path), access: PathAccess::Read, ceiling: ceiling.clone() }];
        let plugins = plugins(tight());
        let component = component(&plugins, "guest_hostile").await;
        let file = at(path).to_str().unwrap().to_owned();
        let entries = [("behaviour", "read"), ("path", file.as_str())];
        let grants = Arc::new(Grants { paths, ..Grants::default() });
        let given = Context { grants, ..context("test.HostileSource", &entries, &tight()) };
        let mut task = component.source_task(given).await?;
        task.start().await?;
        task.poll(Duration::ZERO, BATCH).await.map(drop)
    };
    for inside in ["ceiling/inner/file", "ceiling/within/file"] {
        assert_eq!(read(inside).await.unwrap_err(), Fault::Fatal("read ceiling/inner/file".into()), "{inside}");
    }
    for out in ["ceiling/absolute/file", "ceiling/relative/file", "ceiling/inner/up/file", "ceiling/relative"] {
        let Err(Fault::Denied(said)) = read(out).await else { panic!("{out} was opened") };
        assert!(said.contains(out) || said.contains(out.trim_end_matches("/file")), "{said}");
        assert!(said.contains("leads out of sandbox.path.ceiling ("), "{said}");
    }
}

#[tokio::test]
async fn a_granted_file_may_come_into_being_later() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("later");
    let plugins = plugins(tight());
    let component = component(&plugins, "guest_hostile").await;
    let grants = Grants {
        paths: vec![PathGrant { path: file.clone(), access: PathAccess::Write, ceiling: None }],
        ..Grants::default()
    };
    let entries = [("behaviour", "write"), ("path", file.to_str().unwrap())];
    let given = Context { grants: Arc::new(grants), ..context("test.HostileSource", &entries, &tight()) };
    let mut task = component.source_task(given).await.unwrap();
    task.start().await.unwrap();
    task.poll(Duration::ZERO, BATCH).await.unwrap();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "reached");
}

#[tokio::test]
async fn every_lie_of_a_source_is_its_own_fault() {
    let plugins = plugins(tight());
    let liar = component(&plugins, "guest_liar").await;
    let poll = async |lie: &str| {
        let mut task = liar.source_task(context("test.LiarSource", &[("lie", lie)], &tight())).await.unwrap();
        task.start().await.unwrap();
        task.poll(Duration::ZERO, BATCH).await
    };
    assert_eq!(poll("").await.unwrap().records.rows, 2);
    for lie in [
        "rows",
        "countless rows",
        "topic",
        "no topic",
        "partition",
        "source partition",
        "source offset",
        "row ids",
        "timestamps",
        "ends fall",
        "ends past the data",
        "ends before the data's end",
        "null with bytes",
        "null past the last row",
        "schema position",
        "schema never defined",
        "schema of the host",
        "schema that holds itself",
        "schema without nodes",
        "schema twice",
        "countless schemas",
        "text that is not UTF-8",
        "headers",
        "boundary",
    ] {
        let fault = poll(lie).await.unwrap_err();
        assert!(fault.to_string().starts_with("poll broke the contract"), "{lie}: {fault}");
    }
}

fn two_rows() -> Records {
    let mut value = Column::default();
    value.push(&[1]);
    value.push(&[2]);
    let mut records = Records { rows: 2, value: Cells { column: value, schema: vec![] }, ..Records::default() };
    records.tables.topics.push("topic".into());
    records.tables.schemas.push(None);
    records
}

#[tokio::test]
async fn every_lie_of_a_transformation_is_its_own_fault() {
    let plugins = plugins(tight());
    let liar = component(&plugins, "guest_liar").await;
    let apply = async |lie: &str| {
        let mut chain = liar.transformations(context("", &[], &tight())).await.unwrap();
        let step = Step { class: "test.Liar".into(), config: config(&[("lie", lie)]), guard: None };
        chain.configure(0, &vec![step]).await?;
        chain.apply(0, two_rows()).await
    };
    assert_eq!(apply("").await.unwrap().records, two_rows());
    for lie in [
        "parts of other steps",
        "row twice",
        "rows out of order",
        "row that was not there",
        "row kept and failed",
        "all kept and one failed",
        "failed rows out of order",
        "failed step",
        "part not declared",
        "topic",
        "cells",
        "schema",
    ] {
        let fault = apply(lie).await.unwrap_err();
        assert!(fault.to_string().contains("broke the contract"), "{lie}: {fault}");
    }
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_with_its_reason() {
    let plugins = plugins(tight());
    let refusal = async |bytes: &[u8]| match plugins.load(bytes.to_vec().into()).await {
        Err(refusal) => refusal.to_string(),
        Ok(_) => panic!("it was taken"),
    };
    assert!(refusal(b"").await.contains("0 bytes"));
    assert!(refusal(b"garbage and more of it").await.contains("not WebAssembly"));
    assert!(refusal(b"\0asm\x01\0\0\0").await.contains("core WebAssembly module"));
    assert!(refusal(b"\x7fELF\x02\x01\x01\0").await.contains("precompiled"));
    assert!(refusal(b"\0asm\x0d\0\x01\0").await.contains("another world"));
    let mut cut = guest("guest_echo");
    cut.truncate(cut.len() / 2);
    assert!(refusal(&cut).await.contains("does not compile"));
    let large = vec![0; (64 << 20) + 1];
    assert!(matches!(plugins.load(large.into()).await, Err(Refusal::TooLarge { .. })));
}
