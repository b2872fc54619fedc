//! G.711: telephone audio, eight bits a sample on a logarithmic scale.
//!
//! Linear samples are 16 bits wide. μ-law keeps the upper 14 of them, A-law the upper 13. (ITU-T Recommendation G.711.)
//!
//! ```
//! use realtime_bridge::audio::g711;
//!
//! assert_eq!(g711::encode_mulaw(0), 0xFF);
//! assert_eq!(g711::decode_mulaw(0x80), 32_124);
//! ```

/// Shifts the μ-law scale so that each segment begins at a power of two (in 14-bit units).
const MULAW_BIAS: u32 = 33;
/// The loudest magnitude of μ-law in 14-bit units.
const MULAW_CLIP: u32 = 8_158;
/// A-law inverts every other bit, so that silence has edges for line clocks.
const ALAW_TOGGLE: u8 = 0x55;

/// Fills a table at compile time.
macro_rules! table {
    ($sample:ident) => {{
        let mut table = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            table[byte as usize] = $sample(low_byte(byte));
            byte += 1;
        }
        table
    }};
}
static MULAW: [i16; 256] = table!(mulaw_sample);
static ALAW: [i16; 256] = table!(alaw_sample);

/// The linear sample of a μ-law byte.
#[must_use]
#[inline]
pub fn decode_mulaw(byte: u8) -> i16 {
    MULAW[usize::from(byte)]
}

/// The linear sample of an A-law byte.
#[must_use]
#[inline]
pub fn decode_alaw(byte: u8) -> i16 {
    ALAW[usize::from(byte)]
}

/// The μ-law byte of a linear sample.
#[must_use]
#[inline]
pub const fn encode_mulaw(sample: i16) -> u8 {
    let magnitude = magnitude(sample) >> 2;
    let biased = (if magnitude < MULAW_CLIP { magnitude } else { MULAW_CLIP }) + MULAW_BIAS;
    let segment = biased.ilog2() - 5;
    let step = (biased >> (segment + 1)) & 0x0F;
    !(sign(sample, 0, 0x80) | low_byte((segment << 4) | step))
}

/// The A-law byte of a linear sample.
#[must_use]
#[inline]
pub const fn encode_alaw(sample: i16) -> u8 {
    let magnitude = magnitude(sample) >> 4;
    // The first two segments have the same steps.
    let code = if magnitude < 32 {
        magnitude
    } else {
        let segment = magnitude.ilog2() - 3;
        (segment << 4) | ((magnitude >> (segment - 1)) & 0x0F)
    };
    (sign(sample, 0x80, 0) | low_byte(code)) ^ ALAW_TOGGLE
}

/// One's complement, so that −32,768 has a magnitude and −1 is as far from the middle as 0.
const fn magnitude(sample: i16) -> u32 {
    (if sample < 0 { !sample } else { sample }).cast_unsigned() as u32
}

const fn sign(sample: i16, positive: u8, negative: u8) -> u8 {
    if sample < 0 { negative } else { positive }
}

const fn low_byte(code: u32) -> u8 {
    code.to_le_bytes()[0]
}

const fn mulaw_sample(byte: u8) -> i16 {
    let code = !byte;
    let segment = (code >> 4) & 0x07;
    let step = (code & 0x0F) as i16;
    let sample = (((step << 3) + 132) << segment) - 132;
    if code & 0x80 == 0 { sample } else { -sample }
}

const fn alaw_sample(byte: u8) -> i16 {
    let code = byte ^ ALAW_TOGGLE;
    let segment = (code >> 4) & 0x07;
    let step = (code & 0x0F) as i16;
    let sample = if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 264) << (segment - 1) };
    if code & 0x80 == 0 { -sample } else { sample }
}

#[cfg(test)]
mod tests {
    use audio_codec_algorithms as oracle;

    use super::*;

    /// Counts the decision values of the recommendation (tables 1a and 2a) up to a magnitude; that is the code.
    fn code(magnitude: u32, decision_values: &[u32]) -> u8 {
        u8::try_from(decision_values.iter().filter(|value| **value <= magnitude).count()).unwrap()
    }

    /// Decision values 1 to 127 of μ-law, in 14-bit units: 16 steps to a segment, each twice as wide as in the one before.
    fn mulaw_decision_values() -> Vec<u32> {
        let (mut value, mut values) = (1, vec![1]);
        for number in 1..127 {
            value += 2 << (number / 16);
            values.push(value);
        }
        assert_eq!((values[15], values[31], values[126]), (31, 95, 7_903));
        values
    }

    /// Decision values 1 to 127 of A-law, in 12-bit units: the first two segments have the same steps.
    fn alaw_decision_values() -> Vec<u32> {
        let (mut value, mut values) = (0, vec![]);
        for number in 0..127_u32 {
            value += 1 << (number / 16).saturating_sub(1);
            values.push(value);
        }
        assert_eq!((values[31], values[126]), (32, 1_984));
        values
    }

    #[test]
    fn all_65536_samples_are_encoded_as_defined() {
        let (mulaw, alaw) = (mulaw_decision_values(), alaw_decision_values());
        for sample in i16::MIN..=i16::MAX {
            let (magnitude, negative) = (magnitude(sample), sample < 0);
            let code_mulaw = !(code(magnitude >> 2, &mulaw) | if negative { 0x80 } else { 0 });
            let code_alaw = (code(magnitude >> 4, &alaw) | if negative { 0 } else { 0x80 }) ^ 0x55;
            assert_eq!(encode_mulaw(sample), code_mulaw, "{sample}");
            assert_eq!(encode_alaw(sample), code_alaw, "{sample}");
            assert_eq!(encode_mulaw(sample), oracle::encode_ulaw(sample), "{sample}");
            assert_eq!(encode_alaw(sample), oracle::encode_alaw(sample), "{sample}");
        }
    }

    #[test]
    fn all_256_bytes_are_decoded_as_defined() {
        for byte in 0..=u8::MAX {
            assert_eq!(decode_mulaw(byte), oracle::decode_ulaw(byte));
            assert_eq!(decode_alaw(byte), oracle::decode_alaw(byte));
            assert_eq!(encode_alaw(decode_alaw(byte)), byte);
            // μ-law has two zeros.
            let expected = if byte == 0x7F { 0xFF } else { byte };
            assert_eq!(encode_mulaw(decode_mulaw(byte)), expected);
        }
    }
}
