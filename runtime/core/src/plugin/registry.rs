//! Pure. The classes of all components, by every name they answer to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Class, ClassKind};
use crate::port::Component;

/// A class and the component it is in.
#[derive(Clone)]
pub struct Found {
    /// The component.
    pub component: Arc<dyn Component>,
    /// The class.
    pub class: Class,
    /// Whether it came with weir.
    pub stock: bool,
}

/// Prefixes that an upload cannot claim.
const RESERVED: [&str; 3] = ["weir.", "org.apache.kafka.", "io.confluent."];

/// Why a component's classes cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A name that only weir's own plugins may have.
    #[error(
        "class name {0} is reserved: names that begin with weir., org.apache.kafka. or io.confluent., and the names of stock plugins, cannot be claimed"
    )]
    Reserved(String),
    /// The same class and version is there with other bytes.
    #[error(
        "class {class} {version} is there already, from other bytes (sha256 {hash}): give the new one another version"
    )]
    Taken {
        /// The class.
        class: String,
        /// Its version.
        version: String,
        /// Hash of the component that has it.
        hash: String,
    },
}

/// All classes.
#[derive(Clone, Default)]
pub struct Registry {
    classes: BTreeMap<String, Found>,
    /// Every further name, and the class it means.
    aliases: BTreeMap<String, String>,
}

/// A class's simple name, and that without the suffix of its kind (Connect's PluginUtils).
fn short_names(class: &Class) -> Vec<String> {
    let simple = class.name.rsplit('.').next().unwrap_or(&class.name).to_owned();
    let suffix = match class.kind {
        ClassKind::Source | ClassKind::Sink => "Connector",
        ClassKind::Transformation => "Transformation",
        ClassKind::Predicate => "Predicate",
    };
    let pruned = simple.strip_suffix(suffix).filter(|pruned| !pruned.is_empty()).map(str::to_owned);
    // The simple names of weir's own classes (Source, Sink) would mean nothing to anybody.
    if class.name.starts_with("weir.") { Vec::new() } else { std::iter::once(simple).chain(pruned).collect() }
}

/// Whether a version is older than another: numbers by value, texts by letter, a number after a text (1.0-beta < 1.0.1).
fn is_older(version: &str, than: &str) -> bool {
    let parts = |version: &str| -> Vec<(bool, u64, String)> {
        let parts = version.split(['.', '-', '+', '_']).map(|part| match part.parse::<u64>() {
            Ok(number) => (true, number, String::new()),
            Err(_) => (false, 0, part.to_owned()),
        });
        parts.collect()
    };
    parts(version) < parts(than)
}

impl Registry {
    /// Takes in a component, or says why not. Taking in the same one again changes nothing.
    pub fn add(&mut self, component: Arc<dyn Component>, stock: bool) -> Result<(), Conflict> {
        for class in component.classes() {
            for name in std::iter::once(&class.name).chain(&class.aliases) {
                let claimed = RESERVED.iter().any(|prefix| name.starts_with(prefix))
                    || self.find(name).is_some_and(|found| found.stock);
                if claimed && !stock {
                    return Err(Conflict::Reserved(name.clone()));
                }
            }
            if let Some(there) = self.classes.get(&class.name)
                && there.class.version == class.version
                && there.component.hash() != component.hash()
            {
                let (class, version) = (class.name.clone(), class.version.clone());
                return Err(Conflict::Taken { class, version, hash: there.component.hash().to_owned() });
            }
        }
        for class in component.classes() {
            let found = Found { component: component.clone(), class: class.clone(), stock };
            for alias in class.aliases.iter().cloned().chain(short_names(class)) {
                self.aliases.entry(alias).or_insert_with(|| class.name.clone());
            }
            // Of several versions the latest is meant, whatever the order in which they came.
            if self.classes.get(&class.name).is_none_or(|there| !is_older(&class.version, &there.class.version)) {
                self.classes.insert(class.name.clone(), found);
            }
        }
        Ok(())
    }

    /// The class that a name means.
    pub fn find(&self, name: &str) -> Option<&Found> {
        self.classes.get(name).or_else(|| self.classes.get(self.aliases.get(name)?))
    }

    /// The class of one of these kinds that a name means, or a text that says what there is.
    pub fn find_kind(&self, name: &str, kinds: &[ClassKind], what: &str) -> Result<&Found, String> {
        match self.find(name) {
            Some(found) if kinds.contains(&found.class.kind) => Ok(found),
            _ => {
                let there: Vec<&str> =
                    self.classes.values().filter(|f| kinds.contains(&f.class.kind)).map(|f| &*f.class.name).collect();
                Err(format!(
                    "Failed to find any class that implements {what} and which name matches {name}, available {}s are: \
                     {}",
                    what.to_lowercase(),
                    there.join(", ")
                ))
            }
        }
    }

    /// Whether a component of these bytes is there.
    pub fn has_component(&self, hash: &str) -> bool {
        self.classes.values().any(|found| found.component.hash() == hash)
    }

    /// The names under which the classes of a kind are listed, in order: their own, and the long ones that they replace.
    pub fn listed(&self, kind: ClassKind) -> Vec<String> {
        let mut listed: Vec<String> = self
            .classes()
            .filter(|found| found.class.kind == kind)
            .flat_map(|found| found.class.listed_names().map(str::to_owned))
            .collect();
        listed.sort();
        listed
    }

    /// All classes, by name.
    pub fn classes(&self) -> impl Iterator<Item = &Found> {
        self.classes.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_parts() {
        for (older, newer) in [("1.2", "1.10"), ("1.0", "1.0.1"), ("0.9.9", "1"), ("1.0-beta", "1.0.1"), ("a", "b")] {
            assert!(is_older(older, newer) && !is_older(newer, older), "{older} {newer}");
        }
        assert!(!is_older("1.0", "1.0"));
    }
}
