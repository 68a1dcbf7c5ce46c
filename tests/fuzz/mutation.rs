//! Pure. Inputs out of others: what mutations do to them, chosen by a seed.

/// Numbers out of a seed (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, count: usize) -> usize {
        if count == 0 { 0 } else { (self.next() % count as u64) as usize }
    }
}

/// Bytes that an input may have, mostly and once in a while.
const USUAL: usize = 4 << 10;
const MOST: usize = 256 << 10;

const NUMBERS: [u64; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];
const DECIMALS: [&str; 10] = [
    "0",
    "-1",
    "127",
    "2147483648",
    "9223372036854775807",
    "-9223372036854775809",
    "18446744073709551616",
    "1e400",
    "1e-400",
    "0.1000000000000000000000000000000000000000001",
];

/// Makes inputs.
pub struct Mutations<'a> {
    words: &'a [&'a str],
}

impl<'a> Mutations<'a> {
    /// Mutations that know words of the language that inputs are in.
    pub fn new(words: &'a [&'a str]) -> Mutations<'a> {
        Mutations { words }
    }

    /// An input out of one of the pool's.
    pub fn made(&mut self, random: &mut Random, pool: &[Vec<u8>]) -> Vec<u8> {
        let mut input = pool[random.below(pool.len())].clone();
        for _ in 0..1 + random.below(5) {
            self.mutate(random, pool, &mut input);
        }
        input.truncate(MOST);
        input
    }

    fn mutate(&self, random: &mut Random, pool: &[Vec<u8>], input: &mut Vec<u8>) {
        let at = random.below(input.len() + 1);
        let range = at..(at + 1 + length(random)).min(input.len());
        match random.below(14) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = random.next() as u8,
            2 => {
                let bytes: Vec<u8> = (0..1 + random.below(8)).map(|_| random.next() as u8).collect();
                input.splice(at..at, bytes);
            }
            3 => drop(input.drain(range)),
            4 => {
                let bytes = input[range].to_vec();
                let to = random.below(input.len() + 1);
                input.splice(to..to, bytes);
            }
            5 => {
                let bytes = input[range].to_vec();
                let to = random.below(input.len() + 1);
                let end = (to + bytes.len()).min(input.len());
                input.splice(to..end, bytes);
            }
            6 => {
                let other = &pool[random.below(pool.len())];
                let from = random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            7 => {
                let other = &pool[random.below(pool.len())];
                let from = random.below(other.len() + 1);
                let to = (from + length(random)).min(other.len());
                input.splice(at..at, other[from..to].iter().copied());
            }
            8 | 9 if !self.words.is_empty() => {
                let word = self.words[random.below(self.words.len())];
                let end = if random.below(2) == 0 { at } else { range.end };
                input.splice(at..end, word.bytes());
            }
            10 => {
                let number = NUMBERS[random.below(NUMBERS.len())];
                let width = [1, 2, 4, 8][random.below(4)];
                let big = number.to_be_bytes()[8 - width..].to_vec();
                let little = number.to_le_bytes()[..width].to_vec();
                let bytes = [big, little, varint(number)][random.below(3)].clone();
                let end = if random.below(2) == 0 { at } else { (at + bytes.len()).min(input.len()) };
                input.splice(at..end, bytes);
            }
            11 => input.truncate(at),
            12 => {
                let most = if random.below(100) == 0 { MOST } else { USUAL };
                let bytes = input[range].to_vec();
                let room = most.saturating_sub(input.len()) / bytes.len().max(1);
                let times = random.below(room.max(1)) + 1;
                input.splice(at..at, bytes.repeat(if bytes.is_empty() { 0 } else { times }));
            }
            _ => {
                let is_number = |byte: &u8| byte.is_ascii_digit();
                let Some(from) = input[at..].iter().position(is_number).map(|from| at + from) else { return };
                let length = input[from..].iter().take_while(|byte| is_number(byte)).count();
                input.splice(from..from + length, DECIMALS[random.below(DECIMALS.len())].bytes());
            }
        }
    }
}

/// Short mostly, long once in a while.
fn length(random: &mut Random) -> usize {
    let most = [2, 4, 8, 16, 64, 1_024][random.below(6)];
    random.below(most)
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
