//! What the variables of configurations stand for, so that no log line says it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::settings::{Hidden, Values, Variable};

/// So many values are hidden, the latest of them.
const VALUES_MAX: usize = 1_000;
/// And so many bytes of them.
const BYTES_MAX: usize = 256 << 10;

#[derive(Debug, Default)]
struct Known {
    /// By value, the variable that stood for it last, and when it was looked up.
    values: BTreeMap<String, (Variable, u64)>,
    lookups: u64,
    hidden: Hidden,
}

impl Known {
    fn bytes(&self) -> usize {
        self.values.keys().map(String::len).sum()
    }

    /// Forgets the values that were looked up longest ago, as long as there are too many.
    fn bound(&mut self) {
        while self.values.len() > VALUES_MAX || self.bytes() > BYTES_MAX {
            let oldest = self.values.iter().min_by_key(|(_, (_, at))| *at).map(|(value, _)| value.clone());
            let Some(oldest) = oldest else { return };
            self.values.remove(&oldest);
        }
    }
}

/// The values that a worker has looked up.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<RwLock<Known>>);

impl Secrets {
    /// Hides these values from now on.
    pub fn add(&self, values: &Values) {
        if values.is_empty() {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.lookups += 1;
        let (at, mut news) = (known.lookups, false);
        for (variable, value) in values {
            // One that is longer than all together may be is hidden from nobody.
            if value.len() <= BYTES_MAX {
                news |= known.values.insert(value.clone(), (variable.clone(), at)).is_none();
            }
        }
        if news {
            known.bound();
            known.hidden = Hidden::new(known.values.iter().map(|(value, (variable, _))| (variable, value)));
        }
    }

    /// Whether a text says one of them.
    pub fn are_in(&self, text: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).hidden.is_in(text)
    }

    /// A text with variables in place of what they stand for.
    pub fn hide(&self, text: String) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).hidden.hide(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(entries: &[(&str, String)]) -> Values {
        let variable = |key: &str| Variable { provider: "f".into(), path: "/p".into(), key: key.into() };
        entries.iter().map(|(key, value)| (variable(key), value.clone())).collect()
    }

    #[test]
    fn former_values_stay_hidden() {
        let secrets = Secrets::default();
        for value in ["first", "second"] {
            secrets.add(&values(&[("k", value.to_owned())]));
        }
        assert_eq!(secrets.hide("first second".into()), "${f:/p:k} ${f:/p:k}");
        assert!(secrets.are_in("a first") && !secrets.are_in("a third"));
    }

    #[test]
    fn the_values_that_are_used_stay_hidden_however_many_others_come() {
        let secrets = Secrets::default();
        let used = values(&[("used", "in use all the time".to_owned())]);
        for number in 0..VALUES_MAX {
            secrets.add(&used);
            secrets.add(&values(&[("other", format!("value number {number}"))]));
        }
        secrets.add(&values(&[("large", "x".repeat(BYTES_MAX - 100)), ("too large", "y".repeat(BYTES_MAX + 1))]));
        assert_eq!(secrets.hide("in use all the time".into()), "${f:/p:used}");
        let known = secrets.0.read().unwrap();
        assert!(known.values.len() < VALUES_MAX && known.bytes() <= BYTES_MAX, "{}", known.bytes());
    }
}
