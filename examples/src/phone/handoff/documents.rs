//! What caller and person are told, as TwiML.

use std::time::Duration;

use call_session::{
    call::{CallSession, CallSummary, Speaker, SupervisorRole},
    handoff::{Briefing, Candidate, Company, HandoffDoors, HandoffPlan, LegPlace, Route, coached, room_name},
    id::{LegId, SessionId},
};
use twilio_twiml::{
    Seconds,
    phone::Address,
    twiml::{Client, Conference, Dial, Gather, Input, Number, Party, Pause, Phrases, Response, Sip},
    words::{Beep, CallEvent, ConferenceEvent, MachineDetection, Method},
};

use super::doors::Doors;
use crate::{conversation::Conversation, phone::Phone, web::Document};

/// Between two questions where a caller shall be who waits.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// How long a person may take to begin an answer to the briefing.
const ANSWER: Seconds = Seconds(6);

/// How much of the caller's words a person is told, in characters: about 15 s of speech.
const SUMMARY: usize = 200;

/// The caller waits with a word, and the handoff's door is asked again.
pub(super) fn ask_again(doors: &Doors, talk: &Conversation, call: SessionId) -> Document {
    Document(Response::new().say(talk.handoff_wait()).pause(Pause::new(ASK_AGAIN)).redirect(doors.caller(call)))
}

/// The room, after what runs `beside` it. Whoever leaves it, caller or person, ends it for both, so that nobody waits there
/// alone.
pub(super) fn caller_in_room(beside: Response, doors: &Doors, call: &CallSummary, plan: &HandoffPlan) -> Document {
    let mut room = room(doors, call.id, "caller".into());
    if let Company::Music { url: Some(url) } = &plan.company {
        // A file is cached when it is got.
        room = room.wait_url(url.as_str()).wait_method(Method::Get);
    }
    let dial = Dial::to(room).action(doors.left(call.id));
    Document(beside.dial(dial))
}

fn room(doors: &Doors, call: SessionId, label: String) -> Conference {
    Conference::new(room_name(call))
        .start_conference_on_enter(true)
        .end_conference_on_exit(true)
        .beep(Beep::Never)
        .participant_label(label)
        .status_callback(doors.conference(call))
        .status_callback_event([
            ConferenceEvent::Start,
            ConferenceEvent::End,
            ConferenceEvent::Join,
            ConferenceEvent::Leave,
        ])
}

/// The caller's own leg dials the person, with what runs `beside` that.
pub(super) fn direct(
    beside: Response,
    doors: &Doors,
    call: SessionId,
    leg: LegId,
    plan: &HandoffPlan,
    to: &Candidate,
) -> Document {
    let (document, status) = (doors.leg(call, leg), doors.leg_status(call, leg));
    let events = [CallEvent::Initiated, CallEvent::Ringing, CallEvent::Answered, CallEvent::Completed];
    let machine = plan.detect_machines.then_some(MachineDetection::Enable);
    let party = match &to.to {
        Address::Client(client) => {
            Party::from(Client::new(&**client).url(document).status_callback(status).status_callback_event(events))
        }
        Address::Sip(uri) => {
            let mut sip = Sip::new(&**uri).url(document).status_callback(status).status_callback_event(events);
            if let Some(detection) = machine {
                sip = sip.machine_detection(detection).amd_status_callback(doors.leg_machine(call, leg));
            }
            sip.into()
        }
        number => {
            let mut number =
                Number::new(number.clone()).url(document).status_callback(status).status_callback_event(events);
            if let Some(detection) = machine {
                number = number.machine_detection(detection).amd_status_callback(doors.leg_machine(call, leg));
            }
            number.into()
        }
    };
    let dial = Dial::to(party).action(doors.left(call)).caller_id(plan.from.clone()).timeout(plan.limits.ring);
    Document(beside.dial(dial))
}

/// What a person's leg is told. `again` when the briefing was heard before.
pub(super) fn leg(phone: &Phone, session: &CallSession, leg: LegId, place: LegPlace, again: bool) -> Document {
    let call = &session.summary;
    let talk = talk(phone, call, leg);
    let Some(handoff) = call.handoff.as_ref() else { return gone(&talk) };
    let (doors, plan) = (&phone.0.doors, &handoff.plan);
    match place {
        LegPlace::Briefing => {
            let verdict = doors.verdict(call.id, leg);
            let mut document = Response::new();
            if !again {
                // Whoever picks up says a word, such as 「はい」, which is no consent yet: before the question only keys count.
                let keys =
                    Gather::new().input([Input::Dtmf]).action(verdict.as_str()).num_digits(1).timeout(Seconds(1));
                document = document.gather(keys.say(talk.briefing(&briefing(session, plan))));
            }
            let question = Gather::new()
                .input([Input::Dtmf, Input::Speech])
                .action(verdict)
                .action_on_empty_result(true)
                .num_digits(1)
                .timeout(ANSWER)
                .speech_timeout(1)
                .language(talk.twiml_language())
                .hints(talk.briefing_hints().collect::<Phrases>())
                .say(talk.briefing_question(again));
            Document(document.gather(question))
        }
        LegPlace::Room if plan.route == Route::Direct => Document(Response::new()),
        LegPlace::Room => {
            let dial = Dial::to(room(doors, call.id, format!("person-{leg}")));
            Document(Response::new().say(talk.connecting()).dial(dial))
        }
        LegPlace::Supervisor(role) => supervisor(call, leg, role).unwrap_or_else(|| gone(&talk)),
        // Whatever a later version adds, nobody is connected by guess.
        _ => gone(&talk),
    }
}

/// What is known now: the caller may have said more since a person was asked for.
fn briefing(session: &CallSession, plan: &HandoffPlan) -> Briefing {
    let mut briefing = plan.briefing.clone();
    let (mut said, mut left) = (Vec::new(), SUMMARY);
    let lines = session.transcript.iter().rev().filter(|line| line.speaker == Speaker::Caller);
    for words in lines.map(|line| line.heard.trim()).filter(|words| !words.is_empty()) {
        let length = words.chars().count();
        if length > left {
            if said.is_empty() {
                said.push(words.chars().skip(length - left).collect());
            }
            break;
        }
        left -= length;
        said.push(words.to_owned());
    }
    if !said.is_empty() {
        said.reverse();
        briefing.summary = said.join(" ");
    }
    briefing
}

/// The room, for somebody who is there besides: it neither begins nor ends with them. Nothing if there is nobody to whisper
/// to, since the caller would hear it.
fn supervisor(call: &CallSummary, leg: LegId, role: SupervisorRole) -> Option<Document> {
    let room = Conference::new(room_name(call.id))
        .start_conference_on_enter(false)
        .end_conference_on_exit(false)
        .muted(role == SupervisorRole::Listen)
        .beep(Beep::Never)
        .participant_label(format!("supervisor-{leg}"));
    let room = if role == SupervisorRole::Whisper { room.coach(coached(call)?) } else { room };
    Some(Document(Response::new().dial(Dial::to(room))))
}

/// What a person hears who does not take the call.
pub(super) fn declined(phone: &Phone, call: &CallSummary, leg: LegId) -> Document {
    Document(Response::new().say(talk(phone, call, leg).handoff_declined()).hangup())
}

/// What a person hears who is not needed any more.
pub(super) fn gone(talk: &Conversation) -> Document {
    Document(Response::new().say(talk.handoff_gone()).hangup())
}

/// The conversation of a call in the person's language.
fn talk(phone: &Phone, call: &CallSummary, leg: LegId) -> Conversation {
    let talk = phone.0.settings.conversation.of(call);
    let candidate = call
        .legs
        .get(&leg)
        .zip(call.handoff.as_ref())
        .and_then(|(leg, handoff)| handoff.plan.candidates.get(leg.candidate));
    match candidate.and_then(|candidate| candidate.language.as_deref()) {
        Some(language) => talk.spoken_in(language),
        None => talk,
    }
}

#[cfg(test)]
mod tests {
    use call_session::{
        call::{HandoffMode, NewCall},
        handoff::Candidate,
    };
    use jiff::Timestamp;

    use super::*;

    fn call() -> (Doors, CallSummary, HandoffPlan) {
        let doors = Doors("https://bridge.example.com".parse().unwrap());
        let call = NewCall::inbound("+14155550100", "+815012345678");
        let candidate = Candidate::new(None, "+819012345678");
        let plan = HandoffPlan::new(HandoffMode::Warm, "+815012345678", vec![candidate]);
        (doors, CallSession::new(SessionId::new(), Timestamp::UNIX_EPOCH, call).summary, plan)
    }

    /// A server may die while it is asked: without these, Twilio would give the leg up instead of asking another.
    #[test]
    fn every_address_that_twilio_gets_may_be_asked_again() {
        let (doors, call, plan) = call();
        let leg = LegId::new();
        let room = caller_in_room(Response::new(), &doors, &call, &plan).0;
        let dialled = direct(Response::new(), &doors, call.id, leg, &plan, &plan.candidates[0]).0;
        let again = ask_again(&doors, &Conversation::new(crate::conversation::Language::English), call.id).0;
        let documents = [room, dialled, again].map(|document| document.to_xml().unwrap()).concat();
        let asked = documents.matches("https://bridge.example.com/api/twilio/").count();
        let by_rest = [
            doors.caller(call.id),
            doors.leg(call.id, leg),
            doors.leg_status(call.id, leg),
            doors.leg_machine(call.id, leg),
            doors.verdict(call.id, leg),
        ];
        let repeats = "#ct=2000&rt=10000&rc=2&rp=ct,rt,5xx";
        assert_eq!(documents.matches(&repeats.replace('&', "&amp;")).count(), asked, "{documents}");
        assert_eq!(asked, 7, "{documents}");
        assert!(by_rest.iter().all(|url| url.ends_with(repeats)), "{by_rest:?}");
    }
}
