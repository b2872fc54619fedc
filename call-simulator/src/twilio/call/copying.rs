//! Copies of a call's audio, each over a WebSocket of its own, beside whatever the call does.

use std::time::Duration;

use realtime_bridge::media::twilio::wire::{MediaFormat, Start, Track as WireTrack};
use tokio::{sync::mpsc, task::JoinSet};
use twilio_twiml::{sid::StreamSid, webhook::StreamEvent, words::Track};
use url::Url;

use super::{
    super::{
        account::mint,
        debugger::{Alert, AlertCode},
        dial::Dialer,
        frame::Frame,
        interpreter::{Fetch, StreamPlan},
        line::Tick,
        media_stream::{MediaStream, StreamCounts},
        report::StreamReport,
        stream_socket::{Arrived, StreamSocket},
        timeline::{Event, StreamEnd},
    },
    Call,
};
use twilio_twiml::webhook::signature::AuthToken;

/// Twilio copies so many tracks of a call at a time (Twilio: Media Streams).
const MOST_TRACKS: usize = 4;

/// Frames that wait for a copy whose socket is being opened or written: a second.
const WAITING: usize = 50;

/// The copies of a call.
#[derive(Default)]
pub(super) struct Copies {
    running: Vec<Running>,
    tasks: JoinSet<Over>,
}

/// A copy as the call knows it.
struct Running {
    sid: StreamSid,
    name: Option<String>,
    tracks: usize,
    status_callback: Option<Fetch>,
    frames: mpsc::Sender<(Frame, Frame)>,
    opened: mpsc::Receiver<()>,
    started: Option<Duration>,
    is_stopped: bool,
}

/// What is left of a copy.
struct Over {
    sid: StreamSid,
    result: Result<(StreamEnd, StreamCounts, Vec<Alert>), Alert>,
}

impl Call {
    /// Begins a copy. The document goes on at once.
    pub(super) fn copy(&mut self, plan: StreamPlan) {
        self.note(Event::Verb { name: "Stream", detail: plan.url.to_string() });
        let sid: StreamSid = mint("MZ");
        let tracks = match plan.track {
            Track::Both => vec![WireTrack::Inbound, WireTrack::Outbound],
            Track::Outbound => vec![WireTrack::Outbound],
            _ => vec![WireTrack::Inbound],
        };
        let taken = self.copies.running.iter().any(|other| other.name.is_some() && other.name == plan.name);
        let copied: usize = self.copies.running.iter().map(|other| other.tracks).sum();
        if taken || copied + tracks.len() > MOST_TRACKS {
            let detail = if taken { "its name is another stream's" } else { "more than four tracks" };
            let alert = Alert::new(AlertCode::Schema, detail);
            return self.refuse_stream(&sid, plan.name.as_deref(), alert, plan.status_callback);
        }
        let (frames, heard) = mpsc::channel(WAITING);
        let (opens, opened) = mpsc::channel(1);
        let media = MediaStream::copy(
            Start {
                sequence_number: None,
                stream_sid: sid.clone(),
                account_sid: self.leg.account_sid.clone(),
                call_sid: self.leg.call_sid.clone(),
                tracks: Vec::new(),
                media_format: MediaFormat::mulaw(),
                custom_parameters: plan.parameters,
            },
            tracks.clone(),
        );
        let socket = Socket { dialer: self.account.dialer.clone(), url: plan.url, token: self.account.token.clone() };
        let name = sid.clone();
        self.copies.tasks.spawn(async move { Over { sid: name, result: run(socket, media, heard, opens).await } });
        self.copies.running.push(Running {
            sid,
            name: plan.name,
            tracks: tracks.len(),
            status_callback: plan.status_callback,
            frames,
            opened,
            started: None,
            is_stopped: false,
        });
    }

    /// Ends the copies of this name.
    pub(super) fn stop_copy(&mut self, name: &str) {
        for copy in self.copies.running.iter_mut().filter(|copy| copy.name.as_deref() == Some(name)) {
            copy.is_stopped = true;
            copy.frames = mpsc::channel(1).0;
        }
    }

    /// Copies 20 ms, and notes what has become of the copies.
    pub(super) fn copy_tick(&mut self, tick: &Tick) {
        for index in 0..self.copies.running.len() {
            let copy = &mut self.copies.running[index];
            // A server that does not read misses what does not fit.
            let _ = copy.frames.try_send((tick.frame, tick.heard));
            if copy.started.is_none() && copy.opened.try_recv().is_ok() {
                copy.started = Some(self.clock.elapsed());
                let (sid, name, callback) = (copy.sid.clone(), copy.name.clone(), copy.status_callback.clone());
                self.note(Event::StreamStarted { stream_sid: sid.clone() });
                self.call_back_stream(&sid, name.as_deref(), StreamEvent::Started, None, callback);
            }
        }
        while let Some(over) = self.copies.tasks.try_join_next() {
            self.copy_is_over(over.expect("a copy does not panic and is not cancelled"));
        }
    }

    /// The call is over, and so are its copies.
    pub(super) async fn end_copies(&mut self) {
        for copy in &mut self.copies.running {
            copy.frames = mpsc::channel(1).0;
        }
        while let Some(over) = self.copies.tasks.join_next().await {
            self.copy_is_over(over.expect("a copy does not panic and is not cancelled"));
        }
    }

    fn copy_is_over(&mut self, over: Over) {
        let Some(index) = self.copies.running.iter().position(|copy| copy.sid == over.sid) else { return };
        let copy = self.copies.running.remove(index);
        let ended = self.last_moment();
        match over.result {
            Err(alert) => self.refuse_stream(&copy.sid, copy.name.as_deref(), alert, copy.status_callback),
            Ok((reason, counts, alerts)) => {
                let reason = if copy.is_stopped { StreamEnd::Stopped } else { reason };
                alerts.into_iter().for_each(|alert| self.note(Event::Alert(alert)));
                self.line.timeline.push(ended, Event::StreamEnded { stream_sid: copy.sid.clone(), reason });
                let (name, callback) = (copy.name.as_deref(), copy.status_callback);
                self.call_back_stream(&copy.sid, name, StreamEvent::Stopped, None, callback);
                let started = copy.started.unwrap_or(ended);
                let unheard = Duration::ZERO;
                self.copied.push(StreamReport { stream_sid: copy.sid, started, ended, reason, counts, unheard });
            }
        }
    }
}

/// Where a copy goes.
struct Socket {
    dialer: Dialer,
    url: Url,
    token: AuthToken,
}

/// Sends a copy until there is no more of it, or the server does not want it.
async fn run(
    socket: Socket,
    mut media: MediaStream,
    mut frames: mpsc::Receiver<(Frame, Frame)>,
    opens: mpsc::Sender<()>,
) -> Result<(StreamEnd, StreamCounts, Vec<Alert>), Alert> {
    let mut socket = StreamSocket::open(socket.dialer, socket.url, socket.token).await?;
    // What came before it was up is not copied.
    while frames.try_recv().is_ok() {}
    let _ = opens.try_send(());
    media.open().into_iter().for_each(|message| socket.send(message));
    let mut alerts = Vec::new();
    let reason = loop {
        tokio::select! {
            biased;
            frame = frames.recv() => match frame {
                Some((said, heard)) if !socket.is_stalled() => {
                    media.both(&said, &heard).into_iter().for_each(|message| socket.send(message));
                }
                Some(_) => media.stall(),
                None => {
                    socket.send(media.stop());
                    socket.close().await;
                    break StreamEnd::CallEnded;
                }
            },
            arrived = socket.next() => match arrived {
                Arrived::Text(text) => alerts.extend(media.text(&text).err().filter(|it| it.logged).map(|it| it.alert)),
                Arrived::Binary(length) => {
                    alerts.extend(Some(media.binary(length)).filter(|it| it.logged).map(|it| it.alert));
                }
                Arrived::Closed => {
                    socket.close().await;
                    break StreamEnd::ServerClosed;
                }
                Arrived::Lost(alert) => {
                    alerts.push(alert);
                    break StreamEnd::ConnectionLost;
                }
            },
        }
    };
    Ok((reason, media.counts(), alerts))
}
