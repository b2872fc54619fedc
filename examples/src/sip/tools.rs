//! What the model may do for somebody who is invited.
//!
//! The model says what is wanted; who it is for is the call's business, never the model's: messages go to the number that
//! calls, and changes are made only for the guest of that number whose name fits.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use call_session::id::SessionId;
use realtime_bridge::tool::{EndCall, Tool, ToolContext, ToolError, ToolOptions, ToolPolicy, ToolSet};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use twilio_twiml::phone::E164;

use super::{
    attendance::{Attendance, AttendanceError, Guest, Origin, Slot, Wish},
    sms::Sms,
};
use crate::chain::Chain;

/// The longest name and interest that are written down, in characters.
const LONGEST: usize = 200;

/// What the model is told of a message whose fate nobody knows.
const UNSURE: &str = "nobody knows whether the message was sent: it may arrive. Say so, and send another only if the caller says that none came";

/// One call's view of the table.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The table.
    pub attendance: Attendance,
    /// The messages.
    pub sms: Sms,
    /// The event, as it is called in messages.
    pub event: Arc<str>,
    /// The call.
    pub call: SessionId,
    /// Who calls, if the line says so.
    pub caller: Option<E164>,
}

/// The tools of a call.
#[must_use]
pub fn tools(desk: &Desk) -> ToolSet {
    ToolSet::new()
        .with(CheckSlots(desk.clone()))
        .with(UpdateAttendance(desk.clone()))
        .with(SendMessage(desk.clone()))
        .with(SaveLead(desk.clone()))
        .with(EndCall)
}

/// Looks up which times have places left.
#[derive(Debug, Clone)]
pub struct CheckSlots(Desk);

/// Changes whether and when somebody comes.
#[derive(Debug, Clone)]
pub struct UpdateAttendance(Desk);

/// Sends what is registered to the number that calls.
#[derive(Debug, Clone)]
pub struct SendMessage(Desk);

/// Writes down somebody who is not invited and would like to be.
#[derive(Debug, Clone)]
pub struct SaveLead(Desk);

/// [`CheckSlots`] and [`SendMessage`] need nothing to be told.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Nothing {}

/// What [`UpdateAttendance`] has to be told.
#[derive(Deserialize, JsonSchema)]
pub struct NewAttendance {
    /// The caller's full name, as the caller said it.
    pub name: String,
    /// Whether the caller comes.
    pub attending: bool,
    /// The id of another slot from check_slots. Leave it out to keep the one there is.
    pub slot: Option<String>,
}

impl fmt::Debug for NewAttendance {
    /// Without the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAttendance")
            .field("attending", &self.attending)
            .field("slot", &self.slot)
            .finish_non_exhaustive()
    }
}

/// What is registered now.
#[derive(Debug, Serialize)]
pub struct Registered {
    attendance: String,
    slot: Option<String>,
}

/// What [`SaveLead`] has to be told.
#[derive(Deserialize, JsonSchema)]
pub struct Lead {
    /// The caller's full name.
    pub name: String,
    /// What the caller is interested in, in one sentence.
    pub interest: String,
}

impl fmt::Debug for Lead {
    /// Without what the caller said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lead").finish_non_exhaustive()
    }
}

#[async_trait]
impl Tool for CheckSlots {
    type Arguments = Nothing;
    type Output = Vec<Slot>;

    fn name(&self) -> &'static str {
        "check_slots"
    }

    fn description(&self) -> &'static str {
        "Looks up the slots of the event and how many places are left in each. Say briefly that you are looking, then call it."
    }

    fn options(&self) -> ToolOptions {
        ToolOptions::default().with_policy(ToolPolicy::Repeat)
    }

    async fn call(&self, _: &ToolContext, _: Nothing) -> Result<Vec<Slot>, ToolError> {
        self.0.attendance.slots().await.map_err(told)
    }
}

#[async_trait]
impl Tool for UpdateAttendance {
    type Arguments = NewAttendance;
    type Output = Registered;

    fn name(&self) -> &'static str {
        "update_attendance"
    }

    fn description(&self) -> &'static str {
        "Changes whether and when the caller comes. Repeat name and change to the caller and get a yes first."
    }

    /// The change is kept under the run's key, so that beginning again does nothing twice.
    fn options(&self) -> ToolOptions {
        ToolOptions::default().with_policy(ToolPolicy::Repeat)
    }

    async fn call(&self, context: &ToolContext, wanted: NewAttendance) -> Result<Registered, ToolError> {
        let desk = &self.0;
        let phone = desk.phone()?;
        let wish = Wish { attending: wanted.attending, slot: wanted.slot };
        let call = desk.call.to_string();
        let origin = Origin { key: &context.key, call: &call };
        let Guest { attendance, slot, .. } =
            desk.attendance.change(origin, phone.as_str(), &wanted.name, &wish).await.map_err(told)?;
        Ok(Registered { attendance, slot })
    }
}

#[async_trait]
impl Tool for SendMessage {
    type Arguments = Nothing;
    type Output = &'static str;

    fn name(&self) -> &'static str {
        "send_message"
    }

    fn description(&self) -> &'static str {
        "Sends what is registered now as a text message to the number that calls. Ask whether the caller wants it first."
    }

    async fn call(&self, context: &ToolContext, _: Nothing) -> Result<&'static str, ToolError> {
        let desk = &self.0;
        let phone = desk.phone()?;
        let guest = desk.attendance.guest(phone.as_str()).await.map_err(told)?;
        let guest = guest.ok_or_else(|| told(AttendanceError::Unknown))?;
        let slots = desk.attendance.slots().await.map_err(told)?;
        let body = confirmation(&desk.event, &guest, &slots);
        let call = desk.call.to_string();
        let origin = Origin { key: &context.key, call: &call };
        if !desk.attendance.plan_message(origin, phone.as_str(), &body).await.map_err(told)? {
            return Ok("the message was sent before");
        }
        let sent = match desk.sms.send(phone, &body).await {
            Ok(sent) => sent,
            // A failure would be tried again, under another key: who got one message would get two.
            Err(error) if error.may_have_happened() => {
                tracing::warn!(error = %Chain(&error), "nobody knows whether a message was sent");
                return Ok(UNSURE);
            }
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "a message was not sent");
                return Err(ToolError::new("the message could not be sent"));
            }
        };
        if let Err(error) = desk.attendance.message_sent(&context.key, &sent).await {
            tracing::error!(error = %Chain(&error), "that a message was sent is not written down");
        }
        Ok("the message was sent")
    }
}

#[async_trait]
impl Tool for SaveLead {
    type Arguments = Lead;
    type Output = &'static str;

    fn name(&self) -> &'static str {
        "save_lead"
    }

    fn description(&self) -> &'static str {
        "Writes down a caller who is not on the list and is interested. Ask for the name and whether we may call back first."
    }

    /// Written down under the run's key, so that beginning again does nothing twice.
    fn options(&self) -> ToolOptions {
        ToolOptions::default().with_policy(ToolPolicy::Repeat)
    }

    async fn call(&self, context: &ToolContext, lead: Lead) -> Result<&'static str, ToolError> {
        let desk = &self.0;
        let short = |text: &str| text.chars().take(LONGEST).collect::<String>();
        let call = desk.call.to_string();
        let origin = Origin { key: &context.key, call: &call };
        let phone = desk.caller.as_ref().map(E164::as_str);
        desk.attendance.save_lead(origin, phone, &short(&lead.name), &short(&lead.interest)).await.map_err(told)?;
        Ok("written down")
    }
}

impl Desk {
    fn phone(&self) -> Result<&E164, ToolError> {
        self.caller
            .as_ref()
            .ok_or_else(|| ToolError::new("the caller's number is withheld, so nobody can be looked up"))
    }
}

/// What is registered, in the words of a text message.
fn confirmation(event: &str, guest: &Guest, slots: &[Slot]) -> String {
    let slot = guest.slot.as_ref().and_then(|id| slots.iter().find(|slot| slot.id == *id));
    match (guest.attendance.as_str(), slot) {
        ("attending", Some(slot)) => {
            format!("【{event}】ご出席で承りました。時間帯: {}。お待ちしております。", slot.label)
        }
        ("attending", None) => format!("【{event}】ご出席で承りました。お待ちしております。"),
        ("declined", _) => format!("【{event}】ご欠席で承りました。またの機会をお待ちしております。"),
        _ => format!("【{event}】ご出欠のお返事をお待ちしております。"),
    }
}

/// A failure in words for the model, without what only we need to know.
fn told(error: AttendanceError) -> ToolError {
    match &error {
        AttendanceError::Unknown => ToolError::new("this number and name are not on the list; nothing was changed"),
        AttendanceError::NoSlot => ToolError::new("there is no such slot; look them up with check_slots"),
        AttendanceError::Full => ToolError::new("the slot is full; nothing was changed"),
        AttendanceError::Database(_) | AttendanceError::Migrate(_) => {
            tracing::error!(error = %Chain(&error), "the attendance table failed");
            ToolError::new("the list is not available now")
        }
    }
}
