//! Random numbers that can be repeated: a failing test prints the seed.

/// `SplitMix64` (Steele, Lea, Flood 2014): good enough for choosing test cases, useless for secrets.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// The seed from `TWOFACTOR_TESTS_SEED`, else from the clock. Print it when a test fails.
    pub fn seed() -> u64 {
        let given = std::env::var("TWOFACTOR_TESTS_SEED").ok().and_then(|text| text.parse().ok());
        let now = || {
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970").as_secs()
        };
        given.unwrap_or_else(now)
    }

    /// A generator that gives the same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// One of `choices`.
    pub fn choose<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        let length = u64::try_from(choices.len()).expect("a length fits");
        let index = usize::try_from(self.below(length)).expect("an index fits");
        &choices[index]
    }

    /// That many bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.number().to_le_bytes()[0]).collect()
    }
}
