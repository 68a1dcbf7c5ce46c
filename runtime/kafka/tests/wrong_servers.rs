//! A member whose servers are no brokers, or poor ones: whatever they do, it is answered in time, and nothing costs memory
//! or the process.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use weir_core::port::{ClientSettings, Coordinator, MemberId, Refused};
use weir_kafka::KafkaCoordinator;

/// How long a member waits for a server.
const WAITS_MS: &str = "1000";

/// A server that hears one request of each connection, says the same to all, and holds on until the other side hangs up.
fn server(says: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let _ = answer(stream, &says);
        }
    });
    address
}

fn server_of_http() -> String {
    server(|_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())
}

fn answer(mut stream: TcpStream, says: &impl Fn(&[u8]) -> Vec<u8>) -> std::io::Result<()> {
    let request = heard(&mut stream)?;
    stream.write_all(&says(&request))?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).map(drop)
}

fn heard(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let mut request = vec![0; u32::from_be_bytes(head) as usize];
    stream.read_exact(&mut request)?;
    Ok(request)
}

/// A frame that answers the request.
fn framed(request: &[u8], body: &[u8]) -> Vec<u8> {
    let correlation = &request[4..8];
    [&(4 + body.len() as u32).to_be_bytes()[..], correlation, body].concat()
}

fn member(servers: &str) -> KafkaCoordinator {
    let settings = [
        ("bootstrap.servers", servers),
        ("group.id", "workers"),
        ("socket.connection.setup.timeout.ms", WAITS_MS),
        ("request.timeout.ms", WAITS_MS),
    ];
    let settings: ClientSettings = settings.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    KafkaCoordinator::new(&settings).unwrap()
}

async fn found(servers: &str) -> Refused {
    let since = Instant::now();
    let refused = member(servers).find().await.unwrap_err();
    assert!(since.elapsed() < Duration::from_secs(10), "{refused:?} came late");
    refused
}

async fn fatal(servers: &str) -> String {
    match found(servers).await {
        Refused::Fatal(why) => why,
        other => panic!("another configuration would mend it, not {other:?}"),
    }
}

#[tokio::test]
async fn what_is_no_kafka_is_named() {
    let http = server_of_http();
    let said = fatal(&http).await;
    assert!(said.contains("HTTP") && said.contains(&http), "{said}");
    let garbage = server(|_| b"whatever it is, it is no frame".to_vec());
    assert!(fatal(&garbage).await.contains("no Kafka broker"));
    let other = server(|_| [0, 0, 0, 6, 9, 9, 9, 9, 0, 0].to_vec());
    assert!(fatal(&other).await.contains("not asked"));
}

#[tokio::test]
async fn what_announces_gigabytes_is_not_believed() {
    let frame = server(|_| [&i32::MAX.to_be_bytes()[..], b"and so on"].concat());
    assert!(fatal(&frame).await.contains("2147483647"));
    // A frame in order, and in it more versions than memory holds.
    let count = server(|request| framed(request, &[&[0, 0][..], &i32::MAX.to_be_bytes()].concat()));
    assert!(fatal(&count).await.contains("cannot be read"));
}

#[tokio::test]
async fn what_says_half_or_nothing_is_given_up_in_time() {
    let half = server(|request| framed(request, &[0; 12])[..7].to_vec());
    assert_eq!(found(&half).await, Refused::NoCoordinator);
    let silent = server(|_| Vec::new());
    assert_eq!(found(&silent).await, Refused::NoCoordinator);
    // Bound and not accepted from: the system takes the connection, nobody answers.
    let deaf = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    assert_eq!(found(&deaf.local_addr().unwrap().to_string()).await, Refused::NoCoordinator);
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().to_string();
    assert_eq!(found(&free).await, Refused::NoCoordinator);
}

#[tokio::test]
async fn a_broker_that_is_too_old_is_named_with_what_it_knows() {
    // It knows FindCoordinator, which is 10, in version 0 only.
    let old = server(|request| framed(request, &[0, 0, 0, 0, 0, 1, 0, 10, 0, 0, 0, 0]));
    let said = fatal(&old).await;
    assert!(said.contains("FindCoordinator in versions 0 to 0"), "{said}");
}

#[tokio::test]
async fn a_member_that_found_nobody_is_answered_so() {
    let member = member("127.0.0.1:1");
    let id = MemberId { member: "m".into(), generation: 1 };
    assert_eq!(member.heartbeat(&id).await, Err(Refused::NoCoordinator));
    assert_eq!(member.sync(&id, &[]).await, Err(Refused::NoCoordinator));
    assert_eq!(member.join("", &[]).await, Err(Refused::NoCoordinator));
    member.leave("m").await;
}

/// A coordinator that hangs up after the second answer on each connection, and says when it did. Of what it knows, a
/// sync is too much for it: it stops half-way.
fn curt_coordinator() -> (String, mpsc::Receiver<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (hangs_up, hung_up) = mpsc::channel();
    // FindCoordinator, Heartbeat and SyncGroup in version 1.
    let known = [[0, 10, 0, 1, 0, 1], [0, 12, 0, 1, 0, 1], [0, 14, 0, 1, 0, 1]];
    let versions: Vec<u8> = [&[0, 0, 0, 0, 0, 3][..], &known.concat()].concat();
    // Neither throttled nor an error, no message, node 1.
    let head = [0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 1];
    let itself = [&head[..], &[0, 9], b"127.0.0.1", &u32::from(address.port()).to_be_bytes()].concat();
    let answers = move |mut stream: TcpStream| -> std::io::Result<()> {
        for _ in 0..2 {
            let request = heard(&mut stream)?;
            let body: &[u8] = match request[1] {
                18 => &versions,
                10 => &itself,
                14 => {
                    stream.write_all(&framed(&request, &[0; 10])[..9])?;
                    return stream.read_to_end(&mut Vec::new()).map(drop);
                }
                _ => &[0; 6],
            };
            stream.write_all(&framed(&request, body))?;
        }
        Ok(())
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (answers, hangs_up) = (answers.clone(), hangs_up.clone());
            std::thread::spawn(move || {
                let _ = answers(stream);
                let _ = hangs_up.send(());
            });
        }
    });
    (address.to_string(), hung_up)
}

#[tokio::test]
async fn a_connection_that_was_closed_while_nobody_used_it_is_replaced() {
    let (server, hung_up) = curt_coordinator();
    let http = server_of_http();
    // Servers that are not there, or are none, come before it.
    let member = member(&format!("127.0.0.1:1, [::1]:1, {http}, {server}"));
    assert_eq!(member.find().await, Ok(()));
    let id = MemberId { member: "m".into(), generation: 1 };
    let hung_up = std::sync::Arc::new(std::sync::Mutex::new(hung_up));
    // The server that was asked who the coordinator is has hung up, too.
    let mut connections = 2;
    for _ in 0..3 {
        assert_eq!(member.heartbeat(&id).await, Ok(()));
        let (hung_up, count) = (hung_up.clone(), std::mem::replace(&mut connections, 1));
        let seen = move || (0..count).all(|_| hung_up.lock().unwrap().recv_timeout(Duration::from_secs(10)).is_ok());
        assert!(tokio::task::spawn_blocking(seen).await.unwrap());
    }
}

#[tokio::test]
async fn a_coordinator_that_stops_amid_an_answer_is_given_up_in_time_and_found_again() {
    let (server, _hung_up) = curt_coordinator();
    let member = member(&server);
    assert_eq!(member.find().await, Ok(()));
    let id = MemberId { member: "m".into(), generation: 1 };
    let since = Instant::now();
    assert_eq!(member.sync(&id, &[]).await, Err(Refused::NoCoordinator));
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    assert_eq!(member.heartbeat(&id).await, Err(Refused::NoCoordinator));
    assert_eq!(member.find().await, Ok(()));
    assert_eq!(member.heartbeat(&id).await, Ok(()));
}
