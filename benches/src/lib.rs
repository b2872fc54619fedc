//! Benchmarks of the audio relay's hot path and a load runner.
