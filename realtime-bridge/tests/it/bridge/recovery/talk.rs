//! A caller who asks and interrupts, and a model that listens and dies in each phase of a turn, at a pace of speech that
//! the relay has to find out.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use proptest::{collection::vec, prelude::*, sample::select};
use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    bridge::{Bridge, CallReport, Endpoints},
    media::memory::{Caller, line},
    realtime::{
        ItemId, NewItem, ProviderError, RealtimeClient, RealtimeCommand, RealtimeEvent, RequestId, ResponseOutcome,
        ResponseStatus, SessionConfig, ToolCall, ToolSpec,
        memory::{Answer, ConnectScript, MemoryClient, MemoryModel},
    },
    relay::{CallConfig, ConversationMemory, GapFiller, MemoryLimits, Recovery, Speaker},
    tool::{RawTool, ToolContext, ToolError, ToolOptions, ToolSet},
};
use serde_json::json;
use tokio::{
    runtime::Builder,
    time::{Duration, Instant, sleep, sleep_until, timeout},
};

use super::super::{MS, S, quiet};

/// Words of a sentence.
const WORDS: usize = 5;
/// Characters of a word, with the space behind it: a word is heard though the last of them is not.
const LETTERS: u32 = 5;
/// How many words are written before they sound.
const LEAD: usize = 3;
/// Each second question comes while the sentence before it is told.
const INTERRUPTS_EVERY: usize = 2;
/// For each third question something has to be looked up.
const TOOL_EVERY: usize = 3;
/// What the caller's telephone sends while the caller speaks, and while not.
const VOICE: u8 = 0x10;
const QUIET: u8 = 0xFF;
/// How long a question is.
const QUESTION: Duration = Duration::from_millis(400);
/// How long a silence ends a turn.
const TURN_END: Duration = Duration::from_millis(200);
/// How long after its end a turn is answered, and put into words.
const ANSWER: Duration = Duration::from_millis(150);
const PUT_INTO_WORDS: Duration = Duration::from_millis(700);

/// When a session dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// The caller has begun to speak, while the agent does not.
    Asking,
    /// The caller has begun to speak into a sentence.
    Interrupting,
    /// The turn is over, and nothing else.
    Asked,
    /// An answer has begun, and has words and no voice.
    Beginning,
    /// A word has sounded, and the question is not known in words.
    Answering,
    /// In the middle of a sentence.
    Speaking,
    /// A tool runs.
    Tool,
    /// All was said, and is not heard yet.
    Said,
}

impl Phase {
    pub(super) const ALL: [Self; 8] = [
        Self::Asking,
        Self::Interrupting,
        Self::Asked,
        Self::Beginning,
        Self::Answering,
        Self::Speaking,
        Self::Tool,
        Self::Said,
    ];
}

/// How the world is.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    pub(super) sentences: usize,
    /// When each session dies; those after the last live on.
    pub(super) deaths: Vec<Phase>,
    /// How long a session lives at least.
    pub(super) least: Duration,
    pub(super) connect: Duration,
    /// How long a word sounds.
    pub(super) word: Duration,
    pub(super) haste: u32,
}

/// What became of it.
pub(super) struct Told {
    pub(super) report: CallReport,
    /// The longest time from the end of a question, or from a word, to the next word.
    pub(super) silence: Duration,
    pub(super) deaths: Vec<Phase>,
}

#[derive(Clone, Default)]
pub(super) struct LookUp(Arc<Mutex<Vec<String>>>);

impl LookUp {
    /// The arguments of each run.
    pub(super) fn runs(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl RawTool for LookUp {
    fn spec(&self) -> ToolSpec {
        ToolSpec::new("look_up", "Looks something up.", json!({"type": "object"}))
    }

    fn options(&self) -> ToolOptions {
        ToolOptions::default()
    }

    async fn call_raw(&self, _context: &ToolContext, arguments: &str) -> Result<String, ToolError> {
        self.0.lock().unwrap().push(arguments.to_owned());
        sleep(300 * MS).await;
        Ok("found".into())
    }
}

fn word(number: usize) -> String {
    format!("w{number:03} ")
}

fn number(arguments: &str) -> usize {
    arguments.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number")
}

/// What a session knows and does.
struct Mind<'a> {
    scene: &'a Scene,
    dies: Option<Phase>,
    born: Instant,
    /// How many questions it knows of, and how many words the caller has heard.
    asked: usize,
    said: usize,
    /// How many words the entry had that it was told last.
    told: usize,
    called: BTreeSet<usize>,
    answered: BTreeSet<usize>,
    /// The answer that is being made, or was made last: it, and how many words had been said before it.
    answer: Option<(Answer, usize)>,
    /// The same of those before it, which the caller may still be hearing.
    earlier: Vec<(Answer, usize)>,
    speaking: bool,
    /// When all it has said will have been heard.
    sounds_until: Instant,
    written: usize,
    next: Option<Instant>,
    /// The turn of the caller, and the silence in it so far.
    turn: Option<(ItemId, Duration)>,
    /// What was asked is to be answered, and put into words, then.
    answer_at: Option<Instant>,
    words_at: Vec<(Instant, ItemId)>,
}

impl<'a> Mind<'a> {
    fn new(scene: &'a Scene, dies: Option<Phase>) -> Self {
        Self {
            scene,
            dies,
            born: Instant::now(),
            asked: 0,
            said: 0,
            told: 0,
            called: BTreeSet::new(),
            answered: BTreeSet::new(),
            answer: None,
            earlier: Vec::new(),
            speaking: false,
            sounds_until: Instant::now(),
            written: 0,
            next: None,
            turn: None,
            answer_at: None,
            words_at: Vec::new(),
        }
    }

    /// Whether it dies here.
    fn dies(&self, phase: Phase) -> bool {
        self.dies == Some(phase) && self.born.elapsed() >= self.scene.least
    }

    /// True when it dies of it.
    async fn hear(&mut self, model: &mut MemoryModel, command: RealtimeCommand) -> bool {
        match command {
            RealtimeCommand::AddItem { item, .. } => match item {
                NewItem::User(_) => self.asked += 1,
                NewItem::System(text) if text.contains("no word is known") => self.asked += 1,
                NewItem::Assistant(text) => {
                    self.told = text.trim_end_matches('…').split_whitespace().count();
                    self.said += self.told;
                }
                NewItem::System(text) if text.contains("heard only: ") => {
                    let heard = text.rsplit_once("only: ").expect("it was looked").1;
                    let missed = self.told - heard.split_whitespace().count();
                    self.said -= missed;
                    if let Some((_, from)) = &mut self.answer {
                        *from -= missed;
                    }
                }
                NewItem::ToolCall { arguments, .. } => _ = self.called.insert(number(&arguments)),
                NewItem::ToolOutput { .. } => {
                    let open = *self.called.difference(&self.answered).next().expect("an output has its call");
                    self.answered.insert(open);
                }
                NewItem::System(text) if text.contains("still at work") => {
                    self.called.insert(number(text.rsplit_once(' ').expect("arguments").1));
                }
                _ => {}
            },
            RealtimeCommand::Respond { request, .. } if self.speaking => {
                let code = "conversation_already_has_active_response";
                let error = ProviderError::new("invalid_request_error", code, "no").with_request(request);
                model.error(error).await;
            }
            RealtimeCommand::Respond { request, .. } => return self.act(model, Some(request)).await,
            RealtimeCommand::Truncate { item, heard, .. } => {
                let cut = self.answer.iter().chain(&self.earlier).find(|(answer, _)| answer.item == item);
                let (_, from) = cut.expect("it has said this");
                let words = (heard + self.scene.word / LETTERS).as_nanos() / self.scene.word.as_nanos();
                self.said = from + usize::try_from(words).unwrap();
                // An answer that has begun behind it goes on from there, or is called off.
                if let Some((answer, from)) = &mut self.answer
                    && answer.item != item
                {
                    *from = self.said;
                }
            }
            // It was asked for at the moment in which the caller began to speak: nothing of it is played.
            RealtimeCommand::Cancel { response, .. } => {
                let (answer, from) = self.answer.as_ref().expect("it has said something");
                assert_eq!(Some(&answer.response), response.as_ref());
                if std::mem::take(&mut self.speaking) {
                    model.done(answer, ResponseStatus::Cancelled).await;
                }
                (self.said, self.next) = (*from, None);
            }
            RealtimeCommand::Append(frame) => return self.listen(model, &frame).await,
            other => panic!("nobody asked for {other:?}"),
        }
        false
    }

    async fn listen(&mut self, model: &mut MemoryModel, frame: &AudioFrame) -> bool {
        let speaks = frame.to_raw()[0] == VOICE;
        match &mut self.turn {
            None if speaks => {
                let interrupts = self.sounds_until > Instant::now();
                let item = model.speech_started().await;
                if std::mem::take(&mut self.speaking) {
                    let (answer, _) = self.answer.as_ref().expect("it speaks");
                    model.done(answer, ResponseStatus::Interrupted).await;
                    self.next = None;
                }
                self.answer_at = None;
                self.turn = Some((item, Duration::ZERO));
                let phase = if interrupts { Phase::Interrupting } else { Phase::Asking };
                return self.dies(phase);
            }
            Some((_, silence)) if speaks => *silence = Duration::ZERO,
            Some((item, silence)) => {
                *silence += frame.duration();
                if *silence >= TURN_END {
                    let item = item.clone();
                    model.speech_stopped(&item).await;
                    self.turn = None;
                    self.asked += 1;
                    self.answer_at = Some(Instant::now() + ANSWER);
                    self.words_at.push((Instant::now() + PUT_INTO_WORDS, item));
                    return self.dies(Phase::Asked);
                }
            }
            None => {}
        }
        false
    }

    /// Answers what was asked last.
    async fn act(&mut self, model: &mut MemoryModel, request: Option<RequestId>) -> bool {
        let asked = self.asked;
        let answer = model.begin(request).await;
        if asked.is_multiple_of(TOOL_EVERY) && asked > 0 && !self.answered.contains(&asked) {
            let mut outcome = ResponseOutcome::new(answer.response.clone(), ResponseStatus::Completed);
            let first = self.called.insert(asked);
            if first {
                let id = format!("call_{}", self.called.len());
                let call = ToolCall::new(id, "item", "look_up", format!(r#"{{"sentence": {asked}}}"#));
                outcome = outcome.with_calls(vec![call]);
            }
            model.emit(RealtimeEvent::ResponseDone(Box::new(outcome))).await;
            return first && self.dies(Phase::Tool);
        }
        if self.said >= asked * WORDS {
            model.done(&answer, ResponseStatus::Completed).await;
            return false;
        }
        self.earlier.extend(self.answer.replace((answer, self.said)));
        self.speaking = true;
        self.written = self.said;
        self.next = Some(Instant::now() + 100 * MS);
        self.write(model).await;
        self.dies(Phase::Beginning)
    }

    async fn write(&mut self, model: &mut MemoryModel) {
        let Some((answer, _)) = &self.answer else { return };
        while self.written < (self.said + LEAD).min(self.asked * WORDS) {
            self.written += 1;
            model.words(answer, &word(self.written)).await;
        }
    }

    /// The next word. True when it dies of it.
    async fn speak(&mut self, model: &mut MemoryModel) -> bool {
        let Some((answer, from)) = self.answer.clone() else { return false };
        if self.said < self.asked * WORDS {
            self.write(model).await;
            let byte = u8::try_from(self.said + 1).expect("the story is short");
            let sound = vec![byte; AudioFormat::MuLaw.bytes_in(self.scene.word)];
            model.audio(&answer, AudioFrame::raw(AudioFormat::MuLaw, sound)).await;
            self.said += 1;
            self.sounds_until = self.sounds_until.max(Instant::now()) + self.scene.word;
            self.next = Some(Instant::now() + self.scene.word / self.scene.haste);
            return (self.said == from + 1 && !self.words_at.is_empty() && self.dies(Phase::Answering))
                || (self.said == from + 3 && self.dies(Phase::Speaking));
        }
        let text: String = (from..self.said).map(|index| word(index + 1)).collect();
        model.spoken(&answer, &text).await;
        model.done(&answer, ResponseStatus::Completed).await;
        (self.speaking, self.next) = (false, None);
        self.dies(Phase::Said)
    }

    /// A session until it dies, or the call is over. Tells which.
    async fn live(mut self, mut model: MemoryModel) -> Option<Phase> {
        loop {
            let words = self.words_at.first().map(|(at, _)| *at);
            let due = [self.next, self.answer_at, words].into_iter().flatten().min();
            let died = tokio::select! {
                biased;
                command = model.recv() => match command {
                    Some(command) => self.hear(&mut model, command).await,
                    None => return None,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    let now = Instant::now();
                    if words.is_some_and(|at| now >= at) {
                        let (_, item) = self.words_at.remove(0);
                        model.user_transcript(&item, "Next?").await;
                    }
                    if self.answer_at.take_if(|at| now >= *at).is_some() && self.act(&mut model, None).await {
                        true
                    } else {
                        self.next.is_some_and(|at| now >= at) && self.speak(&mut model).await
                    }
                }
            };
            if died {
                return self.dies;
            }
        }
    }
}

/// Asks until the whole story was told. Gives when each question was over.
async fn ask(caller: &Caller, scene: &Scene) -> Vec<Duration> {
    let began = Instant::now();
    let (mut asked, mut voice, mut heard_at) = (0_usize, Duration::ZERO, Instant::now());
    let mut ends = Vec::new();
    loop {
        let byte = if voice.is_zero() { QUIET } else { VOICE };
        caller.send(AudioFrame::raw(AudioFormat::MuLaw, vec![byte; 160])).await.unwrap();
        sleep(20 * MS).await;
        if !voice.is_zero() {
            voice = voice.saturating_sub(20 * MS);
            if voice.is_zero() {
                ends.push(began.elapsed());
                heard_at = Instant::now();
            }
            continue;
        }
        let last = caller.heard().last().map(|run| (usize::from(run.frame.to_raw()[0]), run.frame.duration()));
        let (number, long) = last.unwrap_or_default();
        // The question that is to come is asked into the middle of a word of the sentence before it, or after its end. The
        // first sentence is heard whole, so that the pace is known.
        let more = (2..scene.sentences).contains(&asked);
        let interrupts = more && (asked + 1).is_multiple_of(INTERRUPTS_EVERY);
        let due = if interrupts {
            number == (asked - 1) * WORDS + 3 && long >= scene.word / 2
        } else {
            if number < asked * WORDS || !caller.left_to_hear().is_zero() {
                heard_at = Instant::now();
            }
            heard_at.elapsed() >= 800 * MS
        };
        if due && asked == scene.sentences {
            return ends;
        }
        if due {
            asked += 1;
            voice = QUESTION;
        }
    }
}

/// Has the whole story told, and holds the call to having told it right.
pub(super) async fn talk(scene: &Scene, config: CallConfig) -> Told {
    let (line, caller) = line(AudioFormat::MuLaw);
    let (client, mut provider) = MemoryClient::new();
    let look_up = LookUp::default();
    let session = client.connect(&SessionConfig::default()).await.unwrap();
    let bridge = Bridge::with_config(line, session, config).unwrap();
    let endpoints = Endpoints::new(client, SessionConfig::default());
    // A session knows how far the story is by what it is told.
    let memory = ConversationMemory::with_limits(MemoryLimits::new(1_000, 1 << 20));
    let bridge =
        bridge.with_memory(memory).with_seeded_endpoints(endpoints, 7).with_tools(ToolSet::new().with(look_up.clone()));
    let models = async {
        let (mut deaths, mut next) = (Vec::new(), scene.deaths.iter());
        while let Some(model) = provider.accept().await {
            provider.script(ConnectScript::AnswerAfter(scene.connect));
            match Mind::new(scene, next.next().copied()).live(model).await {
                Some(phase) => deaths.push(phase),
                None => break,
            }
        }
        deaths
    };
    let asks = async {
        let ends = ask(&caller, scene).await;
        caller.hang_up().await.unwrap();
        ends
    };
    let all = async { tokio::join!(bridge.run(), models, asks) };
    let (report, deaths, ends) = timeout(3_600 * S, all).await.expect("the story is told");
    check(scene, &caller, &report, &look_up, &ends, deaths)
}

fn check(
    scene: &Scene,
    caller: &Caller,
    report: &CallReport,
    look_up: &LookUp,
    ends: &[Duration],
    deaths: Vec<Phase>,
) -> Told {
    let mut silence = Duration::ZERO;
    let (mut whole, mut cut, mut doubtful) = (Vec::new(), 0, BTreeSet::new());
    let mut last: Option<Duration> = None;
    let heard = caller.heard();
    for (index, run) in heard.iter().enumerate() {
        let number = usize::from(run.frame.to_raw()[0]);
        // A word of which only the end was cut may count as heard, or be said again.
        let nearly = run.frame.duration() >= scene.word / LETTERS * (LETTERS - 1);
        let again = heard.get(index + 1).is_some_and(|next| usize::from(next.frame.to_raw()[0]) == number);
        if run.frame.duration() == scene.word || (nearly && !again) {
            whole.push(number);
            if run.frame.duration() < scene.word {
                doubtful.insert(word(number).trim().to_owned());
            }
        } else {
            cut += 1;
        }
        let asked = ends.iter().rev().find(|end| **end <= run.at).copied();
        if let Some(since) = last.max(asked) {
            silence = silence.max(run.at.saturating_sub(since));
        }
        last = Some(run.at + run.frame.duration());
    }
    let words = scene.sentences * WORDS;
    assert_eq!(whole, (1..=words).collect::<Vec<_>>(), "each word is heard once");
    let interruptions = (1..=scene.sentences).filter(|asked| asked.is_multiple_of(INTERRUPTS_EVERY)).count();
    assert!(cut <= interruptions, "{cut} words were cut by {interruptions} interruptions");

    let agent = report.transcript.iter().filter(|entry| entry.speaker == Speaker::Agent);
    let certain = |word: &String| !doubtful.contains(word);
    let said = agent.flat_map(|entry| entry.heard.split_whitespace()).map(str::to_owned).filter(certain);
    let said: Vec<_> = said.collect();
    let story: Vec<_> = (1..=words).map(|number| word(number).trim().to_owned()).filter(certain).collect();
    assert_eq!(said, story, "the transcript has each word once");
    let asked: Vec<_> = report.transcript.iter().filter(|entry| entry.speaker == Speaker::Caller).collect();
    assert!(asked.iter().all(|entry| entry.heard == "Next?" || entry.is_not_understood()));
    assert_eq!(asked.len(), scene.sentences, "each question stands there once");
    let runs = look_up.runs();
    let once: BTreeSet<_> = runs.iter().cloned().collect();
    assert_eq!((runs.len(), once.len()), (scene.sentences / TOOL_EVERY, scene.sentences / TOOL_EVERY), "{runs:?}");
    Told { report: report.clone(), silence, deaths }
}

/// Nothing fills the gaps, so that each is heard.
fn bare() -> CallConfig {
    quiet().with_recovery(Recovery::default().with_filler(GapFiller::Nothing, S)).with_max_duration(None)
}

#[tokio::test(start_paused = true)]
async fn a_talk_goes_on_though_the_model_dies_in_each_phase_of_a_turn_twenty_times() {
    let deaths: Vec<_> = Phase::ALL.into_iter().cycle().take(20).collect();
    let scene = Scene { sentences: 47, deaths, least: S, connect: S, word: 310 * MS, haste: 2 };
    let told = talk(&scene, bare()).await;
    assert_eq!(told.report.reason.name(), "caller-hung-up");
    assert_eq!((told.deaths.len(), told.report.stats.sessions_lost), (20, 20));
    assert_eq!(told.deaths.iter().collect::<BTreeSet<_>>().len(), Phase::ALL.len());
    assert!(told.silence < 2_500 * MS, "the longest silence was {:?}", told.silence);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_begins_as_the_caller_interrupts_the_one_before_it_is_called_off() {
    let (deaths, connect, word) = (vec![Phase::Tool], 300 * MS, 180 * MS);
    talk(&Scene { sentences: 14, deaths, least: 3 * S, connect, word, haste: 1 }, bare()).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_talk_goes_on_at_any_pace_and_whenever_the_model_dies(
        deaths in vec(select(Phase::ALL.to_vec()), 0..8),
        // The pace of the first sentence is learned from.
        least in (3_000_u32..6_000).prop_map(|ms| ms * MS),
        connect in (0_u32..1_500).prop_map(|ms| ms * MS),
        // Twenty milliseconds: what the caller's telephone sends at a time.
        word in (9_u32..22).prop_map(|frames| frames * 20 * MS),
        haste in 1_u32..5,
    ) {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let scene = Scene { sentences: 14, deaths, least, connect, word, haste };
        let told = runtime.block_on(talk(&scene, bare()));
        prop_assert_eq!(told.report.reason.name(), "caller-hung-up");
    }
}
