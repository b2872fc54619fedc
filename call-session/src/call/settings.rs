//! What a call is about, as it was when the call began.

use serde::{Deserialize, Serialize};

/// What a call is about: whose it is, whom the caller wants, what is offered. A call keeps the settings it began with,
/// whatever becomes of those they were taken from.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ConversationSettings {
    /// The company that calls, or is called.
    pub company_name: String,
    /// Its service.
    pub service_name: String,
    /// The name the agent speaks under.
    pub representative_name: String,
    /// The department that is wanted.
    pub target_department: String,
    /// The person who is wanted.
    pub target_person: String,
    /// What the service is.
    pub service_description: String,
    /// What is said in its favour.
    pub sales_pitch: String,
    /// The language that is spoken, as a tag such as `ja-JP`.
    pub language: String,
}

macro_rules! setters {
    ($($(#[$doc:meta])* $setter:ident $field:ident;)*) => {
        impl ConversationSettings {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $setter(mut self, $field: impl Into<String>) -> Self {
                    self.$field = $field.into();
                    self
                }
            )*
        }
    };
}

setters! {
    /// Sets the company.
    with_company_name company_name;
    /// Sets its service.
    with_service_name service_name;
    /// Sets the name the agent speaks under.
    with_representative_name representative_name;
    /// Sets the department that is wanted.
    with_target_department target_department;
    /// Sets the person who is wanted.
    with_target_person target_person;
    /// Sets what the service is.
    with_service_description service_description;
    /// Sets what is said in its favour.
    with_sales_pitch sales_pitch;
    /// Sets the language.
    with_language language;
}

impl std::fmt::Debug for ConversationSettings {
    /// The language and the company, not what is said to whom.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConversationSettings")
            .field("company_name", &self.company_name)
            .field("language", &self.language)
            .finish_non_exhaustive()
    }
}
