//! What conversions do to sound, measured.

#![expect(clippy::cast_possible_truncation, reason = "the signals are made to fit 16 bits")]

mod resample;
mod signal;
