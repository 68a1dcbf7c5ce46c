//! Scenarios: requests written down as data, and what a worker answers to them in a form in which the answers of two
//! workers can agree. Knows nothing of how a worker is started.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::http::{Answer, request_with};

/// How long an answer that a step waits for may take to come.
const DEADLINE: Duration = Duration::from_secs(20);

/// A scenario: `{"files": {name: text}, "worker": {key: value}, "steps": [...]}`, where `worker` is what the worker's file
/// says beside what every one says: with `group.id` it is one of a group. Each step has `request` (`PUT /connectors/x/pause`) and may
/// have `step` (its name, where the request alone does not tell it from others), `json` or `text` (the body), `headers`
/// (`content-type` is `application/json` where there is a body and nothing else is said), `until` (JSON pointers into the
/// body and the values they have to have before the step is over), `leave_out` (members of the body that the step is not
/// about), and `show` (headers of the answer that it is about).
pub struct Scenario {
    /// Its file's name.
    pub name: String,
    files: Map<String, Value>,
    worker: Map<String, Value>,
    steps: Vec<Value>,
}

/// What a worker answered to a step.
pub struct Answered {
    /// The step's name.
    pub step: String,
    /// Status, content type, location and body, without what no two workers can agree on.
    pub answer: Value,
    /// Whether what the step waited for has come.
    pub came: bool,
    /// The request's method and path, with what stands for placeholders.
    pub request: String,
    /// What came back, as it came.
    pub raw: Answer,
}

/// Where a scenario is played: what stands for the placeholders `${folder}`, `${topic}` and `${worker}`.
pub struct Stage<'a> {
    /// A folder of its own.
    pub folder: &'a Path,
    /// The name of a topic of its own.
    pub topic: &'a str,
    /// The worker's address.
    pub url: &'a str,
}

impl Stage<'_> {
    fn placeholders(&self) -> [(&'static str, String); 3] {
        let worker = self.url.trim_start_matches("http://");
        [
            ("${folder}", self.folder.display().to_string()),
            ("${topic}", self.topic.to_owned()),
            ("${worker}", worker.to_owned()),
        ]
    }

    fn fill(&self, text: &str) -> String {
        self.placeholders().iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    fn empty(&self, text: &str) -> String {
        self.placeholders().iter().fold(text.to_owned(), |text, (name, value)| text.replace(value, name))
    }
}

impl Scenario {
    /// Every scenario of a folder, by name.
    pub fn all(folder: &Path) -> Vec<Scenario> {
        let files = std::fs::read_dir(folder).expect("the scenarios are there").map(|entry| entry.expect("an entry"));
        let named = files.filter_map(|file| {
            let name = file.file_name().into_string().expect("a name").strip_suffix(".json")?.to_owned();
            // What is in capitals is about scenarios.
            name.chars().any(char::is_lowercase).then(|| (name, file.path()))
        });
        let read = |(name, path): (String, std::path::PathBuf)| {
            let text = std::fs::read_to_string(&path).expect("a scenario can be read");
            let mut scenario: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            let files = scenario["files"].as_object().cloned().unwrap_or_default();
            let worker = scenario["worker"].as_object().cloned().unwrap_or_default();
            let Value::Array(steps) = scenario["steps"].take() else { panic!("{name} has no steps") };
            Scenario { name, files, worker, steps }
        };
        named.collect::<BTreeMap<_, _>>().into_iter().map(read).collect()
    }

    /// Puts the scenario's files into its folder.
    pub fn lay_out(&self, folder: &Path) {
        for (name, text) in &self.files {
            let file = folder.join(name);
            std::fs::create_dir_all(file.parent().unwrap_or(folder)).expect("the folder is writable");
            std::fs::write(file, text.as_str().expect("a file's text")).expect("the folder is writable");
        }
    }

    /// What the worker's file says beside what every one says.
    pub fn properties(&self) -> String {
        let line = |(key, value): (&String, &Value)| format!("{key}={}\n", value.as_str().expect("a setting's text"));
        self.worker.iter().map(line).collect()
    }

    /// Whether its worker is one of a group.
    pub fn is_of_a_group(&self) -> bool {
        self.worker.contains_key("group.id")
    }

    /// Sends every request, one after the other; answers what came back.
    pub fn play(&self, stage: &Stage) -> Vec<Answered> {
        let mut played: Vec<Answered> = Vec::new();
        for step in &self.steps {
            let request = step["request"].as_str().unwrap_or_else(|| panic!("{}: no request: {step}", self.name));
            let name = step["step"].as_str().unwrap_or(request).to_owned();
            assert!(played.iter().all(|other| other.step != name), "{}: two steps are called {name:?}", self.name);
            let (answer, came) = send(step, request, stage);
            let left_out = step["leave_out"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let mut said = plain(&answer, stage, left_out);
            for shown in step["show"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let mut values: Vec<String> =
                    answer.headers.iter().filter(|(name, _)| name == shown).map(|(_, value)| value.clone()).collect();
                if shown == "access-control-allow-methods" {
                    // Java has them in a set, in another order each time it runs.
                    values = values.iter().flat_map(|value| value.split(',').map(str::to_owned)).collect();
                }
                values.sort();
                said["headers"][shown] = json!(values);
            }
            played.push(Answered { step: name, answer: said, came, request: stage.fill(request), raw: answer });
        }
        played
    }
}

fn send(step: &Value, request: &str, stage: &Stage) -> (Answer, bool) {
    let (method, path) = request.split_once(' ').expect("a method and a path");
    let url = format!("{}{}", stage.url, stage.fill(path));
    let body = match (&step["json"], step["text"].as_str()) {
        (Value::Null, None) => None,
        (Value::Null, Some(text)) => Some(stage.fill(text)),
        (json, _) => Some(stage.fill(&json.to_string())),
    };
    let mut headers = BTreeMap::new();
    if body.is_some() {
        headers.insert("content-type", "application/json");
    }
    for (name, value) in step["headers"].as_object().into_iter().flatten() {
        headers.insert(name, value.as_str().expect("a header's text"));
    }
    let headers: Vec<(&str, &str)> = headers.into_iter().collect();
    let deadline = Instant::now() + DEADLINE;
    loop {
        let answer = request_with(method, &url, &headers, body.as_deref().map(str::as_bytes));
        let json = answer.json();
        let mut awaited = step["until"].as_object().into_iter().flatten();
        let filled = |value: &Value| serde_json::from_str::<Value>(&stage.fill(&value.to_string())).ok();
        let came = awaited.all(|(pointer, value)| json.pointer(pointer) == filled(value).as_ref());
        if came || Instant::now() > deadline {
            return (answer, came);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An answer without what no two workers can agree on: addresses, folders, the build, the lines of a trace, and the
/// order in which a hash map's entries come; and without an error's code where it repeats the status, as it does.
fn plain(answer: &Answer, stage: &Stage, left_out: Vec<&str>) -> Value {
    let text = stage.empty(&answer.text);
    let mut body = match serde_json::from_str(&text) {
        Ok(body) => body,
        Err(_) if text.is_empty() => Value::Null,
        Err(_) => Value::String(text),
    };
    hide(&mut body, &left_out);
    if let Value::Object(members) = &mut body
        && members.get("error_code") == Some(&answer.status.into())
    {
        members.remove("error_code");
    }
    if let Value::Array(names) = &mut body
        && names.iter().all(Value::is_string)
    {
        names.sort_by_key(Value::to_string);
    }
    let mut plain = json!({"status": answer.status, "content_type": answer.content_type, "body": body});
    if let Some(location) = &answer.location {
        plain["location"] = stage.empty(location).into();
    }
    plain.sort_all_objects();
    plain
}

fn hide(value: &mut Value, left_out: &[&str]) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| hide(value, left_out)),
        Value::Object(members) => {
            members.retain(|name, _| !left_out.contains(&name.as_str()));
            for (name, value) in members {
                match name.as_str() {
                    "trace" | "commit" if value.is_string() => *value = format!("${{{name}}}").into(),
                    _ => hide(value, left_out),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
