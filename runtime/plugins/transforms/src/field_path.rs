//! Pure. Paths to nested fields (`field.syntax.version` V2): names with dots between; a name in backticks may hold
//! dots, and a backslash before a backtick that a dot follows keeps it in the name.

/// The names of a path, or the position of the backtick that is never closed.
pub fn names(path: &str) -> Result<Vec<String>, usize> {
    let bytes = path.as_bytes();
    let mut names = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'`' {
            let (name, next) = quoted(path, at + 1).ok_or_else(|| path[..at].encode_utf16().count())?;
            names.push(name);
            at = next;
        } else {
            let end = path[at..].find('.').map_or(path.len(), |dot| at + dot);
            names.push(path[at..end].to_owned());
            at = end + 1;
        }
    }
    if path.ends_with('.') {
        names.push(String::new());
    }
    Ok(names)
}

/// A name in backticks from behind the first on, and where what follows its dot begins.
fn quoted(path: &str, from: usize) -> Option<(String, usize)> {
    let (mut name, mut start, mut at) = (String::new(), from, from);
    loop {
        at += path[at..].find('`')?;
        let escaped = path.as_bytes()[at - 1] == b'\\';
        match path.as_bytes().get(at + 1) {
            None if escaped => return None,
            None | Some(b'.') if !escaped => {
                name.push_str(&path[start..at]);
                return Some((name, at + 2));
            }
            Some(b'.') => {
                name.push_str(&path[start..at - 1]);
                name.push('`');
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_at_dots_outside_of_backticks() {
        let names = |path: &str| names(path).map(|names| names.join("|"));
        for (path, expected) in [
            ("a", "a"),
            ("a.b.c", "a|b|c"),
            ("a.", "a|"),
            (".a", "|a"),
            ("`a.b`.c", "a.b|c"),
            ("`a`b`.c", "a`b|c"),
            ("`a\\`.b`.c", "a`.b|c"),
            ("a`.b", "a`|b"),
            ("`a.b`", "a.b"),
            ("", ""),
        ] {
            assert_eq!(names(path).as_deref(), Ok(expected), "{path}");
        }
        assert_eq!(names("`a"), Err(0));
        assert_eq!(names("\u{e9}.`a\\`"), Err(2));
    }
}
