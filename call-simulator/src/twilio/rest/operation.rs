//! What can be asked, told from method and path.

use twilio_twiml::sid::CallSid;

use super::error::Refusal;

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A request that the API knows.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $($(#[$doc])* $name,)*
        }
    };
}

operations! {
    /// `POST Calls.json`
    CreateCall,
    /// `GET Calls.json`
    ListCalls,
    /// `GET Calls/{sid}.json`
    FetchCall,
    /// `POST Calls/{sid}.json`
    UpdateCall,
    /// `DELETE Calls/{sid}.json`
    DeleteCall,
    /// `GET Recordings.json` and `GET Calls/{sid}/Recordings.json`
    ListRecordings,
    /// `POST Calls/{sid}/Recordings.json`
    StartRecording,
    /// `POST Calls/{sid}/Recordings/{sid or Twilio.CURRENT}.json`
    UpdateRecording,
    /// `GET Recordings/{sid}.json`
    FetchRecording,
    /// `GET Recordings/{sid}` and `GET Recordings/{sid}.wav`
    DownloadRecording,
    /// `DELETE Recordings/{sid}.json`
    DeleteRecording,
    /// `GET Conferences.json`
    ListConferences,
    /// `GET Conferences/{sid}.json`
    FetchConference,
    /// `POST Conferences/{sid}.json`
    UpdateConference,
    /// `POST Conferences/{sid or name}/Participants.json`
    CreateParticipant,
    /// `GET Conferences/{sid}/Participants.json`
    ListParticipants,
    /// `GET Conferences/{sid}/Participants/{call or label}.json`
    FetchParticipant,
    /// `POST Conferences/{sid}/Participants/{call or label}.json`
    UpdateParticipant,
    /// `DELETE Conferences/{sid}/Participants/{call or label}.json`
    DeleteParticipant,
}

/// An operation and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) operation: Operation,
    /// The identifiers in the path, in its order.
    pub(super) names: Vec<String>,
}

impl Asked {
    /// What a request wants; `path` is what follows the account, decoded and split.
    pub(super) fn read(method: &str, path: &[String]) -> Result<Self, Refusal> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let (operations, names): (&[(&str, Operation)], Vec<&str>) = match path[..] {
            ["Calls.json"] => (&[("POST", Operation::CreateCall), ("GET", Operation::ListCalls)], vec![]),
            ["Calls", file] => (
                &[("GET", Operation::FetchCall), ("POST", Operation::UpdateCall), ("DELETE", Operation::DeleteCall)],
                vec![json(file)?],
            ),
            ["Conferences.json"] => (&[("GET", Operation::ListConferences)], vec![]),
            ["Conferences", file] => {
                (&[("GET", Operation::FetchConference), ("POST", Operation::UpdateConference)], vec![json(file)?])
            }
            ["Conferences", room, "Participants.json"] => {
                (&[("GET", Operation::ListParticipants), ("POST", Operation::CreateParticipant)], vec![room])
            }
            ["Conferences", room, "Participants", file] => (
                &[
                    ("GET", Operation::FetchParticipant),
                    ("POST", Operation::UpdateParticipant),
                    ("DELETE", Operation::DeleteParticipant),
                ],
                vec![room, json(file)?],
            ),
            ["Recordings.json"] => (&[("GET", Operation::ListRecordings)], vec![]),
            ["Calls", call, "Recordings.json"] => {
                (&[("GET", Operation::ListRecordings), ("POST", Operation::StartRecording)], vec![call])
            }
            ["Calls", call, "Recordings", file] => (&[("POST", Operation::UpdateRecording)], vec![call, json(file)?]),
            ["Recordings", file] if file.ends_with(".json") => {
                (&[("GET", Operation::FetchRecording), ("DELETE", Operation::DeleteRecording)], vec![json(file)?])
            }
            ["Recordings", file] => {
                let name = file.strip_suffix(".wav").unwrap_or(file);
                (&[("GET", Operation::DownloadRecording)], vec![name])
            }
            _ => return Err(Refusal::not_found(&format!("/{}", path.join("/")))),
        };
        let operation =
            operations.iter().find(|(known, _)| *known == method).ok_or_else(Refusal::method_not_allowed)?.1;
        Ok(Self { operation, names: names.into_iter().map(str::to_owned).collect() })
    }

    /// The call in the path.
    pub(super) fn call(&self) -> Result<CallSid, Refusal> {
        let name = self.names.first().map(String::as_str).unwrap_or_default();
        name.parse().map_err(|_| Refusal::not_found(&format!("/Calls/{name}.json")))
    }
}

fn json(file: &str) -> Result<&str, Refusal> {
    file.strip_suffix(".json").ok_or_else(|| Refusal::not_found(&format!("/{file}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, path: &str) -> Result<Asked, u32> {
        let path: Vec<_> = path.split('/').map(str::to_owned).collect();
        Asked::read(method, &path).map_err(|refusal| refusal.code)
    }

    #[test]
    fn an_operation_is_a_method_and_a_path() {
        let asked = read("POST", "Calls/CA1.json").unwrap();
        assert_eq!(asked, Asked { operation: Operation::UpdateCall, names: vec!["CA1".into()] });
        assert_eq!(read("GET", "Recordings/RE1.wav").unwrap().operation, Operation::DownloadRecording);
        assert_eq!(read("PUT", "Calls.json"), Err(20_004));
        assert_eq!(read("GET", "Calls"), Err(20_404));
        assert_eq!(read("GET", "Faxes.json"), Err(20_404));
    }
}
