//! A telephone call with a voice model as a durable object: what happened to it, where it is kept, who is attached.
