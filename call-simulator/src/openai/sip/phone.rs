//! The telephone of a call: rings, then carries both voices, 20 ms at a time.

use std::sync::Arc;

use bytes::Bytes;
use realtime_bridge::audio::{AudioFormat, AudioFrame, Transcoder};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{SipCall, SipEnd, SipReport, call::Stage, deliver::deliver};
use crate::{
    openai::{
        script::Act as Happening,
        session::{CallAudio, Session},
        socket::Shared,
    },
    twilio::{
        Measures, Phase,
        telephone::{Act, Dialer, FrameClock, Line},
    },
};

/// Converters between the telephone's μ-law and what the session speaks.
#[derive(Debug, Default)]
struct Voices {
    to_model: Option<(AudioFormat, Transcoder)>,
    to_line: Option<(AudioFormat, Transcoder)>,
}

/// Lives through a call, from the INVITE to its report. `stop` ends it.
pub(in crate::openai) async fn live(call: Arc<SipCall>, stop: CancellationToken) {
    let dialer = Dialer::new();
    let telling = async {
        tokio::select! {
            () = deliver(&call, &dialer) => stop.cancelled().await,
            () = stop.cancelled() => {}
        }
        call.end(SipEnd::SessionEnded);
        std::future::pending::<()>().await;
    };
    let talking = talk(&call);
    // A delivery that goes on when the call is over is for nobody.
    let report = tokio::select! {
        report = talking => report,
        () = telling => unreachable!("it never ends"),
    };
    call.finish(report);
}

async fn talk(call: &SipCall) -> SipReport {
    let mut line = Line::new(call.ring.caller.clone(), true);
    // The session plays by the clock of this process, and nothing is on a wire between the two.
    let mut clock = FrameClock::keeping_up();
    let mut voices = Voices::default();
    let mut session = None;
    let end = loop {
        clock.tick().await;
        call.check_transfer();
        match call.stage() {
            Stage::Over(end) => break end,
            Stage::Ringing if line.now() >= call.ring.patience => call.end(SipEnd::NotAnswered),
            Stage::Ringing => line.ring(),
            Stage::Connected(connected) => {
                line.phase = Phase::Streaming;
                frame(call, &mut line, &mut voices, &connected);
                if connected.lock().is_ended() {
                    call.end(SipEnd::SessionEnded);
                }
                session = Some(connected);
            }
        }
    };
    let ended = line.now();
    let finished = line.finish();
    let accepted = call.accepted();
    SipReport {
        call_id: call.id.clone(),
        end,
        ended,
        accepted,
        moments: call.moments(),
        measures: Measures::of(&finished.agent_speech, &finished.caller_speech, accepted.unwrap_or(ended), ended),
        agent_speech: finished.agent_speech,
        caller_speech: finished.caller_speech,
        recording: finished.recording,
        session: session.map(|session| session.lock().recording()),
    }
}

/// 20 ms of both voices.
fn frame(call: &SipCall, line: &mut Line, voices: &mut Voices, shared: &Shared) {
    shared.change(|session| {
        let now = Instant::now().into_std();
        session.handle_timeout(now);
        while let Some(audio) = session.poll_call_audio() {
            match audio {
                CallAudio::Play(format, audio) => line.playout.push_audio(voices.for_line(format, audio)),
                CallAudio::Clear => drop(line.playout.clear()),
            }
        }
        let tick = line.tick();
        session.hear(now, &voices.for_model(session.input_format(), &tick.frame));
        for act in tick.acts {
            perform(call, session, now, act);
        }
    });
}

fn perform(call: &SipCall, session: &mut Session, now: std::time::Instant, act: Act) {
    let end = match act {
        Act::Presses(key) => return session.act(now, Happening::Dtmf(key.as_char())),
        // The telephone has no socket, and audio that is lost is silence to the provider.
        Act::Says(_) | Act::LosesAudio(_) | Act::DropsSocket => return,
        Act::HangsUp => SipEnd::CallerHungUp,
        Act::GivesUp(waiting_for) => SipEnd::CallerGaveUp(waiting_for),
    };
    session.hang_up(now);
    call.end_of_telephone(end);
}

impl Voices {
    fn for_model(&mut self, format: AudioFormat, mulaw: &[u8]) -> Vec<u8> {
        convert(&mut self.to_model, AudioFormat::MuLaw, format, format, mulaw.to_vec())
    }

    fn for_line(&mut self, format: AudioFormat, audio: Vec<u8>) -> Bytes {
        convert(&mut self.to_line, format, AudioFormat::MuLaw, format, audio).into()
    }
}

fn convert(
    converter: &mut Option<(AudioFormat, Transcoder)>,
    from: AudioFormat,
    to: AudioFormat,
    varies: AudioFormat,
    audio: Vec<u8>,
) -> Vec<u8> {
    if from == to {
        return audio;
    }
    let fresh = converter.take().filter(|(known, _)| *known == varies);
    let (_, transcoder) = converter.insert(fresh.unwrap_or_else(|| (varies, Transcoder::new(from, to))));
    let converted = transcoder.convert(&AudioFrame::raw(from, Bytes::from(audio)));
    converted.map(|frame| frame.to_raw().to_vec()).unwrap_or_default()
}
