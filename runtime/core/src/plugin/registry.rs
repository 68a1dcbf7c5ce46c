//! Pure. The classes of all components, by every name they answer to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Class, ClassKind, VersionRange, compare_versions};
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
    /// Every version of each, the latest last.
    classes: BTreeMap<String, Vec<Found>>,
    /// Every further name, and the class it means.
    aliases: BTreeMap<String, String>,
    /// The component's hash of every class and version, later ones there or not.
    versions: BTreeMap<(String, String), String>,
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

/// What is said where no version of a class is wanted (VersionedPluginLoadingException).
pub fn no_version(class: &str, wanted: &VersionRange, there: &[String]) -> String {
    format!(
        "Plugin {class} not found that matches the version range {wanted}, available versions: [{}]",
        there.join(", ")
    )
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
            let version = (class.name.clone(), class.version.clone());
            if let Some(hash) = self.versions.get(&version).filter(|hash| *hash != component.hash()) {
                let (class, version) = version;
                return Err(Conflict::Taken { class, version, hash: hash.clone() });
            }
        }
        for class in component.classes() {
            let found = Found { component: component.clone(), class: class.clone(), stock };
            for alias in class.aliases.iter().cloned().chain(short_names(class)) {
                self.aliases.entry(alias).or_insert_with(|| class.name.clone());
            }
            self.versions.insert((class.name.clone(), class.version.clone()), component.hash().to_owned());
            let there = self.classes.entry(class.name.clone()).or_default();
            there.retain(|other| other.class.version != class.version);
            let at = there.partition_point(|other| compare_versions(&other.class.version, &class.version).is_le());
            there.insert(at, found);
        }
        Ok(())
    }

    fn versions(&self, name: &str) -> &[Found] {
        let found = self.classes.get(name).or_else(|| self.classes.get(self.aliases.get(name)?));
        found.map(Vec::as_slice).unwrap_or_default()
    }

    /// The class that a name means, in its latest version.
    pub fn find(&self, name: &str) -> Option<&Found> {
        self.versions(name).last()
    }

    /// The versions of the class that a name means, the latest last.
    pub fn versions_of(&self, name: &str) -> Vec<String> {
        self.versions(name).iter().map(|found| found.class.version.clone()).collect()
    }

    /// The class that a name means in the latest of the versions that are wanted, or a text that says which there are.
    pub fn find_within(&self, name: &str, wanted: Option<&VersionRange>) -> Result<&Found, String> {
        let versions = self.versions(name);
        let fits = |found: &&Found| wanted.is_none_or(|range| range.holds(&found.class.version));
        versions.iter().rfind(fits).ok_or_else(|| match (versions.last(), wanted) {
            (Some(Found { class, .. }), Some(range)) => {
                let long = class.aliases.iter().find(|alias| alias.contains('.')).unwrap_or(&class.name);
                no_version(long, range, &self.versions_of(name))
            }
            _ => format!("Class {name} could not be found."),
        })
    }

    /// The class of one of these kinds that a name means, or a text that says what there is, in the order of the kinds.
    pub fn find_kind(&self, name: &str, kinds: &[ClassKind], what: &str) -> Result<&Found, String> {
        match self.find(name) {
            Some(found) if kinds.contains(&found.class.kind) => Ok(found),
            _ => {
                let there: Vec<String> = kinds.iter().flat_map(|kind| self.listed(*kind)).collect();
                Err(format!(
                    "Failed to find any class that implements {what} and which name matches {name}, available {}s are: \
                     {}",
                    what.to_lowercase(),
                    there.join(", ")
                ))
            }
        }
    }

    /// The same in the latest of the versions that are wanted.
    pub fn find_kind_within(
        &self,
        name: &str,
        kinds: &[ClassKind],
        what: &str,
        wanted: Option<&VersionRange>,
    ) -> Result<&Found, String> {
        self.find_kind(name, kinds, what)?;
        self.find_within(name, wanted)
    }

    /// Whether a component of these bytes is there.
    pub fn has_component(&self, hash: &str) -> bool {
        self.versions.values().any(|held| held == hash)
    }

    /// The names under which the classes of a kind are listed, in order: their own, and the long ones that they replace.
    pub fn listed(&self, kind: ClassKind) -> Vec<String> {
        let mut listed: Vec<String> = self
            .classes
            .values()
            .filter_map(|versions| versions.last())
            .filter(|found| found.class.kind == kind)
            .flat_map(|found| found.class.listed_names().map(str::to_owned))
            .collect();
        listed.sort();
        listed
    }

    /// Every version of all classes, by name.
    pub fn classes(&self) -> impl Iterator<Item = &Found> {
        self.classes.values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fault, OptionalCalls, Recommendation};
    use crate::port::{ConnectorKind, Context, Instance, SinkTask, SourceTask, Transformations};

    /// A component that is looked at, and of which nothing is made.
    struct Described {
        hash: String,
        classes: Vec<Class>,
    }

    fn nothing<T>() -> Result<T, Fault> {
        Err(Fault::Fatal("it is only described".into()))
    }

    #[async_trait::async_trait]
    impl Component for Described {
        fn hash(&self) -> &str {
            &self.hash
        }

        fn size(&self) -> u64 {
            0
        }

        fn imports(&self) -> &[String] {
            &[]
        }

        fn classes(&self) -> &[Class] {
            &self.classes
        }

        async fn connector(&self, _: ConnectorKind, _: Context) -> Result<Box<dyn Instance>, Fault> {
            nothing()
        }

        async fn source_task(&self, _: Context) -> Result<Box<dyn SourceTask>, Fault> {
            nothing()
        }

        async fn sink_task(&self, _: Context) -> Result<Box<dyn SinkTask>, Fault> {
            nothing()
        }

        async fn transformations(&self, _: Context) -> Result<Box<dyn Transformations>, Fault> {
            nothing()
        }

        async fn recommend(&self, _: Context) -> Result<Vec<Recommendation>, Fault> {
            nothing()
        }
    }

    fn class(name: &str, version: &str) -> Class {
        Class {
            name: name.into(),
            aliases: vec![],
            kind: ClassKind::Source,
            version: version.into(),
            documentation: String::new(),
            config: vec![],
            wants: OptionalCalls::default(),
        }
    }

    fn component(hash: &str, classes: &[(&str, &str)]) -> Arc<dyn Component> {
        let classes = classes.iter().map(|(name, version)| class(name, version)).collect();
        Arc::new(Described { hash: hash.into(), classes })
    }

    fn taken(class: &str, version: &str, hash: &str) -> Result<(), Conflict> {
        Err(Conflict::Taken { class: class.into(), version: version.into(), hash: hash.into() })
    }

    #[test]
    fn a_class_and_version_stays_with_its_bytes_whatever_the_latest_version_is() {
        for versions in [["1.0", "2.0"], ["2.0", "1.0"]] {
            let mut registry = Registry::default();
            for version in versions {
                registry.add(component(&format!("first {version}"), &[("a.B", version)]), false).unwrap();
            }
            assert_eq!(registry.find("a.B").unwrap().class.version, "2.0");
            for version in versions {
                let (first, other) = (format!("first {version}"), component("other", &[("a.B", version)]));
                assert_eq!(registry.add(other, false), taken("a.B", version, &first), "{versions:?}");
                assert!(registry.has_component(&first), "{versions:?}");
                registry.add(component(&first, &[("a.B", version)]), false).unwrap();
            }
            assert!(!registry.has_component("other"));
            registry.add(component("third", &[("a.B", "3.0"), ("a.C", "1.0")]), false).unwrap();
            assert_eq!(registry.find("B").unwrap().component.hash(), "third");
        }
    }

    #[test]
    fn whoever_names_no_class_is_told_all_names_as_they_are_listed() {
        let aliases = ["org.a.B".to_owned(), "B".to_owned()];
        let source = Class { aliases: aliases.into(), ..class("x.Source", "1.0") };
        let sink = Class { kind: ClassKind::Sink, ..class("x.Sink", "1.0") };
        let chain = Class { kind: ClassKind::Transformation, ..class("x.Step", "1.0") };
        let mut registry = Registry::default();
        registry.add(Arc::new(Described { hash: "a".into(), classes: vec![source, sink, chain] }), false).unwrap();
        let Err(said) = registry.find_kind("No", &[ClassKind::Sink, ClassKind::Source], "Connector") else { panic!() };
        assert!(said.ends_with("matches No, available connectors are: x.Sink, org.a.B, x.Source"), "{said}");
    }

    #[test]
    fn of_a_component_that_is_refused_nothing_is_taken() {
        let mut registry = Registry::default();
        registry.add(component("first", &[("a.B", "1.0")]), false).unwrap();
        let other = component("other", &[("a.A", "1.0"), ("a.B", "1.0")]);
        assert_eq!(registry.add(other, false), taken("a.B", "1.0", "first"));
        assert!(registry.find("a.A").is_none() && !registry.has_component("other"));
    }

    #[test]
    fn of_several_versions_the_latest_that_is_wanted_is_meant() {
        let mut registry = Registry::default();
        for version in ["1.10", "2.0-beta", "1.9"] {
            registry.add(component(version, &[("a.B", version)]), false).unwrap();
        }
        assert_eq!(registry.versions_of("B"), ["1.9", "1.10", "2.0-beta"]);
        for (wanted, version) in [("latest", "2.0-beta"), ("1.9", "1.9"), ("[1,2.0-beta)", "1.10"), ("(,1.10)", "1.9")]
        {
            let range = VersionRange::parse(wanted).unwrap();
            let found = registry.find_within("a.B", range.as_ref()).map(|found| found.class.version.as_str());
            assert_eq!(found, Ok(version), "{wanted}");
        }
        let said = registry.find_within("B", VersionRange::parse("3").unwrap().as_ref()).map(|_| ()).unwrap_err();
        let expected =
            "Plugin a.B not found that matches the version range [3,3], available versions: [1.9, 1.10, 2.0-beta]";
        assert_eq!(said, expected);
    }
}
