//! Conferences: rooms by name, the legs in them, and who is told of it.

mod mixer;
mod news;
mod plan;
mod recorder;
mod room;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

pub(super) use plan::{ConferencePlan, MOST};
use recorder::Recorder;
pub(super) use recorder::RecordingTold;
pub(super) use room::{Ear, Member, Room, Shut, Stage, Told, Traits};
use twilio_twiml::{
    jiff::Timestamp,
    sid::{CallSid, ConferenceSid},
    webhook::WhyLeft,
    words::{Beep, CallStatus},
};

use super::{
    account::{Account, mint},
    frame::Frame,
    interpreter::Fetch,
    programme::{self, Wait},
    register::lock,
    webhook::Webhooks,
};

/// The rooms of an account, those that are over too, oldest first.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: Mutex<Vec<SharedRoom>>,
}

/// A room that legs and the REST API share.
pub(super) type SharedRoom = Arc<Mutex<Room>>;

impl Rooms {
    pub(super) fn all(&self) -> Vec<SharedRoom> {
        lock(&self.rooms).clone()
    }

    pub(super) fn find(&self, sid: &str) -> Option<SharedRoom> {
        lock(&self.rooms).iter().find(|room| lock(room).sid.as_str() == sid).cloned()
    }

    /// Does something in the room of this name, which is opened if there is none that is not over.
    fn enter(
        &self,
        plan: &ConferencePlan,
        now: Timestamp,
        enter: impl FnOnce(&mut Room) -> Result<(), Shut>,
    ) -> Result<SharedRoom, Shut> {
        let mut rooms = lock(&self.rooms);
        let open = rooms.iter().find(|room| {
            let room = lock(room);
            room.name == plan.name && room.stage != Stage::Completed
        });
        let room = open.cloned().unwrap_or_else(|| {
            let sid: ConferenceSid = mint("CF");
            let recorder = plan.record.clone().map(|told| Recorder::new(mint("RE"), told));
            let room = Room::new(sid, plan.name.clone(), plan.told.clone(), recorder, now);
            let room = Arc::new(Mutex::new(room));
            rooms.push(Arc::clone(&room));
            room
        });
        let entered = enter(&mut lock(&room));
        if entered.is_err() && lock(&room).members.is_empty() {
            // Whoever is refused opens nothing.
            rooms.retain(|other| !Arc::ptr_eq(other, &room));
        }
        entered.map(|()| room)
    }
}

/// Keeps a place in a room for a leg that is dialled. The conference it is.
pub(super) fn expect(account: &Arc<Account>, call: &CallSid, plan: &ConferencePlan) -> Result<SharedRoom, Shut> {
    let now = Timestamp::now();
    account.rooms.enter(plan, now, |room| room.expect(call.clone(), plan.traits.clone(), plan.most, now))
}

/// Tells the room that a leg which was dialled for it will not come.
pub(super) fn give_up(account: &Arc<Account>, room: &SharedRoom, call: &CallSid, status: CallStatus) {
    change(account, room, |room| {
        let is_dialled = room.member(call.as_str()).is_some_and(|member| !member.is_in);
        if is_dialled {
            room.leave(call, WhyLeft::AddFailed, status, Timestamp::now());
        }
    });
}

/// Changes something in a room, and tells of what came of it.
pub(super) fn change<T>(account: &Arc<Account>, room: &SharedRoom, change: impl FnOnce(&mut Room) -> T) -> T {
    let (changed, news) = {
        let mut room = lock(room);
        let changed = change(&mut room);
        let mut news: Vec<_> =
            std::mem::take(&mut room.news).into_iter().map(|news| news.delivery(account, &room)).collect();
        news.extend(news::of_recording(account, &mut room));
        (changed, news)
    };
    news.into_iter().for_each(|(fetch, form)| news::deliver(account, fetch, form));
    changed
}

/// Fetches an announcement and lets one leg, or everybody, hear it.
pub(super) fn announce(account: &Arc<Account>, room: &SharedRoom, to: Option<String>, fetch: Fetch) {
    let (account_of_task, room) = (Arc::clone(account), Arc::clone(room));
    let announcing = async move {
        let account = account_of_task;
        let webhooks = Webhooks::new(account.dialer.clone(), account.token.clone());
        let form = news::about(&account, &lock(&room), to.as_deref());
        let url = fetch.url.to_string();
        let failure = match programme::load(&webhooks, fetch, &form).await {
            Ok(part) => {
                change(&account, &room, |room| room.announce(to.as_deref(), &part.audio));
                let length = std::time::Duration::from_millis(part.audio.len() as u64 / 8);
                tokio::time::sleep(length).await;
                None
            }
            Err(alert) => Some(alert.to_string()),
        };
        change(&account, &room, |room| room.announced(to.as_deref(), url, failure, Timestamp::now()));
    };
    let stop = account.stop.clone();
    account.tasks.spawn(async move { stop.run_until_cancelled(announcing).await });
}

/// A room that nobody is told of, for a leg and whom it dials.
pub(super) fn private_room() -> SharedRoom {
    Arc::new(Mutex::new(Room::new(mint("CF"), String::new(), None, None, Timestamp::now())))
}

/// A leg's place in a room. Dropping it leaves the room.
#[derive(Debug)]
pub(super) struct Seat {
    account: Arc<Account>,
    room: SharedRoom,
    call: CallSid,
    is_left: bool,
}

impl Seat {
    /// Takes a leg into the room that its plan names.
    pub(super) fn take(account: &Arc<Account>, call: &CallSid, plan: &ConferencePlan) -> Result<Self, Shut> {
        let now = Timestamp::now();
        // The rooms are locked meanwhile, so the room cannot end between the look and the step.
        let room = account.rooms.enter(plan, now, |room| room.join(call, plan.traits.clone(), plan.most, now))?;
        change(account, &room, |_| {});
        Ok(Self { account: Arc::clone(account), room, call: call.clone(), is_left: false })
    }

    /// Takes a leg into a room for two that no name leads to; `None` if it is full or over.
    pub(super) fn in_room(account: &Arc<Account>, room: &SharedRoom, call: &CallSid, rings: bool) -> Option<Self> {
        let wait = if rings { Wait::Ringing } else { Wait::Silence };
        let traits =
            Traits { label: None, muted: false, starts: true, ends: true, beep: Beep::Never, coaches: None, wait };
        let joined = change(account, room, |room| {
            room.stage != Stage::Completed && room.join(call, traits, 2, Timestamp::now()).is_ok()
        });
        joined.then(|| Self {
            account: Arc::clone(account),
            room: Arc::clone(room),
            call: call.clone(),
            is_left: false,
        })
    }

    /// The other legs in the room.
    pub(super) fn others(&self) -> Vec<CallSid> {
        let room = lock(&self.room);
        let others = room.members.iter().filter(|member| member.is_in && member.call != self.call);
        others.map(|member| member.call.clone()).collect()
    }

    pub(super) fn room(&self) -> (ConferenceSid, String) {
        let room = lock(&self.room);
        (room.sid.clone(), room.name.clone())
    }

    pub(super) fn hear(&self) -> Ear {
        lock(&self.room).hear(&self.call)
    }

    pub(super) fn say(&self, frame: &Frame) {
        lock(&self.room).say(&self.call, frame);
    }

    pub(super) fn is_running(&self) -> bool {
        lock(&self.room).stage == Stage::InProgress
    }

    /// Gets up.
    pub(super) fn leave(mut self, why: WhyLeft, status: CallStatus) {
        self.is_left = true;
        change(&self.account, &self.room, |room| room.leave(&self.call, why, status, Timestamp::now()));
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.is_left {
            let now = Timestamp::now();
            change(&self.account, &self.room, |room| {
                room.leave(&self.call, WhyLeft::HungUp, CallStatus::Completed, now)
            });
        }
    }
}

/// What those hear who wait: the programme at a URL, nothing if it is empty, music if there is none.
pub(super) fn wait_at(fetch: Option<Fetch>, is_silent: bool) -> Wait {
    match fetch {
        Some(fetch) => Wait::Fetch(fetch),
        None if is_silent => Wait::Silence,
        None => Wait::Music,
    }
}
