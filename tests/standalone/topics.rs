//! `weir topic`, as a command, beside a worker that runs on the same store and after it.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use weir_tests::harness::weir;

use super::{append, lines, properties, start};

fn spawn(folder: &Path, arguments: &[&str], input: &str) -> Child {
    let store = format!("local:{}", folder.join("data").display());
    let mut command = Command::new(weir());
    command.args(["topic", "--bootstrap-server", &store]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("weir starts");
    let mut stdin = child.stdin.take().expect("its input");
    // One that refuses what it was asked does not read.
    let _ = stdin.write_all(input.as_bytes());
    child
}

/// Whether a command ended well, and what it said.
fn ended(child: Child) -> (bool, String) {
    let output = child.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).expect("text").trim_end().to_owned())
}

pub fn topic(folder: &Path, arguments: &[&str], input: &str) -> (bool, String) {
    ended(spawn(folder, arguments, input))
}

fn well(said: &str) -> (bool, String) {
    (true, said.to_owned())
}

#[test]
fn topics_are_worked_with_beside_a_worker_and_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    append(folder, 0..3);
    let mut worker = start(folder, &properties(folder), "lines");
    worker.until("the first lines", || lines(folder).len() == 3);

    let (done, listed) = topic(folder, &["list"], "");
    let listed: Vec<&str> = listed.lines().collect();
    assert!(done && listed.contains(&"lines") && listed.contains(&"connect-configs"), "{listed:?}");
    let (done, said) = topic(folder, &["delete", "connect-configs"], "");
    assert!(!done && said.contains("is compacted") && said.contains("--force"), "{said}");
    let (done, described) = topic(folder, &["describe", "lines"], "");
    assert!(done && described.starts_with("topic lines with 1 partitions\n"), "{described}");
    assert!(described.contains("partition 0: offsets 0 to 3"), "{described}");

    assert_eq!(topic(folder, &["create", "pairs", "--partitions", "2"], ""), well("created pairs"));
    let (done, said) = topic(folder, &["create", "pairs"], "");
    assert!(!done && said.contains("topic pairs exists"), "{said}");
    let produce = ["produce", "pairs", "--key-separator", ":"];
    assert_eq!(topic(folder, &produce, "a:1\na:2\na:3\n"), well("3 records written"));
    let tail = ["tail", "pairs", "--from-beginning", "--max-messages", "2", "--print-key"];
    assert_eq!(topic(folder, &tail, ""), well("a\t1\na\t2"));

    assert_eq!(topic(folder, &["produce", "lines"], "from outside\n"), well("1 records written"));
    worker.until("what came from outside", || lines(folder).contains(&"from outside".to_owned()));
    let mut tail = spawn(folder, &["tail", "lines", "--max-messages", "1"], "");
    let mut number = 3;
    // It begins with what comes after its own beginning, which nobody outside sees.
    worker.until("the tail", || {
        append(folder, number..number + 1);
        number += 1;
        tail.try_wait().expect("it can be asked").is_some()
    });
    let (done, said) = ended(tail);
    assert!(done && said.starts_with("line "), "{said}");

    assert_eq!(topic(folder, &["delete", "pairs"], ""), well("deleted pairs"));
    for gone in [&["delete", "pairs"][..], &["describe", "pairs"], &["tail", "pairs"], &["produce", "pairs"]] {
        let (done, said) = topic(folder, gone, "x\n");
        assert!(!done && said.contains("topic pairs does not exist"), "{gone:?}: {said}");
    }
    worker.until("every line", || lines(folder).len() == number + 1);
    assert!(worker.stop());

    let (done, described) = topic(folder, &["describe", "lines"], "");
    assert!(done && described.contains(&format!("partition 0: offsets 0 to {}", number + 1)), "{described}");
    let tail = ["tail", "lines", "--from-beginning", "--max-messages", "1"];
    assert_eq!(topic(folder, &tail, ""), well("line 0"));
}
