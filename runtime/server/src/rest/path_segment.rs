//! Pure. Names as segments of paths.

use std::fmt::Write;

/// A name as a segment of a path, everything percent-encoded that could mean something else there.
pub fn path_segment(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // A string takes everything.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_survives_in_a_path() {
        assert_eq!(path_segment("plain-name_1.x"), "plain-name_1.x");
        assert_eq!(path_segment("a/b %?#;ü"), "a%2Fb%20%25%3F%23%3B%C3%BC");
    }
}
