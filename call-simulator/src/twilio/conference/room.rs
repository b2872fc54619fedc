//! A room: who is in it, who hears whom, and what happens when somebody comes, goes or is changed. No clock, no socket.

use std::collections::VecDeque;

use twilio_twiml::{
    jiff::Timestamp,
    sid::{CallSid, ConferenceSid},
    webhook::{ConferenceHappening, WhyEnded, WhyLeft},
    words::{Beep, CallStatus, ConferenceEvent},
};

use super::{
    mixer::{Mixer, mix},
    recorder::Recorder,
};
use crate::twilio::{
    debugger::AlertCode,
    frame::{FRAME_BYTES, Frame, SILENT},
    interpreter::Fetch,
    programme::Wait,
};

/// How far a room has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::twilio) enum Stage {
    /// Nobody has started it.
    Init,
    InProgress,
    Completed,
}

/// A room, from the first leg that names it.
#[derive(Debug)]
pub(in crate::twilio) struct Room {
    pub(in crate::twilio) sid: ConferenceSid,
    pub(in crate::twilio) name: String,
    pub(in crate::twilio) stage: Stage,
    pub(in crate::twilio) created: Timestamp,
    pub(in crate::twilio) updated: Timestamp,
    pub(in crate::twilio) why_ended: Option<WhyEnded>,
    /// The leg that ended it, and its label.
    pub(in crate::twilio) ended_by: Option<(CallSid, Option<String>)>,
    pub(in crate::twilio) members: Vec<Member>,
    /// Whom the first leg wants to be told, and of what.
    told: Option<Told>,
    mixer: Mixer,
    pub(super) recorder: Option<Recorder>,
    /// Somebody has been in it.
    was_entered: bool,
    sequence: u32,
    /// News on their way.
    pub(super) news: Vec<News>,
}

/// Who is told of what in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::twilio) struct Told {
    pub(in crate::twilio) fetch: Fetch,
    pub(in crate::twilio) events: Vec<ConferenceEvent>,
}

/// A leg in a room, or one that is dialled for it.
#[derive(Debug, Clone)]
pub(in crate::twilio) struct Member {
    pub(in crate::twilio) call: CallSid,
    pub(in crate::twilio) traits: Traits,
    /// Whether it is in the room, or still dialled.
    pub(in crate::twilio) is_in: bool,
    pub(in crate::twilio) created: Timestamp,
    pub(in crate::twilio) updated: Timestamp,
    /// Set when it must leave.
    out: Option<WhyLeft>,
    /// Beeps and announcements that it will hear.
    inbox: VecDeque<u8>,
    /// What it hears on hold; not on hold if `None`.
    hold: Option<Wait>,
    /// Counts the changes of what it hears alone.
    programme: u32,
}

/// What a leg brings into a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::twilio) struct Traits {
    pub(in crate::twilio) label: Option<String>,
    pub(in crate::twilio) muted: bool,
    pub(in crate::twilio) starts: bool,
    pub(in crate::twilio) ends: bool,
    pub(in crate::twilio) beep: Beep,
    /// The leg that alone hears it.
    pub(in crate::twilio) coaches: Option<CallSid>,
    pub(in crate::twilio) wait: Wait,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) fetch: Fetch,
    pub(super) happening: ConferenceHappening,
    pub(super) place: u32,
    pub(super) at: Timestamp,
    pub(super) member: Option<Member>,
    pub(super) why_left: Option<WhyLeft>,
    pub(super) status: Option<CallStatus>,
    pub(super) why_ended: Option<WhyEnded>,
    pub(super) ender: Option<(CallSid, Option<String>)>,
    pub(super) announcement: Option<(String, Option<String>)>,
}

/// What 20 ms in a room are to a leg.
#[derive(Debug, PartialEq)]
pub(in crate::twilio) enum Ear {
    /// The voices, beeps and announcements.
    Room(Frame),
    /// A programme of its own, which changes with the number; and what is announced meanwhile.
    Programme { wait: Wait, number: u32, announced: Option<Frame> },
    /// It is out.
    Out(WhyLeft),
}

/// Why a leg does not get in, as the debugger and the API say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::twilio) enum Shut {
    LabelTaken,
    Full,
    CoachMissing,
}

impl Shut {
    pub(in crate::twilio) const fn code(self) -> AlertCode {
        match self {
            Self::LabelTaken => AlertCode::LabelTaken,
            Self::Full => AlertCode::ConferenceFull,
            Self::CoachMissing => AlertCode::CoachMissing,
        }
    }
}

impl Room {
    pub(super) fn new(
        sid: ConferenceSid,
        name: String,
        told: Option<Told>,
        recorder: Option<Recorder>,
        now: Timestamp,
    ) -> Self {
        Self {
            sid,
            name,
            stage: Stage::Init,
            created: now,
            updated: now,
            why_ended: None,
            ended_by: None,
            members: Vec::new(),
            told,
            mixer: Mixer::default(),
            recorder,
            was_entered: false,
            sequence: 0,
            news: Vec::new(),
        }
    }

    /// A leg by its call or its label.
    pub(in crate::twilio) fn member(&mut self, name: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.is_called(name))
    }

    /// Keeps a place for a leg that is dialled.
    pub(super) fn expect(&mut self, call: CallSid, traits: Traits, most: usize, now: Timestamp) -> Result<(), Shut> {
        self.admits(&call, &traits, most)?;
        self.members.push(Member {
            call,
            traits,
            is_in: false,
            created: now,
            updated: now,
            out: None,
            inbox: VecDeque::new(),
            hold: None,
            programme: 0,
        });
        Ok(())
    }

    /// Lets a leg in.
    pub(super) fn join(&mut self, call: &CallSid, traits: Traits, most: usize, now: Timestamp) -> Result<(), Shut> {
        if self.member(call.as_str()).is_none() {
            self.expect(call.clone(), traits, most, now)?;
        }
        let Some(member) = self.member(call.as_str()) else { return Ok(()) };
        member.is_in = true;
        let member = member.clone();
        self.was_entered = true;
        self.tell(ConferenceHappening::Join, ConferenceEvent::Join, now, |news| news.member = Some(member.clone()));
        if matches!(member.traits.beep, Beep::Always | Beep::OnEnter) {
            self.beep(call);
        }
        let seated = self.members.iter().filter(|member| member.is_in);
        if self.stage == Stage::Init && seated.clone().count() >= 2 && seated.clone().any(|member| member.traits.starts)
        {
            self.stage = Stage::InProgress;
            self.updated = now;
            if let Some(recorder) = &mut self.recorder {
                recorder.begin(now);
            }
            self.tell(ConferenceHappening::Start, ConferenceEvent::Start, now, |_| {});
        }
        Ok(())
    }

    fn admits(&self, call: &CallSid, traits: &Traits, most: usize) -> Result<(), Shut> {
        if self.members.len() >= most {
            return Err(Shut::Full);
        }
        if let Some(label) = &traits.label
            && self.members.iter().any(|member| member.traits.label.as_ref() == Some(label) && member.call != *call)
        {
            return Err(Shut::LabelTaken);
        }
        match &traits.coaches {
            Some(coached) if !self.members.iter().any(|member| member.is_in && member.call == *coached) => {
                Err(Shut::CoachMissing)
            }
            _ => Ok(()),
        }
    }

    /// Takes a leg out, in the room or not yet.
    pub(super) fn leave(&mut self, call: &CallSid, why: WhyLeft, status: CallStatus, now: Timestamp) {
        let Some(place) = self.members.iter().position(|member| member.call == *call) else { return };
        let member = self.members.remove(place);
        self.mixer.leave(call);
        self.updated = now;
        self.tell(ConferenceHappening::Leave, ConferenceEvent::Leave, now, |news| {
            news.member = Some(member.clone());
            news.why_left = Some(why.clone());
            news.status = Some(status);
        });
        if !member.is_in {
            if self.members.is_empty() && self.was_entered && self.stage != Stage::Completed {
                self.end(WhyEnded::LastLeft, None, WhyLeft::HungUp, now);
                self.tell_end(now);
            } else if self.members.is_empty() {
                // Nothing is told of a room that nobody was in.
                self.stage = Stage::Completed;
            }
            return;
        }
        if matches!(member.traits.beep, Beep::Always | Beep::OnExit) {
            self.beep(call);
        }
        let was_removed = member.out.is_some();
        let is_over = self.stage == Stage::Completed;
        if member.traits.ends && !is_over {
            let why = if was_removed { WhyEnded::EnderKicked } else { WhyEnded::EnderLeft };
            self.end(why, Some(&member), WhyLeft::ModeratorEnded, now);
        } else if self.members.is_empty() && !is_over {
            let why = if was_removed { WhyEnded::LastKicked } else { WhyEnded::LastLeft };
            self.end(why, Some(&member), WhyLeft::HungUp, now);
        }
        if self.members.is_empty() && self.stage == Stage::Completed {
            self.tell_end(now);
        }
    }

    /// Ends the room: every leg is sent out. Its end is told when the last one is out.
    fn end(&mut self, why: WhyEnded, ender: Option<&Member>, why_left: WhyLeft, now: Timestamp) {
        self.stage = Stage::Completed;
        self.updated = now;
        self.why_ended = Some(why);
        self.ended_by = ender.map(|member| (member.call.clone(), member.traits.label.clone()));
        for member in &mut self.members {
            member.out = Some(why_left.clone());
        }
        // Legs that are still dialled do not find the room any more.
        self.members.retain(|member| member.is_in);
    }

    /// Ends the room by a request.
    pub(in crate::twilio) fn end_by_api(&mut self, now: Timestamp) {
        if self.stage != Stage::Completed {
            self.end(WhyEnded::ByApi, None, WhyLeft::ByApi, now);
            if self.members.is_empty() {
                self.tell_end(now);
            }
        }
    }

    fn tell_end(&mut self, now: Timestamp) {
        let (why_ended, ended_by) = (self.why_ended.clone(), self.ended_by.clone());
        self.tell(ConferenceHappening::End, ConferenceEvent::End, now, |news| {
            news.why_ended = why_ended;
            news.ender = ended_by;
        });
    }

    /// Sends a leg out.
    pub(in crate::twilio) fn kick(&mut self, name: &str) -> bool {
        let Some(member) = self.member(name) else { return false };
        member.out = Some(WhyLeft::HungUp);
        true
    }

    /// Mutes a leg or not.
    pub(in crate::twilio) fn mute(&mut self, name: &str, muted: bool, now: Timestamp) {
        let happening = if muted { ConferenceHappening::Mute } else { ConferenceHappening::Unmute };
        self.change(name, happening, ConferenceEvent::Mute, now, |member| {
            std::mem::replace(&mut member.traits.muted, muted) != muted
        });
    }

    /// Puts a leg on hold with something to hear, or takes it off.
    pub(in crate::twilio) fn hold(&mut self, name: &str, hold: Option<Wait>, now: Timestamp) {
        let happening = if hold.is_some() { ConferenceHappening::Hold } else { ConferenceHappening::Unhold };
        self.change(name, happening, ConferenceEvent::Hold, now, |member| {
            let changes = hold.is_some() != member.hold.is_some();
            member.hold = hold;
            member.programme += 1;
            changes
        });
    }

    /// Changes what a leg is in the room; tells of it if anything has changed.
    pub(in crate::twilio) fn modify(&mut self, name: &str, now: Timestamp, change: impl FnOnce(&mut Member) -> bool) {
        self.change(name, ConferenceHappening::Modify, ConferenceEvent::Modify, now, change);
    }

    fn change(
        &mut self,
        name: &str,
        happening: ConferenceHappening,
        event: ConferenceEvent,
        now: Timestamp,
        change: impl FnOnce(&mut Member) -> bool,
    ) {
        let Some(member) = self.member(name) else { return };
        if !change(member) {
            return;
        }
        member.updated = now;
        let member = member.clone();
        self.tell(happening, event, now, |news| news.member = Some(member));
    }

    /// Lets one leg, or everybody, hear an announcement.
    pub(super) fn announce(&mut self, to: Option<&str>, audio: &[u8]) {
        let members = self.members.iter_mut().filter(|member| to.is_none_or(|name| member.is_called(name)));
        members.for_each(|member| member.inbox.extend(audio));
    }

    /// Tells how an announcement ended.
    pub(super) fn announced(&mut self, to: Option<&str>, url: String, failure: Option<String>, now: Timestamp) {
        let failed = failure.is_some();
        let happening =
            if failed { ConferenceHappening::AnnouncementFail } else { ConferenceHappening::AnnouncementEnd };
        let member = to.and_then(|name| self.member(name).cloned());
        self.tell(happening, ConferenceEvent::Announcement, now, |news| {
            news.member = member;
            news.announcement = Some((url, failure));
        });
    }

    /// A leg speaks for 20 ms.
    pub(super) fn say(&mut self, call: &CallSid, frame: &Frame) {
        let is_running = self.stage == Stage::InProgress;
        let Some(member) = self.members.iter().find(|member| member.call == *call) else { return };
        let is_heard = !member.traits.muted && member.hold.is_none();
        if is_running && is_heard {
            if member.traits.coaches.is_none()
                && let Some(recorder) = &mut self.recorder
            {
                recorder.say(call, frame);
            }
            self.mixer.say(call, *frame);
        } else {
            if let Some(recorder) = &mut self.recorder {
                recorder.say(call, &SILENT);
            }
            self.mixer.say(call, SILENT);
        }
    }

    /// What a leg hears in 20 ms.
    pub(super) fn hear(&mut self, call: &CallSid) -> Ear {
        let is_running = self.stage == Stage::InProgress;
        let voices: Vec<CallSid> = self
            .members
            .iter()
            .filter(|other| other.call != *call && other.traits.coaches.as_ref().is_none_or(|coached| coached == call))
            .map(|other| other.call.clone())
            .collect();
        let Some(member) = self.members.iter_mut().find(|member| member.call == *call) else {
            return Ear::Out(self.out());
        };
        if let Some(why) = &member.out {
            return Ear::Out(why.clone());
        }
        let announced = member.announced();
        let wait = member.hold.clone().or_else(|| (!is_running).then(|| member.traits.wait.clone()));
        if let Some(wait) = wait {
            return Ear::Programme { wait, number: member.programme * 2 + u32::from(is_running), announced };
        }
        let voices = self.mixer.hear(call, &voices);
        Ear::Room(announced.map_or(voices, |announced| mix(&[voices, announced])))
    }

    /// Why somebody is out whom the room does not know any more.
    fn out(&self) -> WhyLeft {
        if self.why_ended == Some(WhyEnded::ByApi) { WhyLeft::ByApi } else { WhyLeft::ModeratorEnded }
    }

    fn beep(&mut self, but: &CallSid) {
        let beep = crate::twilio::phone::beep(std::time::Duration::from_millis(200));
        for member in self.members.iter_mut().filter(|member| member.is_in && member.call != *but) {
            member.inbox.extend(&beep);
        }
    }

    fn tell(
        &mut self,
        happening: ConferenceHappening,
        event: ConferenceEvent,
        at: Timestamp,
        more: impl FnOnce(&mut News),
    ) {
        self.updated = at;
        let Some(told) = self.told.as_ref().filter(|told| told.events.contains(&event)) else { return };
        self.sequence += 1;
        let mut news = News {
            fetch: told.fetch.clone(),
            happening,
            place: self.sequence,
            at,
            member: None,
            why_left: None,
            status: None,
            why_ended: None,
            ender: None,
            announcement: None,
        };
        more(&mut news);
        self.news.push(news);
    }
}

impl Member {
    pub(in crate::twilio) fn is_called(&self, name: &str) -> bool {
        self.call.as_str() == name || self.traits.label.as_deref() == Some(name)
    }

    pub(in crate::twilio) const fn is_on_hold(&self) -> bool {
        self.hold.is_some()
    }

    /// Something else to hear while it waits.
    pub(in crate::twilio) fn wait_with(&mut self, wait: Wait) {
        self.traits.wait = wait;
        self.programme += 1;
    }

    fn announced(&mut self) -> Option<Frame> {
        if self.inbox.is_empty() {
            return None;
        }
        let mut frame = SILENT;
        let take = self.inbox.len().min(FRAME_BYTES);
        frame.iter_mut().zip(self.inbox.drain(..take)).for_each(|(to, from)| *to = from);
        Some(frame)
    }
}
