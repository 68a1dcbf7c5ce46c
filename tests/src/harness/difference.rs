//! Pure. Where two answers differ, and which of these differences are meant.

use serde_json::Value;

/// A place where two answers differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The scenario.
    pub scenario: String,
    /// The step.
    pub step: String,
    /// Where in the answer. Entries of a list that have a name or class are found by it, not by their number.
    pub pointer: String,
    /// What Apache answers there; none when there is nothing.
    pub apache: Option<Value>,
    /// What weir answers there.
    pub weir: Option<Value>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
        writeln!(f, "{} | {} | {}", self.scenario, self.step, self.pointer)?;
        write!(f, "    Apache: {}\n    weir:   {}", shown(&self.apache), shown(&self.weir))
    }
}

/// Every place where two answers to a step differ.
pub fn differences(scenario: &str, step: &str, apache: &Value, weir: &Value) -> Vec<Difference> {
    let mut places = Vec::new();
    compare(String::new(), Some(apache), Some(weir), &mut places);
    let difference = |(pointer, apache, weir)| Difference {
        scenario: scenario.to_owned(),
        step: step.to_owned(),
        pointer,
        apache,
        weir,
    };
    places.into_iter().map(difference).collect()
}

type Place = (String, Option<Value>, Option<Value>);

fn compare(pointer: String, apache: Option<&Value>, weir: Option<&Value>, places: &mut Vec<Place>) {
    let entries = match (apache, weir) {
        (Some(apache), Some(weir)) if apache == weir => return,
        (Some(apache), Some(weir)) => entries(&pointer, apache).zip(entries(&pointer, weir)),
        _ => None,
    };
    // Where they have nothing in common, the whole is said at once.
    let entries = entries.filter(|(theirs, ours)| ours.iter().any(|(name, _)| find(theirs, name).is_some()));
    let Some((theirs, ours)) = entries else {
        places.push((pointer, apache.cloned(), weir.cloned()));
        return;
    };
    let below = |name: &str| format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
    for (name, value) in &theirs {
        compare(below(name), Some(value), find(&ours, name), places);
    }
    for (name, value) in ours.iter().filter(|(name, _)| find(&theirs, name).is_none()) {
        compare(below(name), None, Some(value), places);
    }
    let order = |entries: &[(String, &Value)], others: &[(String, &Value)]| -> Value {
        entries.iter().filter(|(name, _)| find(others, name).is_some()).map(|(name, _)| name.as_str()).collect()
    };
    let (their_order, our_order) = (order(&theirs, &ours), order(&ours, &theirs));
    if apache.is_some_and(Value::is_array) && their_order != our_order {
        places.push((format!("{pointer}/(order)"), Some(their_order), Some(our_order)));
    }
}

fn find<'a>(entries: &[(String, &'a Value)], name: &str) -> Option<&'a Value> {
    entries.iter().find(|(other, _)| other == name).map(|(_, value)| *value)
}

/// The parts of a value with their names; none for one that has no parts.
fn entries<'a>(pointer: &str, value: &'a Value) -> Option<Vec<(String, &'a Value)>> {
    let numbered = pointer.ends_with("/errors");
    let name = |at: usize, value: &Value| name(value).filter(|_| !numbered).unwrap_or_else(|| at.to_string());
    match value {
        Value::Object(members) => Some(members.iter().map(|(name, value)| (name.clone(), value)).collect()),
        Value::Array(values) => Some(values.iter().enumerate().map(|(at, value)| (name(at, value), value)).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// What an entry of a list is called: plugins by class and type, keys by name, text by itself.
fn name(value: &Value) -> Option<String> {
    let text = |pointer: &str| value.pointer(pointer)?.as_str();
    match (text("/class"), text("/type")) {
        (Some(class), Some(kind)) => Some(format!("{class} ({kind})")),
        _ => text("/value/name").or(text("/name")).or(value.as_str()).map(str::to_owned),
    }
}

/// Differences that are meant: `[{"why": sentence, "where": [place, ...]}, ...]`. A place has `pointer`, and `weir`, what
/// weir answers there (nothing, when it is left out). Without `scenario` or `step` it speaks of all of them, and with
/// `apache` only of places where that is what Apache answers.
pub struct Meant(Vec<(Value, bool)>);

impl Meant {
    /// Reads them.
    pub fn parse(text: &str) -> Meant {
        let groups: Vec<Value> = serde_json::from_str(text).unwrap_or_else(|error| panic!("differences: {error}"));
        let places = groups.into_iter().flat_map(|mut group| {
            assert!(
                group["why"].as_str().is_some_and(|why| !why.is_empty()),
                "a difference without its reason: {group}"
            );
            let Value::Array(places) = group["where"].take() else { panic!("no places: {group}") };
            places
        });
        Meant(places.map(|place| (place, false)).collect())
    }

    /// Whether a difference is meant. Notes that it is there.
    pub fn holds(&mut self, difference: &Difference) -> bool {
        let fits = |place: &Value| {
            let speaks_of = |member: &str, this: &str| place.get(member).is_none_or(|named| named == this);
            speaks_of("scenario", &difference.scenario)
                && speaks_of("step", &difference.step)
                && place["pointer"] == difference.pointer.as_str()
                && place.get("weir") == difference.weir.as_ref()
                && place.get("apache").is_none_or(|apache| Some(apache) == difference.apache.as_ref())
        };
        let mut meant = false;
        for (_, seen) in self.0.iter_mut().filter(|(place, _)| fits(place)) {
            *seen = true;
            meant = true;
        }
        meant
    }

    /// Those that were never there.
    pub fn gone(&self) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(|(_, seen)| !seen).map(|(place, _)| place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointers(apache: Value, weir: Value) -> Vec<String> {
        differences("s", "t", &apache, &weir).into_iter().map(|difference| difference.pointer).collect()
    }

    #[test]
    fn a_difference_is_named_by_its_smallest_place() {
        let same = json!({"a": [1, {"b": null}]});
        assert_eq!(pointers(same.clone(), same), Vec::<String>::new());
        assert_eq!(pointers(json!({"a": [1, 2]}), json!({"a": [1, 3]})), ["/a/1"]);
        assert_eq!(pointers(json!({"a/b": 1, "d": 1}), json!({"c": 1, "d": 1})), ["/a~1b", "/c"]);
        assert_eq!(pointers(json!({"a": 1}), json!({"c": 1})), [""]);
        assert_eq!(pointers(json!({"a": ["b", "c"]}), json!({"a": []})), ["/a"]);
        assert_eq!(pointers(json!({"errors": ["a b", "c"]}), json!({"errors": ["x", "c"]})), ["/errors/0"]);
    }

    #[test]
    fn entries_with_a_name_are_found_by_it_and_their_order_is_compared() {
        let key = |name: &str, text: &str| json!({"name": name, "documentation": text});
        let apache = json!([key("a", "1"), key("b", "2"), key("c", "3")]);
        assert_eq!(pointers(apache.clone(), json!([key("a", "1"), key("c", "x")])), ["/b", "/c/documentation"]);
        assert_eq!(pointers(apache, json!([key("b", "2"), key("a", "1"), key("c", "3")])), ["/(order)"]);
    }

    #[test]
    fn a_difference_is_meant_at_its_place_with_its_value_only() {
        let listed =
            r#"[{"why": "Because.", "where": [{"step": "t", "pointer": "/a", "weir": 2}, {"pointer": "/z"}]}]"#;
        let mut meant = Meant::parse(listed);
        let one = |weir| differences("s", "t", &json!({"a": 1}), &json!({"a": weir})).remove(0);
        assert!(!meant.holds(&one(3)));
        assert!(meant.holds(&one(2)));
        assert_eq!(meant.gone().collect::<Vec<_>>(), [&json!({"pointer": "/z"})]);
    }
}
