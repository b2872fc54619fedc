//! One call over real sockets: the only part that waits.

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use realtime_bridge::media::twilio::wire::{MediaFormat, Start};
use tokio::task::JoinSet;
use twilio_twiml::{
    sid::StreamSid,
    webhook::{Form, StreamEvent},
    words::{CallStatus, Method},
};

use super::{
    account::{Account, Leg, Number, mint},
    caller::Act,
    clock::FrameClock,
    debugger::{Alert, AlertCode},
    frame::frames_in,
    interpreter::{Fetch, Instruction, Interpreter, Note, StreamPlan},
    line::{Line, Tick},
    measures::Measures,
    media_stream::{Asked, MediaStream},
    report::{CallEnd, CallReport, StreamReport},
    say,
    script::{CallerScript, Phase},
    stream_socket::{Arrived, StreamSocket},
    timeline::{Event, StreamEnd},
    webhook::{Answered, Webhooks},
};

/// A call on its way from the first ring to the report.
pub(super) struct Call {
    account: Arc<Account>,
    leg: Leg,
    number: Number,
    time_limit: Duration,
    clock: FrameClock,
    line: Line,
    webhooks: Arc<Webhooks>,
    interpreter: Interpreter,
    /// Callbacks on their way; they steer nothing and hold nothing up.
    callbacks: JoinSet<Callback>,
    answered: Option<Duration>,
    /// When the caller, or the time limit, ended the call on a media stream.
    hung_up: Option<Duration>,
    streams: Vec<StreamReport>,
}

/// A callback that was sent, and what came of it.
struct Callback {
    purpose: &'static str,
    sent: Duration,
    took: Duration,
    result: Result<Answered, Alert>,
}

impl Call {
    pub(super) fn new(
        account: Arc<Account>,
        leg: Leg,
        number: Number,
        script: CallerScript,
        time_limit: Duration,
        record: bool,
    ) -> Self {
        let webhooks = Webhooks::new(account.dialer.clone(), account.token.clone());
        let mut line = Line::new(script, record);
        line.timeline.push(Duration::ZERO, Event::Placed { from: leg.from.to_string(), to: leg.to.to_string() });
        Self {
            account,
            leg,
            interpreter: Interpreter::new(number.voice_url.clone()),
            number,
            time_limit,
            clock: FrameClock::start(),
            line,
            webhooks: Arc::new(webhooks),
            callbacks: JoinSet::new(),
            answered: None,
            hung_up: None,
            streams: Vec::new(),
        }
    }

    /// Lives the call to its end.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the call like a network that fails: all sockets close, no goodbye is said.
    pub(super) async fn run(mut self) -> CallReport {
        let (Ok(end) | Err(end)) = self.carry_out().await;
        let ended = self.last_moment();
        if let CallEnd::Failed(alert) = &end {
            self.line.timeline.push(ended, Event::Alert(alert.clone()));
        }
        self.line.timeline.push(ended, Event::Ended(end.clone()));
        let status = match (&end, self.answered) {
            (_, Some(_)) => CallStatus::Completed,
            // Whoever gives up while it rings was not answered.
            (CallEnd::CallerHungUp { .. } | CallEnd::CallerGaveUp { .. } | CallEnd::TimeLimit, None) => {
                CallStatus::NoAnswer
            }
            (_, None) => CallStatus::Failed,
        };
        if let Some(url) = self.number.status_callback.clone() {
            let talked = self.answered.map_or(Duration::ZERO, |answered| ended.saturating_sub(answered));
            let form = self.leg.ended_form(status.clone(), talked);
            self.call_back(Fetch { purpose: "call status", url, method: Method::Post }, form);
        }
        while let Some(callback) = self.callbacks.join_next().await {
            self.note_callback(callback.expect("a callback does not panic and is not cancelled"));
        }
        let finished = self.line.finish();
        let answered = self.answered.unwrap_or(ended);
        CallReport {
            call_sid: self.leg.call_sid,
            end,
            status,
            placed_at: self.clock.started(),
            answered: self.answered,
            ended,
            measures: Measures::of(&finished.agent_speech, &finished.caller_speech, answered, ended),
            timeline: finished.timeline,
            agent_speech: finished.agent_speech,
            caller_speech: finished.caller_speech,
            streams: self.streams,
            recording: finished.recording,
            worst_lateness: self.clock.worst_lateness(),
        }
    }

    async fn carry_out(&mut self) -> Result<CallEnd, CallEnd> {
        self.fetch(self.number.voice()).await?;
        loop {
            let instruction = self.interpreter.next();
            for note in self.interpreter.notes() {
                self.note(match note {
                    Note::Alert(alert) => Event::Alert(alert),
                    Note::Trap(text) => Event::Trap { text },
                });
            }
            match instruction {
                Instruction::Fetch(fetch) => self.fetch(fetch).await?,
                Instruction::Say { text, times } => self.say(text, times).await?,
                Instruction::Pause(length) => {
                    self.note(Event::Verb { name: "Pause", detail: format!("{} s", length.as_secs()) });
                    for _ in 0..frames_in(length) {
                        self.tick().await?;
                    }
                }
                Instruction::Stream(plan) => self.stream(plan).await?,
                Instruction::StreamRefused { alert, status_callback } => {
                    self.refuse_stream(&mint("MZ"), None, alert, status_callback);
                }
                Instruction::End(end) => return Ok(end),
            }
        }
    }

    /// Gets the next document, from the fallback URL if need be.
    async fn fetch(&mut self, fetch: Fetch) -> Result<(), CallEnd> {
        let form = self.leg.voice_form(self.status());
        let Err(alert) = self.fetch_from(fetch.clone(), form).await? else { return Ok(()) };
        let Some(url) = self.number.fallback_url.clone() else { return Err(CallEnd::Failed(alert)) };
        let form = self.leg.fallback_form(self.status(), &fetch.url, &alert);
        self.note(Event::Alert(alert));
        let fallback = Fetch { purpose: "voice fallback", url, method: Method::Post };
        self.fetch_from(fallback, form).await?.map_err(CallEnd::Failed)
    }

    async fn fetch_from(&mut self, fetch: Fetch, form: Form) -> Result<Result<(), Alert>, CallEnd> {
        self.note(Event::WebhookSent {
            purpose: fetch.purpose,
            method: fetch.method.as_str(),
            url: fetch.url.to_string(),
        });
        let (purpose, sent) = (fetch.purpose, self.clock.elapsed());
        let webhooks = Arc::clone(&self.webhooks);
        let answered = self.while_ticking(async move { webhooks.send(&fetch, &form).await }).await?;
        Ok(match answered {
            Ok(Answered { url, answer }) => {
                let took = self.clock.elapsed() - sent;
                self.note(Event::WebhookAnswered { purpose, status: answer.status, took });
                answer.document().map(|document| {
                    self.note(Event::Document { twiml: document.text });
                    document.warnings.into_iter().for_each(|warning| self.note(Event::Alert(warning)));
                    if self.answered.is_none() {
                        self.answered = Some(self.clock.elapsed());
                        self.line.phase = Phase::Answered;
                        self.note(Event::Answered);
                    }
                    self.interpreter.load(url, document.response);
                })
            }
            Err(alert) => Err(alert),
        })
    }

    async fn say(&mut self, text: String, times: Option<u32>) -> Result<(), CallEnd> {
        let audio = say::audio_of(&text);
        self.note(Event::Verb { name: "Say", detail: format!("“{text}”") });
        let mut said = 0;
        while times.is_none_or(|times| said < times) {
            said += 1;
            self.line.playout.push_audio(audio.clone());
            // At least one frame, so that silence said for ever still takes time.
            self.tick().await?;
            while !self.line.playout.is_idle() {
                self.tick().await?;
            }
        }
        Ok(())
    }

    async fn stream(&mut self, plan: StreamPlan) -> Result<(), CallEnd> {
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
            Err(end) => (StreamEnd::CallEnded, Err(end)),
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
    async fn talk(&mut self, media: &mut MediaStream, mut socket: StreamSocket) -> Result<StreamEnd, CallEnd> {
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
                    if let Err(end) = self.goes_on(&tick) {
                        self.hung_up = Some(self.clock.elapsed());
                        socket.send(media.stop());
                        socket.close().await;
                        return Err(end);
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
    fn refuse_stream(&mut self, sid: &StreamSid, name: Option<&str>, alert: Alert, callback: Option<Fetch>) {
        self.call_back_stream(sid, name, StreamEvent::Error, Some(&alert), callback);
        self.note(Event::Alert(alert));
    }

    /// Lets the line live through 20 ms.
    async fn tick(&mut self) -> Result<(), CallEnd> {
        self.clock.tick().await;
        let tick = self.line.tick();
        self.goes_on(&tick)
    }

    /// Lets the line live while something else is under way.
    async fn while_ticking<F: Future>(&mut self, work: F) -> Result<F::Output, CallEnd> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                () = self.clock.tick() => {
                    let tick = self.line.tick();
                    self.goes_on(&tick)?;
                }
                output = &mut work => return Ok(output),
            }
        }
    }

    /// Whether the caller is still there after this tick.
    fn goes_on(&self, tick: &Tick) -> Result<(), CallEnd> {
        for act in &tick.acts {
            match act {
                Act::HangsUp => return Err(CallEnd::CallerHungUp { phase: self.line.phase }),
                Act::GivesUp(waiting_for) => return Err(CallEnd::CallerGaveUp { waiting_for }),
                _ => {}
            }
        }
        if self.line.now() >= self.time_limit { Err(CallEnd::TimeLimit) } else { Ok(()) }
    }

    fn status(&self) -> CallStatus {
        if self.answered.is_some() { CallStatus::InProgress } else { CallStatus::Ringing }
    }

    /// Now, or when the caller hung up: the line stands still while the socket says goodbye.
    fn last_moment(&self) -> Duration {
        self.hung_up.unwrap_or_else(|| self.clock.elapsed())
    }

    fn unheard_bytes(&self) -> u64 {
        self.line.playout.totals().cleared
    }

    fn note(&mut self, event: Event) {
        self.line.timeline.push(self.clock.elapsed(), event);
    }

    fn call_back_stream(
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

    fn call_back(&mut self, fetch: Fetch, form: Form) {
        let (purpose, method, url) = (fetch.purpose, fetch.method.as_str(), fetch.url.to_string());
        self.note(Event::WebhookSent { purpose, method, url });
        let (webhooks, sent, placed) = (Arc::clone(&self.webhooks), self.clock.elapsed(), self.clock.started());
        self.callbacks.spawn(async move {
            let result = webhooks.send(&fetch, &form).await;
            Callback { purpose, sent, took: placed.elapsed() - sent, result }
        });
    }

    fn note_callback(&mut self, callback: Callback) {
        let Callback { purpose, sent, took, result } = callback;
        match result {
            Ok(answered) => {
                let status = answered.answer.status;
                self.line.timeline.push(sent + took, Event::WebhookAnswered { purpose, status, took });
                if !(200..300).contains(&status) {
                    let alert = Alert::new(AlertCode::HttpRetrieval, format!("{purpose}: status {status}"));
                    self.line.timeline.push(sent + took, Event::Alert(alert));
                }
            }
            Err(alert) => self.line.timeline.push(sent + took, Event::Alert(alert)),
        }
    }
}
