//! Frames: their heads, and the mask (RFC 6455, section 5).

use std::hash::{BuildHasher, RandomState};

use tokio_tungstenite::tungstenite::{
    Error,
    error::ProtocolError,
    protocol::frame::coding::{Control, Data, OpCode},
};

/// The longest head: two bytes, eight of length, four of mask.
const MAX_HEAD: usize = 14;

/// What a frame says before its payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) opcode: OpCode,
    /// Whether the message ends with this frame.
    pub(super) last: bool,
    pub(super) mask: Option<[u8; 4]>,
    /// Bytes of the head, and of the payload behind it.
    pub(super) size: usize,
    pub(super) length: usize,
}

impl Head {
    /// The head at the start of `bytes`; `None` while it is not complete.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Error> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(ProtocolError::NonZeroReservedBits.into());
        }
        let extended = match second & 0x7F {
            126 => rest.first_chunk().map(|bytes| (2, u64::from(u16::from_be_bytes(*bytes)))),
            127 => rest.first_chunk().map(|bytes| (8, u64::from_be_bytes(*bytes))),
            length => Some((0, u64::from(length))),
        };
        let Some((skip, length)) = extended else { return Ok(None) };
        let (mask, mask_size) = if second & 0x80 == 0 {
            (None, 0)
        } else {
            let Some(mask) = rest[skip..].first_chunk() else { return Ok(None) };
            (Some(*mask), mask.len())
        };
        let opcode = OpCode::from(first & 0x0F);
        let last = first & 0x80 != 0;
        match opcode {
            OpCode::Control(Control::Reserved(code)) | OpCode::Data(Data::Reserved(code)) => {
                return Err(ProtocolError::InvalidOpcode(code).into());
            }
            OpCode::Control(_) if !last => return Err(ProtocolError::FragmentedControlFrame.into()),
            OpCode::Control(_) if length > 125 => return Err(ProtocolError::ControlFrameTooBig.into()),
            OpCode::Control(_) | OpCode::Data(_) => {}
        }
        // What no address space can hold is over every limit, too.
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(Some(Self { opcode, last, mask, size: 2 + skip + mask_size, length }))
    }
}

/// Appends a whole message as one frame; masked when there is a mask.
pub(super) fn push(out: &mut Vec<u8>, opcode: OpCode, mask: Option<[u8; 4]>, payload: &[u8]) {
    out.reserve(MAX_HEAD + payload.len());
    let mask_bit = if mask.is_some() { 0x80 } else { 0 };
    out.push(0x80 | u8::from(opcode));
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..=125), _) => out.push(mask_bit | length),
        (_, Ok(length)) => {
            out.push(mask_bit | 126);
            out.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            out.push(mask_bit | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(mask.as_ref().map_or(&[], |mask| &mask[..]));
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        apply(mask, &mut out[start..]);
    }
}

/// Masks, or takes the mask away.
pub(super) fn apply(mask: [u8; 4], payload: &mut [u8]) {
    let (words, rest) = payload.as_chunks_mut::<4>();
    let key = u32::from_ne_bytes(mask);
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// Masks nobody can foresee, as RFC 6455, section 10.3 asks for: a keyed hash of a counter, whose key comes from the
/// system's entropy. No system call and no lock.
#[derive(Debug, Default)]
pub(super) struct Masks {
    key: RandomState,
    count: u64,
}

impl Masks {
    pub(super) fn next(&mut self) -> [u8; 4] {
        self.count += 1;
        let [a, b, c, d, ..] = self.key.hash_one(self.count).to_le_bytes();
        [a, b, c, d]
    }
}
