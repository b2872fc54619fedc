//! `<Dial>` to people: other calls, put through to this one.

use std::{sync::Arc, time::Duration};

use twilio_twiml::{
    sid::CallSid,
    webhook::{Form, WhyLeft},
    words::{CallStatus, Direction},
};

use super::{
    super::{
        account::{Leg, mint, whole_seconds},
        bridge::{BridgePlan, Dialled},
        conference::{Seat, SharedRoom, private_room},
        interpreter::Fetch,
        register::{Begin, Entry, Order},
        report::CallEnd,
        timeline::Event,
    },
    Call, Detection, Dialling, Leave, Plan, Way,
    conferring::Stay,
    placing::place,
};

impl Call {
    /// Dials everybody at once and puts the first who answers through.
    pub(super) async fn bridge(&mut self, plan: BridgePlan) -> Result<(), Leave> {
        let names: Vec<_> = plan.parties.iter().map(|party| party.to.to_string()).collect();
        self.note(Event::Verb { name: "Dial", detail: names.join(", ") });
        let room = private_room();
        let Some(seat) = Seat::in_room(&self.account, &room, &self.leg.call_sid, true) else { return Ok(()) };
        let children: Vec<_> = plan.parties.iter().map(|party| self.dial_party(&plan, party, &room)).collect();
        let stay = Stay { leaves_on_star: plan.ends_on_star, time_limit: plan.time_limit, waits_for: children.clone() };
        let stayed = self.stay(&seat, stay).await;
        seat.leave(WhyLeft::HungUp, CallStatus::InProgress);
        children.iter().for_each(|child| child.order(Order::End));
        self.line.playout.clear();
        let stayed = stayed?;
        let Some(action) = plan.action else { return Ok(()) };
        let talked = stayed.began.map(|began| self.line.now().saturating_sub(began));
        self.fetch_with(action, &outcome(stayed.partner.as_ref(), talked, &children)).await
    }

    /// Calls somebody for this leg.
    fn dial_party(&self, plan: &BridgePlan, party: &Dialled, room: &SharedRoom) -> Arc<Entry> {
        let leg = Leg {
            account_sid: self.leg.account_sid.clone(),
            call_sid: mint("CA"),
            parent: Some(self.leg.call_sid.clone()),
            direction: Direction::OutboundDial,
            from: plan.caller_id.clone().unwrap_or_else(|| self.leg.from.clone()),
            to: party.to.clone(),
            extra: Form::new(),
        };
        let dialling = Dialling {
            phone: self.account.phones.call(&party.to),
            timeout: plan.timeout,
            send_digits: party.send_digits.clone(),
            detection: party.detection.clone().map(|(settings, callback)| Detection {
                settings,
                is_async: true,
                callback,
            }),
            recording: None,
            warnings: Vec::new(),
            time_limit: plan.time_limit.unwrap_or(self.account.settings.time_limit),
        };
        let entry = self.account.register.add(&leg, CallStatus::Queued, party.progress.clone());
        let child = Plan {
            leg,
            begin: Begin::Bridge { room: Arc::clone(room), whisper: party.whisper.clone() },
            fallback: None,
            time_limit: Duration::MAX,
            record: self.account.settings.record,
            way: Way::Out(Box::new(dialling)),
        };
        place(&self.account, Arc::clone(&entry), child, None);
        entry
    }

    /// The other end: hears the whisper, and is put through if it ends without hanging up.
    pub(super) async fn be_bridged(&mut self, room: SharedRoom, whisper: Option<Fetch>) -> Result<(), Leave> {
        if let Some(fetch) = whisper {
            self.fetch(fetch).await?;
            match self.play().await {
                Err(Leave::End(CallEnd::DocumentEnded)) => {}
                Err(leave) => return Err(leave),
                Ok(never) => match never {},
            }
        }
        // Somebody else may have been quicker, or the other side may be gone.
        let Some(seat) = Seat::in_room(&self.account, &room, &self.leg.call_sid, false) else { return Ok(()) };
        let stayed = self.stay(&seat, Stay::default()).await;
        seat.leave(WhyLeft::HungUp, CallStatus::Completed);
        self.line.playout.clear();
        stayed.map(drop)
    }
}

/// What the `action` of a `<Dial>` is told: who was put through, for how long, or else how it failed.
fn outcome(partner: Option<&CallSid>, talked: Option<Duration>, children: &[Arc<Entry>]) -> Form {
    let child = children.iter().find(|child| Some(&child.sid) == partner).or_else(|| children.last());
    let status = match (partner, child.map(|child| child.status())) {
        (None, Some(status)) if status.is_terminal() => status,
        (None, _) => CallStatus::Canceled,
        (Some(_), _) => CallStatus::Completed,
    };
    let form = Form::new()
        .with("DialCallStatus", status.as_str())
        .with("DialBridged", partner.is_some().to_string())
        .with("DialCallSid", child.map_or("", |child| child.sid.as_str()));
    match talked {
        Some(talked) => form.with("DialCallDuration", whole_seconds(talked).to_string()),
        None => form,
    }
}
