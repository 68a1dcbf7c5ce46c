//! What the variables of configurations stand for, so that no log line, status or answer says it.

use std::sync::{Arc, PoisonError, RwLock};

use crate::settings::{Hidden, Values};

/// So many values of the past are hidden: a connector may still hold one that has been changed.
const FORMER_MAX: usize = 1_000;

#[derive(Debug, Default)]
struct Known {
    values: Vec<Values>,
    hidden: Hidden,
}

/// Every value that a worker has looked up.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Arc<RwLock<Known>>);

impl Secrets {
    /// Hides these values from now on.
    pub fn add(&self, values: &Values) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if values.is_empty() || known.values.contains(values) {
            return;
        }
        if known.values.len() >= FORMER_MAX {
            known.values.remove(0);
        }
        known.values.push(values.clone());
        known.hidden = Hidden::new(known.values.iter().flatten());
    }

    /// A text with variables in place of what they stand for.
    pub fn hide(&self, text: String) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).hidden.hide(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Variable;

    #[test]
    fn former_values_stay_hidden() {
        let secrets = Secrets::default();
        for value in ["first", "second"] {
            let variable = Variable { provider: "f".into(), path: "/p".into(), key: "k".into() };
            secrets.add(&[(variable, value.to_owned())].into());
        }
        assert_eq!(secrets.hide("first second".into()), "${f:/p:k} ${f:/p:k}");
    }
}
