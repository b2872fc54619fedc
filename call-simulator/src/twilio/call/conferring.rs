//! A call in a room.

use std::{sync::Arc, time::Duration};

use twilio_twiml::{
    sid::CallSid,
    webhook::{Form, WhyLeft},
    words::CallStatus,
};

use super::{
    super::{
        caller::Act,
        conference::{ConferencePlan, Ear, Seat},
        debugger::Alert,
        frame::SILENT,
        programme::Programme,
        register::{Entry, Order},
        room_stay::RoomStay,
        script::RoomPhase,
        timeline::Event,
    },
    Call, Leave,
};

/// When a leg gets up by itself.
#[derive(Default)]
pub(super) struct Stay {
    pub(super) leaves_on_star: bool,
    pub(super) time_limit: Option<Duration>,
    /// Calls that were made for it: once all are over and none of them came, it waits for nobody. When one has come the
    /// others are ended.
    pub(super) waits_for: Vec<Arc<Entry>>,
}

/// A stay that is over.
pub(super) struct Stayed {
    pub(super) why: WhyLeft,
    /// When the leg heard the others first, and whom.
    pub(super) began: Option<Duration>,
    pub(super) partner: Option<CallSid>,
}

/// What a leg heard last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Room,
    Programme(u32),
}

impl Call {
    /// Joins a room, and goes on when it is over or the leg is out.
    pub(super) async fn confer(&mut self, plan: ConferencePlan) -> Result<(), Leave> {
        self.note(Event::Verb { name: "Conference", detail: plan.name.clone() });
        let seat = match Seat::take(&self.account, &self.leg.call_sid, &plan) {
            Ok(seat) => seat,
            Err(shut) => {
                self.note(Event::Alert(Alert::new(shut.code(), plan.name.clone())));
                return self.after_room(plan, "failed").await;
            }
        };
        let (conference_sid, name) = seat.room();
        self.note(Event::RoomJoined { name, conference_sid });
        let stay = Stay { leaves_on_star: plan.leaves_on_star, time_limit: plan.time_limit, waits_for: Vec::new() };
        let stayed = self.stay(&seat, stay).await;
        let (why, status) = match &stayed {
            Ok(stayed) => (stayed.why.clone(), CallStatus::InProgress),
            Err(Leave::Go(_)) => (WhyLeft::Redirected, CallStatus::InProgress),
            Err(Leave::End(_)) => (WhyLeft::HungUp, CallStatus::Completed),
        };
        seat.leave(why.clone(), status);
        self.line.playout.clear();
        self.note(Event::RoomLeft { reason: why });
        stayed?;
        self.after_room(plan, "answered").await
    }

    async fn after_room(&mut self, plan: ConferencePlan, status: &str) -> Result<(), Leave> {
        match plan.action {
            Some(action) => self.fetch_with(action, &Form::new().with("DialCallStatus", status)).await,
            None => Ok(()),
        }
    }

    /// Lives in the room until the leg has to leave it, and notes what it was like.
    pub(super) async fn stay(&mut self, seat: &Seat, stay: Stay) -> Result<Stayed, Leave> {
        let (_, name) = seat.room();
        self.rooms.push(RoomStay::new(name, self.line.now(), self.line.last_heard));
        let stayed = self.live_in(seat, stay).await;
        self.line.room = RoomPhase::Outside;
        let now = self.clock.elapsed();
        if let Some(room) = self.rooms.last_mut() {
            room.left = now;
        }
        stayed
    }

    async fn live_in(&mut self, seat: &Seat, stay: Stay) -> Result<Stayed, Leave> {
        let (mut began, mut partner) = (None, None);
        let until = stay.time_limit.map(|limit| self.line.now() + limit);
        let (conference_sid, name) = seat.room();
        let form = self.leg.voice_form(self.status(), None);
        let form = form.with("ConferenceSid", conference_sid.as_str()).with("FriendlyName", name);
        let mut programme: Option<Programme> = None;
        let mut heard = Heard::Nothing;
        loop {
            let fetched = async {
                match &mut programme {
                    Some(programme) => programme.fetched().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.clock.tick() => {
                    let now = self.line.now();
                    // The frame that is heard now may still have the end of what was played before in it.
                    let was_together = self.line.room == RoomPhase::Together;
                    self.line.room = RoomPhase::Waiting;
                    let frame = match seat.hear() {
                        Ear::Out(why) => return Ok(Stayed { why, began, partner }),
                        Ear::Room(frame) => {
                            if heard != Heard::Room {
                                heard = Heard::Room;
                                programme = None;
                                self.note(Event::RoomStarted);
                                began = began.or_else(|| Some(self.line.now()));
                                partner = partner.or_else(|| seat.others().into_iter().next());
                                let late = stay.waits_for.iter().filter(|call| Some(&call.sid) != partner.as_ref());
                                late.for_each(|call| call.order(Order::End));
                            }
                            if !seat.others().is_empty() {
                                self.line.room = RoomPhase::Together;
                            }
                            frame
                        }
                        Ear::Programme { wait, number, announced } => {
                            if heard != Heard::Programme(number) {
                                heard = Heard::Programme(number);
                                programme = Some(Programme::new(wait, Arc::clone(&self.webhooks), form.clone()));
                                self.note(Event::RoomWaits);
                            }
                            let waited = programme.as_mut().map(Programme::frame);
                            announced.or(waited).unwrap_or(SILENT)
                        }
                    };
                    self.line.playout.push_audio(frame.to_vec().into());
                    let tick = self.line.tick();
                    seat.say(&tick.frame);
                    if tick.is_audible && let Some(room) = self.rooms.last_mut() {
                        room.hear(now, was_together);
                    }
                    self.lived(&tick)?;
                    let wants_out = stay.leaves_on_star && tick.acts.iter().any(is_star);
                    let is_alone = began.is_none()
                        && !stay.waits_for.is_empty()
                        && stay.waits_for.iter().all(|call| call.status().is_terminal());
                    if wants_out || is_alone || until.is_some_and(|until| self.line.now() >= until) {
                        return Ok(Stayed { why: WhyLeft::HungUp, began, partner });
                    }
                }
                result = fetched => if let Err(alert) = result {
                    // Who cannot be given anything to hear does not get in; on hold there is silence.
                    let is_running = seat.is_running();
                    self.note(Event::Alert(alert));
                    if !is_running {
                        return Ok(Stayed { why: WhyLeft::HungUp, began, partner });
                    }
                }
            }
        }
    }
}

fn is_star(act: &Act) -> bool {
    matches!(act, Act::Presses(key) if key.as_char() == '*')
}
