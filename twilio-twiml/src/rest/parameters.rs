//! `parameters!` declares the parameters of a request.

/// Declares a struct of parameters with one consuming method for each that may be missing, and `fill`, which puts them
/// into a form under Twilio's names.
///
/// - `required` are plain fields, given to the constructor;
/// - `optional` are `Option` fields;
/// - `lists` are `Vec` fields: the parameter is repeated for each item;
/// - `with` is a field that puts itself into the form, where several parameters depend on each other.
macro_rules! parameters {
    (
        $(#[$doc:meta])*
        $name:ident;
        $(required { $($(#[$required_doc:meta])* $required:ident: $required_type:ty = $required_name:literal,)+ })?
        $(with { $($(#[$with_doc:meta])* $with:ident: $with_type:ty,)+ })?
        $(optional { $($(#[$optional_doc:meta])* $optional:ident: $optional_type:ty = $optional_name:literal,)+ })?
        $(lists { $($(#[$list_doc:meta])* $list:ident: $item:ty = $list_name:literal,)+ })?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $($($(#[$required_doc])* pub $required: $required_type,)+)?
            $($($(#[$with_doc])* pub $with: $with_type,)+)?
            $($($(#[$optional_doc])* pub $optional: Option<$optional_type>,)+)?
            $($($(#[$list_doc])* pub $list: Vec<$item>,)+)?
        }

        impl $name {
            fn bare($($($required: $required_type,)+)? $($($with: $with_type,)+)?) -> Self {
                Self {
                    $($($required,)+)?
                    $($($with,)+)?
                    $($($optional: None,)+)?
                    $($($list: Vec::new(),)+)?
                }
            }

            $($(
                $(#[$optional_doc])*
                #[must_use]
                pub fn $optional(mut self, value: impl Into<$optional_type>) -> Self {
                    self.$optional = Some(value.into());
                    self
                }
            )+)?

            $($(
                $(#[$list_doc])*
                #[must_use]
                pub fn $list<T: Into<$item>>(mut self, items: impl IntoIterator<Item = T>) -> Self {
                    self.$list = items.into_iter().map(Into::into).collect();
                    self
                }
            )+)?

            /// The parameters under Twilio's names.
            pub(super) fn form(&self) -> $crate::webhook::Form {
                let mut form = $crate::webhook::Form::new();
                $($(form.put($required_name, &self.$required);)+)?
                $($(self.$with.fill(&mut form);)+)?
                $($(if let Some(value) = &self.$optional {
                    form.put($optional_name, value);
                })+)?
                $($(for item in &self.$list {
                    form.put($list_name, item);
                })+)?
                form
            }
        }
    };
}

pub(super) use parameters;
