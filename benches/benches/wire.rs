//! What a message costs on its way in and out: Twilio's JSON, OpenAI's JSON, base64.
//!
//! Not in it: sockets, WebSocket framing and masking, the relay.

use std::hint::black_box;

use benches::wire::{AnswerIds, Audio, DELTA_BYTES, FRAME_BYTES, Tag, caller_media, model_delta, stream_sid};
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    media::twilio::wire::{FromTwilio, ToTwilio, media_message},
    realtime::{
        RealtimeCommand, RealtimeEvent,
        openai::{EventDecoder, encode_command},
    },
};

const TAG: Tag = Tag { nanos: 1, seq: 7, who: 3, turn: 1 };

fn media() -> String {
    let mut text = Vec::new();
    caller_media(&mut text, 513, 512, &Audio::new(FRAME_BYTES), TAG);
    String::from_utf8(text).expect("JSON is UTF-8")
}

fn delta() -> Bytes {
    let mut text = Vec::new();
    model_delta(&mut text, &AnswerIds::new(3, 1), &Audio::new(DELTA_BYTES), TAG);
    text.into()
}

fn frame_of(bytes: usize) -> AudioFrame {
    let mut text = Vec::new();
    Audio::new(bytes).push(&mut text, TAG);
    AudioFrame::base64(AudioFormat::MuLaw, text).expect("it is base64")
}

fn from_the_line(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("from the line, 20 ms");
    let text = media();
    group.bench_function("parse media", |bencher| bencher.iter(|| FromTwilio::parse(black_box(&text)).is_ok()));
    group.bench_function("parse media, full parser", |bencher| {
        bencher.iter(|| FromTwilio::parse_full(black_box(&text)).is_ok());
    });
    let append = RealtimeCommand::Append(frame_of(FRAME_BYTES));
    group.bench_function("build append", |bencher| bencher.iter(|| encode_command(black_box(&append))));
    group.bench_function("parse media, make frame, build append", |bencher| {
        bencher.iter(|| {
            let Ok(FromTwilio::Media(media)) = FromTwilio::parse(black_box(&text)) else { unreachable!("it is media") };
            let payload = Bytes::copy_from_slice(media.payload.as_bytes());
            let frame = AudioFrame::base64(AudioFormat::MuLaw, payload).expect("it is base64");
            encode_command(&RealtimeCommand::Append(frame))
        });
    });
    group.finish();
}

fn from_the_model(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("from the model, 100 ms");
    let message = delta();
    let text = std::str::from_utf8(&message).expect("JSON is UTF-8");
    let mut decoder = EventDecoder::new(AudioFormat::MuLaw);
    group.bench_function("parse delta", |bencher| bencher.iter(|| decoder.decode(black_box(&message)).is_ok()));
    group.bench_function("parse delta, full parser", |bencher| {
        bencher.iter(|| decoder.decode_in_full(black_box(text)).is_ok());
    });
    let (stream, frame) = (stream_sid(3), frame_of(DELTA_BYTES));
    group
        .bench_function("build media", |bencher| bencher.iter(|| media_message(black_box(&stream), black_box(&frame))));
    group.bench_function("parse delta, build media", |bencher| {
        bencher.iter(|| match decoder.decode(black_box(&message)) {
            Ok(RealtimeEvent::Audio { frame, .. }) => media_message(&stream, &frame),
            _ => unreachable!("it is audio"),
        });
    });
    let mark = ToTwilio::Mark { stream_sid: stream.as_str().into(), name: "17".into() };
    group.bench_function("build mark", |bencher| bencher.iter(|| black_box(&mark).to_json()));
    group.finish();
}

criterion_group!(benches, from_the_line, from_the_model);
criterion_main!(benches);
