//! Guests of ours whose exports were tampered with, so that they are valid components and no plugins.

fn positions(bytes: &[u8], wanted: &[u8]) -> Vec<usize> {
    let found = bytes.windows(wanted.len()).enumerate().filter(|(_, window)| *window == wanted);
    found.map(|(position, _)| position).collect()
}

/// A name as components write it, with its length before it.
fn name(name: &str) -> Vec<u8> {
    assert!(name.len() < 0x80, "one byte holds the length of {name}");
    [&[name.len() as u8], name.as_bytes()].concat()
}

/// An export section with one export, from after its size up to the end of the name.
fn export(exported: &str) -> Vec<u8> {
    [b"\x01\0".as_slice(), &name(exported)].concat()
}

/// The component with an interface, or a function of one, exported as `to`, a name of the same length.
pub fn renamed(mut wasm: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let old = export(from);
    let [at] = positions(&wasm, &old)[..] else { panic!("{from} is not exported once") };
    wasm.splice(at..at + old.len(), export(to));
    wasm
}

/// The component with two functions of one interface exported under each other's names.
/// Of names that several interfaces have, those that stand nearest to one another are taken.
pub fn swapped(mut wasm: Vec<u8>, first: &str, second: &str) -> Vec<u8> {
    let at = |exported: &str| positions(&wasm, &[export(exported).as_slice(), b"\x01"].concat());
    let (firsts, seconds) = (at(first), at(second));
    let pairs = firsts.iter().flat_map(|a| seconds.iter().map(move |b| (*a, *b)));
    let (a, b) = pairs.min_by_key(|(a, b)| a.abs_diff(*b)).expect("both are exported");
    let mut places = [(a, first, second), (b, second, first)];
    places.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    for (at, from, to) in places {
        assert_eq!(wasm[at - 2], 0x0b, "an export section whose size is one byte");
        wasm[at - 1] = wasm[at - 1] - from.len() as u8 + to.len() as u8;
        wasm.splice(at..at + 3 + from.len(), export(to));
    }
    wasm
}
