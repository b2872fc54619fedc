//! Lists, page by page.

use std::{collections::HashMap, vec};

use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    client::{Client, Request},
    error::Error,
};

/// How many items a page is asked for: the most that Twilio gives (Twilio: API, paging).
pub(super) const PAGE_SIZE: &str = "1000";

/// A page of a list: the items are under the name of the resource.
#[derive(Deserialize)]
struct Page {
    next_page_uri: Option<String>,
    #[serde(flatten)]
    rest: HashMap<String, serde_json::Value>,
}

/// What is left to do: items of this page, then the next one.
struct Walk<T> {
    client: Client,
    items: vec::IntoIter<T>,
    next: Option<Result<Request, Error>>,
}

impl Client {
    /// The items of a list, over all its pages. A page is fetched when its first item is asked for.
    ///
    /// After an error the list ends.
    pub(super) fn list<T>(
        &self,
        first: Request,
        name: &'static str,
    ) -> impl Stream<Item = Result<T, Error>> + Send + use<T>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let walk = Walk { client: self.clone(), items: Vec::new().into_iter(), next: Some(Ok(first)) };
        stream::try_unfold(walk, move |mut walk: Walk<T>| async move {
            loop {
                if let Some(item) = walk.items.next() {
                    return Ok(Some((item, walk)));
                }
                let Some(request) = walk.next.take() else {
                    return Ok(None);
                };
                let mut page: Page = walk.client.json(request?).await?;
                let items = page.rest.remove(name).unwrap_or_default();
                let unreadable = |source| Error::Unreadable { operation: format!("a list of {name}"), source };
                let items: Vec<T> = serde_json::from_value(items).map_err(unreadable)?;
                walk.items = items.into_iter();
                walk.next = page.next_page_uri.map(|uri| walk.client.next_page(&uri).map_err(unreadable));
            }
        })
        .into_stream()
        .boxed()
    }
}
