//! Pure. Copies and comparisons of short byte strings, inline: in a guest `extend_from_slice` and `==` become calls
//! of `memory.copy` and `memcmp`, which cost more than a short key or number is worth.

/// Appends `bytes` to `out`.
#[inline(always)]
pub fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    let n = bytes.len();
    if n > 64 {
        out.extend_from_slice(bytes);
        return;
    }
    out.reserve(n);
    // SAFETY: `reserve` made room for n bytes behind `len`; every access below stays within those n bytes of
    // `to` and within the n bytes of `from`, since each width is at most n; the two do not overlap.
    unsafe {
        let to = out.as_mut_ptr().add(out.len());
        let from = bytes.as_ptr();
        macro_rules! word {
            ($t:ty, $at:expr) => {
                (to.add($at) as *mut $t).write_unaligned((from.add($at) as *const $t).read_unaligned())
            };
        }
        match n {
            0 => {}
            1 => *to = *from,
            2..4 => {
                word!(u16, 0);
                word!(u16, n - 2);
            }
            4..8 => {
                word!(u32, 0);
                word!(u32, n - 4);
            }
            _ => {
                let mut at = 0;
                while at + 8 < n {
                    word!(u64, at);
                    at += 8;
                }
                word!(u64, n - 8);
            }
        }
        out.set_len(out.len() + n);
    }
}

/// Whether two byte strings are equal.
#[inline(always)]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let n = a.len();
    if n != b.len() {
        return false;
    }
    if n > 16 {
        return a == b;
    }
    // SAFETY: both slices have n bytes, and every access stays within them, since each width is at most n.
    unsafe {
        let (a, b) = (a.as_ptr(), b.as_ptr());
        macro_rules! word {
            ($t:ty, $at:expr) => {
                (a.add($at) as *const $t).read_unaligned() == (b.add($at) as *const $t).read_unaligned()
            };
        }
        match n {
            0 => true,
            1 => *a == *b,
            2..4 => word!(u16, 0) && word!(u16, n - 2),
            4..8 => word!(u32, 0) && word!(u32, n - 4),
            _ => word!(u64, 0) && word!(u64, n - 8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_copied_whole_and_nothing_else() {
        let source: Vec<u8> = (0..200u8).collect();
        for n in 0..200 {
            let mut out = b"before".to_vec();
            put(&mut out, &source[..n]);
            assert_eq!(&out[..6], b"before");
            assert_eq!(&out[6..], &source[..n]);
        }
    }

    #[test]
    fn a_difference_in_any_byte_is_seen() {
        for n in 0..40 {
            let a: Vec<u8> = (0..n).collect();
            assert!(same(&a, &a.clone()));
            for i in 0..n as usize {
                let mut b = a.clone();
                b[i] ^= 0x80;
                assert!(!same(&a, &b), "{n} {i}");
            }
        }
        assert!(!same(b"a", b"ab"));
    }
}
