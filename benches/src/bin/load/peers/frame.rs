//! WebSocket frames, read in place and written whole: just what cheap peers need (RFC 6455, section 5).

use std::ops::Range;

pub(super) const TEXT: u8 = 1;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

/// The key callers mask with. A peer must unmask whatever the key is, so one is as good as another.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A frame at the start of a buffer.
pub(super) struct Frame {
    pub(super) opcode: u8,
    /// The payload within the buffer, unmasked.
    pub(super) payload: Range<usize>,
}

/// Finds a whole frame at `start` of `buffer` and unmasks it in place; `None` when more bytes are needed.
pub(super) fn parse(buffer: &mut [u8], start: usize) -> Option<Frame> {
    let head = buffer.get(start..start + 2)?;
    let (opcode, masked, short) = (head[0] & 0x0F, head[1] & 0x80 != 0, head[1] & 0x7F);
    let mut at = start + 2;
    let length = match short {
        126 => {
            let bytes = buffer.get(at..)?.first_chunk()?;
            at += 2;
            usize::from(u16::from_be_bytes(*bytes))
        }
        127 => {
            let bytes = buffer.get(at..)?.first_chunk()?;
            at += 8;
            usize::try_from(u64::from_be_bytes(*bytes)).ok()?
        }
        short => usize::from(short),
    };
    let key = if masked {
        let key: [u8; 4] = *buffer.get(at..)?.first_chunk()?;
        at += 4;
        Some(key)
    } else {
        None
    };
    let payload = at..at.checked_add(length)?;
    let bytes = buffer.get_mut(payload.clone())?;
    if let Some(key) = key {
        apply_mask(bytes, key);
    }
    Some(Frame { opcode, payload })
}

/// Appends a frame with this payload.
pub(super) fn push(out: &mut Vec<u8>, opcode: u8, mask: bool, payload: &[u8]) {
    let bit = if mask { 0x80 } else { 0 };
    out.push(0x80 | opcode);
    if let Ok(length) = u8::try_from(payload.len())
        && length < 126
    {
        out.push(bit | length);
    } else if let Ok(length) = u16::try_from(payload.len()) {
        out.push(bit | 126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(bit | 127);
        out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    }
    if mask {
        out.extend_from_slice(&MASK);
    }
    let start = out.len();
    out.extend_from_slice(payload);
    if mask {
        apply_mask(&mut out[start..], MASK);
    }
}

fn apply_mask(bytes: &mut [u8], key: [u8; 4]) {
    let (chunks, rest) = bytes.as_chunks_mut::<4>();
    let word = u32::from_ne_bytes(key);
    for chunk in chunks {
        *chunk = (u32::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_each_length_come_back() {
        for length in [0, 1, 125, 126, 400, 65_535, 65_536] {
            for mask in [false, true] {
                let payload: Vec<u8> = (0..length).map(|i: u32| i.to_le_bytes()[0]).collect();
                let mut buffer = vec![0; 3];
                push(&mut buffer, TEXT, mask, &payload);
                let mut part = buffer[..buffer.len() - 1].to_vec();
                assert!(parse(&mut part, 3).is_none());
                let frame = parse(&mut buffer, 3).unwrap();
                assert_eq!((frame.opcode, &buffer[frame.payload.clone()]), (TEXT, &payload[..]));
                assert_eq!(frame.payload.end, buffer.len());
            }
        }
    }
}
