//! What the caller says while there is no model, and what becomes of it.

use std::time::Duration;

use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    bridge::Endpoints,
    media::{MediaEvent, MediaStart},
    realtime::{
        Capabilities, NewItem, ProviderError, RealtimeCommand, RealtimeEvent, SessionConfig, SessionInfo,
        memory::{ConnectScript, MemoryClient},
    },
    relay::{CallConfig, Relay, Speaker},
};
use tokio::time::sleep;

use super::{
    super::{MS, S, quiet, settle},
    phases::{call, call_with, speak, voice, voices},
};

/// How many frames a fresh connection takes in the time of one.
const TAKES: usize = 20;

fn expired() -> ProviderError {
    ProviderError::new("invalid_request_error", "session_expired", "over")
}

#[tokio::test(start_paused = true)]
async fn what_was_said_in_the_gap_arrives_though_the_connection_takes_little_at_once() {
    let info = SessionInfo::new("s", "m", AudioFormat::MuLaw, AudioFormat::MuLaw);
    let capabilities = Capabilities::client_driven();
    let mut relay =
        Relay::new(CallConfig::default(), AudioFormat::MuLaw, &info, capabilities.clone()).with_recovery(1, 1);
    let mut now = tokio::time::Instant::now().into_std();
    let mut said = 0_u32;
    let mut say = |relay: &mut Relay, now| {
        let number = said.to_be_bytes();
        said += 1;
        let bytes: Vec<_> = number.into_iter().chain([0xFF; 156]).collect();
        relay.handle_media(now, MediaEvent::Audio(AudioFrame::raw(AudioFormat::MuLaw, bytes)));
        relay.handle_timeout(now);
        said
    };
    relay.handle_media(now, MediaEvent::Started(MediaStart::new("call", "line")));
    while relay.poll_model(now).is_some() {}
    relay.handle_model_closed(now, None);
    for _ in 0..700 {
        now += 20 * MS;
        say(&mut relay, now);
    }
    relay.handle_session(now, &info, &capabilities);
    let mut heard = Vec::new();
    for tick in 0.. {
        now += 20 * MS;
        let said = say(&mut relay, now);
        for _ in 0..TAKES {
            match relay.poll_model(now) {
                Some(RealtimeCommand::Append(frame)) => {
                    let number = frame.to_raw()[..4].try_into().map(u32::from_be_bytes).unwrap();
                    heard.push(number);
                }
                Some(_) => {}
                None => break,
            }
        }
        if tick == 2 {
            // The model hears at once that somebody speaks.
            let audio_start = Duration::ZERO;
            relay.handle_model(now, RealtimeEvent::SpeechStarted { item: Some("item".into()), audio_start });
        }
        if heard.last() == Some(&(said - 1)) {
            break;
        }
    }
    let missing: Vec<_> = (0..said).filter(|number| !heard.contains(number)).collect();
    assert!(missing.is_empty() && heard.is_sorted(), "{missing:?} were dropped");
    assert_eq!(relay.stats().caller_dropped, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_was_said_in_one_gap_outlives_the_next() {
    let (mut call, mut provider) = call(quiet()).await;
    provider.script(ConnectScript::AnswerAfter(3 * S));
    call.model.error(expired()).await;
    settle().await;
    speak(&call.caller, voice(2, 100)).await;
    call.model = provider.accept().await.unwrap();
    settle().await;
    assert_eq!(voices(&mut call.model), [(2, 2 * S)]);
    // The next session is lost before it has noticed anything.
    speak(&call.caller, voice(3, 20)).await;
    call.model.error(expired()).await;
    call.model = provider.accept().await.unwrap();
    settle().await;
    assert_eq!(voices(&mut call.model), [(2, 2 * S), (3, 400 * MS)]);
    // This one has the time to notice that it is no speech: it is not told again.
    speak(&call.caller, voice(4, 200)).await;
    call.model.error(expired()).await;
    call.model = provider.accept().await.unwrap();
    settle().await;
    let last = voices(&mut call.model);
    assert_eq!(last, [(4, 500 * MS)]);
    call.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_before_it_was_put_into_words_is_not_passed_over() {
    let (mut call, mut provider) = call(quiet()).await;
    // Words of its own come later than the answer, which is when the session is lost.
    let question = call.model.speech_started().await;
    call.model.speech_stopped(&question).await;
    let answer = call.model.begin(None).await;
    call.model.words(&answer, "We are open from nine to six.").await;
    call.model.speak(&answer, 2 * S).await;
    settle().await;
    call.model.error(expired()).await;
    call.model = provider.accept().await.unwrap();
    let (request, items) = call.asked().await;
    let told: Vec<_> = items.iter().map(std::mem::discriminant).collect();
    let kinds = [NewItem::System(String::new()), NewItem::Assistant(String::new())];
    assert_eq!(told[..2], [std::mem::discriminant(&kinds[0]), std::mem::discriminant(&kinds[1])], "{items:?}");
    assert!(matches!(&items[0], NewItem::System(text) if text.contains("no word is known")), "{items:?}");
    call.model.say(Some(request), "That is all.", S).await;
    call.until("agent-silent").await;
    let report = call.hang_up().await;
    let entries: Vec<_> = report.transcript.iter().map(|entry| (entry.speaker, entry.is_not_understood())).collect();
    assert_eq!(entries, [(Speaker::Caller, true), (Speaker::Agent, false), (Speaker::Agent, false)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_told_again_stands_in_the_transcript_once() {
    let (mut call, mut provider) = call(quiet()).await;
    let question = call.model.speech_started().await;
    speak(&call.caller, voice(2, 50)).await;
    call.model.speech_stopped(&question).await;
    settle().await;
    call.model.error(expired()).await;
    call.model = provider.accept().await.unwrap();
    call.model.caller_says("When are you open?").await;
    call.model.say(None, "From nine to six.", S).await;
    call.until("agent-silent").await;
    let report = call.hang_up().await;
    let said: Vec<_> = report.transcript.iter().map(|entry| entry.heard.as_str()).collect();
    assert_eq!(said, ["When are you open?", "From nine to six."]);
}

#[tokio::test(start_paused = true)]
async fn a_long_utterance_without_words_is_known_to_have_been_said() {
    let (mut call, mut provider) = call(quiet()).await;
    let item = call.model.speech_started().await;
    sleep(12 * S).await;
    call.model.speech_stopped(&item).await;
    call.model.say(None, "I see.", S).await;
    call.until("agent-silent").await;
    call.model.error(ProviderError::new("invalid_request_error", "session_expired", "over")).await;
    call.model = provider.accept().await.unwrap();
    let report = call.hang_up().await;
    let entries: Vec<_> = report.transcript.iter().map(|entry| (entry.speaker, entry.is_not_understood())).collect();
    assert_eq!(entries, [(Speaker::Caller, true), (Speaker::Agent, false)]);
}

#[tokio::test(start_paused = true)]
async fn no_session_is_changed_for_another_before_a_long_utterance_has_its_words() {
    let (client, provider) = MemoryClient::new();
    let client = client.with_capabilities(Capabilities::client_driven().with_session_limit(20 * 60 * S));
    let (mut call, mut provider) = call_with(quiet(), Endpoints::new(client, SessionConfig::default()), provider).await;
    sleep(10 * 60 * S - 13 * S).await;
    let item = call.model.speech_started().await;
    sleep(12 * S).await;
    call.model.speech_stopped(&item).await;
    call.model.say(None, "I see.", S).await;
    // It is time for another session.
    let next = provider.accept().await.unwrap();
    sleep(3 * S).await;
    call.model.user_transcript(&item, "It is a long story.").await;
    call.until("model-changed").await;
    call.model = next;
    let report = call.hang_up().await;
    let said: Vec<_> = report.transcript.iter().map(|entry| entry.heard.as_str()).collect();
    assert_eq!(said, ["It is a long story.", "I see."]);
}
