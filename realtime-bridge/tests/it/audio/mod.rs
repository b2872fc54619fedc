//! What conversions do to sound, measured.

mod resample;
mod signal;
