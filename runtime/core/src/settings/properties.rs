//! Pure. Java's `.properties` files: comments, separators, continued lines, escapes.

use crate::model::Config;

/// The entries of a properties file. What Java takes is taken; a broken `\u` escape is an error that names its line.
pub fn parse_properties(text: &str) -> Result<Config, String> {
    let mut config = Config::new();
    // Editors of other systems begin a file with a mark of its encoding.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.split(['\n', '\r']).enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start_matches([' ', '\t', '\u{c}']);
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = line.to_owned();
        while ends_open(&logical) {
            logical.pop();
            // An empty piece between \r and \n is the rest of one line end, not a line.
            let Some((_, next)) = lines.find(|(_, next)| !next.is_empty()) else { break };
            logical.push_str(next.trim_start_matches([' ', '\t', '\u{c}']));
        }
        let (key, value) = split(&logical);
        let named = |what: String| format!("line {}: {what}", number + 1);
        config.insert(unescape(key).map_err(named)?, unescape(value).map_err(named)?);
    }
    Ok(config)
}

/// Whether a line goes on in the next: it ends in an odd number of backslashes.
fn ends_open(line: &str) -> bool {
    line.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 1
}

/// The key ends at the first blank, `=` or `:` that is not escaped; blanks around one separator are skipped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line
        .char_indices()
        .find(|&(_, c)| {
            let ends = !escaped && matches!(c, '=' | ':' | ' ' | '\t' | '\u{c}');
            escaped = c == '\\' && !escaped;
            ends
        })
        .map_or(line.len(), |(at, _)| at);
    let blanks = [' ', '\t', '\u{c}'];
    let rest = line[end..].trim_start_matches(blanks);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (&line[..end], rest.trim_start_matches(blanks))
}

fn unescape(text: &str) -> Result<String, String> {
    let mut units: Vec<u16> = Vec::new();
    let mut chars = text.chars();
    let mut out = String::with_capacity(text.len());
    let mut buffer = [0; 2];
    while let Some(c) = chars.next() {
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut buffer));
            continue;
        }
        match chars.next() {
            None => {}
            Some('t') => units.push(u16::from(b'\t')),
            Some('n') => units.push(u16::from(b'\n')),
            Some('r') => units.push(u16::from(b'\r')),
            Some('f') => units.push(0xc),
            Some('u') => {
                let digits: String = chars.by_ref().take(4).collect();
                let unit = u16::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 4);
                units.push(unit.ok_or_else(|| format!("\\u{digits} is not \\u and four hexadecimal digits"))?);
            }
            Some(other) => units.extend_from_slice(other.encode_utf16(&mut buffer)),
        }
    }
    out.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        parse_properties(text).unwrap().into_iter().collect()
    }

    fn one(text: &str) -> (String, String) {
        parsed(text).remove(0)
    }

    #[test]
    fn keys_and_values_are_split_as_java_splits_them() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        for text in ["a=b", "a:b", "a b", " a = b", "a\t:\tb", "a=\\\n  b", "a=\\\r\n  b"] {
            assert_eq!(one(text), pair("a", "b"), "{text:?}");
        }
        assert_eq!(one("a"), pair("a", ""));
        assert_eq!(one("a = b = c "), pair("a", "b = c "));
        assert_eq!(one("a\\=b\\ c=d"), pair("a=b c", "d"));
        assert_eq!(one("a==b"), pair("a", "=b"));
        assert_eq!(one(r"path=C:\\x\ty"), pair("path", "C:\\x\ty"));
        assert_eq!(one(r"a=\u00e4\uD83D\uDE00"), pair("a", "ä😀"));
    }

    #[test]
    fn comments_and_blank_lines_are_nothing_and_the_last_value_wins() {
        assert_eq!(parsed("# a=1\n!b=2\n\n  \r\n"), []);
        assert_eq!(parsed("a=1\r\na=2\r\n"), [("a".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn a_broken_escape_names_its_line() {
        let error = parse_properties("a=1\nb=\\u12").unwrap_err();
        assert!(error.contains("line 2") && error.contains("\\u12"), "{error}");
    }

    #[test]
    fn no_text_panics() {
        for text in ["\\", "\\\\\\", "=\\", "\\u", ":", "=", "\u{0}\\u{0}"] {
            let _ = parse_properties(text);
        }
    }
}
