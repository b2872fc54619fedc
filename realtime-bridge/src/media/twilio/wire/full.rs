//! The full parser: any order, any white space, escapes, unknown members.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Visitor},
};
use serde_json::value::RawValue;

use super::{Connected, Dtmf, FromTwilio, Mark, Media, MediaFormat, Start, Stop, Track, WireError};
use crate::audio::is_base64;

pub(super) fn parse(text: &str) -> Result<FromTwilio<'_>, WireError> {
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(json("message"))?;
    match &*envelope.event.0 {
        "connected" => Ok(FromTwilio::Connected(connected(text)?)),
        "start" => Ok(FromTwilio::Start(Box::new(start(&envelope)?))),
        "media" => Ok(FromTwilio::Media(media(envelope)?)),
        "dtmf" => Ok(FromTwilio::Dtmf(dtmf(envelope)?)),
        "mark" => Ok(FromTwilio::Mark(mark(envelope)?)),
        "stop" => Ok(FromTwilio::Stop(stop(envelope)?)),
        _ => Ok(FromTwilio::Unknown(envelope.event.0)),
    }
}

/// What all messages have in common. The bodies stay unread until the event is known, so that an event nobody has heard
/// of may put there what it likes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    event: Text<'a>,
    #[serde(borrow)]
    sequence_number: Option<&'a RawValue>,
    #[serde(borrow)]
    stream_sid: Option<&'a RawValue>,
    #[serde(borrow)]
    start: Option<&'a RawValue>,
    #[serde(borrow)]
    media: Option<&'a RawValue>,
    #[serde(borrow)]
    dtmf: Option<&'a RawValue>,
    #[serde(borrow)]
    mark: Option<&'a RawValue>,
    #[serde(borrow)]
    stop: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    fn sequence_number(&self, event: &'static str) -> Result<Option<u64>, WireError> {
        self.sequence_number.map_or(Ok(None), |raw| {
            serde_json::from_str(raw.get()).map(|Number(number)| Some(number)).map_err(json(event))
        })
    }

    fn stream_sid(&self, event: &'static str) -> Result<Cow<'a, str>, WireError> {
        Ok(body::<Text<'_>>(self.stream_sid, event, "streamSid")?.0)
    }
}

/// Text that borrows where it can.
#[derive(Default, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn body<'a, T: Deserialize<'a>>(
    raw: Option<&'a RawValue>,
    event: &'static str,
    member: &'static str,
) -> Result<T, WireError> {
    let raw = raw.ok_or(WireError::Missing { event, member })?;
    serde_json::from_str(raw.get()).map_err(json(event))
}

fn json(event: &'static str) -> impl Fn(serde_json::Error) -> WireError {
    move |source| WireError::Json { event, source }
}

fn connected(text: &str) -> Result<Connected<'_>, WireError> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow, default)]
        protocol: Text<'a>,
        #[serde(borrow, default)]
        version: Text<'a>,
    }
    let body: Body<'_> = serde_json::from_str(text).map_err(json("connected"))?;
    Ok(Connected { protocol: body.protocol.0, version: body.version.0 })
}

fn start(envelope: &Envelope<'_>) -> Result<Start, WireError> {
    const EVENT: &str = "start";
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body<'a> {
        #[serde(borrow)]
        stream_sid: Option<Text<'a>>,
        #[serde(borrow)]
        account_sid: Text<'a>,
        #[serde(borrow)]
        call_sid: Text<'a>,
        #[serde(default)]
        tracks: Vec<String>,
        media_format: Format,
        custom_parameters: Option<BTreeMap<String, String>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Format {
        encoding: String,
        sample_rate: Number,
        channels: Number,
    }
    let value = |member| WireError::Value { event: EVENT, member };
    let outer = envelope.stream_sid(EVENT)?;
    let body: Body<'_> = body(envelope.start, EVENT, "start")?;
    if body.stream_sid.is_some_and(|inner| inner.0 != outer) {
        return Err(value("streamSid"));
    }
    let small = |Number(number)| u32::try_from(number).map_err(|_| value("mediaFormat"));
    Ok(Start {
        sequence_number: envelope.sequence_number(EVENT)?,
        stream_sid: outer.parse().map_err(|_| value("streamSid"))?,
        account_sid: body.account_sid.0.parse().map_err(|_| value("accountSid"))?,
        call_sid: body.call_sid.0.parse().map_err(|_| value("callSid"))?,
        tracks: body.tracks.iter().filter_map(|track| Track::parse(track)).collect(),
        media_format: MediaFormat {
            encoding: body.media_format.encoding,
            sample_rate: small(body.media_format.sample_rate)?,
            channels: small(body.media_format.channels)?,
        },
        custom_parameters: body.custom_parameters.unwrap_or_default(),
    })
}

fn media(envelope: Envelope<'_>) -> Result<Media<'_>, WireError> {
    const EVENT: &str = "media";
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        track: Option<Text<'a>>,
        chunk: Option<Number>,
        timestamp: Option<Number>,
        #[serde(borrow)]
        payload: Text<'a>,
    }
    let body: Body<'_> = body(envelope.media, EVENT, "media")?;
    let track = body.track.map_or(Some(Track::Inbound), |track| Track::parse(&track.0));
    if !is_base64(body.payload.0.as_bytes()) {
        return Err(WireError::Value { event: EVENT, member: "payload" });
    }
    Ok(Media {
        sequence_number: envelope.sequence_number(EVENT)?,
        stream_sid: envelope.stream_sid(EVENT)?,
        track: track.ok_or(WireError::Value { event: EVENT, member: "track" })?,
        chunk: body.chunk.map(|Number(number)| number),
        timestamp: body.timestamp.map(|Number(number)| number),
        payload: body.payload.0,
    })
}

fn dtmf(envelope: Envelope<'_>) -> Result<Dtmf<'_>, WireError> {
    const EVENT: &str = "dtmf";
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        digit: Text<'a>,
    }
    let body: Body<'_> = body(envelope.dtmf, EVENT, "dtmf")?;
    Ok(Dtmf {
        sequence_number: envelope.sequence_number(EVENT)?,
        stream_sid: envelope.stream_sid(EVENT)?,
        digit: body.digit.0,
    })
}

fn mark(envelope: Envelope<'_>) -> Result<Mark<'_>, WireError> {
    const EVENT: &str = "mark";
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        name: Text<'a>,
    }
    let body: Body<'_> = body(envelope.mark, EVENT, "mark")?;
    Ok(Mark {
        sequence_number: envelope.sequence_number(EVENT)?,
        stream_sid: envelope.stream_sid(EVENT)?,
        name: body.name.0,
    })
}

fn stop(envelope: Envelope<'_>) -> Result<Stop<'_>, WireError> {
    const EVENT: &str = "stop";
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Body<'a> {
        #[serde(borrow)]
        account_sid: Text<'a>,
        #[serde(borrow)]
        call_sid: Text<'a>,
    }
    let body: Body<'_> = if envelope.stop.is_some() { body(envelope.stop, EVENT, "stop")? } else { Body::default() };
    Ok(Stop {
        sequence_number: envelope.sequence_number(EVENT)?,
        stream_sid: envelope.stream_sid(EVENT)?,
        account_sid: body.account_sid.0,
        call_sid: body.call_sid.0,
    })
}

/// A whole number, written as a number or as decimal digits in text.
#[derive(Clone, Copy)]
struct Number(u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;

        impl Visitor<'_> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, as a number or as text")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                if text.bytes().all(|byte| byte.is_ascii_digit()) {
                    text.parse().map(Number).map_err(|_| E::custom("not a number that fits 64 bits"))
                } else {
                    Err(E::custom("not decimal digits"))
                }
            }
        }

        deserializer.deserialize_any(NumberVisitor).map_err(D::Error::custom)
    }
}
