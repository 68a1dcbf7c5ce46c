//! What fuzz targets run of a registry's answers.

use super::answer::{self, Gathering, REFERENCES_MAX, Registered};

pub(crate) use super::answer::RegistryError;

const SHOWN: &str = "http://registry:8081";

/// The schema that comes of answers, each with its status, to one question after the other; behind the last comes the first
/// again.
pub(crate) fn registered(answers: &[(u16, &[u8])]) -> Result<Registered, RegistryError> {
    let mut answers = answers.iter().cycle();
    let mut next = || {
        let (status, body) = answers.next().copied().unwrap_or_default();
        answer::read(status, body, SHOWN)
    };
    let mut gathering = Gathering::new(None, &next()?)?;
    let mut asked = 0;
    while let Some(reference) = gathering.next_asked()? {
        asked += 1;
        assert!(asked <= REFERENCES_MAX);
        gathering.answered(reference, &next()?)?;
    }
    let found = gathering.finished();
    assert_eq!(found.references.len(), asked, "each once");
    Ok(found)
}

/// The id and the version in an answer.
pub(crate) fn id_and_version(status: u16, body: &[u8]) -> Result<(u32, i32), RegistryError> {
    answer::id_and_version(&answer::read(status, body, SHOWN)?)
}
