//! Pure. How many rounds of hashing a store asks for before its password is known to open it. Looks at what stands in
//! the clear: a salt, and behind it the number.

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const CONSTRUCTED: u8 = 0x20;
/// Nesting of a store's parts, which are few.
const DEPTH: usize = 32;

/// The highest number of rounds that DER asks for; 0 where it asks for none.
pub(crate) fn rounds(der: &[u8]) -> u64 {
    asked(der, DEPTH)
}

fn asked(mut der: &[u8], depth: usize) -> u64 {
    let Some(depth) = depth.checked_sub(1) else { return 0 };
    let (mut most, mut before) = (0, 0);
    while let Some((tag, body, rest)) = part(der) {
        if tag == INTEGER && before == OCTETS {
            most = most.max(number(body));
        }
        if tag & CONSTRUCTED != 0 || tag == OCTETS {
            most = most.max(asked(body, depth));
        }
        (before, der) = (tag, rest);
    }
    most
}

fn number(body: &[u8]) -> u64 {
    let significant = body.iter().copied().skip_while(|byte| *byte == 0);
    significant.fold(0u64, |number, byte| if number >> 48 == 0 { number << 8 | u64::from(byte) } else { u64::MAX })
}

/// Tag and content of the first part, and what stands behind it.
fn part(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], mut rest) = der.split_first_chunk()?;
    let mut length = usize::from(first & 0x7f);
    if first == 0x80 {
        // The end is marked instead; what is behind it is looked at as well.
        return Some((tag, rest, &[]));
    }
    if first > 0x80 {
        let (bytes, behind) = rest.split_at_checked(length)?;
        length = usize::try_from(number(bytes)).ok()?;
        rest = behind;
    }
    let (body, behind) = rest.split_at_checked(length)?;
    Some((tag, body, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_behind_a_salt_is_how_many_rounds_there_are() {
        let salted = [0x30, 7, 4, 1, 0xaa, 2, 2, 0x27, 0x10];
        assert_eq!(rounds(&salted), 10_000);
        let inside = [&[0x30, 16, 2, 1, 3, 4, 9][..], &salted, &[5, 0]].concat();
        assert_eq!(rounds(&inside), 10_000);
        assert_eq!(rounds(&[0x30, 6, 2, 1, 3, 2, 1, 9]), 0, "a number that has no salt");
        let many = [&[0x30, 14, 4, 1, 0, 2, 9][..], &[0x7f; 9]].concat();
        assert_eq!(rounds(&many), u64::MAX);
    }

    #[test]
    fn what_is_no_der_asks_for_nothing() {
        for bytes in [&[][..], &[0x30], &[0x30, 0x84, 0xff], &[0x30, 5, 4, 1], &[0xff; 40], &[0x30, 0x80].repeat(1_000)]
        {
            assert_eq!(rounds(bytes), 0);
        }
    }
}
