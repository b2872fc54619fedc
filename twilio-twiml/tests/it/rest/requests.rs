//! Every request that the client can make, with every parameter it can have, against Twilio's description.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::date};
use serde::de::DeserializeOwned;
use twilio_twiml::{
    phone::E164,
    rest::{
        AddressRetention, Call, CallFilter, CallStream, CallUpdate, Conference, ConferenceFilter, ConferenceRecord,
        ConferenceStatus, ConferenceUpdate, ContentRetention, EmergencyStatus, Instructions, Message, MessageContent,
        MessageFilter, NewCall, NewMessage, NewParticipant, NewRecording, NewStream, Next, NumberFilter,
        NumberSettings, Participant, ParticipantFilter, ParticipantUpdate, PauseBehavior, PhoneNumber, Purchase,
        ReceiveMode, Recording, RecordingFilter, RiskCheck, Sender, TrafficType,
    },
    sid::{CallSid, ConferenceSid, MessageSid, MessagingServiceSid, PhoneNumberSid, RecordingSid},
    twiml::{Response, Url},
    words::{
        AnsweredBy, Beep, CallEvent, CallStatus, ConferenceEvent, JitterBuffer, MachineDetection, Method,
        RecordingChannels, RecordingEvent, RecordingTrack, Region, Track, Trim,
    },
};

use super::{
    AC, CA, CF, PN, RE, SM, all, client,
    operations::{Described, operations},
};

const URL: &str = "https://bridge.example.com/x?a=1&b=2";

fn sid<T: std::str::FromStr<Err: std::fmt::Debug>>(prefix: &str) -> T {
    format!("{prefix}0123456789abcdef0123456789abcdef").parse().unwrap()
}

fn number(text: &str) -> E164 {
    text.parse().unwrap()
}

fn moment() -> Timestamp {
    "2026-04-01T12:00:00Z".parse().unwrap()
}

fn full_call(instructions: impl Into<Instructions>) -> NewCall {
    NewCall::new(number("+14155550100"), number("+442071838750"), instructions)
        .fallback_url(URL)
        .fallback_method(Method::Get)
        .status_callback(URL)
        .status_callback_method(Method::Post)
        .status_callback_event([CallEvent::Initiated, CallEvent::Answered])
        .timeout(30)
        .time_limit(600)
        .caller_id("+442071838750")
        .send_digits("W1234#")
        .record(true)
        .recording_channels(RecordingChannels::Dual)
        .recording_track(RecordingTrack::Both)
        .recording_status_callback(URL)
        .recording_status_callback_method(Method::Post)
        .recording_status_callback_event([RecordingEvent::InProgress, RecordingEvent::Completed])
        .recording_configuration_id("rc")
        .trim(Trim::DoNotTrim)
        .machine_detection(MachineDetection::DetectMessageEnd)
        .machine_detection_timeout(20)
        .machine_detection_speech_threshold(2000)
        .machine_detection_speech_end_threshold(1000)
        .machine_detection_silence_timeout(3000)
        .async_amd(true)
        .async_amd_status_callback(URL)
        .async_amd_status_callback_method(Method::Post)
        .sip_auth_username("joey")
        .sip_auth_password("secret")
        .byoc(sid::<twilio_twiml::sid::ByocTrunkSid>("BY"))
        .call_reason("booking")
        .call_token("{}")
        .client_notification_url(URL)
}

fn full_participant() -> NewParticipant {
    NewParticipant::new(number("+442071838750"), "client:joey")
        .label("agent")
        .caller_id("+442071838750")
        .caller_display_name("Office")
        .call_reason("booking")
        .call_token("{}")
        .byoc(sid::<twilio_twiml::sid::ByocTrunkSid>("BY"))
        .timeout(20)
        .time_limit(600)
        .early_media(false)
        .start_conference_on_enter(true)
        .end_conference_on_exit(false)
        .beep(Beep::Never)
        .muted(false)
        .coaching(true)
        .call_sid_to_coach(sid::<CallSid>("CA"))
        .wait_url(URL)
        .wait_method(Method::Get)
        .max_participants(4)
        .jitter_buffer_size(JitterBuffer::Small)
        .region(Region::Jp1)
        .status_callback(URL)
        .status_callback_method(Method::Post)
        .status_callback_event([CallEvent::Ringing])
        .conference_status_callback(URL)
        .conference_status_callback_method(Method::Post)
        .conference_status_callback_event([ConferenceEvent::Join, ConferenceEvent::Leave])
        .record(true)
        .recording_channels(RecordingChannels::Dual)
        .recording_track(RecordingTrack::Inbound)
        .recording_status_callback(URL)
        .recording_status_callback_method(Method::Post)
        .recording_status_callback_event([RecordingEvent::Completed])
        .recording_configuration_id("rc")
        .trim(Trim::TrimSilence)
        .conference_record(ConferenceRecord::FromStart)
        .conference_trim(Trim::DoNotTrim)
        .conference_recording_status_callback(URL)
        .conference_recording_status_callback_method(Method::Post)
        .conference_recording_status_callback_event([RecordingEvent::Absent])
        .machine_detection(MachineDetection::Enable)
        .machine_detection_timeout(20)
        .machine_detection_speech_threshold(2000)
        .machine_detection_speech_end_threshold(1000)
        .machine_detection_silence_timeout(3000)
        .amd_status_callback(URL)
        .amd_status_callback_method(Method::Post)
        .sip_auth_username("joey")
        .sip_auth_password("secret")
        .client_notification_url(URL)
}

fn full_settings() -> NumberSettings {
    NumberSettings::new()
        .friendly_name("Office")
        .voice_url(URL)
        .voice_method(Method::Post)
        .voice_fallback_url(URL)
        .voice_fallback_method(Method::Post)
        .status_callback(URL)
        .status_callback_method(Method::Post)
        .voice_application_sid(sid::<twilio_twiml::sid::ApplicationSid>("AP"))
        .trunk_sid(sid::<twilio_twiml::sid::TrunkSid>("TK"))
        .voice_caller_id_lookup(true)
        .voice_receive_mode(ReceiveMode::Voice)
        .sms_url(URL)
        .sms_method(Method::Post)
        .sms_fallback_url(URL)
        .sms_fallback_method(Method::Post)
        .sms_application_sid(sid::<twilio_twiml::sid::ApplicationSid>("AP"))
        .emergency_status(EmergencyStatus::Inactive)
        .emergency_address_sid(sid::<twilio_twiml::sid::AddressSid>("AD"))
        .address_sid(sid::<twilio_twiml::sid::AddressSid>("AD"))
        .identity_sid(sid::<twilio_twiml::sid::IdentitySid>("RI"))
        .bundle_sid(sid::<twilio_twiml::sid::BundleSid>("BU"))
        .api_version("2010-04-01")
}

fn full_message(sender: impl Into<Sender>, content: impl Into<MessageContent>) -> NewMessage {
    NewMessage::new(number("+14155550100"), sender, content)
        .status_callback(URL)
        .validity_period(600)
        .smart_encoded(true)
        .shorten_urls(true)
        .application_sid(sid::<twilio_twiml::sid::ApplicationSid>("AP"))
        .provide_feedback(true)
        .attempt(1)
        .content_retention(ContentRetention::Discard)
        .address_retention(AddressRetention::Obfuscate)
        .traffic_type(TrafficType::Free)
        .send_as_mms(false)
        .risk_check(RiskCheck::Disable)
        .fallback_from(number("+442071838750"))
        .force_delivery(false)
        .max_price(0.5)
        .persistent_action(["geo:1,2"])
}

#[tokio::test]
async fn every_request_is_as_twilio_describes_it() {
    let described = Described::start().await;
    let client = client(&described.server);
    let (call, room, recording): (CallSid, ConferenceSid, RecordingSid) =
        (CA.parse().unwrap(), CF.parse().unwrap(), RE.parse().unwrap());
    let inline = || Response::new().say("Hello & goodbye").hangup().to_inline().unwrap();

    // Calls.
    let document = Instructions::Document { url: URL.into(), method: Some(Method::Get) };
    let application = Instructions::from(sid::<twilio_twiml::sid::ApplicationSid>("AP"));
    for instructions in [document, Instructions::from(inline()), application] {
        client.calls().create(&full_call(instructions)).await.unwrap();
    }
    let filter = CallFilter::new()
        .to("client:joey")
        .from(number("+14155550100"))
        .parent_call_sid(call.clone())
        .status(CallStatus::InProgress)
        .started_at(moment())
        .started_before(moment())
        .started_after(moment())
        .ended_at(moment())
        .ended_before(moment())
        .ended_after(moment());
    assert!(!all(client.calls().list(&filter)).await.is_empty());
    let one = client.call(&call);
    one.fetch().await.unwrap();
    one.redirect(URL).await.unwrap();
    one.run(inline()).await.unwrap();
    one.end().await.unwrap();
    one.cancel().await.unwrap();
    let update = CallUpdate::new(Next::Document { url: URL.into(), method: Some(Method::Get) })
        .fallback_url(URL)
        .fallback_method(Method::Post)
        .status_callback(URL)
        .status_callback_method(Method::Post)
        .time_limit(60);
    one.update(&update).await.unwrap();
    one.delete().await.unwrap();

    // Streams.
    let stream = NewStream::new("wss://listen.example.com/")
        .name("copy")
        .track(Track::Both)
        .status_callback(URL)
        .status_callback_method(Method::Post)
        .parameter("token", "k3J9")
        .parameter("team", "claims");
    one.start_stream(&stream).await.unwrap();
    one.stop_stream("copy").await.unwrap();

    // Conferences.
    let filter = ConferenceFilter::new()
        .friendly_name("room-1")
        .status(ConferenceStatus::InProgress)
        .created_on(date(2026, 4, 1))
        .created_before(date(2026, 4, 1))
        .created_after(date(2026, 4, 1))
        .updated_on(date(2026, 4, 1))
        .updated_before(date(2026, 4, 1))
        .updated_after(date(2026, 4, 1));
    all(client.conferences().list(&filter)).await;
    let conference = client.conference(&room);
    conference.fetch().await.unwrap();
    conference.end().await.unwrap();
    conference.announce(URL).await.unwrap();
    let update = ConferenceUpdate::new().announce_url(URL).announce_method(Method::Get);
    conference.update(&update).await.unwrap();

    // Participants.
    conference.dial(&full_participant()).await.unwrap();
    client.dial_into("room 1/é", &full_participant()).await.unwrap();
    all(conference.participants(&ParticipantFilter::new().muted(true).hold(false).coaching(true))).await;
    let leg = conference.participant(&call);
    leg.fetch().await.unwrap();
    leg.mute(true).await.unwrap();
    leg.hold(URL).await.unwrap();
    leg.unhold().await.unwrap();
    leg.coach(Some(call.clone())).await.unwrap();
    leg.coach(None).await.unwrap();
    leg.announce(URL).await.unwrap();
    let update = ParticipantUpdate::new()
        .hold_method(Method::Get)
        .announce_method(Method::Get)
        .wait_url(URL)
        .wait_method(Method::Get)
        .beep_on_exit(false)
        .end_conference_on_exit(true);
    conference.labelled("the caller").update(&update).await.unwrap();
    leg.remove().await.unwrap();

    // Recordings.
    let new = NewRecording::new()
        .recording_status_callback(URL)
        .recording_status_callback_method(Method::Post)
        .recording_status_callback_event([RecordingEvent::Completed, RecordingEvent::Absent])
        .trim(Trim::TrimSilence)
        .recording_channels(RecordingChannels::Dual)
        .recording_track(RecordingTrack::Both)
        .recording_configuration_id("rc");
    one.start_recording(&new).await.unwrap();
    for running in [one.current_recording(), one.recording(&recording)] {
        running.pause(PauseBehavior::Skip).await.unwrap();
        running.resume().await.unwrap();
        running.stop().await.unwrap();
    }
    one.recording(&recording).fetch().await.unwrap();
    one.recording(&recording).delete().await.unwrap();
    conference.current_recording().pause(PauseBehavior::Silence).await.unwrap();
    conference.recording(&recording).fetch().await.unwrap();
    conference.recording(&recording).delete().await.unwrap();
    let day = date(2026, 4, 1);
    let filter = RecordingFilter::new().created_on(day).created_before(day).created_after(day);
    all(one.recordings(&filter)).await;
    all(conference.recordings(&filter)).await;
    let filter = filter.call_sid(call.clone()).conference_sid(room.clone()).include_soft_deleted(true);
    all(client.recordings().list(&filter)).await;
    client.recording(&recording).fetch().await.unwrap();
    client.recording(&recording).fetch_even_deleted().await.unwrap();
    client.recording(&recording).delete().await.unwrap();

    // Numbers.
    let id: PhoneNumberSid = PN.parse().unwrap();
    let filter = NumberFilter::new().phone_number("415").friendly_name("Office").beta(false).origin("twilio");
    all(client.numbers().list(&filter)).await;
    client.numbers().buy(&Purchase::Number(number("+14155550100")), &full_settings()).await.unwrap();
    client.numbers().buy(&Purchase::AreaCode("415".into()), &NumberSettings::new()).await.unwrap();
    client.number(&id).fetch().await.unwrap();
    let moved = full_settings().account_sid(AC.parse::<twilio_twiml::sid::AccountSid>().unwrap());
    client.number(&id).update(&moved).await.unwrap();
    client.number(&id).release().await.unwrap();

    // Messages.
    let service: MessagingServiceSid = sid("MG");
    let later = Sender::Service { sid: service, send_at: Some(moment()) };
    let media = MessageContent::Media { urls: vec![Url::from(URL), Url::from(URL)], text: Some("look".into()) };
    let template = MessageContent::Template { sid: sid("HX"), variables: Some("{}".into()) };
    client.messages().send(&full_message(number("+442071838750"), "Your table is booked.")).await.unwrap();
    client.messages().send(&full_message(later.clone(), media)).await.unwrap();
    client.messages().send(&full_message(later, template)).await.unwrap();
    let filter = MessageFilter::new()
        .to(number("+14155550100"))
        .from(number("+442071838750"))
        .sent_at(moment())
        .sent_before(moment())
        .sent_after(moment());
    all(client.messages().list(&filter)).await;
    let message: MessageSid = SM.parse().unwrap();
    client.message(&message).fetch().await.unwrap();
    client.message(&message).redact().await.unwrap();
    client.message(&message).cancel().await.unwrap();
    client.message(&message).delete().await.unwrap();

    // Each of them was right; and together they were all there are, with all parameters there are.
    let asked = described.check().await;
    for operation in operations() {
        let names = asked.get(&operation.id).unwrap_or_else(|| panic!("{} was never asked for", operation.id));
        let mut missing: BTreeSet<_> = operation.query.keys().chain(operation.form.keys()).cloned().collect();
        missing.retain(|name| !names.contains(name));
        // Pages are followed by the address that Twilio gives, and an announcement's method is the default.
        missing.retain(|name| !matches!(name.as_str(), "Page" | "PageToken"));
        if operation.id == "UpdateConference" {
            missing.remove("AnnounceMethod");
        }
        assert!(missing.is_empty(), "{} was never asked with {missing:?}", operation.id);
    }
}

#[test]
fn every_example_answer_can_be_read() {
    fn check<T: DeserializeOwned>(id: &str, example: serde_json::Value) {
        serde_json::from_value::<T>(example.clone()).unwrap_or_else(|error| panic!("{id}: {error}\n{example}"));
    }
    let mut read = 0;
    for operation in operations() {
        for example in operation.examples {
            let items = match example.as_object().and_then(|page| page.values().find(|value| value.is_array())) {
                Some(items) => items.as_array().unwrap().clone(),
                None => vec![example],
            };
            for item in items {
                let check = match operation.id.as_str() {
                    id if id.contains("Recording") => check::<Recording>,
                    id if id.contains("Participant") => check::<Participant>,
                    id if id.contains("Conference") => check::<Conference>,
                    id if id.contains("Stream") => check::<CallStream>,
                    id if id.contains("Call") => check::<Call>,
                    id if id.contains("PhoneNumber") => check::<PhoneNumber>,
                    _ => check::<Message>,
                };
                check(&operation.id, item);
                read += 1;
            }
        }
    }
    assert!(read > 40, "only {read} examples were read");
}

#[tokio::test]
async fn answers_have_types() {
    let described = Described::start().await;
    let call: CallSid = CA.parse().unwrap();
    let answer = client(&described.server).call(&call).fetch().await.unwrap();
    assert_eq!(answer.status, CallStatus::Completed);
    assert_eq!(answer.duration, Some(twilio_twiml::Seconds(4)));
    assert_eq!(answer.queue_time, Some(twilio_twiml::Millis(1000)));
    assert_eq!(answer.start_time.unwrap().0, "2019-10-18T17:02:00Z".parse().unwrap());
    assert_eq!(answer.from.as_ref().unwrap().to_string(), "+13051416799");
    assert_eq!(
        (answer.answered_by.as_ref(), answer.price.as_deref()),
        (Some(&AnsweredBy::MachineStart), Some("-0.200"))
    );
    let shown = format!("{answer:?}");
    assert!(!shown.contains("3051416799") && !shown.contains("141-6799"), "{shown}");
}
