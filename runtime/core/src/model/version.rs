//! Pure. Versions of plugins and ranges of them, in Maven's order and syntax (ComparableVersion, VersionRange), as Connect
//! takes them (KIP-891).

use std::cmp::Ordering;

/// A part of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    /// Digits without leading zeros.
    Number(String),
    Word(String),
    List(Vec<Item>),
}

/// What Maven knows of words, in order; a release has none.
const WORDS: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];

fn compare_numbers(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// A word as it is compared: known ones by their place, others after all of them by their letters.
fn rank(word: &str) -> String {
    match WORDS.iter().position(|known| *known == word) {
        Some(place) => place.to_string(),
        None => format!("{}-{word}", WORDS.len()),
    }
}

impl Item {
    fn word(text: &str, before_number: bool) -> Item {
        let word = match text {
            "a" if before_number => "alpha",
            "b" if before_number => "beta",
            "m" if before_number => "milestone",
            "ga" | "final" | "release" => "",
            "cr" => "rc",
            other => other,
        };
        Item::Word(word.to_owned())
    }

    fn parse(text: &str, is_number: bool) -> Item {
        match is_number {
            true => Item::Number(text.trim_start_matches('0').to_owned()),
            false => Item::word(text, false),
        }
    }

    fn is_null(&self) -> bool {
        match self {
            Item::Number(text) | Item::Word(text) => text.is_empty(),
            Item::List(items) => items.is_empty(),
        }
    }

    fn compare(&self, other: Option<&Item>) -> Ordering {
        use Item::{List, Number, Word};
        use Ordering::{Equal, Greater, Less};
        match (self, other) {
            (Number(digits), None) => digits.len().cmp(&0),
            (Word(word), None) => rank(word).cmp(&rank("")),
            (List(items), None) => {
                items.iter().map(|item| item.compare(None)).find(|order| order.is_ne()).unwrap_or(Equal)
            }
            (Number(one), Some(Number(other))) => compare_numbers(one, other),
            (Word(one), Some(Word(other))) => rank(one).cmp(&rank(other)),
            (List(one), Some(List(other))) => compare_lists(one, other),
            (Number(_), Some(Word(_) | List(_))) | (List(_), Some(Word(_))) => Greater,
            (Word(_), Some(Number(_) | List(_))) | (List(_), Some(Number(_))) => Less,
        }
    }
}

fn compare_lists(one: &[Item], other: &[Item]) -> Ordering {
    let pair = |at: usize| match (one.get(at), other.get(at)) {
        (Some(item), than) => item.compare(than),
        (None, Some(than)) => than.compare(None).reverse(),
        (None, None) => Ordering::Equal,
    };
    (0..one.len().max(other.len())).map(pair).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Takes off the end what changes nothing: 1.0 is 1, and 1.0-rc is 1-rc.
fn normalise(mut items: Vec<Item>) -> Vec<Item> {
    for at in (0..items.len()).rev() {
        if items[at].is_null() {
            items.remove(at);
        } else if !matches!(items[at], Item::List(_)) {
            break;
        }
    }
    items
}

/// Lists inside of lists, the innermost last.
struct Lists(Vec<Vec<Item>>);

impl Lists {
    fn push(&mut self, item: Item) {
        if let Some(list) = self.0.last_mut() {
            list.push(item);
        }
    }

    fn open(&mut self) {
        self.0.push(Vec::new());
    }

    fn open_unless_fresh(&mut self) {
        if self.0.last().is_some_and(|list| !list.is_empty()) {
            self.open();
        }
    }

    fn close(mut self) -> Vec<Item> {
        let mut inner: Option<Vec<Item>> = None;
        while let Some(mut list) = self.0.pop() {
            list.extend(inner.take().map(Item::List));
            inner = Some(normalise(list));
        }
        inner.unwrap_or_default()
    }
}

/// The parts of a version.
fn parts(version: &str) -> Vec<Item> {
    let text = version.to_lowercase();
    let mut lists = Lists(vec![Vec::new()]);
    let (mut is_number, mut from) = (false, 0);
    for (at, one) in text.char_indices() {
        match one {
            '.' | '-' => {
                lists.push(if at == from { Item::parse("", true) } else { Item::parse(&text[from..at], is_number) });
                from = at + 1;
                if one == '-' {
                    lists.open();
                }
            }
            '0'..='9' => {
                if !is_number && at > from {
                    lists.open_unless_fresh();
                    lists.push(Item::word(&text[from..at], true));
                    from = at;
                    lists.open();
                }
                is_number = true;
            }
            _ => {
                if is_number && at > from {
                    lists.push(Item::parse(&text[from..at], true));
                    from = at;
                    lists.open();
                }
                is_number = false;
            }
        }
    }
    if text.len() > from {
        if !is_number {
            lists.open_unless_fresh();
        }
        lists.push(Item::parse(&text[from..], is_number));
    }
    lists.close()
}

/// How a version stands to another.
pub fn compare_versions(one: &str, other: &str) -> Ordering {
    compare_lists(&parts(one), &parts(other))
}

/// A stretch of versions; its ends as they were written, none where it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stretch {
    lower: Option<String>,
    lower_included: bool,
    upper: Option<String>,
    upper_included: bool,
}

impl Stretch {
    fn parse(text: &str) -> Result<Stretch, String> {
        let (lower_included, upper_included) = (text.starts_with('['), text.ends_with(']'));
        let inner = text[1..text.len() - 1].trim();
        let Some((lower, upper)) = inner.split_once(',') else {
            if !lower_included || !upper_included {
                return Err(format!("Single version must be surrounded by []: {text}"));
            }
            let end = Some(inner.to_owned());
            return Ok(Stretch { lower: end.clone(), lower_included, upper: end, upper_included });
        };
        let end = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let (lower, upper) = (end(lower), end(upper));
        if let (Some(lower), Some(upper)) = (&lower, &upper) {
            let order = compare_versions(upper, lower);
            if order.is_lt() || (order.is_eq() && !(lower_included && upper_included)) {
                return Err(format!("Range defies version ordering: {text}"));
            }
        }
        Ok(Stretch { lower, lower_included, upper, upper_included })
    }

    fn holds(&self, version: &str) -> bool {
        let after = self.lower.as_ref().is_none_or(|lower| match compare_versions(lower, version) {
            Ordering::Less => true,
            Ordering::Equal => self.lower_included,
            Ordering::Greater => false,
        });
        let before = self.upper.as_ref().is_none_or(|upper| match compare_versions(upper, version) {
            Ordering::Greater => true,
            Ordering::Equal => self.upper_included,
            Ordering::Less => false,
        });
        after && before
    }
}

impl std::fmt::Display for Stretch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let open = if self.lower_included { '[' } else { '(' };
        let close = if self.upper_included { ']' } else { ')' };
        let end = |text: &Option<String>| text.clone().unwrap_or_default();
        write!(f, "{open}{},{}{close}", end(&self.lower), end(&self.upper))
    }
}

/// Which versions of a plugin are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange(Vec<Stretch>);

impl VersionRange {
    /// Reads what a configuration says (PluginUtils.connectorVersionRequirement); none where it leaves the choice. A
    /// version alone means exactly that one. The error is in Maven's words.
    pub fn parse(text: &str) -> Result<Option<VersionRange>, String> {
        let text = text.trim();
        if text == "latest" {
            return Ok(None);
        }
        if text.starts_with(['[', '(']) { VersionRange::read(text) } else { VersionRange::read(&format!("[{text}]")) }
            .map(Some)
    }

    fn read(text: &str) -> Result<VersionRange, String> {
        let (mut rest, mut stretches) = (text, Vec::<Stretch>::new());
        while rest.starts_with(['[', '(']) {
            let end = rest.find([')', ']']).ok_or_else(|| format!("Unbounded range: {text}"))?;
            let stretch = Stretch::parse(&rest[..=end])?;
            if let Some(upper) = stretches.last().and_then(|last| last.upper.as_ref())
                && stretch.lower.as_ref().is_none_or(|lower| compare_versions(lower, upper).is_lt())
            {
                return Err(format!("Ranges overlap: {text}"));
            }
            stretches.push(stretch);
            rest = rest[end + 1..].trim();
            rest = rest.strip_prefix(',').map_or(rest, str::trim);
        }
        match rest.is_empty() {
            true => Ok(VersionRange(stretches)),
            false => Err(format!("Only fully-qualified sets allowed in multiple set scenario: {text}")),
        }
    }

    /// Whether a version is among those meant.
    pub fn holds(&self, version: &str) -> bool {
        self.0.iter().any(|stretch| stretch.holds(version))
    }
}

impl std::fmt::Display for VersionRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stretches: Vec<String> = self.0.iter().map(Stretch::to_string).collect();
        f.write_str(&stretches.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_stand_as_maven_puts_them() {
        for (older, newer) in [
            ("1.2", "1.10"),
            ("1.0", "1.0.1"),
            ("0.9.9", "1"),
            ("1.0-beta", "1.0"),
            ("1.0-alpha-1", "1.0-beta-1"),
            ("1-a1", "1-b1"),
            ("1.0-rc1", "1.0-rc2"),
            ("1.0-cr1", "1.0-SNAPSHOT"),
            ("1.0-SNAPSHOT", "1.0"),
            ("1.0", "1.0-sp"),
            ("1.0-sp", "1.0-x"),
            ("1.0-x", "1.0-1"),
            ("1-1", "1.1"),
            ("9223372036854775807", "9223372036854775808"),
            ("a", "b"),
            ("", "1"),
        ] {
            assert_eq!(compare_versions(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare_versions(newer, older), Ordering::Greater, "{newer} {older}");
        }
        for (one, same) in
            [("1", "1.0.0"), ("1.0", "1-ga"), ("1.0-final", "1"), ("4.3.1", "4.3.01"), ("1-CR1", "1-rc1")]
        {
            assert_eq!(compare_versions(one, same), Ordering::Equal, "{one} {same}");
        }
    }

    #[test]
    fn a_range_is_read_and_holds_what_apaches_holds() {
        for (text, shown, holds) in [
            ("4.3.1", "[4.3.1,4.3.1]", true),
            (" 4.3.1 ", "[4.3.1,4.3.1]", true),
            ("4.3", "[4.3,4.3]", false),
            ("4.3.1,", "[4.3.1,]", true),
            ("[4.0,5.0)", "[4.0,5.0)", true),
            ("(,5.0]", "(,5.0]", true),
            ("(4.3.1,)", "(4.3.1,)", false),
            ("[1],[2]", "[1,1],[2,2]", false),
            ("(,1] , [4,)", "(,1],[4,)", true),
            ("[1,2,3]", "[1,2,3]", false),
            ("", "[,]", false),
        ] {
            let range = VersionRange::parse(text).unwrap().unwrap();
            assert_eq!((range.to_string().as_str(), range.holds("4.3.1")), (shown, holds), "{text}");
        }
        assert_eq!(VersionRange::parse("latest"), Ok(None));
    }

    #[test]
    fn what_is_no_range_is_refused_in_mavens_words() {
        for (text, said) in [
            ("[", "Unbounded range: ["),
            ("[1,2],[3", "Unbounded range: [1,2],[3"),
            ("]", "Only fully-qualified sets allowed in multiple set scenario: []]"),
            ("[2,1]", "Range defies version ordering: [2,1]"),
            ("[1,1)", "Range defies version ordering: [1,1)"),
            ("(1)", "Single version must be surrounded by []: (1)"),
            ("[1,2],[1,3]", "Ranges overlap: [1,2],[1,3]"),
        ] {
            assert_eq!(VersionRange::parse(text), Err(said.into()), "{text}");
        }
    }
}
