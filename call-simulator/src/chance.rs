//! Chance that repeats: ids and sizes that follow from a seed.

/// SplitMix64, which is enough for ids and sizes and needs no dependency.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `min` to `max`, inclusive.
    pub(crate) fn between(&mut self, min: u64, max: u64) -> u64 {
        min + self.next() % (max.max(min) - min + 1)
    }

    /// Whether something happens that happens so many times in a hundred.
    pub(crate) fn percent(&mut self, percent: u8) -> bool {
        self.between(0, 99) < u64::from(percent)
    }

    /// An id as the provider makes them: the prefix, `_`, 21 letters and digits.
    pub(crate) fn id(&mut self, prefix: &str) -> String {
        const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let mut id = format!("{prefix}_");
        for _ in 0..21 {
            let at = usize::try_from(self.between(0, 61)).expect("below 62");
            id.push(char::from(LETTERS[at]));
        }
        id
    }
}
