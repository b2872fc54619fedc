//! `<Dial>`: puts the caller through to somebody else.

use super::{
    body::Body,
    conference::Conference,
    macros::{children, element},
    party::{Application, Client, Number, Sim, WhatsApp},
    queue::Queue,
    sip::Sip,
    value::Url,
    writer::Writer,
};
use crate::{
    Seconds,
    phone::{Address, E164},
    value::words,
    words::{Method, RecordingEvent, RecordingTrack, Trim},
};

words! {
    /// Whether the two sides of a `<Dial>` are recorded, from when, and in how many channels.
    closed DialRecord {
        /// They are not.
        DoNotRecord = "do-not-record",
        /// From the answer, mixed.
        FromAnswer = "record-from-answer",
        /// From the first ring, mixed.
        FromRinging = "record-from-ringing",
        /// From the answer, a channel for each side.
        FromAnswerDual = "record-from-answer-dual",
        /// From the first ring, a channel for each side.
        FromRingingDual = "record-from-ringing-dual",
        /// An old word for `record-from-answer`.
        True = "true",
        /// An old word for `do-not-record`.
        False = "false",
    }

    /// The country whose ringing tone the caller hears.
    open RingTone {
        /// Austria.
        At = "at",
        /// Australia.
        Au = "au",
        /// Bulgaria.
        Bg = "bg",
        /// Brazil.
        Br = "br",
        /// Belgium.
        Be = "be",
        /// Switzerland.
        Ch = "ch",
        /// Chile.
        Cl = "cl",
        /// China.
        Cn = "cn",
        /// Czechia.
        Cz = "cz",
        /// Germany.
        De = "de",
        /// Denmark.
        Dk = "dk",
        /// Estonia.
        Ee = "ee",
        /// Spain.
        Es = "es",
        /// Finland.
        Fi = "fi",
        /// France.
        Fr = "fr",
        /// Greece.
        Gr = "gr",
        /// Hungary.
        Hu = "hu",
        /// Israel.
        Il = "il",
        /// India.
        In = "in",
        /// Italy.
        It = "it",
        /// Lithuania.
        Lt = "lt",
        /// Japan.
        Jp = "jp",
        /// Mexico.
        Mx = "mx",
        /// Malaysia.
        My = "my",
        /// Netherlands.
        Nl = "nl",
        /// Norway.
        No = "no",
        /// New Zealand.
        Nz = "nz",
        /// Philippines.
        Ph = "ph",
        /// Poland.
        Pl = "pl",
        /// Portugal.
        Pt = "pt",
        /// Russia.
        Ru = "ru",
        /// Sweden.
        Se = "se",
        /// Singapore.
        Sg = "sg",
        /// Thailand.
        Th = "th",
        /// United Kingdom.
        Uk = "uk",
        /// United States.
        Us = "us",
        /// United States, as it was.
        UsOld = "us-old",
        /// Taiwan.
        Tw = "tw",
        /// Venezuela.
        Ve = "ve",
        /// South Africa.
        Za = "za",
    }

    /// What a `<Dial>` reports while it runs.
    closed DialEvent {
        /// The progress of the calls it makes.
        CallProgress = "call-progress-event",
    }
}

children! {
    /// Somebody who can be dialled, alone or together with others.
    Party open Raw {
        /// A telephone number.
        Number(Number) = "Number",
        /// A Twilio client.
        Client(Client) = "Client",
        /// A SIP address.
        Sip(Sip) = "Sip",
        /// A WhatsApp user.
        WhatsApp(WhatsApp) = "WhatsApp",
        /// A TwiML application.
        Application(Application) = "Application",
        /// A SIM card.
        Sim(Sim) = "Sim",
    }
}

/// Who a `<Dial>` reaches: people, or a room, or a queue, but never a mixture (Twilio: warning 13000).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Target {
    /// A telephone number in the short form, as text in `<Dial>`.
    Text(Address),
    /// Somebody, or several at once: all ring together and the first to answer wins, or one after the other with
    /// `sequential`.
    Parties(Vec<Party>),
    /// A room.
    Conference(Box<Conference>),
    /// The caller at the head of a queue.
    Queue(Box<Queue>),
}

/// The most numbers and clients that one `<Dial>` may reach (Twilio: TwiML, `<Dial>`).
const PARTY_LIMIT: usize = 10;

element! {
    /// Puts the caller through to somebody, to a room, or to the head of a queue (Twilio: TwiML, `<Dial>`).
    ///
    /// ```
    /// use twilio_twiml::{phone::E164, twiml::{Client, Conference, Dial, Number, Response, RingTone}};
    ///
    /// let number: E164 = "+14155550100".parse()?;
    ///
    /// // To one of two, whoever answers first:
    /// let dial = Dial::to(Number::new(number.clone()).or(Client::new("joey"))).timeout(20).ring_tone(RingTone::Jp);
    /// let xml = Response::new().dial(dial).to_xml()?;
    /// assert!(xml.contains(concat!(
    ///     r#"<Dial timeout="20" ringTone="jp">"#,
    ///     r#"<Number>+14155550100</Number><Client>joey</Client></Dial>"#,
    /// )));
    ///
    /// // Into a room, and in the short form:
    /// let xml = Response::new().dial(Conference::new("room-1")).dial(number).to_xml()?;
    /// assert!(xml.contains("<Dial><Conference>room-1</Conference></Dial><Dial>+14155550100</Dial>"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Without `action` the next verb runs when the other side is gone. A room and numbers together do not compile.
    Dial "Dial";
    check = check;
    attributes {
        /// Where to go on when the other side is gone; the next verb if not set.
        action: Url = "action",
        /// How `action` is requested; `POST` if not set.
        method: Method = "method",
        /// Whether the caller's leg keeps ringing until the other side answers; no if not set. Only if `<Dial>` is the
        /// first verb.
        answer_on_bridge: bool = "answerOnBridge",
        /// The number that is shown; the caller's if not set. Ours, or one of the call's two.
        caller_id: Address = "callerId",
        /// Why the call is made, for branded calling; at most 50 characters.
        call_reason: String = "callReason",
        /// Whether the caller can end it with the star key; no if not set.
        hangup_on_star: bool = "hangupOnStar",
        /// How long it rings, 5–600 s; 30 s if not set. Twilio adds about 5 s.
        timeout: Seconds = "timeout",
        /// How long they may talk; 4 hours if not set.
        time_limit: Seconds = "timeLimit",
        /// Whether several are dialled one after the other; together if not set.
        sequential: bool = "sequential",
        /// The ringing tone the caller hears; the carrier's if not set.
        ring_tone: RingTone = "ringTone",
        /// Whether it is recorded; no if not set.
        record: DialRecord = "record",
        /// Which side is recorded; both if not set.
        recording_track: RecordingTrack = "recordingTrack",
        /// A URL to be told what becomes of the recording.
        recording_status_callback: Url = "recordingStatusCallback",
        /// How that callback is requested; `POST` if not set.
        recording_status_callback_method: Method = "recordingStatusCallbackMethod",
        /// What that callback is told; `completed` if not set.
        recording_status_callback_event: Vec<RecordingEvent> = "recordingStatusCallbackEvent",
        /// A recording configuration of the account.
        recording_configuration_id: String = "recordingConfigurationId",
        /// Whether silence at the ends of the recording is cut off; no if not set.
        trim: Trim = "trim",
        /// A URL to be asked when the other side, a SIP phone, transfers the call.
        refer_url: Url = "referUrl",
        /// How `refer_url` is requested; `POST` if not set.
        refer_method: Method = "referMethod",
        /// What is reported while it runs.
        events: DialEvent = "events",
    }
    body {
        /// Who is reached.
        target: Target
    }
}

impl Dial {
    /// Puts the caller through to a number, a party, several parties, a room or a queue.
    #[must_use]
    pub fn to(target: impl Into<Target>) -> Self {
        Self::bare(target.into())
    }
}

impl<T: Into<Target>> From<T> for Dial {
    fn from(target: T) -> Self {
        Self::to(target)
    }
}

fn check(dial: &Dial, writer: &mut Writer) {
    let bad = |writer: &mut Writer, reason| {
        writer.fail(super::BuildError::Content { element: "Dial".into(), reason });
    };
    match &dial.target {
        Target::Text(Address::Client(_) | Address::Sip(_)) => {
            bad(writer, "only a telephone number can be dialled as text");
        }
        Target::Parties(parties) if parties.is_empty() => bad(writer, "nobody is dialled"),
        Target::Parties(parties) => {
            let counted = |party: &&Party| matches!(party, Party::Number(_) | Party::Client(_));
            if parties.iter().filter(counted).count() > PARTY_LIMIT {
                bad(writer, "more than ten numbers and clients");
            }
        }
        _ => {}
    }
    if dial.call_reason.as_ref().is_some_and(|reason| reason.chars().count() > 50) {
        writer.fail(super::BuildError::Attribute {
            element: "Dial".into(),
            attribute: "callReason".into(),
            reason: "it has more than 50 characters",
        });
    }
}

impl<T: Into<Party>> From<T> for Target {
    fn from(party: T) -> Self {
        Self::Parties(vec![party.into()])
    }
}

impl From<Vec<Party>> for Target {
    fn from(parties: Vec<Party>) -> Self {
        Self::Parties(parties)
    }
}

impl From<E164> for Target {
    fn from(number: E164) -> Self {
        Self::Text(number.into())
    }
}

impl From<Conference> for Target {
    fn from(room: Conference) -> Self {
        Self::Conference(Box::new(room))
    }
}

impl From<Queue> for Target {
    fn from(queue: Queue) -> Self {
        Self::Queue(Box::new(queue))
    }
}

/// `or` for everybody who can be dialled: the first who answers wins.
macro_rules! or {
    ($($party:ident),*) => {$(
        impl $party {
            /// Dials somebody else as well.
            #[must_use]
            pub fn or(self, other: impl Into<Party>) -> Parties {
                Parties(vec![self.into(), other.into()])
            }
        }
    )*};
}

or!(Number, Client, Sip, WhatsApp, Application, Sim);

/// Several who are dialled by one `<Dial>`; begins with `or` on the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties(Vec<Party>);

impl Parties {
    /// Dials somebody else as well.
    #[must_use]
    pub fn or(mut self, other: impl Into<Party>) -> Self {
        self.0.push(other.into());
        self
    }
}

impl From<Parties> for Target {
    fn from(parties: Parties) -> Self {
        Self::Parties(parties.0)
    }
}

impl Body for Target {
    fn is_empty(&self) -> bool {
        match self {
            Self::Text(address) => address.to_string().is_empty(),
            Self::Parties(parties) => parties.is_empty(),
            Self::Conference(_) | Self::Queue(_) => false,
        }
    }

    fn is_mixed(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn write(&self, _parent: &'static str, writer: &mut Writer) {
        use super::body::{Child, Element};
        match self {
            Self::Text(address) => writer.value("Dial", address),
            Self::Parties(parties) => parties.iter().for_each(|party| party.write_child("Dial", writer)),
            Self::Conference(room) => Element::write(room.as_ref(), writer),
            Self::Queue(queue) => Element::write(queue.as_ref(), writer),
        }
    }

    #[cfg(feature = "parse")]
    fn read(
        tag: &super::reader::Tag<'_>,
        reader: &mut super::reader::Reader<'_>,
    ) -> Result<Self, super::reader::ReadError> {
        use super::{
            body::{Child, Element},
            reader::Item,
        };
        let (mut text, mut alone, mut parties) = (String::new(), None, Vec::new());
        while let Some((_, item)) = reader.next(tag)? {
            match item {
                Item::Text(more) => text.push_str(&more),
                Item::End => break,
                Item::Start(child) if alone.is_some() => return Err(reader.misplaced(&child)),
                Item::Start(child) => match child.name {
                    "Conference" | "Queue" if !parties.is_empty() => return Err(reader.misplaced(&child)),
                    "Conference" => alone = Some(<Conference as Element>::read(child, reader)?.into()),
                    "Queue" => alone = Some(<Queue as Element>::read(child, reader)?.into()),
                    _ => parties.push(Party::read_child(child, reader)?),
                },
            }
        }
        match (alone, text.trim()) {
            (Some(target), "") => Ok(target),
            (None, "") => Ok(Self::Parties(parties)),
            (None, number) if parties.is_empty() => Ok(Self::Text(number.into())),
            _ => Err(reader.content(tag, "either a number as text, or nouns")),
        }
    }
}
