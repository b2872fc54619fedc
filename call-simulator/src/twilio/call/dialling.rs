//! A call that the account makes: from the queue to the answer, and what create-call can ask for beside it.

use std::time::Duration;

use twilio_twiml::{
    jiff::Timestamp,
    twiml::Digits,
    words::{CallEvent, CallStatus},
};

use super::{
    super::{
        account::Detected,
        detection::{Detector, Settings},
        frame::Frame,
        interpreter::Fetch,
        line::is_audible,
        phone::{Outcome, PhoneScript},
        report::CallEnd,
        script::CallerScript,
        timeline::Event,
    },
    Call, Leave, RecordingPlan,
};

/// How a telephone is called.
pub(in super::super) struct Dialling {
    pub(in super::super) phone: PhoneScript,
    /// How long it may ring.
    pub(in super::super) timeout: Duration,
    pub(in super::super) send_digits: Option<Digits>,
    pub(in super::super) detection: Option<Detection>,
    pub(in super::super) recording: Option<RecordingPlan>,
    /// What is wrong with the request, though Twilio takes it.
    pub(in super::super) warnings: Vec<super::Alert>,
    /// How long the call can be, from the answer.
    pub(in super::super) time_limit: Duration,
}

/// Answering machine detection that was asked for.
pub(in super::super) struct Detection {
    pub(in super::super) settings: Settings,
    /// The call goes on meanwhile.
    pub(in super::super) is_async: bool,
    pub(in super::super) callback: Option<Fetch>,
}

impl Dialling {
    /// Who answers, if somebody does.
    pub(super) fn person(&self) -> CallerScript {
        match &self.phone.outcome {
            Outcome::Answers(person) => person.clone(),
            _ => CallerScript::new(),
        }
    }
}

impl Call {
    /// Dials, lets it ring, and gets as far as the first document.
    pub(super) async fn dial(&mut self, dialling: Dialling) -> Result<(), Leave> {
        for warning in dialling.warnings {
            self.note(Event::Alert(warning));
        }
        self.ring_for(self.account.settings.dial_delay).await?;
        self.entry.change(|facts| facts.started = Some(Timestamp::now()));
        self.note(Event::Dialled);
        self.report_progress(CallEvent::Initiated, CallStatus::Initiated, None);
        if let Outcome::Fails(sip_status) = dialling.phone.outcome {
            self.ring_for(dialling.phone.after.min(dialling.timeout)).await?;
            self.sip_status = Some(sip_status);
            return Err(CallEnd::Unreachable { sip_status }.into());
        }
        self.ring_for(self.account.settings.ring_delay).await?;
        self.entry.change(|facts| facts.status = CallStatus::Ringing);
        self.note(Event::Ringing);
        self.report_progress(CallEvent::Ringing, CallStatus::Ringing, None);

        let gives_up = matches!(dialling.phone.outcome, Outcome::NoAnswer) || dialling.phone.after > dialling.timeout;
        self.ring_for(if gives_up { dialling.timeout } else { dialling.phone.after }).await?;
        if gives_up {
            self.sip_status = Some(487);
            return Err(CallEnd::NoAnswer.into());
        }
        if matches!(dialling.phone.outcome, Outcome::Busy) {
            self.sip_status = Some(486);
            return Err(CallEnd::Busy.into());
        }
        self.sip_status = Some(200);
        self.time_limit = self.line.now() + dialling.time_limit;
        self.pick_up();
        self.report_progress(CallEvent::Answered, CallStatus::InProgress, None);
        if let Some(recording) = dialling.recording {
            self.entry.begin_taping(&recording);
            self.tape(recording);
        }
        if let Some(digits) = &dialling.send_digits {
            self.press(digits).await?;
        } else if let Some(detection) = dialling.detection {
            let detector = Detector::new(detection.settings, dialling.phone.detected);
            self.detection_waits = !detection.is_async;
            self.detector = Some((detector, detection.callback.filter(|_| detection.is_async)));
            while self.detection_waits && self.detector.is_some() {
                self.tick().await?;
            }
        }
        Ok(())
    }

    async fn ring_for(&mut self, time: Duration) -> Result<(), Leave> {
        let until = self.line.now() + time;
        while self.line.now() < until {
            self.clock.tick().await;
            self.line.ring();
            self.obeys()?;
        }
        Ok(())
    }

    /// Lets the detection hear 20 ms.
    pub(super) fn detect(&mut self, frame: &Frame) {
        let Some((detector, _)) = &mut self.detector else { return };
        let Some(answered_by) = detector.hear(frame, is_audible(frame)) else { return };
        let detected = Detected { answered_by, took: detector.elapsed() };
        let callback = self.detector.take().and_then(|(_, callback)| callback);
        self.note(Event::Detected { answered_by: detected.answered_by.clone(), took: detected.took });
        self.entry.change(|facts| facts.answered_by = Some(detected.answered_by.clone()));
        if let Some(fetch) = callback {
            let form = self.leg.detected_form(&detected);
            self.call_back(fetch, form);
        }
        self.detected = Some(detected);
    }
}
