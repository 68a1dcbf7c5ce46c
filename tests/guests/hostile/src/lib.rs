//! Guests that misbehave, each in the one way that its configuration's `behaviour` names.

use std::time::Duration;

use weir_sdk::prelude::*;

/// Misbehaves.
fn misbehave(behaviour: &str, path: &str) -> Result<()> {
    match behaviour {
        "behave" => Ok(()),
        "trap" => std::process::abort(),
        "panic" => panic!("I was told to panic"),
        "exit" => std::process::exit(3),
        "loop" => loop {
            std::hint::black_box(0);
        },
        "hoard" => {
            let mut hoard: Vec<Vec<u8>> = Vec::new();
            loop {
                hoard.push(vec![1; 1 << 20]);
                std::hint::black_box(&hoard);
            }
        }
        "recurse" => {
            std::hint::black_box(recurse(u64::MAX));
            Ok(())
        }
        "flood" => {
            for line in 0..100_000 {
                weir_sdk::info!("flood {line}");
                println!("flood {line}");
            }
            Ok(())
        }
        "dawdle" => {
            std::thread::sleep(Duration::from_secs(3600));
            Ok(())
        }
        "read" => read(path),
        "write" => std::fs::write(path, "reached").map_err(Error::fatal),
        "list" => list(path),
        "environment" => {
            let found: Vec<String> = std::env::vars().map(|(name, _)| name).chain(std::env::args()).collect();
            if found.is_empty() { Ok(()) } else { Err(Error::fatal(format!("found {found:?}"))) }
        }
        "connect" => match std::net::TcpStream::connect(path) {
            Ok(_) => Err(Error::fatal(format!("connected to {path}"))),
            Err(error) => Err(Error::retriable(format!("could not connect: {error}"))),
        },
        "send" => {
            let sent = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.send_to(b"x", path));
            match sent {
                Ok(_) => Err(Error::fatal(format!("sent to {path}"))),
                Err(error) => Err(Error::retriable(format!("could not send: {error}"))),
            }
        }
        "listen" => match std::net::TcpListener::bind(path) {
            Ok(_) => Err(Error::fatal(format!("listens on {path}"))),
            Err(error) => Err(Error::retriable(format!("could not listen: {error}"))),
        },
        "http" => match get(path) {
            Ok(status) => Err(Error::fatal(format!("reached {path}: {status}"))),
            Err(error) => Err(Error::retriable(format!("could not get: {error}"))),
        },
        "download" => match download(path) {
            Ok(bytes) => Err(Error::fatal(format!("downloaded {bytes} bytes"))),
            Err(error) => Err(Error::retriable(format!("could not download: {error}"))),
        },
        "requests" => match requests(path, 100) {
            (asked, None) => Err(Error::fatal(format!("{asked} requests at a time"))),
            (asked, Some(error)) => Err(Error::retriable(format!("{asked} requests at a time, then {error}"))),
        },
        other => Err(Error::config("behaviour", format!("{other:?} is none that there is"))),
    }
}

/// The status of a GET.
#[cfg(target_arch = "wasm32")]
fn get(url: &str) -> std::result::Result<u16, String> {
    let request = wstd::http::Request::get(url).body(()).map_err(|error| error.to_string())?;
    let answer = wstd::runtime::block_on(async { wstd::http::Client::new().send(request).await });
    answer.map(|answer| answer.status().as_u16()).map_err(|error| format!("{error:?}"))
}

/// How long the body of a GET's answer is.
#[cfg(target_arch = "wasm32")]
fn download(url: &str) -> std::result::Result<usize, String> {
    let request = wstd::http::Request::get(url).body(()).map_err(|error| error.to_string())?;
    wstd::runtime::block_on(async {
        let answer = wstd::http::Client::new().send(request).await.map_err(|error| format!("{error:?}"))?;
        let mut body = answer.into_body();
        body.contents().await.map(<[u8]>::len).map_err(|error| format!("{error:?}"))
    })
}

/// How many GETs are answered whose answers are not read, and why there are not as many as there should be.
#[cfg(target_arch = "wasm32")]
fn requests(url: &str, most: usize) -> (usize, Option<String>) {
    wstd::runtime::block_on(async {
        let mut answers = Vec::new();
        while answers.len() < most {
            let request = wstd::http::Request::get(url).body(()).expect("it is a request");
            match wstd::http::Client::new().send(request).await {
                Ok(answer) => answers.push(answer),
                Err(error) => return (answers.len(), Some(format!("{error:?}"))),
            }
        }
        (answers.len(), None)
    })
}

#[cfg(not(target_arch = "wasm32"))]
fn get(_: &str) -> std::result::Result<u16, String> {
    Err("there is no host".into())
}

#[cfg(not(target_arch = "wasm32"))]
fn download(_: &str) -> std::result::Result<usize, String> {
    Err("there is no host".into())
}

#[cfg(not(target_arch = "wasm32"))]
fn requests(_: &str, _: usize) -> (usize, Option<String>) {
    (0, Some("there is no host".into()))
}

#[expect(unconditional_recursion, reason = "it is what this guest is for")]
fn recurse(depth: u64) -> u64 {
    std::hint::black_box(recurse(std::hint::black_box(depth - 1)) + 1)
}

fn read(path: &str) -> Result<()> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::retriable(format!("could not read: {e}")))?;
    Err(Error::fatal(format!("read {text}")))
}

fn list(path: &str) -> Result<()> {
    let entries = std::fs::read_dir(path).map_err(|e| Error::retriable(format!("could not list: {e}")))?;
    let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Err(Error::fatal(format!("listed {}", names.join(" "))))
}

/// A source that misbehaves in `connector-start`, `task-configs`, `start`, `poll` or `stop`, as the key `call` says.
pub struct HostileSource(Config);

/// Its task.
pub struct HostileTask(Config);

fn class(name: &str) -> Class {
    Class::new(name, "1.0.0")
        .doc("Misbehaves in the way it is told.")
        .key(Key::text("behaviour").default("behave"))
        .key(Key::text("call").default("poll"))
        .key(Key::text("path").default(""))
        .key(Key::text("granted.path").optional().path(Access::Read))
        .key(Key::text("granted.file").optional().path(Access::Write))
}

fn in_call(config: &Config, call: &str) -> Result<()> {
    if config.text("call")? != call {
        return Ok(());
    }
    misbehave(config.text("behaviour")?, config.text("path")?)
}

impl SourceConnector for HostileSource {
    type Task = HostileTask;

    fn class() -> Class {
        class("test.HostileSource")
    }

    fn start(config: Config) -> Result<Self> {
        in_call(&config, "connector-start")?;
        Ok(HostileSource(config))
    }

    fn task_configs(&mut self, _: u32) -> Result<Vec<Config>> {
        in_call(&self.0, "task-configs")?;
        Ok(vec![self.0.clone()])
    }
}

impl SourceTask for HostileTask {
    fn start(config: Config) -> Result<Self> {
        in_call(&config, "start")?;
        Ok(HostileTask(config))
    }

    fn poll(&mut self, _: Duration, batch: &mut SourceBatch) -> Result<()> {
        in_call(&self.0, "poll")?;
        batch.push_text("{}", "{}", "well-behaved", None, "still here");
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        in_call(&self.0, "stop")
    }
}

/// A sink that misbehaves in `put`, or, where the key `call` is `report`, reports each record as errant.
pub struct HostileSink(Config);

/// Its task.
pub struct HostileSinkTask(Config);

impl SinkConnector for HostileSink {
    type Task = HostileSinkTask;

    fn class() -> Class {
        class("test.HostileSink")
    }

    fn start(config: Config) -> Result<Self> {
        Ok(HostileSink(config))
    }

    fn task_configs(&mut self, _: u32) -> Result<Vec<Config>> {
        Ok(vec![self.0.clone()])
    }
}

impl SinkTask for HostileSinkTask {
    fn start(config: Config) -> Result<Self> {
        Ok(HostileSinkTask(config))
    }

    fn put(&mut self, batch: &SinkBatch) -> Result<Delivery> {
        in_call(&self.0, "put")?;
        if self.0.text("call")? == "report" {
            for record in batch.iter() {
                weir_sdk::report_errant(&record, "it is errant")?;
            }
        }
        Ok(Delivery::all())
    }
}

weir_sdk::export!(sources: [HostileSource], sinks: [HostileSink]);
