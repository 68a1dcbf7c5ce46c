//! Pure. What a schema registry answers: ids and versions, schemas with all that they refer to, and why it does not help.

use std::collections::BTreeSet;

use serde_json::Value as Json;

/// Why a registry did not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RegistryError {
    /// It may later.
    Unavailable(String),
    /// It has nothing of the kind.
    Missing(String),
    /// It refuses, with its own words, or what it says makes no sense.
    Refused(String),
}

impl RegistryError {
    /// Its story.
    pub(crate) fn message(&self) -> &str {
        match self {
            RegistryError::Unavailable(message) | RegistryError::Missing(message) | RegistryError::Refused(message) => {
                message
            }
        }
    }
}

/// A schema as a registry has it, with the schemas it refers to before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    /// Its id.
    pub(crate) id: u32,
    /// Its text.
    pub(crate) schema: String,
    /// `AVRO`, `JSON` or `PROTOBUF`.
    pub(crate) kind: String,
    /// The names and texts of the schemas that it refers to, those first that others refer to.
    pub(crate) references: Vec<(String, String)>,
    /// The references as the registry said them.
    pub(crate) said: Json,
}

/// Schemas that one schema may refer to, others between them.
pub(super) const REFERENCES_MAX: usize = 200;
/// Bytes that they may have together.
const REFERENCES_BYTES_MAX: usize = 16 << 20;
/// Bytes of a registry's words that are told on.
const WORDS_MAX: usize = 4 << 10;

/// What an answer says.
pub(super) fn read(status: u16, answer: &[u8], shown: &str) -> Result<Json, RegistryError> {
    let json: Option<Json> = serde_json::from_slice(answer).ok();
    if (200..300).contains(&status) {
        return json.ok_or_else(|| RegistryError::Refused(format!("the schema registry {shown} answers no JSON")));
    }
    let said = |key: &str| json.as_ref().and_then(|json| json.get(key));
    let code = said("error_code").and_then(Json::as_i64).unwrap_or(i64::from(status));
    let message = said("message")
        .and_then(Json::as_str)
        .map_or_else(|| format!("the schema registry {shown} answers with status {status}"), cut);
    let message = format!("{message}; error code: {code}");
    Err(match status {
        404 => RegistryError::Missing(message),
        408 | 429 | 500 | 502..=504 => RegistryError::Unavailable(message),
        _ => RegistryError::Refused(message),
    })
}

/// The id of a schema.
pub(super) fn id(answer: &Json) -> Result<u32, RegistryError> {
    number(answer, "id")
}

/// The id and the version that a schema has in a subject.
pub(super) fn id_and_version(answer: &Json) -> Result<(u32, i32), RegistryError> {
    let version = i32::try_from(number(answer, "version")?);
    Ok((id(answer)?, version.map_err(|_| lacking(answer, "version"))?))
}

fn number(answer: &Json, key: &str) -> Result<u32, RegistryError> {
    let number = answer.get(key).and_then(Json::as_u64).and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| lacking(answer, key))
}

fn lacking(answer: &Json, key: &str) -> RegistryError {
    RegistryError::Refused(format!("the schema registry's answer has no {key}: {}", cut(&answer.to_string())))
}

fn text(answer: &Json, key: &str) -> Result<String, RegistryError> {
    let text = answer.get(key).and_then(Json::as_str).map(str::to_owned);
    text.ok_or_else(|| RegistryError::Refused(format!("the schema registry's answer has no {key}")))
}

/// A registry's words, or as many as are told on.
fn cut(words: &str) -> String {
    match words.len() > WORDS_MAX {
        true => format!("{}...", &words[..words.floor_char_boundary(WORDS_MAX)]),
        false => words.to_owned(),
    }
}

/// A schema that another one refers to.
pub(super) struct Reference {
    name: String,
    pub(super) subject: String,
    pub(super) version: u32,
}

enum Step {
    Ask(Reference),
    /// The one that was asked for last, of those that are open, is there with all that it refers to.
    Close,
}

/// A schema on its way, whose registry is asked for one after the other of those it refers to.
pub(super) struct Gathering {
    registered: Registered,
    /// What is to be done, the next step last.
    waiting: Vec<Step>,
    asked: BTreeSet<(String, u32)>,
    /// The names and texts of those whose own references are not all there yet.
    open: Vec<(String, String)>,
    bytes: usize,
}

impl Gathering {
    /// Begins with the answer that holds the schema itself; its id stands there where it is not known.
    pub(super) fn new(known: Option<u32>, answer: &Json) -> Result<Gathering, RegistryError> {
        let registered = Registered {
            id: known.map_or_else(|| id(answer), Ok)?,
            schema: text(answer, "schema")?,
            kind: cut(answer.get("schemaType").and_then(Json::as_str).unwrap_or("AVRO")),
            references: Vec::new(),
            said: answer.get("references").cloned().unwrap_or(Json::Null),
        };
        let (waiting, open) = (Vec::new(), Vec::new());
        let mut gathering = Gathering { registered, waiting, asked: BTreeSet::new(), open, bytes: 0 };
        gathering.refers_to(answer)?;
        Ok(gathering)
    }

    /// The one to ask for next; none once all are there.
    pub(super) fn next_asked(&mut self) -> Result<Option<Reference>, RegistryError> {
        while let Some(step) = self.waiting.pop() {
            match step {
                Step::Close => self.registered.references.extend(self.open.pop()),
                Step::Ask(reference) if self.asked.insert((reference.subject.clone(), reference.version)) => {
                    if self.asked.len() > REFERENCES_MAX {
                        return Err(self.refused(&format!("refers to more than {REFERENCES_MAX} others")));
                    }
                    return Ok(Some(reference));
                }
                Step::Ask(_) => {} // it is there already, or open: then they refer to each other
            }
        }
        Ok(None)
    }

    /// Takes the answer to the question for one of them.
    pub(super) fn answered(&mut self, reference: Reference, answer: &Json) -> Result<(), RegistryError> {
        let schema = text(answer, "schema")?;
        self.bytes += schema.len();
        self.open.push((reference.name, schema));
        self.waiting.push(Step::Close);
        self.refers_to(answer)
    }

    /// The schema with all that it refers to.
    pub(super) fn finished(self) -> Registered {
        self.registered
    }

    fn refers_to(&mut self, answer: &Json) -> Result<(), RegistryError> {
        let references = answer.get("references").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        for said in references.iter().rev() {
            let reference = Reference {
                name: text(said, "name")?,
                subject: text(said, "subject")?,
                version: number(said, "version")?,
            };
            self.bytes += size_of::<Step>() + reference.name.len() + reference.subject.len();
            self.waiting.push(Step::Ask(reference));
        }
        if self.bytes > REFERENCES_BYTES_MAX {
            return Err(self.refused(&format!("refers to more than {REFERENCES_BYTES_MAX} bytes of others")));
        }
        Ok(())
    }

    fn refused(&self, why: &str) -> RegistryError {
        RegistryError::Refused(format!("schema {} {why}", self.registered.id))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// An answer with a schema that refers to others, each by its subject.
    fn answer(schema: &str, subjects: &[String]) -> Json {
        let reference = |subject: &String| json!({"name": format!("of {subject}"), "subject": subject, "version": 1});
        json!({"schema": schema, "references": subjects.iter().map(reference).collect::<Vec<_>>()})
    }

    /// What comes of a schema that refers to subject `a`, and how often the registry is asked for others, which refer to
    /// what `inner` says.
    fn gathered(inner: impl Fn(&str) -> Json) -> (usize, Result<Registered, RegistryError>) {
        let mut gathering = Gathering::new(Some(7), &answer("outer", &["a".into()])).unwrap();
        let mut asked = 0;
        loop {
            let reference = match gathering.next_asked() {
                Ok(Some(reference)) => reference,
                Ok(None) => return (asked, Ok(gathering.finished())),
                Err(why) => return (asked, Err(why)),
            };
            asked += 1;
            let answer = inner(&reference.subject);
            if let Err(why) = gathering.answered(reference, &answer) {
                return (asked, Err(why));
            }
        }
    }

    #[test]
    fn schemas_that_others_refer_to_come_before_them_and_each_once() {
        let (asked, found) = gathered(|subject| match subject {
            "a" => answer("text of a", &["b".into(), "c".into()]),
            "b" => answer("text of b", &["c".into()]),
            _ => answer("text of c", &["a".into()]), // in a circle
        });
        let references = ["c", "b", "a"].map(|subject| (format!("of {subject}"), format!("text of {subject}")));
        assert_eq!((asked, found.unwrap().references), (3, references.to_vec()));
    }

    #[test]
    fn references_without_end_and_without_measure_are_refused() {
        let (asked, found) = gathered(|subject| answer("text", &[format!("{subject}'")]));
        assert_eq!(asked, REFERENCES_MAX);
        assert_eq!(found, Err(RegistryError::Refused("schema 7 refers to more than 200 others".into())));
        let large = "x".repeat(5 << 20);
        let (asked, found) = gathered(|subject| answer(&large, &[format!("{subject}'")]));
        assert_eq!(asked, 4);
        assert_eq!(found, Err(RegistryError::Refused("schema 7 refers to more than 16777216 bytes of others".into())));
    }

    #[test]
    fn words_without_end_are_cut_and_numbers_that_are_none_refused() {
        let body = json!({"error_code": 40401, "message": "é".repeat(WORDS_MAX)}).to_string();
        let Err(RegistryError::Missing(message)) = read(404, body.as_bytes(), "http://r") else {
            panic!("it is missing")
        };
        assert!(message.len() < WORDS_MAX + 50 && message.ends_with("...; error code: 40401"), "{message}");
        assert_eq!(id_and_version(&json!({"id": 1, "version": i32::MAX})), Ok((1, i32::MAX)));
        for wrong in
            [json!({"id": 1, "version": 1u32 << 31}), json!({"id": -1, "version": 1}), json!("x".repeat(9_000))]
        {
            let message = id_and_version(&wrong).unwrap_err().message().to_owned();
            assert!(message.contains("answer has no ") && message.len() < WORDS_MAX + 100, "{message}");
        }
    }
}
