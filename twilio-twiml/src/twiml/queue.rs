//! Queues: `<Enqueue>`, the `<Queue>` noun, and the `<Task>` of a workflow.

use super::{
    body::{Body, Element},
    error::BuildError,
    macros::element,
    value::{Url, noun_text},
    writer::Writer,
};
use crate::{Count, Seconds, words::Method};

/// The longest name of a queue, in characters (Twilio: TwiML, `<Enqueue>`).
const NAME_LIMIT: usize = 64;

element! {
    /// Puts the caller into a queue, where they wait until they are dialled out of it or leave (Twilio: TwiML,
    /// `<Enqueue>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Enqueue, Response, Task};
    ///
    /// let enqueue = Enqueue::new("support").wait_url("https://bridge.example.com/hold");
    /// let xml = Response::new().enqueue(enqueue).to_xml()?;
    /// assert!(xml.contains(
    ///     r#"<Enqueue waitUrl="https://bridge.example.com/hold">support</Enqueue>"#
    /// ));
    ///
    /// let task = Enqueue::new(Task::new(r#"{"skill":"claims"}"#).priority(5)).workflow_sid("WW0123");
    /// let xml = Response::new().enqueue(task).to_xml()?;
    /// assert!(xml.contains(
    ///     r#"<Enqueue workflowSid="WW0123"><Task priority="5">{"skill":"claims"}</Task></Enqueue>"#
    /// ));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Enqueue "Enqueue";
    check = check;
    attributes {
        /// Where to go on when the caller is out of the queue; the next verb if not set.
        action: Url = "action",
        /// How `action` is requested; `POST` if not set.
        method: Method = "method",
        /// What the caller hears meanwhile, again and again: a document of `Play`, `Say`, `Pause`, `Hangup`, `Redirect`,
        /// `Leave` and `Gather`.
        wait_url: Url = "waitUrl",
        /// How `wait_url` is requested; `POST` if not set.
        wait_url_method: Method = "waitUrlMethod",
        /// How many may wait.
        max_queue_size: Count = "maxQueueSize",
        /// The workflow that a task goes through.
        workflow_sid: String = "workflowSid",
    }
    body {
        /// The queue, or the task.
        place: Place
    }
}

/// Where `<Enqueue>` puts a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Into the queue of this name, which is made if there is none.
    Queue(String),
    /// Into a workflow, as a task.
    Task(Box<Task>),
}

impl<T: Into<String>> From<T> for Place {
    fn from(queue: T) -> Self {
        Self::Queue(noun_text(queue))
    }
}

impl From<Task> for Place {
    fn from(task: Task) -> Self {
        Self::Task(Box::new(task))
    }
}

impl Enqueue {
    /// Into the queue of this name, or into a workflow as a [`Task`].
    #[must_use]
    pub fn new(place: impl Into<Place>) -> Self {
        Self::bare(place.into())
    }
}

impl<T: Into<Place>> From<T> for Enqueue {
    fn from(place: T) -> Self {
        Self::new(place)
    }
}

fn check(enqueue: &Enqueue, writer: &mut Writer) {
    match &enqueue.place {
        Place::Queue(name) if name.is_empty() || name.chars().count() > NAME_LIMIT => {
            writer.fail(BuildError::Content {
                element: "Enqueue".into(),
                reason: "a queue's name has 1 to 64 characters",
            });
        }
        Place::Task(_) if enqueue.workflow_sid.is_none() => {
            writer.fail(BuildError::Missing { element: "Enqueue", attribute: "workflowSid" });
        }
        _ => {}
    }
}

impl Body for Place {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Queue(name) if name.is_empty())
    }

    fn is_mixed(&self) -> bool {
        matches!(self, Self::Queue(_))
    }

    fn write(&self, parent: &'static str, writer: &mut Writer) {
        match self {
            Self::Queue(name) => writer.text(parent, name),
            Self::Task(task) => Element::write(task.as_ref(), writer),
        }
    }

    #[cfg(feature = "parse")]
    fn read(
        tag: &super::reader::Tag<'_>,
        reader: &mut super::reader::Reader<'_>,
    ) -> Result<Self, super::reader::ReadError> {
        use super::reader::Item;
        let (mut name, mut task) = (String::new(), None);
        while let Some((_, item)) = reader.next(tag)? {
            match item {
                Item::Text(more) => name.push_str(&more),
                Item::End => break,
                Item::Start(child) if child.name == Task::TAG && task.is_none() => {
                    task = Some(<Task as Element>::read(child, reader)?);
                }
                Item::Start(child) => return Err(reader.misplaced(&child)),
            }
        }
        match (task, name.trim()) {
            (Some(task), "") => Ok(task.into()),
            (None, name) => Ok(name.into()),
            (Some(_), _) => Err(reader.content(tag, "either a queue's name or a task")),
        }
    }
}

element! {
    /// A task for a workflow, in `<Enqueue>`: its attributes, as JSON.
    Task "Task";
    attributes {
        /// Higher ones come first.
        priority: Count = "priority",
        /// How long the task may wait.
        timeout: Seconds = "timeout",
    }
    text {
        /// The task's attributes, as JSON.
        json: String
    }
}

impl Task {
    /// A task with these attributes.
    #[must_use]
    pub fn new(json: impl Into<String>) -> Self {
        Self::bare(noun_text(json))
    }
}

element! {
    /// The caller at the head of a queue, in `<Dial>` (Twilio: TwiML, `<Queue>`).
    ///
    /// ```
    /// use twilio_twiml::twiml::{Queue, Response};
    ///
    /// let xml = Response::new().dial(Queue::new("support").url("/about-to-connect")).to_xml()?;
    /// assert!(xml.contains(r#"<Dial><Queue url="/about-to-connect">support</Queue></Dial>"#));
    /// # Ok::<(), twilio_twiml::twiml::BuildError>(())
    /// ```
    Queue "Queue";
    attributes {
        /// A document for the one who waited, before they are put through.
        url: Url = "url",
        /// How `url` is requested; `POST` if not set.
        method: Method = "method",
        /// The reservation of the task that the caller is.
        reservation_sid: String = "reservationSid",
        /// The activity that the worker goes to afterwards.
        post_work_activity_sid: String = "postWorkActivitySid",
    }
    text {
        /// The queue's name.
        name: String
    }
}

impl Queue {
    /// The queue of this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self::bare(noun_text(name))
    }
}
