//! One call over real sockets: the only part that waits.

mod bridging;
mod callbacks;
mod conferring;
mod copying;
mod dialling;
mod gathering;
mod messages;
mod placing;
mod speaking;
mod stream;
mod taping;

use std::{convert::Infallible, future::Future, pin::pin, sync::Arc, time::Duration};

use callbacks::Delivered;
use copying::Copies;
pub(super) use dialling::{Detection, Dialling};
pub(super) use placing::place;
use taping::Tape;
pub(super) use taping::{Pause, RecordingPlan};
use tokio::task::JoinSet;
use twilio_twiml::{
    jiff::Timestamp,
    twiml::Response,
    webhook::Form,
    words::{CallEvent, CallStatus},
};

use super::{
    account::{Account, Detected, Ending, Leg, mint},
    caller::Act,
    clock::FrameClock,
    debugger::Alert,
    detection::Detector,
    frame::frames_in,
    interpreter::{Fetch, Instruction, Interpreter, Note},
    line::{Line, Tick},
    measures::Measures,
    register::{Begin, Entry, Order, Turn},
    report::{CallEnd, CallReport, StreamReport},
    room_stay::RoomStay,
    script::{CallerScript, Phase},
    timeline::Event,
    webhook::{Answered, Webhooks},
};

/// What a call is made of.
pub(super) struct Plan {
    pub(super) leg: Leg,
    pub(super) begin: Begin,
    /// What answers when a document cannot be had.
    pub(super) fallback: Option<Fetch>,
    pub(super) time_limit: Duration,
    /// Whether both sides are kept.
    pub(super) record: bool,
    pub(super) way: Way,
}

/// Who calls whom.
pub(super) enum Way {
    /// Somebody calls a number of the account.
    In(CallerScript),
    /// The account calls a telephone.
    Out(Box<Dialling>),
}

/// A call on its way from the first ring to the report.
pub(super) struct Call {
    account: Arc<Account>,
    entry: Arc<Entry>,
    leg: Leg,
    fallback: Option<Fetch>,
    /// When the call is ended whatever happens, since it was placed.
    time_limit: Duration,
    clock: FrameClock,
    line: Line,
    webhooks: Arc<Webhooks>,
    interpreter: Interpreter,
    /// Callbacks on their way; they steer nothing and hold nothing up.
    callbacks: JoinSet<Delivered>,
    /// Sockets of streams that were left.
    closing: JoinSet<()>,
    progress_sent: u32,
    detector: Option<(Detector, Option<Fetch>)>,
    /// The first document waits for the detection.
    detection_waits: bool,
    detected: Option<Detected>,
    /// What the carrier said of a call that nobody answered.
    sip_status: Option<u16>,
    tape: Option<Tape>,
    answered: Option<Duration>,
    /// When the caller, or the time limit, ended the call on a media stream.
    hung_up: Option<Duration>,
    streams: Vec<StreamReport>,
    copies: Copies,
    /// Copies that are over.
    copied: Vec<StreamReport>,
    rooms: Vec<RoomStay>,
    way: Option<Way>,
    begin: Option<Begin>,
}

/// Why a call leaves what it is doing.
enum Leave {
    End(CallEnd),
    /// The REST API wants something else of it.
    Go(Box<Turn>),
}

impl From<CallEnd> for Leave {
    fn from(end: CallEnd) -> Self {
        Self::End(end)
    }
}

impl Call {
    pub(super) fn new(account: Arc<Account>, entry: Arc<Entry>, plan: Plan) -> Self {
        let webhooks = Webhooks::new(account.dialer.clone(), account.token.clone());
        let script = match &plan.way {
            Way::In(script) => script.clone(),
            Way::Out(dialling) => dialling.person(),
        };
        let mut line = Line::new(script, plan.record);
        let Leg { from, to, .. } = &plan.leg;
        line.timeline.push(Duration::ZERO, Event::Placed { from: from.to_string(), to: to.to_string() });
        Self {
            account,
            entry,
            leg: plan.leg,
            fallback: plan.fallback,
            interpreter: Interpreter::default(),
            time_limit: plan.time_limit,
            clock: FrameClock::start(),
            line,
            webhooks: Arc::new(webhooks),
            callbacks: JoinSet::new(),
            closing: JoinSet::new(),
            progress_sent: 0,
            detector: None,
            detection_waits: false,
            detected: None,
            sip_status: None,
            tape: None,
            answered: None,
            hung_up: None,
            streams: Vec::new(),
            copies: Copies::default(),
            copied: Vec::new(),
            rooms: Vec::new(),
            way: Some(plan.way),
            begin: Some(plan.begin),
        }
    }

    /// Lives the call to its end.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the call like a network that fails: all sockets close, no goodbye is said.
    pub(super) async fn run(mut self) -> CallReport {
        let end = self.carry_out().await;
        let ended = self.last_moment();
        if let CallEnd::Failed(alert) = &end {
            self.line.timeline.push(ended, Event::Alert(alert.clone()));
        }
        self.line.timeline.push(ended, Event::Ended(end.clone()));
        let status = end.status(self.answered.is_some());
        let talked = self.answered.map_or(Duration::ZERO, |answered| ended.saturating_sub(answered));
        let answered = self.answered.unwrap_or(ended);
        let finished = self.line.finish();
        let recording = self.file_tape();
        let detected = self.detected.as_ref().map(|detected| detected.answered_by.clone());
        self.entry.change(|facts| {
            facts.status = status.clone();
            facts.ended = Some(Timestamp::now());
            facts.talked = Some(talked);
        });
        // A call that was given up before it was dialled is not talked about.
        if self.entry.facts().started.is_some() {
            let ending = Ending { talked, sip_status: self.sip_status, detected, recording };
            self.report_progress(CallEvent::Completed, status.clone(), Some(&ending));
        }
        self.end_copies().await;
        self.deliver().await;
        while self.closing.join_next().await.is_some() {}
        CallReport {
            call_sid: self.leg.call_sid,
            end,
            status,
            placed_at: self.clock.time().placed(),
            time: self.clock.time().clone(),
            answered: self.answered,
            ended,
            measures: Measures::of(&finished.agent_speech, &finished.caller_speech, answered, ended),
            timeline: self.line.timeline,
            agent_speech: finished.agent_speech,
            caller_speech: finished.caller_speech,
            keys_heard: finished.keys_heard,
            answered_by: self.detected.map(|detected| detected.answered_by),
            streams: self.streams,
            copies: self.copied,
            rooms: self.rooms,
            recording: finished.recording,
            worst_lateness: self.clock.worst_lateness(),
        }
    }

    async fn carry_out(&mut self) -> CallEnd {
        let mut begun = self.start().await;
        loop {
            let leave = match begun {
                Ok(()) => match self.play().await {
                    Err(leave) => leave,
                    Ok(never) => match never {},
                },
                Err(leave) => leave,
            };
            match leave {
                Leave::End(end) => return end,
                Leave::Go(turn) => {
                    let Turn { begin, fallback } = *turn;
                    self.line.playout.clear();
                    self.note(Event::Redirected);
                    // A fallback belongs to the document that it came with.
                    self.fallback = fallback.or_else(|| self.fallback.take());
                    begun = self.begin(begin).await;
                }
            }
        }
    }

    /// Up to the first document.
    async fn start(&mut self) -> Result<(), Leave> {
        match self.way.take() {
            Some(Way::Out(dialling)) => self.dial(*dialling).await?,
            Some(Way::In(_)) => self.entry.change(|facts| facts.started = Some(Timestamp::now())),
            None => {}
        }
        match self.begin.take() {
            Some(begin) => self.begin(begin).await,
            None => Ok(()),
        }
    }

    async fn begin(&mut self, begin: Begin) -> Result<(), Leave> {
        match begin {
            Begin::Fetch(fetch) => self.fetch(fetch).await,
            Begin::Document { text, response } => {
                self.note(Event::Document { twiml: text });
                self.interpreter.load_inline(response);
                Ok(())
            }
            Begin::Room(plan) => {
                self.interpreter.load_inline(Response::default());
                self.confer(*plan).await
            }
            Begin::Bridge { room, whisper } => {
                self.interpreter.load_inline(Response::default());
                self.be_bridged(room, whisper).await
            }
        }
    }

    /// Carries out documents until something ends or interrupts them.
    async fn play(&mut self) -> Result<Infallible, Leave> {
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
                Instruction::Press(digits) => self.press(&digits).await?,
                Instruction::Play { url, times } => self.play_file(url, times).await?,
                Instruction::Gather(plan) => self.gather(*plan).await?,
                Instruction::Record(plan) => self.record(*plan).await?,
                Instruction::Confer(plan) => self.confer(*plan).await?,
                Instruction::Bridge(plan) => self.bridge(*plan).await?,
                Instruction::Pause(length) => {
                    self.note(Event::Verb { name: "Pause", detail: format!("{} s", length.as_secs()) });
                    self.wait(length).await?;
                }
                Instruction::Stream(plan) => self.stream(plan).await?,
                Instruction::Copy(plan) => self.copy(plan),
                Instruction::StopCopy(name) => self.stop_copy(&name),
                Instruction::Tape(plan) => self.tape_by_document(plan),
                Instruction::StreamRefused { alert, status_callback } => {
                    self.refuse_stream(&mint("MZ"), None, alert, status_callback);
                }
                Instruction::End(end) => return Err(end.into()),
            }
        }
    }

    /// Gets the next document, from the fallback URL if need be.
    async fn fetch(&mut self, fetch: Fetch) -> Result<(), Leave> {
        self.fetch_with(fetch, &Form::new()).await
    }

    /// The same with what a verb has to say.
    async fn fetch_with(&mut self, fetch: Fetch, more: &Form) -> Result<(), Leave> {
        let detected = self.detected.as_ref().filter(|_| self.detection_waits);
        let mut form = self.leg.voice_form(self.status(), detected);
        more.iter().for_each(|(name, value)| form.push(name, value));
        let Err(alert) = self.fetch_from(fetch.clone(), form).await? else { return Ok(()) };
        let Some(fallback) = self.fallback.clone() else { return Err(CallEnd::Failed(alert).into()) };
        let form = self.leg.fallback_form(self.status(), &fetch.url, &alert);
        self.note(Event::Alert(alert));
        self.fetch_from(fallback, form).await?.map_err(|alert| CallEnd::Failed(alert).into())
    }

    async fn fetch_from(&mut self, fetch: Fetch, form: Form) -> Result<Result<(), Alert>, Leave> {
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
                    self.pick_up();
                    self.interpreter.load(url, document.response);
                })
            }
            Err(alert) => Err(alert),
        })
    }

    /// The call is answered, if it was not.
    fn pick_up(&mut self) {
        if self.answered.is_none() {
            self.answered = Some(self.clock.elapsed());
            self.line.phase = Phase::Answered;
            self.note(Event::Answered);
            self.entry.change(|facts| facts.status = CallStatus::InProgress);
        }
    }

    async fn wait(&mut self, length: Duration) -> Result<(), Leave> {
        for _ in 0..frames_in(length) {
            self.tick().await?;
        }
        Ok(())
    }

    /// Lets the line live through 20 ms.
    async fn tick(&mut self) -> Result<(), Leave> {
        self.clock.tick().await;
        let tick = self.line.tick();
        self.lived(&tick)
    }

    /// Lets the line live while something else is under way.
    async fn while_ticking<F: Future>(&mut self, work: F) -> Result<F::Output, Leave> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                () = self.clock.tick() => {
                    let tick = self.line.tick();
                    self.lived(&tick)?;
                }
                output = &mut work => return Ok(output),
            }
        }
    }

    /// What these 20 ms have brought besides sound: whether everything goes on.
    fn lived(&mut self, tick: &Tick) -> Result<(), Leave> {
        self.detect(&tick.frame);
        self.tape_tick(tick);
        self.copy_tick(tick);
        for act in &tick.acts {
            match act {
                Act::HangsUp => return Err(CallEnd::CallerHungUp { phase: self.line.phase }.into()),
                Act::GivesUp(waiting_for) => return Err(CallEnd::CallerGaveUp { waiting_for }.into()),
                _ => {}
            }
        }
        self.obeys()
    }

    /// What the REST API wants, and the time limit.
    fn obeys(&mut self) -> Result<(), Leave> {
        if let Some(limit) = self.entry.take_limit() {
            self.time_limit = self.answered.unwrap_or_default() + limit;
        }
        match self.entry.take_order() {
            Some(Order::End) if self.answered.is_some() => return Err(CallEnd::EndedByApi.into()),
            Some(Order::End) => return Err(CallEnd::Canceled.into()),
            Some(Order::Go(turn)) => return Err(Leave::Go(turn)),
            None => {}
        }
        if self.line.now() >= self.time_limit { Err(CallEnd::TimeLimit.into()) } else { Ok(()) }
    }

    fn status(&self) -> CallStatus {
        if self.answered.is_some() { CallStatus::InProgress } else { CallStatus::Ringing }
    }

    /// Now, or when the caller hung up: the line stands still while the socket says goodbye.
    fn last_moment(&self) -> Duration {
        self.hung_up.unwrap_or_else(|| self.clock.elapsed())
    }

    fn note(&mut self, event: Event) {
        self.line.timeline.push(self.clock.elapsed(), event);
    }
}
