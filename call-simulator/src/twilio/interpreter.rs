//! Carries out TwiML, one instruction at a time: no clock, no socket, no audio.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use twilio_twiml::{
    twiml::{
        self, Connect, ConnectNoun, Dial, DialRecord, Digits, Repeat, Response, StartNoun, StopNoun, Stream, Target,
        Verb,
    },
    words::{Method, RecordingChannels, RecordingEvent, RecordingTrack, Track},
};
use url::{Host, Url};

use super::{
    bridge::BridgePlan,
    conference::ConferencePlan,
    debugger::{Alert, AlertCode},
    gather::GatherPlan,
    message::RecordPlan,
    report::CallEnd,
};

/// Documents fetched one after the other without a sound between them. Twilio's own limit is not documented; a bridge
/// that gets here sends its caller round in circles.
const SILENT_DOCUMENTS: u32 = 20;

/// Name and value of a stream's parameter must be shorter together (Twilio: TwiML, `<Parameter>`).
const PARAMETER_LIMIT: usize = 500;

/// A call's place in its document.
#[derive(Debug)]
pub(super) struct Interpreter {
    base: Url,
    verbs: VecDeque<Verb>,
    action: Option<Fetch>,
    silent_documents: u32,
    notes: Vec<Note>,
}

/// What the call has to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    Fetch(Fetch),
    /// Speak; `times` is `None` for "until the call ends".
    Say {
        text: String,
        times: Option<u32>,
    },
    Pause(Duration),
    /// Press keys for the other side to hear.
    Press(Digits),
    /// Play a file; `times` is `None` for "until the call ends".
    Play {
        url: Url,
        times: Option<u32>,
    },
    /// Ask for keys or words.
    Gather(Box<GatherPlan>),
    /// Take a message.
    Record(Box<RecordPlan>),
    /// Join a room.
    Confer(Box<ConferencePlan>),
    /// Call somebody and put them through.
    Bridge(Box<BridgePlan>),
    Stream(StreamPlan),
    /// A copy of the call beside the document.
    Copy(StreamPlan),
    /// The copies of this name end.
    StopCopy(String),
    /// A recording of the call beside the document.
    Tape(TapePlan),
    /// A stream that cannot even be tried. The document goes on.
    StreamRefused {
        alert: Alert,
        status_callback: Option<Fetch>,
    },
    End(CallEnd),
}

/// A request for a document, or a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fetch {
    pub(super) purpose: &'static str,
    pub(super) url: Url,
    pub(super) method: Method,
}

/// A stream to be opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StreamPlan {
    pub(super) url: Url,
    pub(super) name: Option<String>,
    pub(super) track: Track,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) status_callback: Option<Fetch>,
}

/// A recording that a document starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TapePlan {
    pub(super) channels: RecordingChannels,
    pub(super) track: RecordingTrack,
    pub(super) callback: Option<Fetch>,
    pub(super) events: Vec<RecordingEvent>,
}

/// Something worth writing down that stops nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Note {
    Alert(Alert),
    /// What Twilio does without a word.
    Trap(String),
}

/// A call without a document.
impl Default for Interpreter {
    fn default() -> Self {
        Self { base: nowhere(), verbs: VecDeque::new(), action: None, silent_documents: 0, notes: Vec::new() }
    }
}

/// The base of no URL.
fn nowhere() -> Url {
    Url::parse("about:blank").expect("a URL that is in the standard")
}

impl Interpreter {
    /// Goes on with this document, which came from `base`.
    pub(super) fn load(&mut self, base: Url, document: Response) {
        self.base = base;
        self.verbs = document.verbs.into();
        self.action = None;
        self.silent_documents += 1;
    }

    /// Goes on with a document that came with a request: there is nothing to resolve a relative URL against.
    pub(super) fn load_inline(&mut self, document: Response) {
        self.load(nowhere(), document);
    }

    /// What came up since it was last asked.
    pub(super) fn notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// The stream that was asked for is up.
    pub(super) const fn stream_started(&mut self) {
        self.silent_documents = 0;
    }

    /// The next instruction. A stream must have ended, or failed, before the one after it is asked for.
    pub(super) fn next(&mut self) -> Instruction {
        if let Some(action) = self.action.take() {
            self.verbs.clear();
            return self.fetch(action);
        }
        let Some(verb) = self.verbs.pop_front() else { return Instruction::End(CallEnd::DocumentEnded) };
        match verb {
            Verb::Say(say) => {
                self.silent_documents = 0;
                Instruction::Say { text: say.plain_text(), times: times(say.repeat) }
            }
            Verb::Pause(pause) => {
                let length = pause.length.map_or(Duration::from_secs(1), Duration::from);
                if !length.is_zero() {
                    self.silent_documents = 0;
                }
                Instruction::Pause(length)
            }
            Verb::Redirect(redirect) => {
                self.verbs.clear();
                match self.resolve(redirect.url.as_str()) {
                    Ok(url) => {
                        self.fetch(Fetch { purpose: "redirect", url, method: redirect.method.unwrap_or(Method::Post) })
                    }
                    Err(alert) => Instruction::End(CallEnd::Failed(alert)),
                }
            }
            Verb::Play(play) if play.keys.is_some() => {
                self.silent_documents = 0;
                play.keys.map_or(Instruction::Pause(Duration::ZERO), Instruction::Press)
            }
            Verb::Play(play) => {
                self.silent_documents = 0;
                match self.resolve(play.url.as_str()) {
                    Ok(url) => Instruction::Play { url, times: times(play.repeat) },
                    Err(alert) => Instruction::End(CallEnd::Failed(alert)),
                }
            }
            Verb::Gather(gather) => match GatherPlan::new(&self.base, *gather) {
                Ok(plan) => {
                    self.silent_documents = 0;
                    Instruction::Gather(Box::new(plan))
                }
                Err(alert) => Instruction::End(CallEnd::Failed(alert)),
            },
            Verb::Record(record) => {
                self.silent_documents = 0;
                match RecordPlan::new(&self.base, *record) {
                    Ok(plan) => Instruction::Record(Box::new(plan)),
                    Err(alert) => Instruction::End(CallEnd::Failed(alert)),
                }
            }
            Verb::Dial(dial) => self.dial(*dial).unwrap_or_else(|alert| Instruction::End(CallEnd::Failed(alert))),
            Verb::Hangup(_) => Instruction::End(CallEnd::HungUp),
            Verb::Connect(connect) => self.connect(*connect),
            Verb::Start(start) => self.start(*start),
            Verb::Stop(stop) => self.stop(*stop),
            other => not_played(other.tag()),
        }
    }

    fn fetch(&mut self, fetch: Fetch) -> Instruction {
        if self.silent_documents > SILENT_DOCUMENTS {
            return Instruction::End(CallEnd::RedirectLoop);
        }
        Instruction::Fetch(fetch)
    }

    fn dial(&mut self, dial: Dial) -> Result<Instruction, Alert> {
        self.silent_documents = 0;
        if dial.record.is_some_and(|record| !matches!(record, DialRecord::DoNotRecord | DialRecord::False)) {
            self.notes.push(Note::Trap("the simulator does not record a <Dial>".into()));
        }
        if matches!(dial.target, Target::Conference(_)) {
            let plan = ConferencePlan::new(&self.base, dial)?;
            return Ok(plan.map_or_else(|| not_played("Dial"), |plan| Instruction::Confer(Box::new(plan))));
        }
        let plan = BridgePlan::new(&self.base, dial)?;
        Ok(plan.map_or_else(|| not_played("Dial"), |plan| Instruction::Bridge(Box::new(plan))))
    }

    fn connect(&mut self, connect: Connect) -> Instruction {
        if let Some(action) = &connect.action {
            match self.resolve(action.as_str()) {
                Ok(url) => {
                    let method = connect.method.unwrap_or(Method::Post);
                    self.action = Some(Fetch { purpose: "connect action", url, method });
                }
                Err(alert) => return Instruction::End(CallEnd::Failed(alert)),
            }
        }
        match connect.noun {
            ConnectNoun::Stream(stream) => self.stream(&stream),
            other => not_played(other.tag()),
        }
    }

    fn stream(&mut self, stream: &Stream) -> Instruction {
        match stream.track {
            None | Some(Track::Inbound) => self.plan(stream, Instruction::Stream),
            Some(track) => {
                let alert = Alert::new(AlertCode::StreamTrack, track.as_str());
                Instruction::StreamRefused { alert, status_callback: self.status_callback(stream) }
            }
        }
    }

    fn plan(&mut self, stream: &Stream, begin: impl FnOnce(StreamPlan) -> Instruction) -> Instruction {
        let status_callback = self.status_callback(stream);
        match self.stream_url(stream) {
            Ok(url) => begin(StreamPlan {
                url,
                name: stream.name.clone(),
                track: stream.track.unwrap_or(Track::Inbound),
                parameters: self.parameters(stream),
                status_callback,
            }),
            Err(alert) => Instruction::StreamRefused { alert, status_callback },
        }
    }

    /// One noun after the other: each is an instruction.
    fn start(&mut self, mut start: twiml::Start) -> Instruction {
        if start.nouns.is_empty() {
            return self.next();
        }
        let noun = start.nouns.remove(0);
        if !start.nouns.is_empty() {
            self.verbs.push_front(Verb::Start(Box::new(start)));
        }
        match noun {
            StartNoun::Stream(stream) => self.plan(&stream, Instruction::Copy),
            StartNoun::Recording(recording) => self.tape(&recording),
            other => not_played(other.tag()),
        }
    }

    fn tape(&mut self, recording: &twiml::Recording) -> Instruction {
        let (url, method) = (recording.recording_status_callback.as_ref(), recording.recording_status_callback_method);
        let callback = match action(&self.base, "recording status", url, method) {
            Ok(callback) => callback,
            Err(alert) => {
                // It is recorded all the same, and nobody is told.
                self.notes.push(Note::Alert(alert));
                None
            }
        };
        let events = recording.recording_status_callback_event.clone();
        Instruction::Tape(TapePlan {
            channels: recording.channels.unwrap_or(RecordingChannels::Mono),
            track: recording.track.unwrap_or(RecordingTrack::Both),
            callback,
            events: events.unwrap_or_else(|| vec![RecordingEvent::Completed]),
        })
    }

    fn stop(&mut self, mut stop: twiml::Stop) -> Instruction {
        if stop.nouns.is_empty() {
            return self.next();
        }
        let noun = stop.nouns.remove(0);
        if !stop.nouns.is_empty() {
            self.verbs.push_front(Verb::Stop(Box::new(stop)));
        }
        match noun {
            StopNoun::Stream(stream) => Instruction::StopCopy(stream.name.clone().unwrap_or_default()),
            other => not_played(other.tag()),
        }
    }

    /// `wss`, or `ws` to this machine; the query string is not delivered.
    fn stream_url(&mut self, stream: &Stream) -> Result<Url, Alert> {
        let text = stream.url.as_ref().map(|url| url.as_str().trim()).unwrap_or_default();
        if text.is_empty() {
            return Err(Alert::new(AlertCode::StreamUrl, "there is no url"));
        }
        let relative = Url::parse(text) == Err(url::ParseError::RelativeUrlWithoutBase);
        let url = self.base.join(text);
        let mut url = url.map_err(|error| Alert::new(AlertCode::StreamUrl, format!("{text}: {error}")))?;
        if relative {
            let scheme = if url.scheme() == "http" { "ws" } else { "wss" };
            url.set_scheme(scheme).expect("from one special scheme to another");
        }
        let scheme_is_fine = url.scheme() == "wss" || (url.scheme() == "ws" && is_loopback(&url));
        if !scheme_is_fine {
            return Err(Alert::new(AlertCode::StreamScheme, text));
        }
        if url.query().is_some() {
            url.set_query(None);
            self.notes.push(Note::Trap("the query string of a stream's URL is not delivered".into()));
        }
        url.set_fragment(None);
        Ok(url)
    }

    fn parameters(&mut self, stream: &Stream) -> BTreeMap<String, String> {
        let mut parameters = BTreeMap::new();
        for parameter in &stream.parameters {
            if parameter.name.chars().count() + parameter.value.chars().count() >= PARAMETER_LIMIT {
                let detail = format!("<Parameter> {} has {PARAMETER_LIMIT} characters or more", parameter.name);
                self.notes.push(Note::Alert(Alert::new(AlertCode::Schema, detail)));
            } else {
                parameters.insert(parameter.name.clone(), parameter.value.clone());
            }
        }
        parameters
    }

    fn status_callback(&mut self, stream: &Stream) -> Option<Fetch> {
        let text = stream.status_callback.as_ref()?.as_str();
        let Ok(url) = Url::parse(text) else {
            self.notes.push(Note::Trap("a stream's statusCallback must be absolute: nobody is told".into()));
            return None;
        };
        let method = stream.status_callback_method.unwrap_or(Method::Post);
        Some(Fetch { purpose: "stream status", url, method })
    }

    /// The URL that a text in the document means.
    pub(super) fn resolve(&self, text: &str) -> Result<Url, Alert> {
        resolve(&self.base, text)
    }
}

fn not_played(verb: &str) -> Instruction {
    Instruction::End(CallEnd::NotPlayed { verb: verb.to_owned() })
}

/// How often something is played; `None` for "until the call ends".
fn times(repeat: Option<Repeat>) -> Option<u32> {
    match repeat {
        None => Some(1),
        Some(Repeat::Times(times)) => Some(times.get()),
        Some(Repeat::Forever) => None,
    }
}

/// The request of an `action`, with its method's default.
pub(super) fn action(
    base: &Url,
    purpose: &'static str,
    url: Option<&twiml::Url>,
    method: Option<Method>,
) -> Result<Option<Fetch>, Alert> {
    let Some(url) = url else { return Ok(None) };
    Ok(Some(Fetch { purpose, url: resolve(base, url.as_str())?, method: method.unwrap_or(Method::Post) }))
}

/// The URL that a text in a document means.
pub(super) fn resolve(base: &Url, text: &str) -> Result<Url, Alert> {
    let url = base.join(text.trim()).map_err(|error| Alert::new(AlertCode::InvalidUrl, format!("{text}: {error}")))?;
    check_webhook(&url)?;
    Ok(url)
}

/// Whether Twilio would request this URL.
pub(super) fn check_webhook(url: &Url) -> Result<(), Alert> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Alert::new(AlertCode::InvalidUrl, url.as_str()));
    }
    match url.host_str() {
        Some(host) if !host.contains('_') => Ok(()),
        _ => Err(Alert::new(AlertCode::BadHostName, url.as_str())),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpreter(twiml: &str) -> Interpreter {
        let mut interpreter = Interpreter::default();
        let base = "https://bridge.example.com/voice/incoming?tenant=7".parse().unwrap();
        interpreter.load(base, format!("<Response>{twiml}</Response>").parse().unwrap());
        interpreter
    }

    #[track_caller]
    fn stream_url(url: &str) -> Result<String, u32> {
        match interpreter(&format!("<Connect><Stream url=\"{url}\"/></Connect>")).next() {
            Instruction::Stream(plan) => Ok(plan.url.into()),
            Instruction::StreamRefused { alert, .. } => Err(alert.code.number()),
            other => panic!("{other:?} is no stream"),
        }
    }

    #[test]
    fn verbs_run_in_order_and_the_call_ends_with_the_document() {
        let mut calls =
            interpreter("<Say>Hi <emphasis>you</emphasis></Say><Pause/><Pause length=\"3\"/><Say loop=\"0\">x</Say>");
        assert_eq!(calls.next(), Instruction::Say { text: "Hi you".into(), times: Some(1) });
        assert_eq!(calls.next(), Instruction::Pause(Duration::from_secs(1)));
        assert_eq!(calls.next(), Instruction::Pause(Duration::from_secs(3)));
        assert_eq!(calls.next(), Instruction::Say { text: "x".into(), times: None });
        assert_eq!(calls.next(), Instruction::End(CallEnd::DocumentEnded));
    }

    #[test]
    fn relative_urls_are_resolved_against_the_document() {
        let url = |twiml| match interpreter(twiml).next() {
            Instruction::Fetch(fetch) => (fetch.url.to_string(), fetch.method),
            other => panic!("{other:?} is no request"),
        };
        assert_eq!(
            url("<Redirect>after?x=1</Redirect>"),
            ("https://bridge.example.com/voice/after?x=1".into(), Method::Post)
        );
        assert_eq!(
            url("<Redirect method=\"GET\">/top</Redirect>"),
            ("https://bridge.example.com/top".into(), Method::Get)
        );
        // An empty URL is the document's own.
        assert_eq!(url("<Redirect/>"), ("https://bridge.example.com/voice/incoming?tenant=7".into(), Method::Post));
    }

    #[test]
    fn a_stream_must_be_wss_or_on_this_machine() {
        assert_eq!(stream_url("wss://bridge.example.com/media"), Ok("wss://bridge.example.com/media".into()));
        assert_eq!(stream_url("/media/7"), Ok("wss://bridge.example.com/media/7".into()));
        assert_eq!(stream_url("ws://127.0.0.1:3000/media"), Ok("ws://127.0.0.1:3000/media".into()));
        assert_eq!(stream_url("ws://localhost:3000/media"), Ok("ws://localhost:3000/media".into()));
        assert_eq!(stream_url("ws://bridge.example.com/media"), Err(31_922));
        assert_eq!(stream_url("https://bridge.example.com/media"), Err(31_922));
        assert_eq!(stream_url("wss://"), Err(31_923));
        assert_eq!(stream_url(""), Err(31_923));
    }

    #[test]
    fn the_query_string_of_a_stream_is_not_delivered() {
        let mut call = interpreter("<Connect><Stream url=\"wss://h/media?token=1\"/></Connect>");
        let Instruction::Stream(plan) = call.next() else { panic!("no stream") };
        assert_eq!(plan.url.as_str(), "wss://h/media");
        assert!(matches!(&call.notes()[..], [Note::Trap(_)]));
    }

    #[test]
    fn a_stream_has_one_track_and_short_parameters() {
        let mut call = interpreter("<Connect><Stream url=\"wss://h/\" track=\"both_tracks\"/></Connect><Hangup/>");
        let Instruction::StreamRefused { alert, .. } = call.next() else { panic!("the stream was taken") };
        assert_eq!(alert.code, AlertCode::StreamTrack);
        assert_eq!(call.next(), Instruction::End(CallEnd::HungUp));

        let long = "x".repeat(499);
        let mut call = interpreter(&format!(
            "<Connect><Stream url=\"wss://h/\"><Parameter name=\"a\" value=\"{long}\"/><Parameter name=\"\" value=\"{long}\"/></Stream></Connect>"
        ));
        let Instruction::Stream(plan) = call.next() else { panic!("no stream") };
        assert_eq!(plan.parameters.keys().collect::<Vec<_>>(), [""]);
        assert!(matches!(&call.notes()[..], [Note::Alert(alert)] if alert.code == AlertCode::Schema));
    }

    #[test]
    fn a_recording_that_nobody_can_be_told_of_is_no_refused_stream() {
        let mut call = interpreter("<Start><Recording recordingStatusCallback=\"ftp://h/told\"/></Start><Hangup/>");
        let Instruction::Tape(plan) = call.next() else { panic!("nothing is recorded") };
        assert_eq!(plan.callback, None);
        assert!(matches!(&call.notes()[..], [Note::Alert(_)]));
        assert_eq!(call.next(), Instruction::End(CallEnd::HungUp));
    }

    #[test]
    fn a_copy_runs_beside_the_document() {
        let mut call = interpreter(
            "<Start><Stream url=\"wss://h/a\" name=\"a\" track=\"both_tracks\"/><Stream url=\"wss://h/b\"/></Start>\
             <Stop><Stream name=\"a\"/></Stop><Hangup/>",
        );
        let mut copy = || match call.next() {
            Instruction::Copy(plan) => format!("{} {}", plan.url.path(), plan.track.as_str()),
            Instruction::StopCopy(name) => format!("stop {name}"),
            other => format!("{other:?}"),
        };
        assert_eq!([copy(), copy(), copy()], ["/a both_tracks", "/b inbound_track", "stop a"]);
        assert_eq!(call.next(), Instruction::End(CallEnd::HungUp));
        let other = interpreter("<Start><Siprec name=\"x\"/></Start>").next();
        assert_eq!(other, Instruction::End(CallEnd::NotPlayed { verb: "Siprec".into() }));
    }

    #[test]
    fn after_a_stream_comes_its_action_or_the_next_verb() {
        let mut call = interpreter("<Connect action=\"done\"><Stream url=\"wss://h/\"/></Connect><Say>never</Say>");
        assert!(matches!(call.next(), Instruction::Stream(_)));
        assert!(matches!(call.next(), Instruction::Fetch(fetch) if fetch.url.path() == "/voice/done"));
        assert_eq!(call.next(), Instruction::End(CallEnd::DocumentEnded));

        let mut call = interpreter("<Connect><Stream url=\"wss://h/\"/></Connect><Hangup/>");
        assert!(matches!(call.next(), Instruction::Stream(_)));
        assert_eq!(call.next(), Instruction::End(CallEnd::HungUp));
    }

    #[test]
    fn a_verb_that_is_not_played_is_named() {
        assert_eq!(interpreter("<Echo/>").next(), Instruction::End(CallEnd::NotPlayed { verb: "Echo".into() }));
        assert_eq!(interpreter("<Teleport/>").next(), Instruction::End(CallEnd::NotPlayed { verb: "Teleport".into() }));
    }

    #[test]
    fn a_caller_is_not_sent_round_in_circles() {
        let mut call = interpreter("<Redirect/>");
        for _ in 0..SILENT_DOCUMENTS {
            let Instruction::Fetch(fetch) = call.next() else { panic!("ended early") };
            call.load(fetch.url, "<Response><Redirect/></Response>".parse().unwrap());
        }
        assert_eq!(call.next(), Instruction::End(CallEnd::RedirectLoop));
    }

    #[test]
    fn a_callback_host_has_no_underscore() {
        let bad = interpreter("<Redirect>https://my_host.example.com/</Redirect>").next();
        assert!(matches!(bad, Instruction::End(CallEnd::Failed(alert)) if alert.code == AlertCode::BadHostName));
    }
}
