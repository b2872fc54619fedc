//! Standard base64, as fast as the machine allows.

use std::sync::LazyLock;

use base64::{
    Engine,
    engine::general_purpose::{GeneralPurposeConfig, PAD},
};

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
type Fastest = base64::engine::Simd;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Fastest = base64::engine::GeneralPurpose;

/// Takes all that [`is_base64`] accepts: trailing bits may be set, as some encoders leave them.
const CONFIG: GeneralPurposeConfig = PAD.with_decode_allow_trailing_bits(true);

/// Built once, as it asks the processor what it can do.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static ENGINE: LazyLock<Fastest> = LazyLock::new(|| Fastest::standard(CONFIG));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static ENGINE: LazyLock<Fastest> = LazyLock::new(|| Fastest::new(&base64::alphabet::STANDARD, CONFIG));

/// Appends the base64 of `bytes`.
pub(super) fn encode(bytes: &[u8], out: &mut String) {
    ENGINE.encode_string(bytes, out);
}

/// The bytes of text that [`is_base64`] has accepted.
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    ENGINE.decode(text).expect("the text was checked")
}

/// Whether text is standard, padded base64.
///
/// Looks at 32 characters at a time without a branch, which compiles to vector instructions.
pub(crate) fn is_base64(text: &[u8]) -> bool {
    let padding = text.iter().rev().take(2).take_while(|byte| **byte == b'=').count();
    let (chunks, rest) = text[..text.len() - padding].as_chunks::<32>();
    text.len().is_multiple_of(4)
        && chunks.iter().all(|chunk| chunk.iter().fold(0, |strange, byte| strange | is_strange(*byte)) == 0)
        && rest.iter().fold(0, |strange, byte| strange | is_strange(*byte)) == 0
}

/// 0 for a character of the alphabet, 1 for any other.
const fn is_strange(byte: u8) -> u8 {
    // Letters differ between the cases in one bit only.
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // `/` comes just before the digits.
    let digit_or_slash = byte.wrapping_sub(b'/') < 11;
    !(letter | digit_or_slash | (byte == b'+')) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_64_characters_and_no_other_is_taken() {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for byte in 0..=u8::MAX {
            // At each place within a chunk and behind it.
            for length in [4, 36] {
                let mut text = vec![b'A'; length];
                text[1] = byte;
                assert_eq!(is_base64(&text), ALPHABET.contains(&byte), "{byte}");
            }
        }
    }

    #[test]
    fn padding_stands_at_the_end_and_fills_four() {
        for good in ["", "AA==", "AAA=", "AAAA", "//7+/v7/fn5+"] {
            assert!(is_base64(good.as_bytes()), "{good}");
        }
        for bad in ["A", "AA", "AAA", "A===", "====", "AA=A", "=AAA", "AA==AAAA", "AAAA=", "AAAA====", "AA\n=", "AA-_"]
        {
            assert!(!is_base64(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn what_is_accepted_can_be_decoded() {
        // The last character of each has bits that no byte needs.
        for text in ["/x==", "//9=", "AB=="] {
            assert!(is_base64(text.as_bytes()));
            assert_eq!(decode(text.as_bytes()).len(), text.trim_end_matches('=').len() * 3 / 4);
        }
    }
}
