//! A media stream in a call: the line on one side, the application's WebSocket on the other.

use std::time::Duration;

use realtime_bridge::media::twilio::wire::{MediaFormat, Start};
use twilio_twiml::{sid::StreamSid, webhook::StreamEvent};

use super::{
    super::{
        account::mint,
        caller::Act,
        debugger::Alert,
        interpreter::{Fetch, StreamPlan},
        media_stream::{Asked, MediaStream},
        report::StreamReport,
        script::Phase,
        stream_socket::{Arrived, StreamSocket},
        timeline::{Event, StreamEnd},
    },
    Call, Leave,
};

impl Call {
    pub(super) async fn stream(&mut self, plan: StreamPlan) -> Result<(), Leave> {
        let phase_before = std::mem::replace(&mut self.line.phase, Phase::Connecting);
        self.note(Event::Verb { name: "Stream", detail: plan.url.to_string() });
        let stream_sid: StreamSid = mint("MZ");
        let open = StreamSocket::open(self.account.dialer.clone(), plan.url, self.account.token.clone());
        let socket = match self.while_ticking(open).await? {
            Ok(socket) => socket,
            Err(alert) => {
                self.line.phase = phase_before;
                self.refuse_stream(&stream_sid, plan.name.as_deref(), alert, plan.status_callback);
                return Ok(());
            }
        };
        let started = self.clock.elapsed();
        self.line.phase = Phase::Streaming;
        self.interpreter.stream_started();
        self.note(Event::StreamStarted { stream_sid: stream_sid.clone() });
        self.call_back_stream(
            &stream_sid,
            plan.name.as_deref(),
            StreamEvent::Started,
            None,
            plan.status_callback.clone(),
        );

        let mut media = MediaStream::new(Start {
            sequence_number: None,
            stream_sid: stream_sid.clone(),
            account_sid: self.leg.account_sid.clone(),
            call_sid: self.leg.call_sid.clone(),
            tracks: Vec::new(),
            media_format: MediaFormat::mulaw(),
            custom_parameters: plan.parameters,
        });
        let unheard_before = self.unheard_bytes();
        let (reason, outcome) = match self.talk(&mut media, socket).await {
            Ok(reason) => (reason, Ok(())),
            Err(leave @ Leave::End(_)) => (StreamEnd::CallEnded, Err(leave)),
            Err(leave @ Leave::Go(_)) => (StreamEnd::Redirected, Err(leave)),
        };
        // What was not played when the socket closed is lost (Twilio: Media Streams).
        self.line.playout.clear();
        self.line.phase = Phase::AfterStream;
        let unheard = Duration::from_millis((self.unheard_bytes() - unheard_before) / 8);
        let ended = self.last_moment();
        self.line.timeline.push(ended, Event::StreamEnded { stream_sid: stream_sid.clone(), reason });
        self.call_back_stream(&stream_sid, plan.name.as_deref(), StreamEvent::Stopped, None, plan.status_callback);
        let counts = media.counts();
        self.streams.push(StreamReport { stream_sid, started, ended, reason, counts, unheard });
        outcome
    }

    /// Runs a stream until it or the call ends.
    async fn talk(&mut self, media: &mut MediaStream, mut socket: StreamSocket) -> Result<StreamEnd, Leave> {
        media.open().into_iter().for_each(|message| socket.send(message));
        loop {
            tokio::select! {
                // The line runs in real time whatever the server sends.
                biased;
                () = self.clock.tick() => {
                    let tick = self.line.tick();
                    for name in &tick.marks {
                        socket.send(media.mark(name));
                    }
                    for act in &tick.acts {
                        match act {
                            Act::Presses(key) => socket.send(media.key(*key)),
                            Act::LosesAudio(time) => media.lose(*time),
                            Act::DropsSocket => return Ok(StreamEnd::SocketDropped),
                            Act::Says(_) | Act::HangsUp | Act::GivesUp(_) => {}
                        }
                    }
                    if let Err(leave) = self.lived(&tick) {
                        socket.send(media.stop());
                        if matches!(leave, Leave::End(_)) {
                            self.hung_up = Some(self.clock.elapsed());
                            socket.close().await;
                        } else {
                            // The new document does not wait for the server's goodbye.
                            self.closing.spawn(socket.close());
                        }
                        return Err(leave);
                    }
                    if socket.is_stalled() {
                        media.stall();
                    } else if let Some(message) = media.frame(&tick.frame) {
                        socket.send(message);
                    }
                }
                arrived = socket.next() => match arrived {
                    Arrived::Text(text) => match media.text(&text) {
                        Ok(asked) => self.obey(asked, media, &mut socket),
                        Err(refused) => self.ignore(refused.alert, refused.logged),
                    },
                    Arrived::Binary(length) => {
                        let refused = media.binary(length);
                        self.ignore(refused.alert, refused.logged);
                    }
                    Arrived::Closed => {
                        let closing = socket.close();
                        self.while_ticking(closing).await?;
                        return Ok(StreamEnd::ServerClosed);
                    }
                    Arrived::Lost(alert) => {
                        self.note(Event::Alert(alert));
                        return Ok(StreamEnd::ConnectionLost);
                    }
                },
            }
        }
    }

    fn obey(&mut self, asked: Asked, media: &mut MediaStream, socket: &mut StreamSocket) {
        match asked {
            Asked::Play(audio) => self.line.playout.push_audio(audio),
            Asked::Mark(name) => {
                self.note(Event::MarkSet { name: name.clone() });
                if let Some(name) = self.line.playout.push_mark(name) {
                    socket.send(media.mark(&name));
                    self.note(Event::MarkReturned { name, cleared: false });
                }
            }
            Asked::Clear => {
                let cleared = self.line.playout.clear();
                let dropped = Duration::from_millis(cleared.bytes as u64 / 8);
                self.note(Event::Cleared { dropped, marks: cleared.marks.len() });
                for name in cleared.marks {
                    socket.send(media.mark(&name));
                    self.note(Event::MarkReturned { name, cleared: true });
                }
            }
        }
    }

    fn ignore(&mut self, alert: Alert, logged: bool) {
        self.note(Event::MessageRefused { reason: alert.detail.clone() });
        if logged {
            self.note(Event::Alert(alert));
        }
    }

    /// A stream that never was: the callback tells, and the document goes on.
    pub(super) fn refuse_stream(&mut self, sid: &StreamSid, name: Option<&str>, alert: Alert, callback: Option<Fetch>) {
        self.call_back_stream(sid, name, StreamEvent::Error, Some(&alert), callback);
        self.note(Event::Alert(alert));
    }

    fn unheard_bytes(&self) -> u64 {
        self.line.playout.totals().cleared
    }

    pub(super) fn call_back_stream(
        &mut self,
        sid: &StreamSid,
        name: Option<&str>,
        event: StreamEvent,
        alert: Option<&Alert>,
        callback: Option<Fetch>,
    ) {
        if let Some(fetch) = callback {
            let form = self.leg.stream_form(sid, name, event, alert);
            self.call_back(fetch, form);
        }
    }
}
