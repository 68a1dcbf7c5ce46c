//! Pure. Java's regular expressions in the syntax of the crate `regex`, for whoever matches with that.

/// Text that stands for itself.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for one in text.chars() {
        if one.is_ascii_punctuation() && !matches!(one, '<' | '>') {
            quoted.push('\\');
        }
        quoted.push(one);
    }
    quoted
}

/// What stands for a class of characters in Java, with ASCII alone; in brackets these may stand inside others.
fn class(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => "[ \\t\\n\\x0B\\x0C\\r]",
        'S' => "[^ \\t\\n\\x0B\\x0C\\r]",
        'h' => "[ \\t\\xA0\\u{1680}\\u{180e}\\u{2000}-\\u{200a}\\u{202f}\\u{205f}\\u{3000}]",
        'v' => "[\\n\\x0B\\x0C\\r\\x85\\u{2028}\\u{2029}]",
        _ => return None,
    })
}

/// Characters that such a name has at most, its brackets among them.
const POSIX_MAX: usize = 8;

fn posix(name: &str) -> Option<&'static str> {
    Some(match name {
        "Lower" => "a-z",
        "Upper" => "A-Z",
        "ASCII" => "\\x00-\\x7F",
        "Alpha" => "a-zA-Z",
        "Digit" => "0-9",
        "Alnum" => "a-zA-Z0-9",
        "Punct" => "!-/:-@\\[-`{-~",
        "Graph" => "!-~",
        "Print" => " -~",
        "Blank" => " \\t",
        "Cntrl" => "\\x00-\\x1F\\x7F",
        "XDigit" => "0-9a-fA-F",
        "Space" => " \\t\\n\\x0B\\x0C\\r",
        _ => return None,
    })
}

/// The same expression in the syntax of the crate `regex`, or why there is none: look-around, back references and possessive
/// quantifiers are beyond it. What is wrong in both is left for it to find.
pub fn to_regex(java: &str) -> Result<String, String> {
    let chars: Vec<char> = java.chars().collect();
    let mut out = String::with_capacity(java.len());
    let mut at = 0;
    let mut brackets = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        match c {
            '\\' => at = escape(&chars, at, &mut out)?,
            '[' => {
                brackets += 1;
                out.push('[');
                if chars.get(at) == Some(&'^') {
                    out.push('^');
                    at += 1;
                }
            }
            ']' if brackets > 0 => {
                brackets -= 1;
                out.push(']');
            }
            // Doubled, these mean something else inside brackets here.
            '-' | '~' if brackets > 0 && chars.get(at) == Some(&c) => {
                out.push(c);
                out.push('\\');
                out.push(c);
                at += 1;
            }
            '*' | '+' | '?' | '}' if brackets == 0 => {
                out.push(c);
                if chars.get(at) == Some(&'+') {
                    return Err(format!("Possessive quantifiers are not supported near index {at}"));
                }
                if chars.get(at) == Some(&'?') {
                    out.push('?');
                    at += 1;
                }
                if let Some(c @ ('*' | '+' | '?')) = chars.get(at) {
                    return Err(format!("Dangling meta character '{c}' near index {at}"));
                }
            }
            '(' if brackets == 0 && chars.get(at) == Some(&'?') => {
                out.push('(');
                at = group(&chars, at, &mut out)?;
            }
            _ => out.push(c),
        }
    }
    Ok(out)
}

/// What follows `(` and begins with `?`: flags lose those that have no meaning here.
fn group(chars: &[char], from: usize, out: &mut String) -> Result<usize, String> {
    let mut at = from + 1;
    let mut flags = String::from("?");
    while let Some(&c) = chars.get(at) {
        match c {
            'i' | 'm' | 's' | 'x' | '-' => flags.push(c),
            'd' | 'u' | 'U' => {}
            ')' | ':' if at > from + 1 => {
                let flags = flags.trim_end_matches('-');
                let nothing = flags == "?" && c == ')';
                out.push_str(if nothing { "?:" } else { flags });
                return Ok(at);
            }
            _ => break,
        }
        at += 1;
    }
    out.push('?');
    Ok(from + 1)
}

/// An escape, from behind its backslash; answers where it ends.
fn escape(chars: &[char], at: usize, out: &mut String) -> Result<usize, String> {
    let Some(&c) = chars.get(at) else { return Err(format!("Unexpected internal error near index {at}")) };
    let next = at + 1;
    if let Some(class) = class(c) {
        out.push_str(class);
        return Ok(next);
    }
    match c {
        'Q' => {
            let end = chars[next..].windows(2).position(|pair| pair == ['\\', 'E']).map(|end| next + end);
            let quoted: String = chars[next..end.unwrap_or(chars.len())].iter().collect();
            out.push_str(&quote(&quoted));
            return Ok(end.map_or(chars.len(), |end| end + 2));
        }
        'E' => {}
        'b' | 'B' => out.push_str(&format!("(?-u:\\{c})")),
        'A' | 'z' | 't' | 'n' | 'r' | 'f' | 'a' => out.extend(['\\', c]),
        'Z' => out.push_str("(?:\\n?\\z)"),
        'R' => out.push_str("(?:\\r\\n|[\\n\\x0B\\x0C\\r\\x85\\u{2028}\\u{2029}])"),
        'e' => out.push_str("\\x1B"),
        'x' | 'u' if chars.get(next) == Some(&'{') => out.extend(['\\', 'x']),
        'x' | 'u' => {
            let digits = if c == 'x' { 2 } else { 4 };
            let hex: String = chars[next..].iter().take(digits).collect();
            if hex.len() != digits || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(format!("Illegal hexadecimal escape sequence near index {at}"));
            }
            out.push_str(&format!("\\x{{{hex}}}"));
            return Ok(next + digits);
        }
        'p' | 'P' => return property(chars, at, out),
        _ if c.is_ascii_digit() => return Err(format!("Back references are not supported near index {at}")),
        _ if c.is_ascii_alphabetic() => return Err(format!("Illegal/unsupported escape sequence near index {at}")),
        _ => out.push_str(&quote(&c.to_string())),
    }
    Ok(next)
}

fn property(chars: &[char], at: usize, out: &mut String) -> Result<usize, String> {
    let rest: String = chars[at + 1..].iter().take(POSIX_MAX).collect();
    let name = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
    match name.and_then(|name| posix(name).map(|set| (name, set))) {
        Some((name, set)) => {
            let not = if chars[at] == 'P' { "^" } else { "" };
            out.push_str(&format!("[{not}{set}]"));
            Ok(at + 3 + name.chars().count())
        }
        None => {
            out.extend(['\\', chars[at]]);
            Ok(at + 1)
        }
    }
}
