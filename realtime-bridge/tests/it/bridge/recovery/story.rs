//! A model that has a story to tell, sentence by sentence, and goes on with it from what its session is told.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    bridge::{Bridge, CallReport, Endpoints},
    media::memory::{Caller, line},
    realtime::{
        NewItem, RealtimeClient, RealtimeCommand, RealtimeEvent, RequestId, ResponseOutcome, ResponseStatus,
        SessionConfig, ToolCall, ToolSpec,
        memory::{Answer, ConnectScript, MemoryClient, MemoryModel},
    },
    relay::{CallConfig, GapFiller, Recovery, Speaker},
    tool::{RawTool, ToolContext, ToolError, ToolOptions, ToolSet},
};
use serde_json::json;
use tokio::time::{Duration, Instant, sleep, sleep_until, timeout};

use super::super::{MS, S, quiet};

/// Words of a sentence.
const WORDS: usize = 6;
/// How long a word sounds: what its letters take at an average pace.
const WORD: Duration = Duration::from_millis(4 * 65);
/// How many words are written before they sound.
const LEAD: usize = 3;
/// Before each third sentence a tool is asked.
const TOOL_EVERY: usize = 3;

/// How the world is while the story is told.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) sentences: usize,
    /// How long each session lives.
    pub(super) lives: Vec<Duration>,
    /// How long it takes to open another.
    pub(super) connect: Duration,
    /// How much faster than it sounds the model makes its speech.
    pub(super) haste: u32,
}

/// Counts the runs for each sentence.
#[derive(Clone, Default)]
struct LookUp(Arc<Mutex<Vec<String>>>);

#[async_trait]
impl RawTool for LookUp {
    fn spec(&self) -> ToolSpec {
        ToolSpec::new("look_up", "Looks something up.", json!({"type": "object"}))
    }

    async fn call_raw(&self, _context: &ToolContext, arguments: &str) -> Result<String, ToolError> {
        self.0.lock().unwrap().push(arguments.to_owned());
        sleep(400 * MS).await;
        Ok("found".into())
    }

    fn options(&self) -> ToolOptions {
        ToolOptions::default()
    }
}

/// What a session knows.
#[derive(Default)]
struct Mind {
    asked: usize,
    said: usize,
    called: BTreeSet<usize>,
    answered: BTreeSet<usize>,
    speaking: Option<(Answer, usize)>,
    written: usize,
    next: Option<Instant>,
    quiet_since: Option<Instant>,
}

/// What became of it.
pub(super) struct Told {
    pub(super) report: CallReport,
    /// The longest time between two words of one sentence, or from a question to its answer.
    pub(super) silence: Duration,
    pub(super) sessions: usize,
}

fn word(number: usize) -> String {
    format!("w{number:02} ")
}

fn sound(number: usize) -> AudioFrame {
    let byte = u8::try_from(number).expect("the story is short");
    AudioFrame::raw(AudioFormat::MuLaw, vec![byte; AudioFormat::MuLaw.bytes_in(WORD)])
}

fn number(arguments: &str) -> usize {
    arguments.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number")
}

impl Mind {
    async fn hear(&mut self, model: &mut MemoryModel, command: RealtimeCommand) {
        match command {
            RealtimeCommand::AddItem { item, .. } => match item {
                NewItem::User(_) => self.asked += 1,
                NewItem::Assistant(text) => self.said += text.split_whitespace().filter(|word| *word != "…").count(),
                NewItem::ToolCall { arguments, .. } => {
                    self.called.insert(number(&arguments));
                }
                NewItem::ToolOutput { .. } => {
                    let open = *self.called.difference(&self.answered).next().expect("an output has its call");
                    self.answered.insert(open);
                }
                NewItem::System(text) if text.contains("still at work") => {
                    self.called.insert(number(text.rsplit_once(' ').expect("arguments").1));
                }
                _ => {}
            },
            RealtimeCommand::Respond { request, .. } => self.act(model, Some(request)).await,
            RealtimeCommand::Append(_) => {}
            other => panic!("nobody interrupts, and yet {other:?}"),
        }
    }

    /// Answers what was asked last.
    async fn act(&mut self, model: &mut MemoryModel, request: Option<RequestId>) {
        if self.speaking.is_some() {
            return;
        }
        let asked = self.asked;
        if asked.is_multiple_of(TOOL_EVERY) && asked > 0 && !self.answered.contains(&asked) {
            let answer = model.begin(request).await;
            let mut outcome = ResponseOutcome::new(answer.response.clone(), ResponseStatus::Completed);
            if self.called.insert(asked) {
                let id = format!("call-{asked}-{:p}", &raw const *self);
                let call = ToolCall::new(id, "item", "look_up", format!(r#"{{"sentence": {asked}}}"#));
                outcome = outcome.with_calls(vec![call]);
            }
            model.emit(RealtimeEvent::ResponseDone(Box::new(outcome))).await;
            return;
        }
        let answer = model.begin(request).await;
        if self.said >= asked * WORDS {
            model.done(&answer, ResponseStatus::Completed).await;
            return;
        }
        self.speaking = Some((answer, self.said));
        self.written = self.said;
        self.next = Some(Instant::now() + 200 * MS);
    }

    async fn speak(&mut self, model: &mut MemoryModel, world: &World) {
        let Some((answer, from)) = self.speaking.clone() else { return };
        if self.said < self.asked * WORDS {
            while self.written < (self.said + LEAD).min(self.asked * WORDS) {
                self.written += 1;
                model.words(&answer, &word(self.written)).await;
            }
            model.audio(&answer, sound(self.said + 1)).await;
            self.said += 1;
            self.next = Some(Instant::now() + WORD / world.haste);
        } else {
            let text: String = (from..self.said).map(|index| word(index + 1)).collect();
            model.spoken(&answer, &text).await;
            model.done(&answer, ResponseStatus::Completed).await;
            self.speaking = None;
            self.next = None;
        }
    }

    /// A session until it dies, or the story is over.
    async fn live(mut model: MemoryModel, world: &World, caller: &Caller, life: Duration) -> bool {
        let (mut mind, dies) = (Self::default(), Instant::now() + life);
        loop {
            let look = Instant::now() + 20 * MS;
            let wake = mind.next.unwrap_or(look).min(look);
            tokio::select! {
                biased;
                () = sleep_until(dies) => return false,
                command = model.recv() => match command {
                    Some(command) => mind.hear(&mut model, command).await,
                    None => return true,
                },
                () = sleep_until(wake) => {
                    if mind.next.is_some_and(|at| Instant::now() >= at) {
                        mind.speak(&mut model, world).await;
                    }
                }
            }
            // The caller asks on when the answer was heard, as the model hears it.
            let open = mind.called.difference(&mind.answered).next().is_some();
            let over = mind.said >= mind.asked * WORDS && mind.speaking.is_none() && !open;
            if !over || !caller.left_to_hear().is_zero() {
                mind.quiet_since = None;
            } else if *mind.quiet_since.get_or_insert(Instant::now()) + 500 * MS <= Instant::now() {
                if mind.asked == world.sentences {
                    sleep(S).await;
                    caller.hang_up().await.unwrap();
                    return true;
                }
                mind.quiet_since = None;
                model.caller_says("Next?").await;
                mind.asked += 1;
                mind.act(&mut model, None).await;
            }
        }
    }
}

/// Tells the whole story, however often the session dies, and holds the call to having told it right.
pub(super) async fn tell(world: &World, config: CallConfig) -> Told {
    let (line, caller) = line(AudioFormat::MuLaw);
    let (client, mut provider) = MemoryClient::new();
    let look_up = LookUp::default();
    let session = client.connect(&SessionConfig::default()).await.unwrap();
    let bridge = Bridge::with_config(line, session, config).unwrap();
    let endpoints = Endpoints::new(client, SessionConfig::default());
    let bridge = bridge.with_seeded_endpoints(endpoints, 7).with_tools(ToolSet::new().with(look_up.clone()));
    let models = async {
        let mut lives = world.lives.iter();
        let mut sessions = 0;
        while let Some(model) = provider.accept().await {
            sessions += 1;
            provider.script(ConnectScript::AnswerAfter(world.connect));
            let life = lives.next().copied().unwrap_or(3_600 * S);
            if Mind::live(model, world, &caller, life).await {
                break;
            }
        }
        sessions
    };
    let both = async { tokio::join!(bridge.run(), models) };
    let (report, sessions) = timeout(3_600 * S, both).await.expect("the story is told");

    let mut heard: Vec<u8> = Vec::new();
    let mut silence = Duration::ZERO;
    let mut last: Option<Duration> = None;
    for run in caller.heard() {
        let bytes = run.frame.to_raw();
        if bytes.iter().any(|byte| *byte != bytes[0]) || bytes[0] >= 0xF0 {
            continue;
        }
        heard.extend_from_slice(&bytes);
        silence = silence.max(last.map_or(Duration::ZERO, |last| run.at.saturating_sub(last)));
        last = Some(run.at + run.frame.duration());
    }
    let words = world.sentences * WORDS;
    let expected: Vec<u8> =
        (1..=words).flat_map(|number| vec![u8::try_from(number).unwrap(); AudioFormat::MuLaw.bytes_in(WORD)]).collect();
    let times: Vec<_> = heard.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() / 8)).collect();
    assert!(heard == expected, "each word is heard once, not {times:?}");

    let said = |speaker| {
        let of = report.transcript.iter().filter(move |entry| entry.speaker == speaker);
        of.flat_map(|entry| entry.heard.split_whitespace()).map(str::to_owned).collect::<Vec<_>>()
    };
    let story: Vec<_> = (1..=words).map(|number| word(number).trim().to_owned()).collect();
    assert_eq!(said(Speaker::Agent), story, "the transcript has each word once");
    assert_eq!(said(Speaker::Caller).len(), world.sentences);
    let runs = look_up.0.lock().unwrap().clone();
    let once: BTreeSet<_> = runs.iter().cloned().collect();
    assert_eq!((runs.len(), once.len()), (world.sentences / TOOL_EVERY, world.sentences / TOOL_EVERY), "{runs:?}");
    Told { report, silence, sessions }
}

/// Nothing fills the gaps, so that each is heard.
pub(super) fn bare() -> CallConfig {
    quiet().with_recovery(Recovery::default().with_filler(GapFiller::Nothing, S))
}
