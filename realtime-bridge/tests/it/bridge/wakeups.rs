//! How often the relay wants to be woken.

use realtime_bridge::{
    audio::{AudioFormat, AudioFrame},
    media::{MediaEvent, MediaStart},
    realtime::{Capabilities, RealtimeEvent, ResponseOutcome, ResponseStatus, SessionInfo, ToolCall, TurnOwner},
    relay::{BargeIn, Relay},
    tool::{Filler, ToolOptions},
};
use tokio::time::{Duration, Instant};

use super::{MS, S, quiet};

/// A relay that has three seconds of speech for the line, with a tool.
fn speaking(now: std::time::Instant, filler: Filler) -> Relay {
    let info = SessionInfo::new("s", "m", AudioFormat::MuLaw, AudioFormat::MuLaw).with_turn_owner(TurnOwner::Bridge);
    let config = quiet().with_barge_in(BargeIn::confirmed());
    let options = ToolOptions::default().with_filler(filler);
    let mut relay = Relay::new(config, AudioFormat::MuLaw, &info, Capabilities::client_driven())
        .with_tools(vec![("a".into(), options)]);
    relay.handle_media(now, MediaEvent::Started(MediaStart::new("call", "line")));
    relay.handle_model(now, RealtimeEvent::ResponseStarted { response: "r".into(), request: None });
    let frame = AudioFrame::silence(AudioFormat::MuLaw, 3 * S);
    let audio = RealtimeEvent::Audio { response: "r".into(), item: "i".into(), content_index: 0, frame };
    relay.handle_model(now, audio);
    relay
}

#[tokio::test(start_paused = true)]
async fn a_line_that_takes_nothing_is_not_looked_at_again_and_again() {
    let now = Instant::now().into_std();
    let mut relay = speaking(now, Filler::None);
    assert!(relay.poll_timeout(now).unwrap() > now + S, "only the line can change that it takes nothing");
    // A line that takes what it is given wants more when there is room.
    while relay.poll_media(now).is_some() {}
    let next = relay.poll_timeout(now).unwrap() - now;
    assert!(next > Duration::ZERO && next <= 60 * MS, "{next:?}");
    assert!(relay.poll_media(now + next).is_some());
    // No mark ever comes, and until it counts as lost there is nothing to do.
    let (mut time, mut woken) = (now + next, 0);
    while time < now + 4 * S {
        while relay.poll_media(time).is_some() {}
        time = relay.poll_timeout(time).unwrap();
        relay.handle_timeout(time);
        woken += 1;
    }
    assert!(woken < 80, "it was woken {woken} times");
}

#[tokio::test(start_paused = true)]
async fn a_line_to_be_said_at_once_waits_for_a_silence_in_peace() {
    let now = Instant::now().into_std();
    let mut relay = speaking(now, Filler::Line { after: Duration::ZERO, text: "I am looking.".into() });
    let outcome = ResponseOutcome::new("r".into(), ResponseStatus::Completed)
        .with_calls(vec![ToolCall::new("1", "item", "a", "{}")]);
    relay.handle_model(now, RealtimeEvent::ResponseDone(Box::new(outcome)));
    relay.handle_timeout(now);
    assert!(relay.poll_timeout(now).unwrap() >= now + 100 * MS);
}
