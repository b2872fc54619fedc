//! What the application is told of a call besides the requests for documents.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use twilio_twiml::{
    webhook::Form,
    words::{CallEvent, CallStatus},
};

use super::{
    super::{
        account::Ending,
        callback_plan::Callback,
        debugger::{Alert, AlertCode},
        interpreter::Fetch,
        register::lock,
        timeline::Event,
        webhook::Answered,
    },
    Call,
};

/// A callback that was delivered, and what came of it.
#[derive(Debug)]
pub(super) struct Delivered {
    purpose: &'static str,
    answered: Instant,
    took: Duration,
    result: Result<Answered, Alert>,
}

impl Call {
    /// Tells how far the call has come, if somebody wants to know.
    pub(super) fn report_progress(&mut self, event: CallEvent, status: CallStatus, ending: Option<&Ending>) {
        let Some(progress) = self.entry.progress().filter(|progress| progress.events.contains(&event)) else { return };
        let place = progress.is_numbered.then_some(self.progress_sent);
        self.progress_sent += 1;
        let form = self.leg.progress_form(status, place, ending);
        self.call_back(progress.fetch, form);
    }

    /// Waits until every callback has been delivered.
    pub(super) async fn deliver(&mut self) {
        while let Some(callback) = self.callbacks.join_next().await {
            self.note_callback(callback.expect("a callback does not panic and is not cancelled"));
        }
    }

    pub(super) fn call_back(&mut self, fetch: Fetch, form: Form) {
        let (purpose, method, url) = (fetch.purpose, fetch.method.as_str(), fetch.url.to_string());
        self.note(Event::WebhookSent { purpose, method, url });
        let deliveries = lock(&self.account.callback_plan).clone().decide(&Callback::new(purpose, &form));
        for late in deliveries {
            let (webhooks, fetch, form) = (Arc::clone(&self.webhooks), fetch.clone(), form.clone());
            self.callbacks.spawn(async move {
                sleep(late).await;
                let sent = Instant::now();
                let result = webhooks.send(&fetch, &form).await;
                let answered = Instant::now();
                Delivered { purpose, answered, took: answered - sent, result }
            });
        }
    }

    fn note_callback(&mut self, callback: Delivered) {
        let Delivered { purpose, answered, took, result } = callback;
        let at = self.clock.time().at(answered);
        match result {
            Ok(Answered { answer, .. }) => {
                let status = answer.status;
                self.line.timeline.push(at, Event::WebhookAnswered { purpose, status, took });
                if !(200..300).contains(&status) {
                    let alert = Alert::new(AlertCode::HttpRetrieval, format!("{purpose}: status {status}"));
                    self.line.timeline.push(at, Event::Alert(alert));
                }
            }
            Err(alert) => self.line.timeline.push(at, Event::Alert(alert)),
        }
    }
}
