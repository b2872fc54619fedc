//! From the upgrade to `start`.

use std::{collections::BTreeMap, fmt};

use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite};
use twilio_twiml::sid::{AccountSid, CallSid, StreamSid};

use super::{
    Config,
    stream::{frame_error, text_of},
    wire::{FromTwilio, MediaFormat, Start},
};
use crate::{
    media::{MediaError, MediaStart},
    websocket::AnyWebSocket,
};

/// Who is on the line, as Twilio says. Nothing of it is proven: whoever can open the socket can say it, so check a token
/// among the parameters before anything else.
///
/// `Debug` shows the names of the parameters, not their values.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamStart {
    /// The leg that runs the TwiML.
    pub call_sid: CallSid,
    /// The stream.
    pub stream_sid: StreamSid,
    /// The account that the call belongs to.
    pub account_sid: AccountSid,
    /// What the TwiML passed along with `<Parameter>`.
    pub parameters: BTreeMap<String, String>,
}

impl fmt::Debug for StreamStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamStart")
            .field("call_sid", &self.call_sid)
            .field("stream_sid", &self.stream_sid)
            .field("account_sid", &self.account_sid)
            .field("parameters", &self.parameters.keys())
            .finish()
    }
}

impl From<&StreamStart> for MediaStart {
    fn from(start: &StreamStart) -> Self {
        Self {
            call_id: start.call_sid.as_str().into(),
            stream_id: start.stream_sid.as_str().into(),
            parameters: start.parameters.clone(),
        }
    }
}

/// Waits for `connected` and `start`, in this order and within the limit.
pub(super) async fn shake_hands<S>(socket: &mut AnyWebSocket<S>, config: &Config) -> Result<StreamStart, MediaError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tokio::time::timeout(config.start_limit, introduction(socket, config))
        .await
        .unwrap_or(Err(MediaError::MissingStart { limit: config.start_limit }))
}

async fn introduction<S>(socket: &mut AnyWebSocket<S>, config: &Config) -> Result<StreamStart, MediaError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut connected = false;
    loop {
        let message = socket.next().await.ok_or(MediaError::CutOff)?.map_err(|error| frame_error(error, config))?;
        let Some(text) = text_of(message)? else { continue };
        match FromTwilio::parse(&text)? {
            FromTwilio::Connected(_) if !connected => connected = true,
            FromTwilio::Start(start) if connected => return checked(*start),
            FromTwilio::Unknown(_) => {}
            FromTwilio::Connected(_) => return Err(MediaError::OutOfOrder { message: "connected" }),
            FromTwilio::Start(_) => return Err(MediaError::OutOfOrder { message: "start" }),
            FromTwilio::Media(_) => return Err(MediaError::OutOfOrder { message: "media" }),
            FromTwilio::Dtmf(_) => return Err(MediaError::OutOfOrder { message: "dtmf" }),
            FromTwilio::Mark(_) => return Err(MediaError::OutOfOrder { message: "mark" }),
            FromTwilio::Stop(_) => return Err(MediaError::OutOfOrder { message: "stop" }),
        }
    }
}

fn checked(start: Start) -> Result<StreamStart, MediaError> {
    if start.media_format != MediaFormat::mulaw() {
        return Err(MediaError::Malformed {
            message: "start", source: "its audio is not μ-law, 8000 Hz, mono".into()
        });
    }
    Ok(StreamStart {
        call_sid: start.call_sid,
        stream_sid: start.stream_sid,
        account_sid: start.account_sid,
        parameters: start.custom_parameters,
    })
}
