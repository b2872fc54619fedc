//! Sample rate conversion with state, so that frames join without a click.

use std::{f64::consts::PI, sync::LazyLock, time::Duration};

use super::SampleRate::{self, Hz8000, Hz16000, Hz24000};

/// Length of the filter in samples of the lower rate: 4 ms at 8 kHz. Half of it is the delay.
const SPAN: usize = 32;
/// Middle of the slope as a share of the lower rate: 3,910 Hz at 8 kHz. Telephones end at 3,400 Hz.
const CUTOFF: f64 = 0.488_75;
/// Shape of the Kaiser window: 65 dB between what passes and what does not.
const BETA: f64 = 6.2;
/// Sums that run side by side, so that the compiler can use vector instructions.
const LANES: usize = 8;

/// Converts 16-bit samples from one rate to another, frame by frame.
///
/// A polyphase FIR filter with linear phase. How the input is cut into frames does not change a bit of the output. What
/// comes out is late by [`Resampler::delay`], 2 ms at most, and as long as what went in: the first output comes with the
/// first input, and the last 2 ms stay inside until [`Resampler::finish`].
///
/// ```
/// use realtime_bridge::audio::{Resampler, SampleRate};
///
/// let mut resampler = Resampler::new(SampleRate::Hz8000, SampleRate::Hz24000);
/// let mut output = Vec::new();
/// resampler.process(&[0; 160], &mut output);
/// assert_eq!(output.len(), 480);
/// ```
#[derive(Debug, Clone)]
pub struct Resampler {
    /// `None` when both rates are the same.
    filter: Option<&'static Filter>,
    /// The last samples of the input, one less than the filter needs.
    history: Vec<f32>,
    /// Where the next output lies after the start of the next input, at the common rate.
    position: usize,
}

impl Resampler {
    /// A converter that has heard silence so far.
    #[must_use]
    pub fn new(from: SampleRate, to: SampleRate) -> Self {
        let filter = Filter::between(from, to);
        let history = filter.map_or_else(Vec::new, |filter| vec![0.0; filter.taps - 1]);
        Self { filter, history, position: 0 }
    }

    /// How much later the output is than the input: 1.94 ms between 8 and 16 kHz, 1.96 ms between 8 and 24 kHz, 0.98 ms
    /// between 16 and 24 kHz.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.filter.map_or(Duration::ZERO, |filter| filter.delay)
    }

    /// Converts the next samples and appends what they give.
    ///
    /// Over time the output has exactly the length of the input; a single call may give one sample more or less when the
    /// input is not a whole number of output samples.
    pub fn process(&mut self, input: &[i16], output: &mut Vec<i16>) {
        let Some(filter) = self.filter else { return output.extend_from_slice(input) };
        let kept = self.history.len();
        self.history.extend(input.iter().map(|sample| f32::from(*sample)));
        let end = input.len() * filter.up;
        output.reserve(end.saturating_sub(self.position).div_ceil(filter.down));
        while self.position < end {
            let window = &self.history[self.position / filter.up..][..filter.taps];
            output.push(to_sample(dot(filter.phase(self.position % filter.up), window)));
            self.position += filter.down;
        }
        self.position -= end;
        self.history.copy_within(input.len().., 0);
        self.history.truncate(kept);
    }

    /// Appends what is still inside, as if silence followed, and begins anew.
    pub fn finish(&mut self, output: &mut Vec<i16>) {
        if let Some(filter) = self.filter {
            self.process(&vec![0; filter.tail], output);
            self.reset();
        }
    }

    /// Forgets what came before.
    pub fn reset(&mut self) {
        self.history.fill(0.0);
        self.position = 0;
    }
}

/// A low-pass filter at the rate that both rates divide, cut into phases: of the samples at that rate only every
/// `up`-th is not zero, and only every `down`-th is asked for.
#[derive(Debug)]
struct Filter {
    up: usize,
    down: usize,
    /// Length of each phase.
    taps: usize,
    /// The phases one after the other, each backwards, as the oldest sample comes first.
    coefficients: Vec<f32>,
    delay: Duration,
    /// The delay in input samples, rounded up.
    tail: usize,
}

impl Filter {
    fn between(from: SampleRate, to: SampleRate) -> Option<&'static Self> {
        macro_rules! filter {
            ($up:literal / $down:literal, $low:expr) => {{
                static FILTER: LazyLock<Filter> = LazyLock::new(|| Filter::design($up, $down, $low));
                Some(&FILTER)
            }};
        }
        match (from, to) {
            (Hz8000, Hz16000) => filter!(2 / 1, Hz8000),
            (Hz8000, Hz24000) => filter!(3 / 1, Hz8000),
            (Hz16000, Hz24000) => filter!(3 / 2, Hz16000),
            (Hz16000, Hz8000) => filter!(1 / 2, Hz8000),
            (Hz24000, Hz8000) => filter!(1 / 3, Hz8000),
            (Hz24000, Hz16000) => filter!(2 / 3, Hz16000),
            (Hz8000, Hz8000) | (Hz16000, Hz16000) | (Hz24000, Hz24000) => None,
        }
    }

    /// A Kaiser-windowed sinc. One tap less than the span makes it symmetric, with a delay of whole samples.
    fn design(up: usize, down: usize, low: SampleRate) -> Self {
        let ratio = up.max(down);
        let length = SPAN * ratio - 1;
        let middle = float(length / 2);
        let prototype: Vec<f64> = (0..length)
            .map(|tap| {
                let offset = float(tap) - middle;
                sinc(2.0 * CUTOFF * offset / float(ratio)) * kaiser(offset / (middle + 1.0))
            })
            .collect();
        let taps = SPAN * ratio / up;
        let mut coefficients = Vec::with_capacity(up * taps);
        for phase in 0..up {
            let taps: Vec<f64> =
                (0..taps).rev().map(|tap| prototype.get(phase + tap * up).copied().unwrap_or(0.0)).collect();
            // Each phase passes a constant unchanged, so that silence and slow waves get no ripple at the output rate.
            let sum: f64 = taps.iter().sum();
            coefficients.extend(taps.iter().map(|tap| to_f32(tap / sum)));
        }
        let common_hz = low.hz() * u32::try_from(ratio).expect("a ratio is 2 or 3");
        let delay = Duration::from_secs_f64(middle / f64::from(common_hz));
        Self { up, down, taps, coefficients, delay, tail: (length / 2).div_ceil(up) }
    }

    fn phase(&self, phase: usize) -> &[f32] {
        &self.coefficients[phase * self.taps..][..self.taps]
    }
}

fn dot(taps: &[f32], window: &[f32]) -> f32 {
    let (taps, rest) = taps.as_chunks::<LANES>();
    debug_assert!(rest.is_empty(), "all phases are a multiple of the lanes long");
    let (window, _) = window.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (taps, window) in taps.iter().zip(window) {
        for lane in 0..LANES {
            sums[lane] += taps[lane] * window[lane];
        }
    }
    sums.iter().sum()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The Kaiser window from -1 to 1, not scaled.
fn kaiser(x: f64) -> f64 {
    bessel_i0(BETA * (1.0 - x * x).max(0.0).sqrt())
}

/// The modified Bessel function of the first kind, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * f64::EPSILON {
        term *= (x / (2.0 * k)).powi(2);
        sum += term;
        k += 1.0;
    }
    sum
}

#[expect(clippy::cast_precision_loss, reason = "taps are counted in hundreds")]
fn float(number: usize) -> f64 {
    number as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a coefficient needs no more than 24 bits")]
fn to_f32(value: f64) -> f32 {
    value as f32
}

/// Rounds to the nearest sample; what is too loud is cut.
#[expect(clippy::cast_possible_truncation, reason = "the conversion saturates, and a whole number has nothing to cut")]
fn to_sample(value: f32) -> i16 {
    // Numbers of this size have no fraction, so adding it rounds; `round` is a function call on older processors.
    const WHOLE: f32 = 12_582_912.0;
    (value + WHOLE - WHOLE) as i16
}
